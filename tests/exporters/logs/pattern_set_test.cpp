#include "exporters/logs/pattern_set.h"

#include <re2/re2.h>

#include <boost/test/unit_test.hpp>
#include <random>

namespace pipewarden::exporters {
namespace {

// Matches as "pattern: group|group".
class Collect final : public MatchSink {
 public:
  void OnMatch(std::size_t pattern, std::span<const std::string_view> groups) override {
    std::string line = std::to_string(pattern) + ":";
    for (const std::string_view group : groups) line += std::string(group) + "|";
    found.push_back(line);
  }
  std::vector<std::string> found;
};

LogPattern Pattern(const std::string& match, std::vector<std::string> groups, const std::string& metric = "m_total") {
  LogPattern pattern;
  pattern.match = match;
  LogUpdate update;
  update.metric = metric;
  update.label_groups = std::move(groups);
  pattern.updates.push_back(std::move(update));
  return pattern;
}

std::vector<std::string> Scan(const std::vector<LogPattern>& patterns, std::string_view block,
                              std::size_t max_line = 1000, const std::vector<LogMetric>& metrics = {}) {
  Collect collect;
  PatternSet(patterns, metrics).Scan(block, max_line, collect);
  return collect.found;
}

BOOST_AUTO_TEST_CASE(each_plan_finds_its_lines) {
  const std::vector<LogPattern> patterns = {
      Pattern(R"(rows=(?P<rows>\d+) stage=(?P<stage>\w+))", {"stage", "rows"}),
      Pattern(R"((?P<n>\d+) seconds, done)", {"n"}),
      Pattern(R"(^(?P<level>[A-Z]+) )", {"level"}),
      Pattern(R"((?P<ms>\d+)ms)", {"ms"}),
  };
  const PatternSet set(patterns, {});
  BOOST_TEST(set.Plan(0) == "prefix 'rows='");
  BOOST_TEST(set.Plan(1) == "literal ' seconds, done'");
  BOOST_TEST(set.Plan(2) == "line start");
  BOOST_TEST(set.Plan(3) == "each line");
  Collect collect;
  const auto counts = set.Scan(
      "INFO rows= rows=12 stage=load rows=13 stage=x\r\nWARN took 7 seconds, done\n\n 15ms\nerror 9ms rows=x\n", 1000,
      collect);
  BOOST_TEST(counts.lines == 5U);
  BOOST_TEST(counts.cut == 0U);
  BOOST_TEST(collect.found == (std::vector<std::string>{"0:load|12|", "1:7|", "2:INFO|", "2:WARN|", "3:15|", "3:9|"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_line_counts_once_for_a_pattern) {
  BOOST_TEST(Scan({Pattern("ERROR", {})}, "ERROR ERROR\nno\nERROR\n").size() == 2U);
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_text_are_only_bytes) {
  const std::vector<LogPattern> patterns = {Pattern(R"(begin.*end=(?P<n>\d+))", {"n"}),
                                            Pattern("étape (?P<w>.)x", {"w"})};
  BOOST_TEST(Scan(patterns, "begin \xff\xfe end=1\nétape éx\n") == (std::vector<std::string>{"0:1|", "1:é|"}),
             boost::test_tools::per_element());
  using namespace std::string_literals;
  BOOST_TEST(Scan(patterns, "begin \0 end=2\n\0\0\0begin end=3\n"s) == (std::vector<std::string>{"0:2|", "0:3|"}),
             boost::test_tools::per_element());
  BOOST_TEST(Scan({Pattern("^abcd", {})}, "\0\0abcd\n"s).size() == 1U);
}

BOOST_AUTO_TEST_CASE(long_lines_are_cut_and_counted) {
  const std::vector<LogPattern> patterns = {Pattern("needle", {}), Pattern("^x", {})};
  Collect collect;
  const std::string block =
      std::string(10, 'x') + "needle\n" + std::string(9, 'x') + "needle\nneedle" + std::string(20, 'y') + "\n";
  const auto counts = PatternSet(patterns, {}).Scan(block, 15, collect);
  BOOST_TEST(counts.lines == 3U);
  BOOST_TEST(counts.cut == 2U);
  BOOST_TEST(collect.found == (std::vector<std::string>{"0:", "0:", "1:", "1:"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(patterns_that_set_one_gauge_go_line_by_line) {
  LogMetric gauge;
  gauge.family.name = "state";
  gauge.family.type = core::MetricType::kGauge;
  const std::vector<LogPattern> patterns = {Pattern("started=(?P<n>\\d)", {"n"}, "state"),
                                            Pattern("stopped=(?P<n>\\d)", {"n"}, "state")};
  BOOST_TEST(Scan(patterns, "stopped=0\nstarted=1\nstopped=2\n", 1000, {gauge}) ==
                 (std::vector<std::string>{"1:0|", "0:1|", "1:2|"}),
             boost::test_tools::per_element());
}

// Whatever plan a pattern gets, it finds what RE2 finds on each line alone.
BOOST_AUTO_TEST_CASE(plans_agree_with_re2) {
  std::mt19937 random(4711);
  const auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
  static constexpr const char* kAtoms[] = {"abc=", "task ", "\\d+",   "\\w+",   ".*",        " ",    "^", "$",
                                           "\\b",  "x?",    "done: ", "[a-c]+", "(?:ab|cd)", "\\S+", "q"};
  static constexpr const char* kPieces[] = {"abc=", "task ", "12", "w",    " ",   "done: ", "ab",
                                            "cd",   "x",     "q",  "\xff", "abc", "é"};
  int matches = 0;
  for (int round = 0; round < 1500; ++round) {
    std::string match;
    bool grouped = false;
    for (std::size_t i = 1 + below(5); i > 0; --i) {
      const std::string atom = kAtoms[below(std::size(kAtoms))];
      const bool group = !grouped && below(3) == 0 && atom != "^" && atom != "$" && atom != "\\b";
      grouped = grouped || group;
      match += group ? "(?P<g>" + atom + ")" : atom;
    }
    RE2::Options options;
    options.set_log_errors(false);
    options.set_encoding(RE2::Options::EncodingLatin1);
    const RE2 regex(match, options);
    if (!regex.ok()) continue;
    std::string block;
    std::vector<std::string> expected;
    for (int i = 0; i < 30; ++i) {
      std::string line;
      for (std::size_t k = below(8); k > 0; --k) line += kPieces[below(std::size(kPieces))];
      block += line + "\n";
      re2::StringPiece groups[2];
      if (regex.Match(line, 0, line.size(), RE2::UNANCHORED, groups, grouped ? 2 : 1))
        expected.push_back("0:" + (grouped ? std::string(groups[1]) + "|" : ""));
    }
    const auto found =
        Scan({Pattern(match, grouped ? std::vector<std::string>{"g"} : std::vector<std::string>{})}, block);
    BOOST_TEST(found == expected, match << ": " << found.size() << " instead of " << expected.size());
    matches += static_cast<int>(expected.size());
  }
  BOOST_TEST(matches > 3000);
}

}  // namespace
}  // namespace pipewarden::exporters
