#include "exporters/logs/log_config.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace pipewarden::exporters {
namespace {

struct Read {
  explicit Read(std::string_view text) {
    const auto node = core::ParseYaml(text, "/etc/pw/f.yml", errors);
    if (node) configs = ReadLogs(*node, errors);
  }
  core::ConfigErrors errors;
  std::vector<LogConfig> configs;
};

BOOST_AUTO_TEST_CASE(an_entry_is_read) {
  const Read read(R"(
- path: /var/log/pipeline/*.log
  patterns:
    - {match: 'rows=(?P<rows>\d+) stage=(?P<stage>\w+)', counter: pipeline_rows_total, value: rows, labels: [stage]}
- name: two
  path: [logs/a.log, /b/../c.log]
  exclude: "*.tmp"
  start: beginning
  rotate_wait: 1m
  max_line: 64KB
  patterns:
    - match: 'took (?P<ms>\d+) ms (?P<q>\w+)'
      metrics:
        - {counter: took_total, labels: {queue: q}}
        - {histogram: took_seconds, value: ms, scale: 0.001, buckets: [0.1, 1, .inf], help: How long.}
        - {gauge: last_ms, value: ms}
)");
  for (const auto& line : read.errors.Lines()) BOOST_TEST_MESSAGE(line);
  BOOST_REQUIRE(read.errors.empty());
  BOOST_REQUIRE(read.configs.size() == 2U);
  const LogConfig& one = read.configs[0];
  BOOST_TEST(one.name == "/var/log/pipeline/*.log");
  BOOST_TEST(!one.from_beginning);
  BOOST_TEST(one.max_line == 131072U);
  BOOST_TEST(one.metrics[0].family.name == "pipeline_rows_total");
  BOOST_TEST(one.metrics[0].max_series == 1000U);
  BOOST_TEST(one.patterns[0].updates[0].value_group == "rows");
  const LogConfig& two = read.configs[1];
  BOOST_TEST(two.paths == (std::vector<std::string>{"/etc/pw/logs/a.log", "/c.log"}), boost::test_tools::per_element());
  BOOST_TEST(two.from_beginning);
  BOOST_TEST(two.patterns[0].updates.size() == 3U);
  BOOST_TEST(two.metrics[0].label_names == std::vector<std::string>{"queue"}, boost::test_tools::per_element());
  BOOST_TEST(two.patterns[0].updates[0].label_groups == std::vector<std::string>{"q"},
             boost::test_tools::per_element());
  BOOST_TEST(two.metrics[1].buckets == (std::vector<double>{0.1, 1}), boost::test_tools::per_element());
  BOOST_TEST(two.metrics[1].Shape() == "histogram <0.1 <1");
}

struct Mistake {
  const char* pattern;
  const char* expected;
};
std::ostream& operator<<(std::ostream& out, const Mistake& m) { return out << m.pattern; }

const Mistake kMistakes[] = {
    {"{match: 'a('}", "'match' in a log pattern is no RE2 regular expression: missing ): a("},
    {"{match: a}", "a log pattern needs one of counter, gauge and histogram, with the metric's name"},
    {"{match: a, counter: hits}", "a counter's name ends in _total: write 'hits_total'"},
    {"{match: a, counter: 9_total}",
     "'9_total' is no metric name (letters, digits, _ and :, not starting with a digit)"},
    {"{match: a, counter: probe_x_total}",
     "names that start with probe_ are the agent's own; choose another than 'probe_x_total'"},
    {"{match: a, gauge: g}", "a gauge needs 'value', the group that holds its number"},
    {"{match: '(?P<rows>a)', gauge: g, value: row}",
     "the pattern has no group 'row' (did you mean 'rows'?); name it as (?P<row>..)"},
    {"{match: '(?P<le>a)', counter: a_total, labels: [le]}",
     "'le' cannot be a label (letters, digits and _; not le, quantile or __..)"},
    {"{match: '(?P<a>a)', counter: a_total, labels: a}", "'labels' is a list of groups or a map of label to group"},
    {"{match: '(?P<a>a)', histogram: h, value: a, buckets: [2, 1]}",
     "'buckets' must be a list of 1 to 100 ascending numbers"},
    {"{match: '(?P<a>a)', gauge: h, value: a, buckets: [2]}", "only a histogram has buckets"},
    {"{match: a, counter: a_total, gauge: g, value: x}",
     "a metric is either counter or gauge; use 'metrics: [..]' for several"},
    {"{match: a, metrics: 5}", "'metrics' of a log pattern must be a list"},
    {"{match: a, counter: a_total, colour: red}", "unknown key 'colour' in a log pattern"},
};

BOOST_DATA_TEST_CASE(mistakes_of_patterns_are_told, boost::unit_test::data::make(kMistakes), m) {
  const Read read("- path: /a\n  patterns:\n    - " + std::string(m.pattern) + "\n");
  bool found = false;
  for (const std::string& line : read.errors.Lines()) {
    found = found || line.find(m.expected) != std::string::npos;
    BOOST_TEST(line.starts_with("/etc/pw/f.yml:3:"), line);
  }
  BOOST_TEST(found, read.errors.ToError().message);
  BOOST_TEST(read.configs.empty());
}

BOOST_AUTO_TEST_CASE(all_mistakes_of_the_section_come_at_once) {
  const Read read(
      "- {path: /a, patterns: [{match: x, counter: m_total}]}\n"
      "- {path: /a, patterns: [{match: '(?P<v>x)', counter: m_total, labels: [v]}]}\n"
      "- {patterns: []}\n"
      "- {path: [], patterns: [{match: x, counter: m_total}]}\n"
      "- 5\n");
  const std::string all = read.errors.ToError().message;
  BOOST_TEST(all.find(":2:3: another entry of logs is called '/a' (/etc/pw/f.yml:1:3)") != std::string::npos, all);
  BOOST_TEST(
      all.find("'m_total' has another type, other labels or other buckets at /etc/pw/f.yml:1:") != std::string::npos,
      all);
  BOOST_TEST(all.find(":3:3: key 'path' is missing in an entry of logs") != std::string::npos, all);
  BOOST_TEST(all.find("'patterns' must be a list with at least one pattern") != std::string::npos, all);
  BOOST_TEST(all.find("'path' is an empty list") != std::string::npos, all);
  BOOST_TEST(all.find(":5:3: an entry of logs must be a map of options, not a whole number") != std::string::npos, all);
  BOOST_TEST(read.configs.size() == 1U);
  BOOST_TEST(Read("{a: b}").errors.Lines().front() == "/etc/pw/f.yml:1:1: logs must be a list, not a map");
  BOOST_TEST(Read("").configs.empty());
}

}  // namespace
}  // namespace pipewarden::exporters
