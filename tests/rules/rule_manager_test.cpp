// Rules over the real storage and engine: what is written, sent and shown, over reloads and restarts.
#include "rules/rule_manager.h"

#include <prometheus/registry.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <semaphore>
#include <thread>

#include "tests/support/temp_folder.h"

namespace pipewarden::rules {
namespace {

constexpr core::TimestampMs kStart = 1'700'000'100'000;  // a multiple of 15 s and of a minute
constexpr core::TimestampMs kTick = 15'000;

class Gauges final : public core::SampleSource {
 public:
  std::string_view name() const override { return "test"; }
  void Visit(core::SampleVisitor& visitor) override {
    visitor.OnFamily(family_);
    for (const auto& [name, value] : values) {
      core::Series& series = series_[name];
      series.labels = core::Labels{{"__name__", "probe_up"}, {"probe", name}};
      visitor.OnSample(series, value);
    }
  }
  std::map<std::string, double> values;

 private:
  core::MetricFamily family_;
  std::map<std::string, core::Series> series_;
};

// An agent's rules side: storage, engine, manager, a source, a clock that jumps.
struct Node {
  explicit Node(const std::string& path) {
    storage = std::move(*Storage::Open({.path = path}, logger, registry));
    manager = std::make_unique<RuleManager>(*storage, engine, clock, RuleManagerOptions{.external_url = "http://node"},
                                            logger, registry, [this](std::vector<core::Alert> alerts) {
                                              for (core::Alert& alert : alerts) sent.push_back(std::move(alert));
                                            });
  }
  void Apply(std::string_view text) {
    core::ConfigErrors errors;
    std::vector<RuleFile> files{ParseRuleFile(text, "r.yml", errors)};
    BOOST_REQUIRE_MESSAGE(errors.empty(), errors.ToError().message);
    manager->Apply(files, std::chrono::milliseconds(kTick), core::Labels{{"node", "n1"}}, now);
  }
  void Tick(int times = 1) {
    for (; times > 0; --times) {
      now += kTick;
      clock.Jump(std::chrono::milliseconds(kTick));
      storage->Take(gauges, now);
      manager->Tick(now);
    }
  }
  // The samples of one series, "time=value" since the start in seconds.
  std::string Series(std::string_view metric) {
    const auto name = core::Matcher::Make("__name__", core::MatchOp::kEqual, std::string(metric));
    auto querier = storage->Open(0, now);
    auto set = (*querier)->Select({.from = 0, .to = now}, std::span(&*name, 1));
    std::string out;
    for (std::size_t i = 0; i < (*set)->size(); ++i) {
      promql::SampleColumns samples;
      BOOST_REQUIRE((*set)->Read(i, 0, now, samples).has_value());
      core::Labels labels = *(*set)->labels(i);
      labels.Remove("__name__");
      out += labels.ToString();
      for (std::size_t k = 0; k < samples.size(); ++k)
        out += " " + std::to_string((samples.times[k] - kStart) / 1000) + "=" +
               (core::IsStaleNaN(samples.values[k]) ? "stale" : std::to_string(static_cast<long>(samples.values[k])));
      out += "\n";
    }
    return out;
  }
  std::string States() const {
    std::string out;
    const auto snapshot = manager->Snapshot();
    for (const auto& group : snapshot->groups)
      for (const RuleView& rule : group->rules)
        for (const AlertView& alert : rule.alerts)
          out += std::string(alert.labels.Get("probe")) + "=" + std::string(AlertStateName(alert.state)) + " ";
    return out;
  }

  std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>();
  core::JumpingClock clock;
  core::Logger logger{core::LogLevel::kError, core::LogFormat::kLogfmt};
  promql::Engine engine;
  std::vector<core::Alert> sent;
  std::unique_ptr<Storage> storage;
  std::unique_ptr<RuleManager> manager;
  Gauges gauges;
  core::TimestampMs now = kStart;
};

constexpr const char* kDown = R"(groups:
  - name: g
    rules:
      - record: probes:down
        expr: count(probe_up == 0)
      - alert: Down
        expr: probe_up == 0 and on () probes:down > 0
        for: 30s
        labels: {severity: page}
        annotations: {summary: "{{ $labels.probe }} of {{ query \"count(probe_up)\" | first | value }}"}
)";

double Counter(prometheus::Registry& registry, const std::string& name) {
  double sum = 0;
  for (const auto& family : registry.Collect())
    if (family.name == name)
      for (const auto& metric : family.metric) sum += metric.counter.value;
  return sum;
}

BOOST_AUTO_TEST_CASE(a_probe_that_fails_raises_an_alert_that_resolves) {
  test::TempFolder dir;
  Node node(dir.path());
  node.Apply(kDown);
  node.gauges.values = {{"hdfs", 1}, {"pg", 1}};
  node.Tick(2);
  BOOST_TEST(node.States() == "");
  node.gauges.values["pg"] = 0;
  node.Tick(2);
  BOOST_TEST(node.States() == "pg=pending ");
  BOOST_TEST(node.sent.empty());
  node.Tick(1);
  BOOST_TEST(node.States() == "pg=firing ");
  BOOST_REQUIRE(node.sent.size() == 1U);
  BOOST_TEST(node.sent[0].labels.ToString() == R"({alertname="Down", node="n1", probe="pg", severity="page"})");
  BOOST_TEST(node.sent[0].annotations.Get("summary") == "pg of 2");
  node.gauges.values["pg"] = 1;
  node.Tick(1);
  BOOST_REQUIRE(node.sent.size() == 2U);
  BOOST_TEST(node.sent[1].ResolvedAt(core::FromMs(node.now)));
  BOOST_TEST(node.Series("probes:down") == "{} 45=1 60=1 75=1 90=stale\n");
  const auto snapshot = node.manager->Snapshot();
  BOOST_REQUIRE(snapshot->groups.size() == 1U);
  BOOST_TEST(snapshot->groups[0]->last_evaluation == node.now);
  BOOST_REQUIRE(snapshot->groups[0]->rules.size() == 2U);
  BOOST_TEST(snapshot->groups[0]->rules[1].health == "ok");
  BOOST_TEST(snapshot->groups[0]->rules[1].query == "probe_up == 0 and on () probes:down > 0");
  BOOST_TEST(Counter(*node.registry, "pipewarden_rule_group_iterations_total") == 6);
}

BOOST_AUTO_TEST_CASE(alerts_series_follow_the_state) {
  test::TempFolder dir;
  Node node(dir.path());
  node.Apply(kDown);
  node.Tick(2);  // nothing is written before what was is restored
  node.gauges.values = {{"pg", 0}};
  node.Tick(4);
  node.gauges.values = {};
  node.Tick(1);
  const std::string alerts = node.Series("ALERTS");
  BOOST_TEST(
      alerts.find("alertstate=\"pending\", probe=\"pg\", severity=\"page\"} 45=1 60=1 75=stale\n") != alerts.npos,
      alerts);
  BOOST_TEST(
      alerts.find("alertstate=\"firing\", probe=\"pg\", severity=\"page\"} 75=1 90=1 105=stale\n") != alerts.npos,
      alerts);
}

BOOST_AUTO_TEST_CASE(a_reload_keeps_alerts_and_ends_series_of_rules_that_are_gone) {
  test::TempFolder dir;
  Node node(dir.path());
  node.Apply(kDown);
  node.gauges.values = {{"pg", 0}};
  node.Tick(3);
  BOOST_TEST(node.States() == "pg=firing ");
  node.Apply(R"(groups:
  - name: g
    rules:
      - alert: Down
        expr: probe_up < 1
        for: 30s
        labels: {severity: page}
)");
  BOOST_TEST(node.States() == "pg=firing ");
  node.Tick(1);
  BOOST_TEST(node.States() == "pg=firing ");
  BOOST_TEST(node.Series("probes:down") == "{} 15=1 30=1 45=1 60=stale\n");
  node.Apply("groups: []\n");
  BOOST_TEST(node.manager->Snapshot()->groups.empty());
  node.Tick(1);
  BOOST_TEST(node.Series("ALERTS_FOR_STATE").find("75=stale") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_restart_goes_on_with_a_firing_alert) {
  test::TempFolder dir;
  constexpr const char* kSlow =
      "groups:\n  - name: g\n    rules:\n      - {alert: Down, expr: probe_up == 0, for: 20m}\n";
  core::TimestampMs now = 0;
  {
    Node node(dir.path());
    node.Apply(kSlow);
    node.gauges.values = {{"old", 0}};
    node.Tick(10 * 4);
    node.gauges.values = {{"old", 0}, {"new", 0}};
    node.Tick(11 * 4);
    BOOST_TEST(node.States() == "new=pending old=firing ");
    now = node.now;
  }
  Node node(dir.path());
  node.now = now + 60'000;
  node.Apply(kSlow);
  node.gauges.values = {{"old", 0}, {"new", 0}};
  node.Tick(2);
  BOOST_TEST(node.States() == "new=pending old=pending ");
  node.Tick(1);
  BOOST_TEST(node.States() == "new=pending old=firing ");
  node.Tick(9 * 4);
  BOOST_TEST(node.States() == "new=pending old=firing ");
  node.Tick(1 * 4);
  BOOST_TEST(node.States() == "new=firing old=firing ");
}

BOOST_AUTO_TEST_CASE(groups_have_intervals_of_their_own_and_count_what_they_miss) {
  test::TempFolder dir;
  Node node(dir.path());
  node.Apply(R"(groups:
  - name: slow
    interval: 1m
    rules: [{record: slow, expr: vector(1)}]
  - name: odd
    interval: 20s
    query_offset: 10s
    rules: [{record: odd, expr: time()}]
)");
  node.Tick(4);
  BOOST_TEST(node.Series("slow") == "{} 15=1 60=1\n");
  BOOST_TEST(node.manager->NextDue(node.now) == kStart + 80'000);
  node.now += 10 * 60'000;
  node.Tick(1);
  BOOST_TEST(node.Series("slow") == "{} 15=1 60=1 675=1\n");
  // slow: 2 to 10 minutes after the start; odd: 80 s to 640 s.
  BOOST_TEST(Counter(*node.registry, "pipewarden_rule_group_iterations_missed_total") == 9 + 29);
  BOOST_TEST(node.Series("odd").find(" 665=1700000765") != std::string::npos, node.Series("odd"));
}

// A millisecond passes each time that the first thread asks; who asks on another one waits at a closed gate, until that
// opens or the manager ends what is aside.
class GatedClock final : public core::Clock {
 public:
  core::WallTime Now() const override { return core::FromMs(kStart); }
  core::MonoTime Monotonic() const override {
    if (std::this_thread::get_id() == first_) return core::MonoTime(std::chrono::milliseconds(++asked_));
    if (left_.fetch_sub(1) <= 0)
      while (left_ <= 0 && !(manager_ != nullptr && manager_->stopping())) std::this_thread::yield();
    return core::MonoTime(std::chrono::milliseconds(asked_));
  }
  void Open() { left_ = std::numeric_limits<std::int64_t>::max(); }
  // Lets so many questions through before.
  void Close(std::int64_t left = 0) { left_ = left; }
  void Jump(std::int64_t ms) { asked_ += ms; }
  void Watch(const RuleManager* manager) { manager_ = manager; }

 private:
  const std::thread::id first_ = std::this_thread::get_id();
  const RuleManager* manager_ = nullptr;
  mutable std::atomic<std::int64_t> asked_{0};
  mutable std::atomic<std::int64_t> left_{0};
};

// A node on which a rule over `many` takes longer than a group may on the tick.
struct SlowNode {
  SlowNode() : node(dir.path()) {
    node.manager = std::make_unique<RuleManager>(*node.storage, node.engine, clock,
                                                 RuleManagerOptions{.on_aside = [this] { finished.release(); }},
                                                 node.logger, node.registry, [this](std::vector<core::Alert> alerts) {
                                                   for (core::Alert& alert : alerts)
                                                     node.sent.push_back(std::move(alert));
                                                   if (on_sent) on_sent();
                                                 });
    clock.Watch(node.manager.get());
    node.gauges.values = {{"a", 1}};
    std::vector<RefSample> many;
    for (int i = 0; i < 2000; ++i)
      many.push_back({*node.storage->Resolve(core::Labels{{"__name__", "many"}, {"i", std::to_string(i)}}, "test"), 1});
    node.storage->Append(kStart, many);
  }
  double Count(const std::string& what) { return Counter(*node.registry, "pipewarden_rule_" + what + "_total"); }

  test::TempFolder dir;
  GatedClock clock;
  std::counting_semaphore<> finished{0};
  std::function<void()> on_sent;  // on the thread that sends
  Node node;
};

BOOST_FIXTURE_TEST_CASE(a_slow_group_is_evaluated_aside_and_delays_nobody, SlowNode) {
  const char* rules = R"(groups:
  - name: slow
    rules:
      - record: first:up
        expr: count(probe_up)
      - record: slow:sum
        expr: sum(many)
      - alert: Slow
        expr: slow:sum > 1
  - name: quick
    rules:
      - record: quick:up
        expr: count(probe_up)
)";
  node.Apply(rules);
  node.Tick(2);
  // The slow group waits in its second rule, and misses the second tick; the quick one has none of it.
  BOOST_TEST(node.Series("first:up") == "{} 15=1\n");
  BOOST_TEST(node.Series("slow:sum") == "");
  BOOST_TEST(node.Series("quick:up") == "{} 15=1 30=1\n");
  BOOST_TEST(Counter(*node.registry, "pipewarden_rule_group_iterations_missed_total") == 1);
  BOOST_TEST(Counter(*node.registry, "pipewarden_rule_group_iterations_total") == 2);
  clock.Open();
  BOOST_REQUIRE(finished.try_acquire_for(std::chrono::seconds(60)));
  node.manager->Collect();
  BOOST_TEST(node.Series("slow:sum") == "{} 15=2000\n");
  BOOST_TEST(node.sent.size() == 1U);
  BOOST_TEST(Counter(*node.registry, "pipewarden_rule_group_iterations_total") == 3);
  BOOST_TEST(node.manager->Snapshot()->groups[0]->rules[1].health == "ok");
  // Known to be slow, it is not judged between ticks.
  const std::vector<core::Labels> changed{core::Labels{{"__name__", "slow:sum"}}};
  BOOST_TEST(!node.manager->Judge(changed, node.now + 1).has_value());
  BOOST_TEST(Count("group_judgements") == 0);
  // It begins aside, too; what a tick brings of it is there with the next at the latest.
  node.Tick();
  BOOST_REQUIRE(finished.try_acquire_for(std::chrono::seconds(60)));
  BOOST_TEST(node.Series("slow:sum") == "{} 15=2000 45=2000\n");
  // A reload does not wait for it: held in the midst of its second rule it is left unfinished, and no rule has failed.
  clock.Close(100);
  node.Tick();
  node.Apply(rules);
  BOOST_TEST(node.Series("first:up") == "{} 15=1 45=1 60=1\n");
  BOOST_TEST(node.Series("slow:sum") == "{} 15=2000 45=2000\n");
  BOOST_TEST(Count("evaluation_failures") == 0);
  clock.Open();
  node.Tick();
  BOOST_REQUIRE(finished.try_acquire_for(std::chrono::seconds(60)));
  BOOST_REQUIRE(finished.try_acquire_for(std::chrono::seconds(60)));
  BOOST_TEST(node.Series("slow:sum") == "{} 15=2000 45=2000 75=2000\n");
  BOOST_TEST(node.manager->Snapshot()->groups[0]->rules[1].health == "ok");
  BOOST_TEST(node.Series("quick:up") == "{} 15=1 30=1 45=1 60=1 75=1\n");
}

BOOST_FIXTURE_TEST_CASE(a_slow_group_that_a_reload_cuts_short_runs_again_with_the_next_tick, SlowNode) {
  const char* rules = R"(groups:
  - name: slow
    interval: 1m
    rules:
      - record: first:up
        expr: count(probe_up)
      - record: slow:sum
        expr: sum(many)
)";
  node.Apply(rules);
  node.Tick();
  node.Apply(rules);
  BOOST_TEST(node.Series("slow:sum") == "");
  BOOST_TEST(Count("group_iterations") == 1);
  BOOST_TEST(Count("evaluations") == 1);
  clock.Open();
  node.Tick();
  BOOST_REQUIRE(finished.try_acquire_for(std::chrono::seconds(60)));
  BOOST_REQUIRE(finished.try_acquire_for(std::chrono::seconds(60)));
  node.manager->Collect();
  BOOST_TEST(node.Series("slow:sum") == "{} 30=2000\n");
  BOOST_TEST(Count("group_iterations") == 2);
  BOOST_TEST(Count("group_iterations_missed") == 0);
}

BOOST_FIXTURE_TEST_CASE(a_reload_moves_a_slow_group_with_the_clock, SlowNode) {
  const char* rules = R"(groups:
  - name: slow
    rules:
      - record: slow:sum
        expr: sum(many)
      - alert: Up
        expr: probe_up == 1
        for: 10m
)";
  const auto active_at = [&] { return node.manager->Snapshot()->groups.at(0)->rules.at(1).alerts.at(0).active_at; };
  node.Apply(rules);
  clock.Open();
  node.Tick();
  BOOST_REQUIRE(finished.try_acquire_for(std::chrono::seconds(60)));
  node.manager->Collect();
  BOOST_TEST(active_at() == kStart + kTick);
  clock.Close();
  for (const core::TimestampMs wall : {kStart + 2 * kTick, kStart - 3'600'000}) {
    clock.Jump(kTick);
    node.now = node.storage->TickTime(wall);
    node.storage->Take(node.gauges, node.now);
    node.manager->Tick(node.now);
  }
  node.Apply(rules);
  BOOST_TEST(active_at() <= kStart + 1);
}

BOOST_FIXTURE_TEST_CASE(a_slow_group_sends_the_alerts_of_a_rule_before_it_comes_to_its_end, SlowNode) {
  std::counting_semaphore<> alerted(0);
  on_sent = [&] {
    clock.Close(50);
    alerted.release();
  };
  node.Apply(R"(groups:
  - name: slow
    rules:
      - record: slow:sum
        expr: sum(many)
      - alert: Early
        expr: vector(1)
      - record: slow:count
        expr: count(many)
)");
  clock.Open();
  node.Tick();
  BOOST_REQUIRE(alerted.try_acquire_for(std::chrono::seconds(60)));
  BOOST_TEST(node.Series("slow:count") == "");
  BOOST_TEST(node.sent.size() == 1U);
  clock.Open();
  BOOST_REQUIRE(finished.try_acquire_for(std::chrono::seconds(60)));
  node.manager->Collect();
  BOOST_TEST(node.Series("slow:count") == "{} 15=2000\n");
  BOOST_TEST(node.sent.size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(alerts_whose_templates_are_cut_short_are_not_sent, SlowNode) {
  std::counting_semaphore<> alerted(0);
  on_sent = [&] {
    clock.Close(50);
    alerted.release();
  };
  node.Apply(R"(groups:
  - name: slow
    rules:
      - record: slow:sum
        expr: sum(many)
      - alert: Early
        expr: vector(1)
      - alert: Told
        expr: probe_up == 1
        annotations: {sum: "{{ query \"sum(many)\" | first | value }}"}
)");
  clock.Open();
  node.Tick();
  BOOST_REQUIRE(alerted.try_acquire_for(std::chrono::seconds(60)));
  node.manager->Stop();
  BOOST_REQUIRE(node.sent.size() == 1U);
  BOOST_TEST(node.sent[0].labels.Get("alertname") == "Early");
  BOOST_TEST(Count("evaluation_failures") == 0);
}

BOOST_AUTO_TEST_CASE(a_rule_that_fails_says_so_and_the_others_go_on) {
  test::TempFolder dir;
  Node node(dir.path());
  node.Apply(R"(groups:
  - name: g
    limit: 1
    rules:
      - {record: many, expr: probe_up}
      - {record: one, expr: sum(probe_up)}
      - {record: same, expr: 'label_replace(probe_up, "probe", "x", "", "")'}
)");
  node.gauges.values = {{"a", 1}, {"b", 1}};
  node.Tick(1);
  const auto snapshot = node.manager->Snapshot();
  const auto& rules = snapshot->groups.at(0)->rules;
  BOOST_TEST(rules[0].health == "err");
  BOOST_TEST(rules[0].last_error == "exceeded limit of 1 with 2 series");
  BOOST_TEST(rules[1].health == "ok");
  BOOST_TEST(rules[2].health == "err");
  BOOST_TEST(node.Series("one") == "{} 15=2\n");
  BOOST_TEST(node.Series("many") == "");
  BOOST_TEST(Counter(*node.registry, "pipewarden_rule_evaluation_failures_total") == 2);
}

BOOST_AUTO_TEST_CASE(after_a_backward_step_of_the_clock_groups_are_judged_and_for_passes) {
  test::TempFolder dir;
  Node node(dir.path());
  node.Apply(kDown);
  node.gauges.values = {{"pg", 0}};
  const auto tick = [&](core::TimestampMs wall) {
    node.clock.Jump(std::chrono::milliseconds(kTick));
    node.now = node.storage->TickTime(wall);
    node.storage->Take(node.gauges, node.now);
    node.manager->Tick(node.now);
  };
  tick(kStart);
  BOOST_TEST(node.States() == "pg=pending ");
  tick(kStart - 3'600'000);
  BOOST_TEST(node.States() == "pg=pending ");
  tick(kStart - 3'600'000 + kTick);
  BOOST_TEST(node.States() == "pg=firing ");
}

}  // namespace
}  // namespace pipewarden::rules
