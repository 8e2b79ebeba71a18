// The state machine of alerts, as tables: what the expression yields at each evaluation, and what is then pending,
// firing, written and sent.
#include "rules/alerting_rule.h"

#include <algorithm>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "rules/promql/parser.h"

namespace pipewarden::rules {
namespace {

using Series = std::vector<std::pair<std::string, double>>;  // value of label `i`, value of the sample

// A rule on a bench: the result of its expression is set by hand.
struct Bench {
  explicit Bench(RuleConfig config) : rule(std::move(config)) {}

  RuleContext Context(core::TimestampMs time) const {
    return {.query = query,
            .template_query = query,
            .time = time,
            .offset = offset,
            .limit = limit,
            .external_labels = external,
            .external_url = url};
  }
  core::Result<std::vector<OutputSample>> Evaluate(core::TimestampMs time, Series result) {
    current = std::move(result);
    return rule.Evaluate(Context(time));
  }
  std::vector<core::Alert> Send(core::TimestampMs time) { return rule.TakeUnsent(time, 60'000, 15'000, Context(time)); }
  // "a=pending b=firing" of what is not inactive.
  std::string States() const {
    std::string out;
    for (const auto& [labels, alert] : rule.alerts())
      out += (out.empty() ? "" : " ") + std::string(labels.Get("i")) + "=" + std::string(AlertStateName(alert.state));
    return out;
  }

  AlertingRule rule;
  Series current;
  Series resolved;  // of resolve_expr
  core::Error failure{core::ErrorCode::kInternal, ""};
  core::TimestampMs offset = 0;
  core::TimestampMs asked_at = 0;
  std::size_t limit = 0;
  core::Labels external{{"cluster", "uni"}, {"i", "never"}};
  std::string url = "http://node:9595";
  QueryFunction query = [this](const promql::Expr& expr, core::TimestampMs time) -> core::Result<promql::QueryResult> {
    asked_at = time;
    if (!failure.message.empty()) return core::Fail(failure);
    promql::QueryResult result;
    result.type = promql::ValueType::kVector;
    const AlertOptions* options = rule.config().options.get();
    for (const auto& [name, value] : options != nullptr && options->resolve_expr.get() == &expr ? resolved : current)
      result.vector.push_back(
          {std::make_shared<const core::Labels>(core::Labels{{"__name__", "up"}, {"i", name}}), time, value});
    return result;
  };
};

RuleConfig MakeRule(int for_seconds, int keep_seconds = 0) {
  RuleConfig config;
  config.alerting = true;
  config.name = "Down";
  config.expr = "up == 0";
  config.tree = std::move(*promql::ParseExpr("up == 0"));
  config.for_ = std::chrono::seconds(for_seconds);
  config.keep_firing_for = std::chrono::seconds(keep_seconds);
  config.labels.push_back({"severity", "page", *RuleTemplate::Parse("__alert_Down", "page")});
  const char* summary = "{{ $labels.i }} at {{ $value }}";
  config.annotations.push_back({"summary", summary, *RuleTemplate::Parse("__alert_Down", summary)});
  return config;
}

struct Step {
  int second;
  Series result;
  const char* states;
};
struct StateCase {
  const char* name;
  int for_seconds;
  int keep_seconds;
  std::vector<Step> steps;
};
std::ostream& operator<<(std::ostream& out, const StateCase& c) { return out << c.name; }

const StateCase kCases[] = {
    {"no for fires at once", 0, 0, {{0, {}, ""}, {15, {{"a", 0}}, "a=firing"}, {30, {}, "a=inactive"}}},
    {"for is waited out",
     30,
     0,
     {{0, {{"a", 0}}, "a=pending"}, {15, {{"a", 0}}, "a=pending"}, {30, {{"a", 0}}, "a=firing"}}},
    {"a pending one that clears is forgotten",
     30,
     0,
     {{0, {{"a", 0}}, "a=pending"},
      {15, {}, ""},
      {30, {{"a", 0}}, "a=pending"},
      {45, {{"a", 0}}, "a=pending"},
      {60, {{"a", 0}}, "a=firing"}}},
    {"each label set has its own time",
     30,
     0,
     {{0, {{"a", 0}}, "a=pending"},
      {15, {{"a", 0}, {"b", 0}}, "a=pending b=pending"},
      {30, {{"a", 0}, {"b", 0}}, "a=firing b=pending"},
      {45, {{"b", 0}}, "a=inactive b=firing"}}},
    {"a resolved one is known for 15 minutes",
     0,
     0,
     {{0, {{"a", 0}}, "a=firing"}, {15, {}, "a=inactive"}, {915, {}, "a=inactive"}, {916, {}, ""}}},
    {"a resolved one begins again",
     15,
     0,
     {{0, {{"a", 0}}, "a=pending"},
      {15, {{"a", 0}}, "a=firing"},
      {30, {}, "a=inactive"},
      {45, {{"a", 0}}, "a=pending"},
      {60, {{"a", 0}}, "a=firing"}}},
    {"keep_firing_for outlasts gaps",
     0,
     60,
     {{0, {{"a", 0}}, "a=firing"},
      {15, {}, "a=firing"},
      {60, {}, "a=firing"},
      {74, {{"a", 0}}, "a=firing"},
      {90, {}, "a=firing"},
      {149, {}, "a=firing"},
      {150, {}, "a=inactive"}}},
    {"keep_firing_for keeps no pending one", 30, 60, {{0, {{"a", 0}}, "a=pending"}, {15, {}, ""}}},
    {"a late evaluation counts what has passed", 60, 0, {{0, {{"a", 0}}, "a=pending"}, {400, {{"a", 0}}, "a=firing"}}},
};

BOOST_DATA_TEST_CASE(alerts_go_through_their_states, boost::unit_test::data::make(kCases), c) {
  Bench bench(MakeRule(c.for_seconds, c.keep_seconds));
  bench.rule.SkipRestore();
  for (const Step& step : c.steps) {
    BOOST_REQUIRE(bench.Evaluate(1'000'000 + step.second * 1000, step.result).has_value());
    BOOST_TEST(bench.States() == step.states,
               "at " << step.second << "s: " << bench.States() << ", not " << step.states);
  }
}

BOOST_AUTO_TEST_CASE(an_alert_has_its_labels_annotations_and_series) {
  Bench bench(MakeRule(0));
  bench.offset = 2000;
  BOOST_TEST(bench.Evaluate(1'000'000, {{"a", 3}})->empty());  // not before what was is restored
  bench.rule.SkipRestore();
  const auto samples = bench.Evaluate(1'015'000, {{"a", 3}});
  BOOST_TEST(bench.asked_at == 1'013'000);
  BOOST_REQUIRE(samples->size() == 2U);
  BOOST_TEST((*samples)[0].labels.ToString() == R"(ALERTS_FOR_STATE{alertname="Down", i="a", severity="page"})");
  BOOST_TEST((*samples)[0].value == 1000);
  BOOST_TEST((*samples)[1].labels.ToString() ==
             R"(ALERTS{alertname="Down", alertstate="firing", i="a", severity="page"})");
  const auto sent = bench.Send(1'015'000);
  BOOST_REQUIRE(sent.size() == 1U);
  BOOST_TEST(sent[0].labels.ToString() == R"({alertname="Down", cluster="uni", i="a", severity="page"})");
  BOOST_TEST(sent[0].annotations.ToString() == R"({summary="a at 3"})");
  BOOST_TEST(core::ToMs(sent[0].starts_at) == 1'000'000);
  BOOST_TEST(core::ToMs(sent[0].ends_at) == 1'015'000 + 4 * 60'000);
  BOOST_TEST(sent[0].generator_url == "http://node:9595/graph?g0.expr=up+%3D%3D+0&g0.tab=1");
}

BOOST_AUTO_TEST_CASE(firing_and_resolved_alerts_are_sent_again_each_minute) {
  Bench bench(MakeRule(15));
  std::vector<std::pair<int, bool>> sent;  // second, resolved
  for (int second = 0; second <= 300; second += 15) {
    const core::TimestampMs now = 1'000'000 + second * 1000;
    BOOST_REQUIRE(bench.Evaluate(now, second < 120 ? Series{{"a", 0}} : Series{}).has_value());
    for (const core::Alert& alert : bench.Send(now)) sent.emplace_back(second, alert.ResolvedAt(core::FromMs(now)));
  }
  const std::vector<std::pair<int, bool>> wanted = {{15, false}, {90, false}, {120, true}, {195, true}, {270, true}};
  BOOST_TEST((sent == wanted));
}

BOOST_AUTO_TEST_CASE(failures_leave_alerts_as_they_are) {
  Bench bench(MakeRule(0));
  bench.Evaluate(1'000'000, {{"a", 0}}).value();
  bench.failure = {core::ErrorCode::kTimeout, "query timed out"};
  BOOST_TEST(bench.Evaluate(1'015'000, {}).error().message == "query timed out");
  bench.failure.message = "";
  BOOST_TEST(bench.States() == "a=firing");
  BOOST_TEST(bench.Evaluate(1'030'000, {{"a", 0}, {"a", 1}}).error().message ==
             "vector contains metrics with the same labelset after applying alert labels");
  BOOST_TEST(bench.States() == "a=firing");
  bench.limit = 1;
  BOOST_TEST(bench.Evaluate(1'045'000, {{"a", 0}, {"b", 0}}).error().message == "exceeded limit of 1 with 2 alerts");
  BOOST_TEST(bench.States() == "");
}

BOOST_AUTO_TEST_CASE(a_reload_that_raises_for_makes_a_firing_alert_pending_again) {
  Bench before(MakeRule(0));
  before.Evaluate(1'000'000, {{"a", 0}}).value();
  Bench after(MakeRule(60));
  after.rule.CopyState(before.rule);
  after.Evaluate(1'015'000, {{"a", 0}}).value();
  BOOST_TEST(after.States() == "a=pending");
  after.Evaluate(1'060'000, {{"a", 0}}).value();
  BOOST_TEST(after.States() == "a=firing");
}

struct RestoreCase {
  const char* name;
  int for_minutes;
  int was_active_for;  // minutes, when it was seen last
  int down_for;        // minutes
  int fires_after;     // minutes after the restore
};
std::ostream& operator<<(std::ostream& out, const RestoreCase& c) { return out << c.name; }
const RestoreCase kRestores[] = {
    {"one that was firing fires at once", 20, 25, 1, 0},
    {"one that was just due fires at once", 5, 5, 1, 0},
    {"with little left: the grace of ten minutes", 20, 15, 1, 10},
    {"with much left: the downtime does not count", 60, 20, 5, 40},
    {"a short for: the downtime does not count", 5, 3, 1, 2},
};

BOOST_DATA_TEST_CASE(pending_alerts_go_on_after_a_restart, boost::unit_test::data::make(kRestores), c) {
  constexpr core::TimestampMs kMinute = 60'000;
  const core::TimestampMs now = 1'000 * kMinute;
  Bench bench(MakeRule(c.for_minutes * 60));
  bench.Evaluate(now - 15'000, {{"a", 0}}).value();
  bench.Evaluate(now, {{"a", 0}}).value();
  RememberedAlert remembered;
  remembered.labels = bench.rule.alerts().begin()->first;
  remembered.seen_at = now - c.down_for * kMinute;
  remembered.active_at = remembered.seen_at - c.was_active_for * kMinute;
  bench.rule.Restore(std::span(&remembered, 1), bench.Context(now));
  BOOST_TEST(bench.rule.restored());
  if (c.fires_after > 0) {
    bench.Evaluate(now + c.fires_after * kMinute - 1000, {{"a", 0}}).value();
    BOOST_TEST(bench.States() == "a=pending");
  }
  bench.Evaluate(now + c.fires_after * kMinute + (c.fires_after == 0 ? 15'000 : 0), {{"a", 0}}).value();
  BOOST_TEST(bench.States() == "a=firing");
}

BOOST_AUTO_TEST_CASE(keep_firing_for_goes_on_after_a_restart) {
  Bench bench(MakeRule(0, 300));
  bench.Evaluate(1'000'000, {}).value();
  const core::Labels labels{{"alertname", "Down"}, {"i", "a"}, {"severity", "page"}};
  const RememberedAlert remembered{.labels = labels, .seen_at = 900'000, .active_at = 100'000, .firing = true};
  bench.rule.Restore(std::span(&remembered, 1), bench.Context(1'000'000));
  bench.Evaluate(1'015'000, {}).value();
  BOOST_TEST(bench.States() == "a=firing");
  BOOST_TEST(bench.Send(1'015'000).size() == 1U);
  bench.Evaluate(1'200'000, {}).value();
  BOOST_TEST(bench.States() == "a=inactive");
}

BOOST_AUTO_TEST_CASE(many_alerts_that_a_resolve_expr_holds_take_no_time, *boost::unit_test::timeout(30)) {
  RuleConfig config = MakeRule(0);
  AlertOptions options;
  options.resolve_expr = *promql::ParseExpr("up > 1");
  config.options = std::make_shared<const AlertOptions>(std::move(options));
  Bench bench(std::move(config));
  bench.rule.SkipRestore();
  constexpr int kAlerts = 5000;
  Series all;
  for (int i = 0; i < kAlerts; ++i) all.emplace_back(std::to_string(i), 0);
  bench.Evaluate(1'000'000, all).value();
  for (int i = 0; i < kAlerts; ++i) bench.resolved.emplace_back("x" + std::to_string(i), 2);
  bench.resolved.emplace_back("7", 2);
  bench.Evaluate(1'015'000, {}).value();
  const auto& alerts = bench.rule.alerts();
  BOOST_TEST(std::ranges::count_if(
                 alerts, [](const auto& alert) { return alert.second.state == AlertState::kFiring; }) == kAlerts - 1);
}

BOOST_AUTO_TEST_CASE(a_stepped_clock_neither_shortens_nor_lengthens_for) {
  Bench bench(MakeRule(60));
  bench.Evaluate(1'000'000, {{"a", 0}}).value();
  // Samples go on a millisecond apart, while 15 seconds pass each time.
  for (int i = 1; i <= 3; ++i) {
    bench.rule.ShiftTimes(1 - 15'000);
    bench.Evaluate(1'000'000 + i, {{"a", 0}}).value();
    BOOST_TEST(bench.States() == "a=pending");
  }
  bench.rule.ShiftTimes(1 - 15'000);
  bench.Evaluate(1'000'004, {{"a", 0}}).value();
  BOOST_TEST(bench.States() == "a=firing");
}

}  // namespace
}  // namespace pipewarden::rules
