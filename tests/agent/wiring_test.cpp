// The whole agent on a clock that jumps: start, reloads, end.
#include "agent/wiring.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/async/task_group.h"
#include "tests/support/temp_folder.h"

namespace pipewarden::agent {
namespace {

using namespace std::chrono_literals;
using Results = std::vector<core::Result<void>>;

core::Task<void> Start(Agent& agent, Results& results) { results.push_back(co_await agent.Start()); }
core::Task<void> Stop(Agent& agent) { co_await agent.Stop(); }

struct Fixture {
  test::TempFolder folder;
  core::JumpingClock clock;
  std::vector<std::string> lines;  // of the log, from warnings on
  Agent agent{
      {.config_file = folder / "pipewarden.yml",
       .storage_path = folder / "data",
       .listen_addresses = {"127.0.0.1:0"},
       .step_binary = PIPEWARDEN_BINARY_DIR "/pipewarden-step"},
      clock,
      core::Logger(
          core::LogLevel::kWarn, core::LogFormat::kLogfmt,
          [](void* self, std::string_view line) { static_cast<Fixture*>(self)->lines.emplace_back(line); }, this)};
  core::TaskGroup group{agent.loop()};
  Results results;

  Fixture() { Write("global: {evaluation_interval: 1m}\n"); }
  ~Fixture() {
    group.Spawn("stop", Stop(agent));
    agent.loop().Advance(1min);
    BOOST_TEST(group.size() == 0U);
  }
  void Write(std::string_view config) const { folder.Write("pipewarden.yml", config); }
  void StartIt() {
    group.Spawn("start", Start(agent, results));
    agent.loop().RunReady();
    BOOST_REQUIRE(results.size() == 1U);
    BOOST_REQUIRE_MESSAGE(results[0].has_value(), results[0].error().message);
    results.clear();
  }
};

// Reloads, and leaves another file behind.
core::Task<void> ReloadAndWrite(Fixture& fixture, std::string next) {
  fixture.results.push_back(co_await fixture.agent.Reload());
  fixture.Write(next);
}

BOOST_FIXTURE_TEST_SUITE(wiring, Fixture)

BOOST_AUTO_TEST_CASE(a_second_reload_waits_and_reads_the_file_as_it_is_by_then) {
  StartIt();
  group.Spawn("first", ReloadAndWrite(*this, "nonsense: 1\n"));
  group.Spawn("second", ReloadAndWrite(*this, "global: {evaluation_interval: 1m}\n"));
  agent.loop().Advance(1s);
  BOOST_REQUIRE(results.size() == 2U);
  BOOST_TEST(results[0].has_value());
  BOOST_REQUIRE(!results[1].has_value());
  BOOST_TEST(results[1].error().message.find("nonsense") != std::string::npos);
  group.Spawn("third", ReloadAndWrite(*this, ""));
  agent.loop().Advance(1s);
  BOOST_TEST(results.back().has_value());
}

BOOST_AUTO_TEST_CASE(a_reload_that_changes_the_storage_tells_that_it_waits_for_the_next_start) {
  Write("storage: {retention_time: 30d}\n");
  StartIt();
  const auto warned = [&] {
    return std::ranges::count_if(
        lines, [](const std::string& line) { return line.find("takes effect at the next start") != line.npos; });
  };
  group.Spawn("same", ReloadAndWrite(*this, "storage: {retention_time: 10d}\n"));
  agent.loop().Advance(1s);
  BOOST_TEST(warned() == 0);
  group.Spawn("other", ReloadAndWrite(*this, "storage: {retention_time: 30d}\n"));
  agent.loop().Advance(1s);
  BOOST_TEST(warned() == 1);
  group.Spawn("as it was", ReloadAndWrite(*this, ""));
  agent.loop().Advance(1s);
  BOOST_TEST(warned() == 1);
  BOOST_REQUIRE(results.size() == 3U);
  for (const auto& result : results) BOOST_TEST(result.has_value());
}

BOOST_AUTO_TEST_CASE(reloads_that_wait_are_bounded) {
  StartIt();
  for (int i = 0; i < 9; ++i) group.Spawn("reload", ReloadAndWrite(*this, "global: {evaluation_interval: 1m}\n"));
  agent.loop().Advance(1s);
  BOOST_REQUIRE(results.size() == 9U);
  BOOST_TEST((results[0].error().code == core::ErrorCode::kUnavailable));  // it came last, and is answered at once
  for (std::size_t i = 1; i < results.size(); ++i) BOOST_TEST(results[i].has_value());
}

BOOST_AUTO_TEST_CASE(a_start_that_fails_is_stopped_as_any_other) {
  Write("nonsense: 1\n");
  group.Spawn("start", Start(agent, results));
  agent.loop().RunReady();
  BOOST_REQUIRE(results.size() == 1U);
  BOOST_TEST((results[0].error().code == core::ErrorCode::kInvalid));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::agent
