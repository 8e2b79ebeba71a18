#include "exporters/probe_runner.h"

#include <prometheus/registry.h>

#include <boost/test/unit_test.hpp>
#include <deque>
#include <fstream>
#include <set>

#include "core/model/sample.h"
#include "tests/exporters/probe_fixture.h"
#include "tests/support/temp_folder.h"

namespace pipewarden::exporters {
namespace {

using namespace std::chrono_literals;

// A probe that does as it is told; jumping time, no sockets.
class ScriptedProbe final : public Probe {
 public:
  core::Task<ProbeResult> Run(ProbeContext context) override {
    ++runs;
    times.push_back(context.loop.clock().Monotonic());
    if (throws) throw std::runtime_error("a bug");
    if (takes > core::Duration{}) co_await context.loop.Sleep(takes);
    ProbeResult result;
    result.success = success;
    result.error = success ? "" : "it is broken";
    result.message = success ? "fine" : "";
    result.values = values;
    co_return result;
  }
  bool success = true;
  bool throws = false;
  core::Duration takes{};
  std::vector<ProbeValue> values;
  int runs = 0;
  std::vector<core::MonoTime> times;
};

struct Seen : core::SampleVisitor {
  void OnFamily(const core::MetricFamily& family) override { families.push_back(family.name); }
  void OnSample(const core::Series& series, double value) override {
    values[series.labels.ToString()] = value;
    ids[series.labels.ToString()] = series.id;
  }
  std::vector<std::string> families;
  std::map<std::string, double> values;
  std::map<std::string, core::SeriesId> ids;
};

struct Fixture {
  core::JumpingClock clock;
  core::Loop loop{clock, core::Logger(core::LogLevel::kError, core::LogFormat::kLogfmt), 1};
  core::HttpClient http{loop};
  std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>();
  ProbeRunner runner{loop, http,
                     core::Logger(
                         core::LogLevel::kError, core::LogFormat::kLogfmt, [](void*, std::string_view) {}, nullptr),
                     registry};
  std::vector<ProbeVerdict> verdicts;

  Fixture() {
    runner.OnVerdict([this](const ProbeVerdict& verdict) { verdicts.push_back(verdict); });
  }
  ~Fixture() {
    core::TaskGroup group(loop);
    group.Spawn("stop", runner.Stop());
    loop.RunReady();
  }

  static ProbeConfig Config(const std::string& name, std::shared_ptr<Probe> probe, const std::string& identity = "1") {
    ProbeConfig config;
    config.name = name;
    config.identity = identity;
    config.kind = FindProbeKind("jmx");
    config.component = "namenode";
    config.labels = core::Labels{{"team", "data"}};
    config.interval = 10s;
    config.timeout = 2s;
    config.probe = std::move(probe);
    return config;
  }
  Seen Visit() {
    Seen seen;
    runner.Visit(seen);
    return seen;
  }
  ProbeStatus Status(std::size_t i = 0) { return runner.Status().at(i); }
};

const std::string kLabels = R"({component="namenode", kind="jmx", probe="p", team="data"})";

BOOST_FIXTURE_TEST_SUITE(probe_runner, Fixture)

BOOST_AUTO_TEST_CASE(a_verdict_carries_the_samples_and_ends_what_is_no_longer_shown) {
  auto probe = std::make_shared<ScriptedProbe>();
  probe->values = {{"probe_jmx_value", 7, {{"attribute", "a"}}}};
  runner.Apply({Config("p", probe)});
  loop.Advance(1s);
  probe->success = false;
  probe->values.clear();
  loop.Advance(10s);
  BOOST_REQUIRE(verdicts.size() == 2U);
  std::map<std::string, double> samples;
  for (const ProbeSample& sample : verdicts[1].samples)
    samples[std::string(sample.series->labels.Get("__name__"))] = sample.value;
  BOOST_TEST(samples.at("probe_success") == 0);
  BOOST_TEST(samples.at("probe_up") == 0);
  BOOST_TEST(core::IsStaleNaN(samples.at("probe_jmx_value")));
}

BOOST_AUTO_TEST_CASE(a_probe_runs_at_its_interval_and_shows_its_values) {
  auto probe = std::make_shared<ScriptedProbe>();
  probe->values = {{"probe_jmx_value", 7, {{"attribute", "x"}}}};
  runner.Apply({Config("p", probe)});
  BOOST_TEST(Visit().values.empty());
  BOOST_TEST(!Status().up.has_value());
  loop.Advance(25s);
  BOOST_TEST(probe->runs == 3);
  BOOST_TEST((probe->times[1] - probe->times[0] == 10s));
  const Seen seen = Visit();
  BOOST_TEST(seen.values.at("probe_success" + kLabels) == 1);
  BOOST_TEST(seen.values.at("probe_up" + kLabels) == 1);
  BOOST_TEST(seen.values.at("probe_timeout_seconds" + kLabels) == 2);
  BOOST_TEST(seen.values.at(
                 R"(probe_jmx_value{attribute="x", component="namenode", kind="jmx", probe="p", team="data"})") == 7);
  BOOST_TEST(seen.families == (std::vector<std::string>{"probe_success", "probe_up", "probe_duration_seconds",
                                                        "probe_timeout_seconds", "probe_jmx_value"}),
             boost::test_tools::per_element());
  loop.Advance(10s);
  BOOST_TEST(Visit().ids == seen.ids);  // a series keeps its number
  BOOST_TEST(Status().message == "fine");
  BOOST_TEST(Status().runs == 4U);
}

BOOST_AUTO_TEST_CASE(a_verdict_flips_after_enough_runs_and_tells_once) {
  auto probe = std::make_shared<ScriptedProbe>();
  ProbeConfig config = Config("p", probe);
  config.failures = 3;
  config.successes = 2;
  runner.Apply({config});
  loop.Advance(5s);
  BOOST_TEST(verdicts.empty());  // one success of two: no verdict yet
  BOOST_TEST(!Visit().values.contains("probe_up" + kLabels));
  loop.Advance(10s);
  BOOST_REQUIRE(verdicts.size() == 1U);
  BOOST_TEST(verdicts[0].up);
  BOOST_TEST(verdicts[0].first);
  probe->success = false;
  loop.Advance(20s);
  BOOST_TEST(verdicts.size() == 1U);
  BOOST_TEST(Visit().values.at("probe_success" + kLabels) == 0);
  BOOST_TEST(Visit().values.at("probe_up" + kLabels) == 1);
  probe->success = true;
  loop.Advance(10s);
  probe->success = false;
  loop.Advance(20s);
  BOOST_TEST(verdicts.size() == 1U);  // three in a row are wanted
  loop.Advance(10s);
  BOOST_REQUIRE(verdicts.size() == 2U);
  BOOST_TEST(!verdicts[1].up);
  BOOST_TEST(!verdicts[1].first);
  BOOST_TEST(verdicts[1].message == "it is broken");
  BOOST_TEST((Status().last_change == verdicts[1].time));
  BOOST_TEST(Status().last_error == "it is broken");
  loop.Advance(100s);
  BOOST_TEST(verdicts.size() == 2U);
}

BOOST_AUTO_TEST_CASE(values_are_visible_when_the_verdict_is_told) {
  auto probe = std::make_shared<ScriptedProbe>();
  probe->success = false;
  double shown = -1;
  runner.OnVerdict([&](const ProbeVerdict&) { shown = Visit().values.at("probe_up" + kLabels); });
  runner.Apply({Config("p", probe)});
  loop.Advance(5s);
  BOOST_TEST(shown == 0);
}

BOOST_AUTO_TEST_CASE(a_reload_leaves_alone_what_is_unchanged) {
  auto kept = std::make_shared<ScriptedProbe>();
  auto changed = std::make_shared<ScriptedProbe>();
  auto removed = std::make_shared<ScriptedProbe>();
  runner.Apply({Config("kept", kept), Config("changed", changed), Config("removed", removed)});
  loop.Advance(5s);
  const Seen before = Visit();
  auto fresh = std::make_shared<ScriptedProbe>();
  auto added = std::make_shared<ScriptedProbe>();
  runner.Apply(
      {Config("kept", std::make_shared<ScriptedProbe>()), Config("changed", fresh, "2"), Config("added", added)});
  BOOST_REQUIRE(runner.Status().size() == 3U);
  BOOST_TEST(!Status(1).up.has_value());  // changed: starts anew
  BOOST_TEST(Status(2).up.has_value());
  loop.Advance(10s);
  BOOST_TEST(kept->runs == 2);
  BOOST_TEST(changed->runs == 1);
  BOOST_TEST(removed->runs == 1);
  BOOST_TEST(fresh->runs == 1);
  BOOST_TEST(added->runs == 1);
  const Seen after = Visit();
  const auto key = [](const char* name) {
    return R"(probe_success{component="namenode", kind="jmx", probe=")" + std::string(name) + R"(", team="data"})";
  };
  BOOST_TEST(!after.values.contains(key("removed")));
  BOOST_TEST(after.ids.at(key("changed")) == before.ids.at(key("changed")));
  BOOST_TEST(after.values.contains(key("added")));
}

BOOST_AUTO_TEST_CASE(a_probe_that_does_not_end_is_ended) {
  auto probe = std::make_shared<ScriptedProbe>();
  probe->takes = 1h;
  runner.Apply({Config("p", probe)});
  loop.Advance(7s);
  BOOST_TEST(Status().last_error.starts_with("timed out after"), Status().last_error);
  BOOST_TEST(*Status().up == false);
}

BOOST_AUTO_TEST_CASE(a_slow_probe_misses_slots_and_keeps_its_place) {
  auto probe = std::make_shared<ScriptedProbe>();
  ProbeConfig config = Config("p", probe);
  config.timeout = 30s;
  probe->takes = 14s;
  runner.Apply({config});
  loop.Advance(60s);
  BOOST_REQUIRE(probe->runs == 3);
  BOOST_TEST((probe->times[1] - probe->times[0] == 20s));
  BOOST_TEST((probe->times[2] - probe->times[1] == 20s));
}

BOOST_AUTO_TEST_CASE(a_bug_in_a_probe_is_a_failed_run) {
  auto probe = std::make_shared<ScriptedProbe>();
  probe->throws = true;
  runner.Apply({Config("p", probe)});
  loop.Advance(15s);
  BOOST_TEST(Status().message == "internal error: a bug");
  BOOST_TEST(probe->runs == 2);
}

BOOST_AUTO_TEST_CASE(series_are_capped_and_doubles_dropped) {
  auto probe = std::make_shared<ScriptedProbe>();
  for (int i = 0; i < 100; ++i) probe->values.push_back({"probe_jmx_value", 1, {{"attribute", std::to_string(i)}}});
  probe->values.push_back({"probe_jmx_value", 2, {{"attribute", "0"}}});
  ProbeConfig config = Config("p", probe);
  config.max_series = 20;
  runner.Apply({config});
  loop.Advance(5s);
  BOOST_TEST(Visit().values.size() == 20U);
  double dropped = 0;
  for (const auto& family : registry->Collect())
    if (family.name == "pipewarden_probe_series_dropped_total") dropped = family.metric.at(0).counter.value;
  BOOST_TEST(dropped == 85);
}

BOOST_AUTO_TEST_CASE(many_probes_start_spread) {
  std::vector<ProbeConfig> configs;
  std::vector<std::shared_ptr<ScriptedProbe>> probes;
  for (int i = 0; i < 50; ++i) {
    probes.push_back(std::make_shared<ScriptedProbe>());
    configs.push_back(Config("p" + std::to_string(i), probes.back()));
  }
  runner.Apply(configs);
  loop.Advance(11s);
  std::set<core::MonoTime> starts;
  for (const auto& probe : probes) {
    BOOST_REQUIRE(probe->runs >= 1);
    starts.insert(probe->times.front());
  }
  BOOST_TEST(starts.size() >= 10U);  // about five at a time: to wake up costs more than a run
  BOOST_TEST(starts.size() <= 11U);
}

core::Task<void> Once(ProbeRunner& runner, std::string name, core::Result<ProbeOutcome>& outcome) {
  outcome = co_await runner.RunOnce(std::move(name));
}

BOOST_AUTO_TEST_CASE(a_run_on_request_changes_nothing) {
  auto probe = std::make_shared<ScriptedProbe>();
  runner.Apply({Config("p", probe)});
  core::TaskGroup group(loop);
  core::Result<ProbeOutcome> outcome;
  core::Result<ProbeOutcome> unknown;
  loop.Advance(5s);
  probe->success = false;
  group.Spawn("once", Once(runner, "p", outcome));
  group.Spawn("unknown", Once(runner, "q", unknown));
  loop.RunReady();
  BOOST_REQUIRE(outcome);
  BOOST_TEST(outcome->result.error == "it is broken");
  BOOST_TEST(*Status().up);
  BOOST_TEST(Status().runs == 1U);
  BOOST_TEST((unknown.error().code == core::ErrorCode::kNotFound));
}

BOOST_AUTO_TEST_CASE(a_component_is_up_when_each_of_its_probes_has_been_found_up) {
  auto bad = std::make_shared<ScriptedProbe>();
  bad->success = false;
  ProbeConfig config = Config("p", bad);
  config.component = "storage";
  ProbeConfig other = Config("q", std::make_shared<ScriptedProbe>());
  other.component = "storage";
  ProbeConfig good = Config("r", std::make_shared<ScriptedProbe>());
  good.component = "healthy";
  runner.Apply({config, other, good});
  BOOST_TEST(runner.AnyNotUp("healthy"));  // no verdict yet
  loop.Advance(11s);
  BOOST_TEST(!runner.AnyNotUp("healthy"));
  BOOST_TEST(runner.AnyNotUp("storage"));
  BOOST_TEST(!runner.AnyNotUp("serving"));
}

BOOST_AUTO_TEST_CASE(history_keeps_the_last_ninety_runs) {
  auto probe = std::make_shared<ScriptedProbe>();
  runner.Apply({Config("p", probe)});
  loop.Advance(1000s);
  BOOST_TEST(Status().history.size() == 90U);
  BOOST_TEST((Status().history.back().time - Status().history.front().time == 890s));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(probe_config)

BOOST_AUTO_TEST_CASE(what_is_not_said_has_defaults) {
  const auto configs =
      ReadProbeText("- {name: a, kind: tcp, address: 'x:1'}\n- {name: b, kind: tcp, address: 'x:1', interval: 2s}\n");
  BOOST_REQUIRE(configs.size() == 2U);
  BOOST_TEST((configs[0].interval == 15s && configs[0].timeout == 5s));
  BOOST_TEST((configs[1].timeout == 2s));
  BOOST_TEST(configs[0].failures == 1);
  BOOST_TEST(configs[0].identity != configs[1].identity);
  BOOST_TEST(ReadProbeText("").empty());
}

BOOST_AUTO_TEST_CASE(every_mistake_is_told_in_one_go) {
  std::vector<std::string> errors;
  ReadProbeText(
      "- {name: a, kind: htp, url: 'http://x'}\n"
      "- {name: b}\n"
      "- {name: c, kind: tcp, address: 'x:1', intervall: 5s}\n"
      "- {name: d, kind: tcp, address: 'x:1', timeout: 20s}\n"
      "- {name: e, kind: tcp, address: 'x:1', labels: {probe: x, 'a-b': y}}\n"
      "- {name: f, kind: tcp, address: 'x:1'}\n"
      "- {name: f, kind: tcp, address: 'x:2'}\n"
      "- {kind: tcp, address: 'x:2'}\n"
      "- just text\n",
      errors);
  const std::string all = [&] {
    std::string text;
    for (const std::string& line : errors) text += line + "\n";
    return text;
  }();
  BOOST_TEST_CONTEXT(all) {
    BOOST_REQUIRE(errors.size() == 9U);
    BOOST_TEST(errors[0] == "pipewarden.yml:1:19: unknown kind 'htp' of probe 'a' (did you mean 'http'?)");
    BOOST_TEST(
        errors[1].find("probe 'b' needs a `kind`: one of exec, hdfs, http, jmx, postgres, process, redis, tcp") !=
        std::string::npos);
    BOOST_TEST(errors[2].find("'intervall'") != std::string::npos);
    BOOST_TEST(errors[3].find("the timeout of probe 'd' (20s) is longer than its interval (15s)") != std::string::npos);
    BOOST_TEST(errors[4].find("'a-b' in `labels` of probe 'e' is no label name") != std::string::npos);
    BOOST_TEST(errors[5].find("label 'probe' of probe 'e' is set already") != std::string::npos);
    BOOST_TEST(errors[6].find("probe 'f' is there twice, first at pipewarden.yml:6:3") != std::string::npos);
  }
  errors.clear();
  ReadProbeText("a: b\n", errors);
  BOOST_REQUIRE(errors.size() == 1U);
  BOOST_TEST(errors[0].find("write a list") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_secret_file_with_new_content_is_a_change) {
  const test::TempFolder dir;
  const std::string file = dir.Write("password", "one\n");
  const std::string yaml = "[{name: a, kind: postgres, password_file: " + file + "}]";
  const std::string before = ReadProbeText(yaml)[0].identity;
  BOOST_TEST(ReadProbeText(yaml)[0].identity == before);
  dir.Write("password", "two\n");
  BOOST_TEST(ReadProbeText(yaml)[0].identity != before);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::exporters
