#include "agent/dead_man.h"

#include <prometheus/registry.h>

#include <boost/test/unit_test.hpp>

namespace pipewarden::agent {
namespace {

using namespace std::chrono_literals;

struct Sent {
  std::vector<std::string> requests;
  bool refuse = false;
};

core::Task<core::Result<void>> Send(std::shared_ptr<Sent> sent, std::string url, std::string body) {
  sent->requests.push_back(body.empty() ? url : url + " " + body);
  core::Result<void> result;
  if (sent->refuse) result = core::Fail(core::ErrorCode::kUnavailable, "refused");
  co_return result;
}

core::Task<void> StopIt(DeadMan& dead_man) { co_await dead_man.Stop(); }

struct Fixture {
  Fixture() { dead_man.Apply(Read("{url: 'http://hc/ping', fail_url: 'http://hc/fail', interval: 1m}")); }
  ~Fixture() {
    core::TaskGroup group(loop);
    group.Spawn("stop", StopIt(dead_man));
    loop.Advance(1s);
  }
  static DeadManConfig Read(const std::string& text) {
    core::ConfigErrors errors;
    const auto root = core::ParseYaml(text, "c.yml", errors);
    auto config = ReadDeadMan(*root, errors);
    problem = errors.empty() ? "" : errors.ToError().message;
    return config;
  }
  std::string Requests() const {
    std::string all;
    for (const std::string& one : std::exchange(sent->requests, {})) all += one + ";";
    return all;
  }

  static inline std::string problem;
  core::JumpingClock clock;
  core::Logger logger{core::LogLevel::kError, core::LogFormat::kLogfmt};
  core::Loop loop{clock, logger, 1};
  std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>();
  std::shared_ptr<Sent> sent = std::make_shared<Sent>();
  std::vector<std::string> sickness;
  std::vector<core::Alert> alerts;
  DeadMan dead_man{loop,
                   logger,
                   registry,
                   {.sickness = [this](core::Duration) { return sickness; },
                    .send = [this](std::string url, std::string body,
                                   core::Duration) { return Send(sent, std::move(url), std::move(body)); },
                    .put = [this](core::Alert alert) { alerts.push_back(std::move(alert)); }}};
};

BOOST_FIXTURE_TEST_SUITE(dead_man, Fixture)

BOOST_AUTO_TEST_CASE(it_goes_out_at_each_interval_and_stops_while_the_agent_is_sick) {
  loop.Advance(2min + 1s);
  BOOST_TEST(Requests() == "http://hc/ping;http://hc/ping;http://hc/ping;");
  sickness = {"the storage cannot be written"};
  loop.Advance(1min);
  BOOST_TEST(Requests() == "http://hc/fail the storage cannot be written\n;");
  sickness.clear();
  loop.Advance(1min);
  BOOST_TEST(Requests() == "http://hc/ping;");
}

BOOST_AUTO_TEST_CASE(a_reload_without_a_change_keeps_the_rhythm) {
  loop.Advance(30s);
  Requests();
  dead_man.Apply(Read("{url: 'http://hc/ping', fail_url: 'http://hc/fail', interval: 1m}"));
  loop.Advance(1s);
  BOOST_TEST(Requests() == "");
  dead_man.Apply({});
  loop.Advance(1h);
  BOOST_TEST(Requests() == "");
}

BOOST_AUTO_TEST_CASE(a_watchdog_fires_while_all_is_well) {
  dead_man.Apply(Read("{watchdog: true, interval: 1m}"));
  loop.Advance(1s);
  BOOST_REQUIRE(alerts.size() == 1U);
  BOOST_TEST(alerts[0].Name() == "Watchdog");
  BOOST_TEST((alerts[0].ends_at == clock.Now() - 1s + 3min));
  sickness = {"x"};
  loop.Advance(10min);
  BOOST_TEST(alerts.size() == 1U);
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_the_configuration) {
  Read("{interval: 1m}");
  BOOST_TEST(problem.find("gives no sign of life") != std::string::npos);
  Read("{url: 'ftp://x'}");
  BOOST_TEST(problem.find("must begin with http://") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::agent
