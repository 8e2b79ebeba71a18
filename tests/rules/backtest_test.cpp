#include "rules/backtest.h"

#include <boost/test/unit_test.hpp>

#include "core/model/sample.h"
#include "rules/promql/memory_series.h"

namespace pipewarden::rules {
namespace {

constexpr core::TimestampMs kStart = 1'700'000'100'000;

struct Fixture {
  Fixture() {
    // Down from 600 s to 1200 s.
    for (core::TimestampMs t = 0; t <= 3'600'000; t += 15'000)
      history.Add(core::Labels{{"__name__", "up"}, {"job", "a"}}, kStart + t, t >= 600'000 && t < 1'200'000 ? 0 : 1);
    options.from = kStart;
    options.to = kStart + 3'600'000;
    options.deadline = clock.Monotonic() + std::chrono::minutes(1);
  }
  std::string Run(std::string_view rules) {
    core::ConfigErrors errors;
    const RuleFile file = ParseRuleFile(rules, "r.yml", errors);
    BOOST_REQUIRE_MESSAGE(errors.empty(), errors.ToError().message);
    std::string told;
    const auto result = RunBacktest(file, history, engine, clock, options, [&](const BacktestEvent& event) {
      told += std::to_string((event.time - kStart) / 1000) + " ";
      told += !event.error.empty() ? event.error : event.firing ? "firing" : "resolved";
      told += " " + event.labels.ToString() + "\n";
      return true;
    });
    if (!result) return result.error().message;
    return told + std::to_string(result->firings) + "/" + std::to_string(result->still_firing);
  }

  core::SystemClock clock;
  promql::Engine engine;
  promql::MemorySeries history;
  BacktestOptions options;
};

BOOST_FIXTURE_TEST_SUITE(backtest, Fixture)

BOOST_AUTO_TEST_CASE(alerts_fire_and_resolve_when_they_would_have) {
  BOOST_TEST(Run(R"(groups:
  - name: g
    rules:
      - {record: "job:down", expr: "up == bool 0"}
      - {alert: Down, expr: "job:down == 1", for: 1m}
      - {alert: Always, expr: "job:down >= 0", labels: {severity: info}}
)") == R"(0 firing {alertname="Always", job="a", severity="info"}
660 firing {alertname="Down", job="a"}
1200 resolved {alertname="Down", job="a"}
2/1)");
  BOOST_TEST(history.size() == 1U);  // nothing is written there
}

BOOST_AUTO_TEST_CASE(a_rule_that_fails_says_so_once_and_a_deadline_ends_it) {
  const std::string failing =
      R"(groups: [{name: g, interval: 30m, rules: [{alert: X, expr: "up + on () vector(1) * on (job) group_left up"}]}])";
  BOOST_TEST(!Run(failing).empty());
  options.deadline = clock.Monotonic() - std::chrono::seconds(1);
  BOOST_TEST(Run(failing).starts_with("the backtest took too long"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::rules
