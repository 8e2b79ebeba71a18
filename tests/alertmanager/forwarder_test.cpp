#include "alertmanager/forwarder.h"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "tests/support/http_server.h"
#include "tests/support/temp_folder.h"

namespace pipewarden::alertmanager {
namespace {

using nlohmann::json;
using test::HttpServer;
using namespace std::chrono_literals;

// An Alertmanager that answers what it is told to, and keeps the names and annotations of the alerts it took.
struct Peer {
  std::atomic<int> status{200};
  HttpServer server{[this](const HttpServer::Request&) { return HttpServer::Response{.status = status}; }};

  std::vector<std::size_t> Batches() const {
    std::vector<std::size_t> sizes;
    for (const auto& request : server.Requests()) sizes.push_back(json::parse(request.body).size());
    return sizes;
  }
};

struct Fixture {
  core::Alert Alert(const std::string& name, const std::string& summary = "s") const {
    core::Alert alert;
    alert.labels = {{"alertname", name}};
    alert.annotations = {{"summary", summary}};
    alert.starts_at = clock.Now();
    alert.ends_at = clock.Now() + 4min;
    return alert;
  }
  std::vector<core::Alert> Many(std::size_t count) const {
    std::vector<core::Alert> alerts;
    for (std::size_t i = 0; i < count; ++i) alerts.push_back(Alert("a" + std::to_string(i)));
    return alerts;
  }
  void Apply(const std::string& yaml) {
    core::ConfigErrors errors;
    const auto root = core::ParseYaml(yaml, folder / "pipewarden.yml", errors);
    forwarder.Apply(ReadPeers(*root, errors));
    BOOST_REQUIRE_EQUAL(errors.empty() ? "" : errors.ToError().message, "");
  }
  ~Fixture() {
    core::TaskGroup group(loop);
    group.Spawn("stop", forwarder.Stop(1s));
    loop.Advance(5s);
  }

  core::JumpingClock clock;
  core::Loop loop{clock, core::Logger(core::LogLevel::kError, core::LogFormat::kLogfmt), 1};
  core::HttpClient http{loop};
  test::TempFolder folder;
  Peer one, two;
  Forwarder forwarder{loop, http, core::Logger(core::LogLevel::kError, core::LogFormat::kLogfmt), nullptr};
};

BOOST_FIXTURE_TEST_SUITE(forwarder, Fixture)

BOOST_AUTO_TEST_CASE(every_peer_gets_every_alert_in_batches) {
  Apply("[{static_configs: [{targets: ['" + one.server.Address() +
        "']}]}, {path_prefix: /am/, static_configs: "
        "[{targets: ['" +
        two.server.Address() + "']}], http_config: {authorization: {credentials: c}}}]");
  forwarder.Send(Many(600));
  loop.Advance(1s);
  for (const Peer* peer : {&one, &two})
    BOOST_TEST(peer->Batches() == (std::vector<std::size_t>{256, 256, 88}), boost::test_tools::per_element());
  const auto first = one.server.Requests().front();
  BOOST_TEST(first.target == "/api/v2/alerts");
  BOOST_TEST(first.Header("User-Agent").starts_with("Pipewarden/"));
  BOOST_TEST(two.server.Requests().front().target == "/am/api/v2/alerts");
  BOOST_TEST(two.server.Requests().front().Header("Authorization") == "Bearer c");
  BOOST_TEST(json::parse(first.body)[0] ==
             json::parse(R"({"labels": {"alertname": "a0"}, "annotations": {"summary": "s"},
                             "startsAt": "2023-11-14T22:13:20Z", "endsAt": "2023-11-14T22:17:20Z"})"));
}

BOOST_AUTO_TEST_CASE(a_queue_waits_for_its_peer_and_tells_the_newest_word) {
  Apply("[{static_configs: [{targets: ['" + one.server.Address() + "', '" + two.server.Address() + "']}]}]");
  two.status = 503;
  forwarder.Send({Alert("a", "old"), Alert("b")});
  loop.Advance(1500ms);
  BOOST_TEST(one.Batches().size() == 1U);
  forwarder.Send({Alert("a", "new")});
  loop.Advance(10s);
  BOOST_TEST(one.Batches().size() == 2U);
  const std::size_t tries = two.Batches().size();
  BOOST_TEST(tries > 1U);
  two.status = 200;
  loop.Advance(30s);
  BOOST_REQUIRE(two.Batches().size() == tries + 1);
  const json told = json::parse(two.server.Requests().back().body);
  BOOST_TEST(told.size() == 2U);
  for (const json& alert : told)
    if (alert["labels"]["alertname"] == "a") BOOST_TEST(alert["annotations"]["summary"] == "new");
  // What a peer refuses is not sent again.
  two.status = 400;
  forwarder.Send({Alert("c")});
  loop.Advance(1min);
  BOOST_TEST(two.Batches().size() == tries + 2);
}

BOOST_AUTO_TEST_CASE(a_queue_is_bounded) {
  Apply("[{static_configs: [{targets: ['" + one.server.Address() + "']}]}]");
  one.status = 503;
  forwarder.Send(Many(Forwarder::kMaxQueue + 500));
  loop.Advance(500ms);
  one.status = 200;
  loop.Advance(1min);
  std::size_t told = 0;
  for (const std::size_t size : one.Batches()) told += size;
  BOOST_TEST(told <= Forwarder::kMaxQueue + 2 * Forwarder::kMaxBatch);
  BOOST_TEST(told >= Forwarder::kMaxQueue);
}

BOOST_AUTO_TEST_CASE(addresses_come_from_files_too) {
  Apply("[{file_sd_configs: [{files: ['am*.yml'], refresh_interval: 10s}]}]");
  loop.Advance(1s);
  BOOST_TEST(forwarder.Urls().empty());
  folder.Write("am1.yml", R"([{"targets": [")" + one.server.Address() + R"("], "labels": {"a": "b"}}])");
  loop.Advance(10s);
  forwarder.Send({Alert("a")});
  loop.Advance(1s);
  BOOST_TEST(one.Batches().size() == 1U);
  // A file that is half written changes nothing.
  folder.Write("am1.yml", "[{targets: [");
  loop.Advance(10s);
  BOOST_TEST(forwarder.Urls().size() == 1U);
  folder.Write("am1.yml", "[]");
  loop.Advance(10s);
  BOOST_TEST(forwarder.Urls().empty());
}

BOOST_AUTO_TEST_CASE(who_is_new_is_told_what_was_missed) {
  forwarder.SetKnown([this](std::size_t most) {
    BOOST_TEST(most == Forwarder::kMaxQueue);
    return Many(3);
  });
  Apply("[{static_configs: [{targets: ['" + one.server.Address() + "']}]}]");
  loop.Advance(1s);
  BOOST_TEST(one.Batches() == std::vector<std::size_t>{3}, boost::test_tools::per_element());
  Apply("[{static_configs: [{targets: ['" + one.server.Address() + "', '" + two.server.Address() + "']}]}]");
  loop.Advance(1s);
  BOOST_TEST(one.Batches().size() == 1U);  // it was here before
  BOOST_TEST(two.Batches() == std::vector<std::size_t>{3}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_keys_of_http_config_stand_as_in_a_prometheus_yml) {
  Apply("[{basic_auth: {username: u, password: p}, static_configs: [{targets: ['" + one.server.Address() + "']}]}]");
  forwarder.Send({Alert("a")});
  loop.Advance(1s);
  BOOST_REQUIRE(one.server.Requests().size() == 1U);
  BOOST_TEST(one.server.Requests()[0].Header("authorization") == "Basic dTpw");
}

BOOST_AUTO_TEST_CASE(mistakes_are_told) {
  core::ConfigErrors errors;
  const auto root = core::ParseYaml(
      "[{}, {static_configs: [{targets: ['http://x/']}]}, {static_configs: [{targets: [a]}], api_version: v1}]",
      "p.yml", errors);
  ReadPeers(*root, errors);
  std::string all;
  for (const std::string& line : errors.Lines()) all += line + "\n";
  BOOST_TEST(all.find("alertmanagers without addresses") != std::string::npos, all);
  BOOST_TEST(all.find("'http://x/' is no host:port") != std::string::npos, all);
  BOOST_TEST(all.find("api_version 'v1' is not spoken") != std::string::npos, all);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::alertmanager
