#include "rules/promql/parser.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "rules/promql/printer.h"

namespace pipewarden::rules::promql {
namespace {

struct Good {
  const char* query;
  const char* printed;
};
std::ostream& operator<<(std::ostream& out, const Good& c) { return out << c.query; }

const Good kGood[] = {
    {"1", "1"},
    {"+1", "1"},
    {"- - -1", "-1"},
    {"0x1F", "31"},
    {"1_000.5", "1000.5"},
    {"1e3", "1000"},
    {".5", "0.5"},
    {"5.", "5"},
    {"inF", "+Inf"},
    {"NaN", "NaN"},
    {"1m40s", "1m40s"},
    {"'a\\n\\x41\\u00e9'", "\"a\\nAé\""},
    {"`a\\n`", "\"a\\\\n\""},
    {"foo", "foo"},
    {"foo:bar{}", "foo:bar"},
    {"{__name__=\"foo\"}", "{__name__=\"foo\"}"},
    {"{\"foo.bar\", \"a.b\"=~\"x|y\"}", "{\"a.b\"=~\"x|y\",__name__=\"foo.bar\"}"},
    {"foo{a=\"b\",c!='d',e=~`f`,g!~\"h\",}", "foo{a=\"b\",c!=\"d\",e=~\"f\",g!~\"h\"}"},
    {"foo{b=\"1\",a=\"2\",a!=\"3\"}", "foo{a!=\"3\",a=\"2\",b=\"1\"}"},
    {"sum", "sum"},
    {"and and and", "and and and"},
    {"foo[5m]", "foo[5m]"},
    {"foo[1.5]", "foo[1s500ms]"},
    {"foo[5m*2]", "foo[5m * 2]"},
    {"foo[max_of(step(), 5s)]", "foo[max_of(step(), 5s)]"},
    {"foo[(2+3)*1m:1m^1]", "foo[(2 + 3) * 1m:1m ^ 1]"},
    {"foo offset 5m", "foo offset 5m"},
    {"foo offset -5m @ 12", "foo @ 12.000 offset -5m"},
    {"foo offset (1m * 2)", "foo offset (1m * 2)"},
    {"foo[5m:] @ start() offset 1w", "foo[5m:] @ start() offset 1w"},
    {"(foo + bar)[5m:10s] @ end()", "(foo + bar)[5m:10s] @ end()"},
    {"sum by (a, \"b.c\") (foo)", "sum by (a, \"b.c\") (foo)"},
    {"sum(foo) without (a)", "sum without (a) (foo)"},
    {"sum by () (foo)", "sum(foo)"},
    {"topk(5, foo)", "topk(5, foo)"},
    {"count_values(\"v\", foo) by (on)", "count_values by (on) (\"v\", foo)"},
    {"a + b * c", "a + b * c"},
    {"(a + b) * c", "(a + b) * c"},
    {"2 ^ 3 ^ 2", "2 ^ 3 ^ 2"},
    {"-a ^ 2", "-a ^ 2"},
    {"a - inf ^ 2", "a - Inf ^ 2"},
    {"a == bool b", "a == bool b"},
    {"a and on (x) b", "a and on (x) b"},
    {"a * ignoring(x, y) group_left(z) b", "a * ignoring (x, y) group_left (z) b"},
    {"a * on() group_right b", "a * on () group_right () b"},
    {"a atan2 b % c", "a atan2 b % c"},
    {"a </ b", "a </ b"},
    {"rate(foo[5m]) # comment", "rate(foo[5m])"},
    {"label_join(a, \"b\", \",\")", "label_join(a, \"b\", \",\")"},
};

BOOST_DATA_TEST_CASE(queries_print_as_they_were_meant_and_read_back, boost::unit_test::data::make(kGood), c) {
  const auto expr = ParseExpr(c.query);
  BOOST_REQUIRE_MESSAGE(expr.has_value(), expr.error().message);
  BOOST_TEST(Print(**expr) == c.printed);
  const auto again = ParseExpr(Print(**expr));
  BOOST_REQUIRE_MESSAGE(again.has_value(), again.error().message);
  BOOST_TEST(Print(**again) == Print(**expr));
}

struct Wrong {
  const char* query;
  const char* message;
};
std::ostream& operator<<(std::ostream& out, const Wrong& c) { return out << c.query; }

// As Prometheus 3.15 words them.
const Wrong kWrong[] = {
    {"", "unknown position: parse error: no expression found in input"},
    {"up[15ss]", R"(1:4: parse error: unknown unit "ss" in duration "15ss")"},
    {"up[3@0s]", R"(1:5: parse error: unexpected <op:@> in subquery or range, expected ":" or "]")"},
    {"up{a!", "1:5: parse error: unexpected character after '!' inside braces: '\xEF\xBF\xBD'"},
    {"1 +", "1:4: parse error: unexpected end of input"},
    {"(1", "1:3: parse error: unclosed left parenthesis"},
    {"1)", "1:3: parse error: unexpected right parenthesis ')'"},
    {"foo{", "1:5: parse error: unexpected end of input inside braces"},
    {"foo{a=b}", "1:7: parse error: unexpected identifier \"b\" in label matching, expected string"},
    {"foo[5m", "1:7: parse error: unclosed left bracket"},
    {"foo[]",
     "1:5: parse error: unexpected \"]\" in subquery or range selector, expected number, duration, step(), or range()"},
    {"foo[0]", "1:5: parse error: duration must be greater than 0"},
    {"foo[1m/0]", "1:7: parse error: division by zero"},
    {"(foo)[5m]", "1:6: parse error: ranges only allowed for vector selectors"},
    {"foo offset 5m[5m]", "1:14: parse error: no offset modifiers allowed before range"},
    {"foo offset 5m offset 6m", "1:1: parse error: offset may not be set multiple times"},
    {"sum(foo) @ 5",
     "1:1: parse error: @ modifier must be preceded by an instant vector selector or range vector selector or a "
     "subquery"},
    {"1 == 1", "1:3: parse error: comparisons between scalars must use BOOL modifier"},
    {"foo + bool bar", "1:5: parse error: bool modifier can only be used on comparison operators"},
    {"foo and 1", "1:1: parse error: set operator \"and\" not allowed in binary scalar expression"},
    {"a and on(b) group_left(c) d", "1:1: parse error: no grouping allowed for \"and\" operation"},
    {"a * on(b) group_left(b) d", "1:3: parse error: label \"b\" must not occur in ON and GROUP clause at once"},
    {"-\"a\"",
     "1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, got \"string\""},
    {"{}", "1:1: parse error: vector selector must contain at least one non-empty matcher"},
    {"{a=\"\"}", "1:1: parse error: vector selector must contain at least one non-empty matcher"},
    {"foo{__name__=\"bar\"}", "1:1: parse error: metric name must not be set twice: \"foo\" or \"bar\""},
    {"rate(foo)", "1:6: parse error: expected type range vector in call to function \"rate\", got instant vector"},
    {"floor()", "1:1: parse error: expected 1 argument(s) in call to \"floor\", got 0"},
    {"nope(1)", "1:1: parse error: unknown function with name \"nope\""},
    {"sum(foo,)", "1:8: parse error: trailing commas not allowed in function call args"},
    {"count_values(\"v\",, foo)", "1:17: parse error: trailing commas not allowed in function call args"},
    {"a{b=~\"c)|(d\"}", "1:3: parse error: error parsing regexp: unexpected ): `c)|(d`"},
    {"a[#5m]", "1:3: parse error: unexpected character in duration expression: '#'"},
    {"a / on(x) group_right ", "1:23: parse error: unexpected end of input in grouping opts, expected \"(\""},
    {"(a / on(x) group_left)", "1:22: parse error: unexpected \")\" in grouping opts, expected \"(\""},
    {"a / on(x) group_left * b", "1:22: parse error: unexpected <op:*> in grouping opts, expected \"(\""},
    {"0..1", "1:1: parse error: error parsing number: strconv.ParseFloat: parsing \"0..1\": invalid syntax"},
    {"1e5.3", "1:1: parse error: error parsing number: strconv.ParseFloat: parsing \"1e5.3\": invalid syntax"},
    {"0...1", "1:1: parse error: bad number or duration syntax: \"0...\""},
    {"1.2.3", "1:1: parse error: bad number or duration syntax: \"1.2.\""},
    {"foo offset --15s + on (a) b",
     "1:20: parse error: unexpected <on> in offset, expected number, duration, step(), or range()"},
    {"abs(foo, =)", "1:8: parse error: trailing commas not allowed in function call args"},
    {"topk(foo)", "1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1"},
    {"sum(foo bar)", "1:9: parse error: unexpected identifier \"bar\" in aggregation"},
    {"limitk(1, foo)",
     "1:1: parse error: limitk() is experimental and must be enabled with "
     "--enable-feature=promql-experimental-functions"},
    {"mad_over_time(foo[5m])", "1:1: parse error: function \"mad_over_time\" is not enabled"},
    {"foo @ Inf", "1:1: parse error: timestamp out of bounds for @ modifier: +Inf"},
    {"1\n+\n*", "3:1: parse error: unexpected <op:*>"},
};

BOOST_DATA_TEST_CASE(errors_read_as_those_of_prometheus, boost::unit_test::data::make(kWrong), c) {
  const auto expr = ParseExpr(c.query);
  BOOST_REQUIRE(!expr.has_value());
  BOOST_TEST(expr.error().message == c.message);
  BOOST_TEST((expr.error().code == core::ErrorCode::kInvalid));
}

BOOST_AUTO_TEST_CASE(deep_and_long_queries_are_refused_and_do_not_crash) {
  BOOST_TEST(!ParseExpr(std::string(100'000, '(')).has_value());
  BOOST_TEST(!ParseExpr(std::string(100'000, '-') + "1").has_value());
  std::string chain = "1";
  for (int i = 0; i < 100'000; ++i) chain += "+1";
  BOOST_TEST(!ParseExpr(chain).has_value());
  std::string powers = "1";
  for (int i = 0; i < 100'000; ++i) powers += "^1";
  BOOST_TEST(!ParseExpr(powers).has_value());
}

BOOST_AUTO_TEST_CASE(match_parameters_are_selectors_alone) {
  BOOST_TEST(ParseMetricSelector("up{job=\"x\"}").value().size() == 2U);
  BOOST_TEST(!ParseMetricSelector("up offset 5m").has_value());
  BOOST_TEST(ParseMetricSelector("{a=~\".*\"}").has_value());
  BOOST_TEST(ParseMetricSelector("up{__name__=\"up\"}").value().size() == 2U);
  BOOST_TEST((ParseMetric("up{job=\"x\"}").value() == core::Labels{{"__name__", "up"}, {"job", "x"}}));
}

BOOST_AUTO_TEST_CASE(long_queries_are_broken_into_lines) {
  const auto expr = ParseExpr(
      "sum by (instance, job) (rate(a_rather_long_metric_name_total{job=\"api\"}[5m])) / sum by (job) "
      "(rate(another_metric_total[5m]))");
  BOOST_REQUIRE(expr.has_value());
  BOOST_TEST(PrettyPrint(**expr) ==
             "  sum by (instance, job) (rate(a_rather_long_metric_name_total{job=\"api\"}[5m]))\n/\n"
             "  sum by (job) (rate(another_metric_total[5m]))");
}

}  // namespace
}  // namespace pipewarden::rules::promql
