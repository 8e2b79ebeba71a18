#include "core/text/escape.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <ostream>

namespace pipewarden::core {
namespace {

BOOST_AUTO_TEST_SUITE(escape)

using namespace std::string_view_literals;

// Of Go 1.26's json.Marshal.
struct JsonCase {
  std::string_view text;
  std::string_view json;
};
std::ostream& operator<<(std::ostream& out, const JsonCase& c) { return out << c.json; }
const JsonCase kJson[] = {
    {"plain", R"("plain")"},
    {"", R"("")"},
    {"q\"\\/", R"("q\"\\/")"},
    {"\b\f\n\r\t\0\x1f\x7f"sv, "\"\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\""},
    {"<a&b>", R"("\u003ca\u0026b\u003e")"},
    {"\u2028\u2029", R"("\u2028\u2029")"},
    {"\xff\xffz", R"("\ufffd\ufffdz")"},
    {"\ufffd", "\"\ufffd\""},
    {"\u00e9\U0001f600", "\"\u00e9\U0001f600\""},
    {"cut \xe2\x82", R"("cut \ufffd\ufffd")"},
};

BOOST_DATA_TEST_CASE(json_strings_are_gos, boost::unit_test::data::make(kJson), c) {
  BOOST_TEST(JsonString(c.text) == c.json);
}

BOOST_AUTO_TEST_CASE(html_is_escaped_as_go_escapes_it) {
  BOOST_TEST(EscapeHtml("<a href=\"x\">'&'\0"sv) == "&lt;a href=&#34;x&#34;&gt;&#39;&amp;&#39;\uFFFD");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::core
