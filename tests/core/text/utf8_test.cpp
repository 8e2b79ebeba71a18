#include "core/text/utf8.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <ostream>

namespace pipewarden::core {
namespace {

BOOST_AUTO_TEST_SUITE(utf8)

struct Utf8Case {
  std::string_view bytes;
  std::string_view repaired;
};
std::ostream& operator<<(std::ostream& out, const Utf8Case& c) { return out << c.bytes; }
const Utf8Case kUtf8[] = {{"plain", "plain"},
                          {"\xC3\xA9", "\xC3\xA9"},
                          {"a\xFFz", "a\xEF\xBF\xBDz"},
                          {"\xC0\x80", "\xEF\xBF\xBD"},      // overlong
                          {"\xED\xA0\x80", "\xEF\xBF\xBD"},  // a surrogate
                          {"\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80"},
                          {"\xF4\x90\x80\x80", "\xEF\xBF\xBD"},  // beyond U+10FFFF
                          {"x\xE2\x82", "x\xEF\xBF\xBD"}};       // cut short

BOOST_DATA_TEST_CASE(utf8_is_told_and_repaired, boost::unit_test::data::make(kUtf8), c) {
  BOOST_TEST(ToValidUtf8(c.bytes) == c.repaired);
  BOOST_TEST(IsValidUtf8(c.bytes) == (c.bytes == c.repaired));
}

BOOST_AUTO_TEST_CASE(code_points_are_taken_one_by_one) {
  std::string_view text = "a\u00e9\u4e16\U0001f600\xff\uFFFD";
  BOOST_TEST(CountUtf8(text) == 6U);
  BOOST_TEST(Utf8Prefix(text, 2) == "a\u00e9");
  BOOST_TEST(Utf8Prefix(text, 9) == text);
  const std::string_view whole = text;
  std::string again;
  std::u32string taken;
  std::size_t invalid = 0;
  while (!text.empty()) {
    bool valid = true;
    taken += TakeUtf8(text, &valid);
    AppendUtf8(again, taken.back());
    invalid += valid ? 0 : 1;
  }
  BOOST_TEST((taken == U"a\u00e9\u4e16\U0001f600\uFFFD\uFFFD"));
  BOOST_TEST(invalid == 1U);  // the character U+FFFD itself is a valid one
  BOOST_TEST(again == ToValidUtf8(whole.substr(0, whole.size() - 3)) + "\uFFFD");
}

BOOST_AUTO_TEST_CASE(what_is_no_code_point_is_written_as_the_replacement) {
  std::string out;
  for (const char32_t none : {char32_t{0xD800}, char32_t{0xDFFF}, char32_t{0x110000}}) AppendUtf8(out, none);
  BOOST_TEST(out == "\uFFFD\uFFFD\uFFFD");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::core
