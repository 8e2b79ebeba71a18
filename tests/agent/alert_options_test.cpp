// Alerts with options beyond Prometheus' keys, minute by minute over series that promtool's notation gives.
#include "agent/alert_options.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "core/time/civil_time.h"
#include "rules/memory_store.h"
#include "rules/promql/engine.h"
#include "rules/promql/printer.h"
#include "rules/promql/test_script.h"
#include "rules/rule_group.h"
#include "tests/support/temp_folder.h"

namespace pipewarden::agent {
namespace {

constexpr core::TimestampMs kMinute = 60'000;

// A rule file with one rule, its options, and a store with the series.
struct Bench {
  void Read(const std::string& rule, const std::string& alert_options) {
    file = rules::ParseRuleFile("groups: [{name: g, interval: 1m, rules: [" + rule + "]}]", folder / "r.yml", errors);
    folder.Write("o.yml", alert_options);
    folder.Write("holidays", "2026-11-20  # in Chicago it begins at 06:00 UTC\n");
    const alertmanager::NamedTimeInterval from_alertmanager{
        "nights", {{.times = {{0, 6 * 60}}, .weekdays = {}, .days_of_month = {}, .months = {}, .years = {}}}, {}};
    ReadAlertOptions(folder / "o.yml", {&file, 1}, {&from_alertmanager, 1}, "America/Chicago", errors);
    BOOST_REQUIRE_MESSAGE(errors.empty(), errors.ToError().message);
  }
  void Load(const std::vector<const char*>& lines) {
    for (const char* line : lines) {
      const auto series = rules::promql::ParseScriptSeries(line);
      BOOST_REQUIRE_MESSAGE(series.has_value(), series.error().message);
      core::TimestampMs time = start;
      for (const auto& value : series->values) {
        if (value.present) store.series().Add(series->labels, time, value.value);
        time += kMinute;
      }
      minutes = std::max<std::size_t>(minutes, series->values.size());
    }
  }
  std::unique_ptr<rules::RuleGroup> NewGroup() const {
    return std::make_unique<rules::RuleGroup>(file.groups.at(0), file.path, std::chrono::minutes(1));
  }
  // A character for each evaluation: how many alerts fire, p where some are pending alone, a dot where there is none.
  std::string Run(rules::RuleGroup& group, std::size_t from, std::size_t to) {
    std::string states;
    for (std::size_t i = from; i < to; ++i) {
      group.Evaluate(start + static_cast<core::TimestampMs>(i) * kMinute, environment);
      const auto view = group.View();
      BOOST_TEST(view->rules[0].last_error == "");
      std::size_t firing = 0;
      for (const auto& alert : view->rules[0].alerts) firing += alert.state == rules::AlertState::kFiring ? 1U : 0U;
      states += firing > 0 ? std::to_string(firing) : view->rules[0].alerts.empty() ? "." : "p";
    }
    return states;
  }

  test::TempFolder folder;
  core::ConfigErrors errors;
  rules::RuleFile file;
  core::TimestampMs start = core::ParseRfc3339("2026-11-20T05:55:00Z")->seconds * 1000;  // a Friday
  std::size_t minutes = 0;
  core::SystemClock clock;
  rules::MemoryStore store;
  // Stale after two minutes, so that missing samples soon mean missing data.
  rules::promql::Engine engine{rules::promql::EngineOptions{.lookback_ms = 2 * kMinute}};
  rules::QueryFunction query = [this](const rules::promql::Expr& expr, core::TimestampMs time) {
    return engine.Instant(expr, store, time);
  };
  rules::GroupEnvironment environment{
      .storage = store, .clock = clock, .query = query, .external_labels = {}, .external_url = "", .resend_ms = 0};
};

struct Case {
  const char* what;
  const char* rule;
  const char* options;
  std::vector<const char*> series;
  const char* states;
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.what; }

const Case kCases[] = {
    {"plain", "{alert: A, expr: x > 80}", "", {"x 90 85 75 65 90 75"}, "11..1."},
    {"a firing alert stays until resolve_expr",
     "{alert: A, expr: x > 80}",
     "rules: {r.yml: {g: {A: {resolve_expr: x < 70}}}}",
     {"x 90 85 75 65 90 75 71 60"},
     "111.111."},
    {"a pending one does not",
     "{alert: A, expr: x > 80, for: 1m}",
     "rules: {r.yml: {g: {A: {resolve_expr: x < 70}}}}",
     {"x 90 75 90 90 75"},
     "p.p11"},
    {"each alert by its own labels",
     "{alert: A, expr: x > 80, labels: {severity: page}}",
     "rules: {r.yml: {g: {A: {resolve_expr: x < 70}}}}",
     {"x{i=\"a\"} 90 75 75 60", "x{i=\"b\"} 90 75 60 60"},
     "221."},
    {"keep_firing_for counts from the end that resolve_expr tells",
     "{alert: A, expr: x > 80, keep_firing_for: 2m}",
     "rules: {r.yml: {g: {A: {resolve_expr: x < 70}}}}",
     {"x 90 75 65 65 65 65"},
     "1111.."},
    {"without no_data a vanished series leaves a hysteresis where it is",
     "{alert: A, expr: x > 80}",
     "rules: {r.yml: {g: {A: {resolve_expr: x < 70}}}}",
     {"x 90 75 _ _ _ _ 75 65"},
     "1111111."},
    {"no_data: resolve ends it",
     "{alert: A, expr: x > 80}",
     "rules: {r.yml: {g: {A: {resolve_expr: x < 70, no_data: resolve}}}}",
     {"x 90 75 _ _ _ 75"},
     "111..."},
    {"no_data: keep",
     "{alert: A, expr: x > 80}",
     "rules: {r.yml: {g: {A: {no_data: keep}}}}",
     {"x 90 stale _ _ 75 75"},
     "1111.."},
    {"no_data: keep, by label",
     "{alert: A, expr: x > 80}",
     "rules: {r.yml: {g: {A: {no_data: keep}}}}",
     {"x{i=\"a\"} 90 stale _ _", "x{i=\"b\"} 90 75 75 75"},
     "2111"},
    {"no_data: keep, with a ratio and a condition",
     "{alert: A, expr: x / y > 0.8 and y > 10}",
     "rules: {r.yml: {g: {A: {no_data: keep}}}}",
     {"x 90 stale _ 90 90", "y 100 100 100 100 5"},
     "1111."},
    {"no_data: keep, with unless and or",
     "{alert: A, expr: x > 80 unless y > 1 or z > 2}",
     "rules: {r.yml: {g: {A: {no_data: keep}}}}",
     {"x 90 90 stale 90", "y 0 5 5 0"},
     "1..1"},
    {"no_data: alert",
     "{alert: A, expr: 'x{env=\"p\"} > 80', for: 1m}",
     "rules: {r.yml: {g: {A: {no_data: alert}}}}",
     {"x{env=\"p\"} _ _ _ 75 75 stale _ _ 75"},
     "p11..p11."},
    {"no_data: alert keeps what fires, and adds nothing to it",
     "{alert: A, expr: x > 80}",
     "rules: {r.yml: {g: {A: {no_data: alert}}}}",
     {"x{i=\"a\"} 90 stale _ 75"},
     "111."},
    {"active: outside the condition counts as cleared",
     "{alert: A, expr: x > 80}",
     "{time_intervals: [{name: day, time_intervals: [{times: [{start_time: '06:00', end_time: '24:00'}]}]}], "
     "rules: {r.yml: {g: {A: {active: day}}}}}",
     {"x 90x6"},
     ".....11"},
    {"active: an interval of alertmanager.yml, with a hysteresis that it ends",
     "{alert: A, expr: x > 80}",
     "rules: {r.yml: {g: {A: {active: [nights], resolve_expr: x < 0}}}}",
     {"x 90 75x5"},
     "11111.."},
    {"holidays, in the configured zone",
     "{alert: A, expr: x > 80}",
     "rules: {r.yml: {g: {A: {holidays: holidays}}}}",
     {"x 90x6"},
     "11111.."},
    {"holidays, in a zone of their own",
     "{alert: A, expr: x > 80}",
     "rules: {r.yml: {g: {A: {holidays: holidays, timezone: UTC}}}}",
     {"x 90x6"},
     "......."},
    {"rules of one name are told apart by their labels",
     "{alert: A, expr: x > 80, labels: {severity: page}}",
     "rules: {r.yml: {g: {A: [{labels: {severity: page}, resolve_expr: x < 70}]}}}",
     {"x 90 75 65"},
     "11."},
};

BOOST_DATA_TEST_CASE(alerts_with_options, boost::unit_test::data::make(kCases), c) {
  Bench bench;
  bench.Read(c.rule, c.options);
  bench.Load(c.series);
  const auto group = bench.NewGroup();
  group->SkipRestore();
  BOOST_TEST(bench.Run(*group, 0, bench.minutes) == c.states);
}

BOOST_AUTO_TEST_CASE(a_restart_and_a_reload_keep_what_is_held) {
  Bench bench;
  bench.Read("{alert: A, expr: x > 80, annotations: {summary: 'x{{ $labels.i }}'}}",
             "rules: {r.yml: {g: {A: {resolve_expr: x < 70}}}}");
  bench.Load({"x{i=\"a\"} 90 75x6 65"});
  auto group = bench.NewGroup();
  group->SkipRestore();
  BOOST_TEST(bench.Run(*group, 0, 3) == "111");
  auto reloaded = bench.NewGroup();
  std::vector<rules::SeriesRef> orphans;
  reloaded->CopyState(*group, orphans);
  BOOST_TEST(bench.Run(*reloaded, 3, 4) == "1");
  const auto restarted = bench.NewGroup();
  BOOST_TEST(bench.Run(*restarted, 4, 9) == ".111.");  // restored after two evaluations
}

struct BadCase {
  const char* options;
  const char* message;  // after the file's name
};
std::ostream& operator<<(std::ostream& out, const BadCase& c) { return out << c.message; }

const BadCase kBad[] = {
    {"rules:\n  nope.yml: {}\n",
     ":2:3: 'FOLDER/nope.yml' is not among the rule_files and rule_packs of the configuration"},
    {"rules:\n  r.yml:\n    h: {}\n", ":3:5: no group in FOLDER/r.yml is called 'h'"},
    {"rules:\n  r.yml:\n    grp:\n      Down: {}\n",
     ":4:7: no alert in group 'grp' is called 'Down' (did you mean 'Downs'?)"},
    {"rules:\n  r.yml:\n    grp:\n      rec: {}\n", ":4:7: no alert in group 'grp' is called 'rec'"},
    {"rules:\n  r.yml:\n    grp:\n      Downs: {resolve: 'x < 1'}\n",
     ":4:15: unknown key 'resolve' in the options of alert 'Downs'"},
    {"rules:\n  r.yml:\n    grp:\n      Downs: {resolve_expr: 'x <'}\n",
     ":4:29: could not parse expression: 1:4: parse error: unexpected end of input"},
    {"rules:\n  r.yml:\n    grp:\n      Downs: {no_data: ok}\n", ":4:24: "},
    {"rules:\n  r.yml:\n    grp:\n      Gone: {no_data: keep}\n",
     ":4:23: 'no_data' does not go with this rule: missing data is what absent() is about"},
    {"rules:\n  r.yml:\n    grp:\n      Downs: {active: day}\n",
     ":4:23: 'active' of the options of alert 'Downs' names time interval 'day', which is neither here nor in "
     "alertmanager.yml (did you mean 'days'?)"},
    {"rules:\n  r.yml:\n    grp:\n      Downs: [{resolve_expr: x}, {no_data: keep}]\n",
     ":4:34: the options of alert 'Downs' are given already at FOLDER/o.yml:4:15"},
    {"rules:\n  r.yml:\n    grp:\n      Downs: {labels: {severity: x}}\n",
     ":4:23: no alert 'Downs' of the group has these labels"},
    {"rules:\n  r.yml:\n    grp:\n      Downs: {holidays: nowhere}\n",
     ":4:25: cannot read the holidays file FOLDER/nowhere: "},
    {"rules: [r.yml]\n", ":1:8: 'rules' is a map of rule files, not a list"},
    {"time_intervals: [{name: a, time_intervals: [{weekdays: [moonday]}]}]\n", ":1:56: "},
};

BOOST_DATA_TEST_CASE(mistakes_are_told_with_their_place, boost::unit_test::data::make(kBad), c) {
  const test::TempFolder folder;
  core::ConfigErrors errors;
  rules::RuleFile file = rules::ParseRuleFile(
      "groups: [{name: grp, rules: [{alert: Downs, expr: x > 1}, {record: rec, expr: x}, {alert: Gone, expr: "
      "absent(x)}]}]",
      folder / "r.yml", errors);
  folder.Write("o.yml", c.options);
  const alertmanager::NamedTimeInterval days{"days", {}, {}};
  ReadAlertOptions(folder / "o.yml", {&file, 1}, {&days, 1}, "UTC", errors);
  std::string expected = (folder / "o.yml") + c.message;
  for (std::size_t at = 0; (at = expected.find("FOLDER/")) != std::string::npos;) expected.replace(at, 7, folder / "");
  const auto lines = errors.Lines();
  BOOST_REQUIRE(!lines.empty());
  BOOST_TEST(lines[0].starts_with(expected), lines[0] << " does not begin with " << expected);
  BOOST_TEST(lines.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_changed_version_of_a_file_gets_the_options_of_the_configured_one) {
  Bench bench;
  bench.Read("{alert: A, expr: x > 80}", "rules: {r.yml: {g: {A: {no_data: keep}}}}");
  core::ConfigErrors errors;
  rules::RuleFile draft = rules::ParseRuleFile(
      "groups: [{name: g, rules: [{alert: A, expr: y > 70}, {alert: B, expr: y > 70}]}]", bench.file.path, errors);
  rules::CopyAlertOptions({&bench.file, 1}, draft);
  BOOST_REQUIRE(draft.groups[0].rules[0].options != nullptr);
  BOOST_TEST(rules::promql::Print(*draft.groups[0].rules[0].options->data_expr) == "y > bool 70");
  BOOST_TEST((draft.groups[0].rules[1].options == nullptr));
}

}  // namespace
}  // namespace pipewarden::agent
