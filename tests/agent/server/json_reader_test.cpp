#include "agent/server/json_reader.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <ostream>

namespace pipewarden::agent {
namespace {

BOOST_AUTO_TEST_SUITE(json_reader)

struct Text {
  const char* json;
  const char* value;  // null: an error
};
std::ostream& operator<<(std::ostream& out, const Text& text) { return out << text.json; }

const Text kTexts[] = {
    {R"("")", ""},
    {R"( "a b" )", "a b"},
    {R"("\"\\\/\b\f\n\r\t")", "\"\\/\b\f\n\r\t"},
    {R"("\u00e9\u20AC\ud83d\ude00")", "é€😀"},
    {R"("\ud83d x")", "\xEF\xBF\xBD x"},
    {R"("\ud83d\u0041")",
     "\xEF\xBF\xBD"
     "A"},
    {"null", "before"},
    {R"("open)", nullptr},
    {R"("\x")", nullptr},
    {R"("\u12g4")", nullptr},
    {"\"a\nb\"", nullptr},
    {"5", nullptr},
    {"", nullptr},
    {R"("a" "b")", nullptr},
};

BOOST_DATA_TEST_CASE(strings, boost::unit_test::data::make(kTexts), text) {
  JsonReader reader(text.json);
  std::string value = "before";
  const bool good = reader.String(value) && reader.End();
  BOOST_TEST(good == (text.value != nullptr));
  BOOST_TEST(good == reader.error().empty());
  if (good && text.value != nullptr) BOOST_TEST(value == text.value);
}

BOOST_AUTO_TEST_CASE(objects_and_lists) {
  JsonReader reader(R"( {"a": [1, {"b": null}], "c" : [true, false], "d": {}, "e": [] } )");
  std::string seen;
  reader.Object([&](std::string_view key) {
    seen += key;
    if (key != "c") {
      reader.Skip();
      return;
    }
    reader.Array([&] {
      bool value = false;
      reader.Bool(value);
      seen += value ? '1' : '0';
    });
  });
  BOOST_TEST(reader.End());
  BOOST_TEST(seen == "ac10de");
}

const char* const kBad[] = {"{",  "[",  "[1,]", "{\"a\"}", "{\"a\":}", "{a:1}", "[1 2]", "01",        "-",
                            "1.", "1e", "nul",  "tru",     "\x01",     "[1]]",  "{} {}", "{\"a\":1,}"};

BOOST_DATA_TEST_CASE(what_is_no_json, boost::unit_test::data::make(kBad), bad) {
  JsonReader reader(bad);
  BOOST_TEST(!(reader.Skip() && reader.End()));
  BOOST_TEST(!reader.error().empty());
}

BOOST_AUTO_TEST_CASE(depth_is_bounded) {
  const std::string text(100, '[');
  JsonReader deep(text);
  BOOST_TEST(!deep.Skip());
  BOOST_TEST(deep.error() == "values nested more than 64 deep");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::agent
