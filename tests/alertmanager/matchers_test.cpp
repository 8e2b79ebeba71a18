#include "alertmanager/matchers.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace pipewarden::alertmanager {
namespace {

namespace data = boost::unit_test::data;

struct Case {
  const char* text;
  const char* printed;  // nullptr: refused
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.text; }

// Expectations checked against amtool 0.34's parser where both grammars apply.
const Case kCases[] = {
    {"foo=bar", "{foo=\"bar\"}"},
    {"foo=\"bar\"", "{foo=\"bar\"}"},
    {" foo = bar ", "{foo=\"bar\"}"},
    {"{foo=\"bar\",baz!=qux,a=~\"x.*\",b!~y}", "{foo=\"bar\",baz!=\"qux\",a=~\"x.*\",b!~\"y\"}"},
    {"{foo=bar,}", "{foo=\"bar\"}"},
    {"{}", "{}"},
    {"foo=\"a,b\"", "{foo=\"a,b\"}"},
    {"foo=\"a\\\"b\"", "{foo=\"a\\\"b\"}"},
    {"foo=\"a\\nb\"", "{foo=\"a\\nb\"}"},
    {"foo=", "{foo=\"\"}"},
    {"foo=~\"\"", "{foo=~\"\"}"},
    {"\"foo bar\"=\"baz\"", "{\"foo bar\"=\"baz\"}"},
    {"Σ=π", "{Σ=\"π\"}"},
    {"\"😊\"=\"a\"", "{😊=\"a\"}"},
    {"foo:bar=x", "{foo:bar=\"x\"}"},
    {"foo=bar baz", "{foo=\"bar baz\"}"},  // the classic grammar alone takes it
    {"foo=\"bar", nullptr},
    {"foo", nullptr},
    {"=bar", nullptr},
    {"foo==bar", "{foo=\"=bar\"}"},  // classic
    {"foo=~[", nullptr},
    {"0foo=\"bar\"", "{0foo=\"bar\"}"},  // a name of the UTF-8 grammar
    {"foo=\"\\d\"", "{foo=\"\\\\d\"}"},  // classic: a spurious escape stands for itself
    {"foo=bar\"baz", nullptr},
};

BOOST_DATA_TEST_CASE(both_grammars, data::make(kCases), c) {
  const auto parsed = ParseMatchers(c.text);
  if (c.printed == nullptr) {
    BOOST_TEST(!parsed.has_value());
  } else {
    BOOST_REQUIRE_MESSAGE(parsed.has_value(), (parsed ? std::string() : parsed.error().message));
    BOOST_TEST(MatchersText(*parsed) == c.printed);
  }
}

BOOST_AUTO_TEST_CASE(sorted_by_name_value_operator) {
  auto matchers = ParseMatchers("{b=2,a=~2,a=1,a!=1}").value();
  SortMatchers(matchers);
  BOOST_TEST(MatchersText(matchers) == "{a=\"1\",a!=\"1\",a=~\"2\",b=\"2\"}");
}

BOOST_AUTO_TEST_CASE(a_missing_label_is_empty) {
  BOOST_TEST(MatchesAll(ParseMatchers("{x!=\"y\",z=\"\"}").value(), core::Labels{{"a", "b"}}));
  BOOST_TEST(!MatchesAll(ParseMatchers("x=~\".+\"").value(), core::Labels{{"a", "b"}}));
  BOOST_TEST(!MatchesAll(ParseMatchers("a=~\"b\"").value(), core::Labels{{"a", "abc"}}));
}

BOOST_AUTO_TEST_CASE(a_dot_matches_no_newline) {  // unlike in PromQL
  BOOST_TEST(!MatchesAll(ParseMatchers("a=~\".*\"").value(), core::Labels{{"a", "x\ny"}}));
  BOOST_TEST(MatchesAll(ParseMatchers("a!~\".*\"").value(), core::Labels{{"a", "x\ny"}}));
}

BOOST_AUTO_TEST_CASE(label_sets_and_quotes_as_go_prints_them) {
  BOOST_TEST(LabelSetText(core::Labels{{"cluster", "c1"}, {"alertname", "foo"}}) ==
             "{alertname=\"foo\", cluster=\"c1\"}");
  BOOST_TEST(LabelSetText({}) == "{}");
  BOOST_TEST(LabelSetText(core::Labels{{"l", "a\"\\\n\té\x01\xff\x7f"}}) == R"({l="a\"\\\n\té\x01\xff\x7f"})");
  BOOST_TEST(LabelSetText(core::Labels{{"l", "\u200b\u00a0"}}) == R"({l="\u200b\u00a0"})");
}

}  // namespace
}  // namespace pipewarden::alertmanager
