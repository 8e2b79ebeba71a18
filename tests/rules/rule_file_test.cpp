#include "rules/rule_file.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <iterator>

namespace pipewarden::rules {
namespace {

BOOST_AUTO_TEST_CASE(a_file_with_everything_reads) {
  core::ConfigErrors errors;
  const RuleFile file = ParseRuleFile(R"(groups:
  - name: first
    interval: 30s
    query_offset: 1m
    limit: 5
    labels: {team: data, severity: none}
    rules:
      - record: job:up:sum
        expr: sum by (job) (up)
        labels: {kind: "{{ plain }}"}
      - alert: Down
        expr: |
          up
            == 0
        for: 5m
        keep_firing_for: 1h30m
        labels: {severity: page}
        annotations:
          summary: "{{ $labels.job }} is down since {{ $value | humanizeDuration }}"
  - name: empty
)",
                                      "r.yml", errors);
  for (const std::string& line : errors.Lines()) BOOST_TEST_MESSAGE(line);
  BOOST_REQUIRE(errors.empty());
  BOOST_REQUIRE(file.groups.size() == 2U);
  const RuleGroupConfig& group = file.groups[0];
  BOOST_TEST((group.interval == std::chrono::seconds(30)));
  BOOST_TEST((group.query_offset == std::chrono::seconds(60)));
  BOOST_TEST(group.limit == 5U);
  BOOST_REQUIRE(group.rules.size() == 2U);
  BOOST_TEST(!group.rules[0].alerting);
  BOOST_REQUIRE(group.rules[0].labels.size() == 3U);
  BOOST_TEST(group.rules[0].labels[0].text == "{{ plain }}");
  BOOST_TEST(group.rules[1].name == "Down");
  BOOST_TEST((group.rules[1].keep_firing_for == std::chrono::minutes(90)));
  BOOST_REQUIRE(group.rules[1].labels.size() == 2U);
  BOOST_TEST(group.rules[1].labels[0].text == "page");  // the rule's own wins over the group's
  BOOST_TEST(group.rules[1].labels[1].text == "data");
  BOOST_TEST(!file.groups[1].interval.has_value());
}

struct BadCase {
  const char* text;
  std::vector<const char*> lines;  // beginnings of the messages, in order
};
std::ostream& operator<<(std::ostream& out, const BadCase& c) { return out << (c.lines.empty() ? c.text : c.lines[0]); }

const BadCase kBad[] = {
    {"groups:\n  - name: g\n    rulez: []\n", {"r.yml:3:5: unknown key 'rulez' in rule group (did you mean 'rules'?)"}},
    {"grups: []\n", {"r.yml:1:1: unknown key 'grups' in rule file (did you mean 'groups'?)"}},
    {"groups:\n  - {name: g}\n  - {name: g}\n", {"r.yml:3:5: groupname: \"g\" is repeated in the same file"}},
    {"groups:\n  - {name: \"\"}\n", {"r.yml:2:12: Groupname must not be empty"}},
    {"groups:\n  - name: g\n    rules:\n      - expr: up\n", {"r.yml:4:9: one of 'record' or 'alert' must be set"}},
    {"groups:\n  - name: g\n    rules:\n      - {record: a, alert: b, expr: up}\n",
     {"r.yml:4:9: only one of 'record' and 'alert' must be set"}},
    {"groups:\n  - name: g\n    rules:\n      - record: a\n", {"r.yml:4:9: field 'expr' must be set in rule"}},
    {"groups:\n  - name: g\n    rules:\n      - record: a{b=\"c\"}\n        expr: up\n        for: 5m\n        "
     "annotations: {a: b}\n",
     {"r.yml:4:17: braces present in the recording rule name; should it be in expr?: a{b=\"c\"}",
      "r.yml:6:14: invalid field 'for' in recording rule",
      "r.yml:7:22: invalid field 'annotations' in recording rule"}},
    {"groups:\n  - name: g\n    rules:\n      - alert: a\n        expr: up == 0\n        labels: {__name__: x}\n       "
     " for: 5 minutes\n",
     {"r.yml:6:18: invalid label name: __name__", "r.yml:7:14: "}},
    {"groups:\n  - name: g\n    rules:\n      - alert: a\n        expr: up == 0\n        annotations: {s: '{{ nosuch "
     "}}'}\n",
     {"r.yml:6:26: annotation \"s\": template: __alert_a:1: function \"nosuch\" not defined"}},
    // The place of a mistake in an expression is its place in the file, however the expression is written.
    {"groups:\n  - name: g\n    rules:\n      - record: a\n        expr: sum(up) by\n",
     {"r.yml:5:25: could not parse expression: parse error: "}},
    {"groups:\n  - name: g\n    rules:\n      - record: a\n        expr: \"nosuch(up)\"\n",
     {"r.yml:5:16: could not parse expression: parse error: unknown function with name \"nosuch\""}},
    {"groups:\n  - name: g\n    rules:\n      - record: a\n        expr: |\n          up +\n            nosuch(up)\n",
     {"r.yml:7:13: could not parse expression: parse error: unknown function with name \"nosuch\""}},
    {"groups:\n  - name: g\n    rules:\n      - record: a\n        expr: >\n          up +\n          nosuch(up)\n",
     {"r.yml:5:15: could not parse expression: 1:6: parse error: unknown function with name \"nosuch\""}},
    // As Go's YAML and Prometheus take it.
    {"groups:\n  - name: g\n    limit: -1.5\n    rules:\n      - {record: a, expr: up, for: 0s, keep_firing_for: 0s, "
     "annotations: {}}\n      -\n  -\n---\ngroups: [nonsense\n",
     {}},
    {"groups: {}\n", {"r.yml:1:9: 'groups' takes a list"}},
    {"- a\n", {"r.yml:1:1: "}},
    {"a: [\n", {"r.yml:"}},
};

BOOST_DATA_TEST_CASE(mistakes_are_told_with_their_place, boost::unit_test::data::make(kBad), c) {
  core::ConfigErrors errors;
  (void)ParseRuleFile(c.text, "r.yml", errors);
  const std::vector<std::string> lines = errors.Lines();
  for (std::size_t i = 0; i < c.lines.size(); ++i) {
    BOOST_REQUIRE_MESSAGE(i < lines.size(), "nothing was found wrong: " << c.lines[i]);
    BOOST_TEST(lines[i].starts_with(c.lines[i]), lines[i] << " does not begin with " << c.lines[i]);
  }
  BOOST_TEST(lines.size() == c.lines.size());
}

BOOST_AUTO_TEST_CASE(what_is_suspicious_is_warned_of) {
  core::ConfigErrors errors;
  const RuleFile file = ParseRuleFile(
      "groups:\n  - name: g\n    rules:\n      - {record: a, expr: up}\n      - {alert: a, expr: up}\n"
      "  - name: h\n    labels: {x: y}\n    rules:\n      - {record: a, expr: up}\n"
      "      - {record: a, expr: up, labels: {x: y}}\n---\ngroups: []\n",
      "r.yml", errors);
  BOOST_TEST(errors.empty());
  BOOST_REQUIRE(file.warnings.size() == 2U);
  BOOST_TEST(file.warnings[0].starts_with("r.yml:12:1: a second document is not read"));
  BOOST_TEST(file.warnings[1].starts_with("r.yml:10:9: duplicate of the rule 'a' in line 9"));
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_read_is_named) {
  core::ConfigErrors errors;
  (void)ReadRuleFile("/nonexistent/r.yml", errors);
  BOOST_REQUIRE(errors.size() == 1U);
  BOOST_TEST(errors.Lines()[0].find("/nonexistent/r.yml") != std::string::npos);
}

}  // namespace
}  // namespace pipewarden::rules
