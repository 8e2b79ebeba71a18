// What happens between ticks when probes change their verdicts: on a clock that jumps, over the real storage.
#include "agent/event_judge.h"

#include <prometheus/registry.h>

#include <boost/test/unit_test.hpp>

#include "tests/support/temp_folder.h"

namespace pipewarden::agent {
namespace {

using namespace std::chrono_literals;

constexpr const char* kRules = R"(groups:
  - name: probes
    rules:
      - {record: "probes:down", expr: count(probe_up == 0)}
      - {alert: Down, expr: probe_up == 0}
      - {alert: DownLong, expr: probe_up == 0, for: 1m}
      - {alert: NoReader, expr: vector(1)}
  - name: others
    rules:
      - {alert: Load, expr: node_load1 > 10}
  - name: late
    query_offset: 1m
    rules:
      - {alert: DownLate, expr: probe_up == 0}
)";

struct Fixture {
  Fixture() {
    storage = std::move(*rules::Storage::Open({.path = folder.path()}, logger, registry));
    manager = std::make_unique<rules::RuleManager>(*storage, engine, clock, rules::RuleManagerOptions{}, logger,
                                                   registry, [this](std::vector<core::Alert> alerts) {
                                                     for (core::Alert& alert : alerts) sent.push_back(std::move(alert));
                                                   });
    core::ConfigErrors errors;
    const std::vector<rules::RuleFile> files{rules::ParseRuleFile(kRules, "r.yml", errors)};
    BOOST_REQUIRE_MESSAGE(errors.empty(), errors.ToError().message);
    manager->Apply(files, 15s, {}, core::ToMs(clock.Now()));
    judge = std::make_unique<EventJudge>(loop, tasks, thread, *storage, *manager);
  }
  ~Fixture() {
    tasks.Cancel();
    loop.RunReady();
    thread.Stop();
  }

  exporters::ProbeSample Sample(const std::string& probe, double value) {
    auto& series = known[probe];
    if (!series)
      series = std::make_shared<core::Series>(
          core::Series{.labels = core::Labels{{"__name__", "probe_up"}, {"probe", probe}}});
    return {series, value};
  }
  double Judgements(const std::string& group) const {
    for (const auto& family : registry->Collect())
      if (family.name == "pipewarden_rule_group_judgements_total")
        for (const auto& metric : family.metric)
          if (metric.label[0].value == "r.yml;" + group) return metric.counter.value;
    return 0;
  }
  std::size_t Firing(const std::string& alert) const {
    return static_cast<std::size_t>(std::ranges::count_if(sent, [&](const core::Alert& one) {
      return one.labels.Get("alertname") == alert && !one.ResolvedAt(clock.Now() + 1s);
    }));
  }

  test::TempFolder folder;
  core::JumpingClock clock;
  core::Logger logger{core::LogLevel::kError, core::LogFormat::kLogfmt};
  core::Loop loop{clock, logger, 1};
  core::TaskGroup tasks{loop};
  std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>();
  rules::promql::Engine engine;
  std::unique_ptr<rules::Storage> storage;
  std::unique_ptr<rules::RuleManager> manager;
  std::vector<core::Alert> sent;  // the rules thread's, read while it rests
  std::map<std::string, std::shared_ptr<core::Series>> known;
  RulesThread thread{loop};
  std::unique_ptr<EventJudge> judge;
};

BOOST_FIXTURE_TEST_SUITE(event_judge, Fixture)

BOOST_AUTO_TEST_CASE(a_hundred_probes_that_change_together_cost_one_evaluation_of_a_group) {
  for (int i = 0; i < 100; ++i) {
    judge->Note({Sample("p" + std::to_string(i), 0)});
    if (i == 50) loop.Advance(5ms);
  }
  BOOST_TEST(sent.empty());
  loop.Advance(20ms);
  BOOST_TEST(Firing("Down") == 100U);
  BOOST_TEST(sent.size() == 100U);  // no rule that waits, that does not read them, or that looks a minute back
  BOOST_TEST(Judgements("probes") == 1);
  BOOST_TEST(Judgements("others") == 0);
  BOOST_TEST(Judgements("late") == 0);
}

BOOST_AUTO_TEST_CASE(a_group_is_judged_at_most_once_a_second_and_nothing_is_forgotten) {
  judge->Note({Sample("a", 0)});
  loop.Advance(30ms);
  BOOST_TEST(Judgements("probes") == 1);
  judge->Note({Sample("b", 0)});
  loop.Advance(30ms);
  judge->Note({Sample("a", 1), Sample("c", 0)});
  loop.Advance(30ms);
  BOOST_TEST(Judgements("probes") == 1);
  loop.Advance(1s);
  BOOST_TEST(Judgements("probes") == 2);
  BOOST_TEST(Firing("Down") == 3U);
  BOOST_TEST(sent.size() == 4U);  // and a is up again
  loop.Advance(10s);
  BOOST_TEST(Judgements("probes") == 2);
}

BOOST_AUTO_TEST_CASE(what_comes_while_a_tick_is_due_stays_behind_it) {
  const core::TimestampMs tick = core::ToMs(clock.Now()) + 25;
  judge->SetTickDue(tick);
  loop.Advance(10ms);
  judge->Note({Sample("a", 0)});
  loop.Advance(25ms);
  BOOST_TEST(sent.empty());
  manager->Tick(storage->TickTime(tick));
  judge->SetTickDue(std::nullopt);
  loop.Advance(1ms);
  BOOST_TEST(Firing("Down") == 1U);
  BOOST_TEST(!storage->clock_is_behind());
}

BOOST_AUTO_TEST_CASE(a_series_that_the_probe_no_longer_shows_ends) {
  judge->Note({Sample("a", 0)});
  loop.Advance(1100ms);
  BOOST_TEST(sent.size() == 1U);
  judge->Note({Sample("a", core::StaleNaN())});
  loop.Advance(30ms);
  BOOST_TEST(sent.size() == 2U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::agent
