#include "agent/pipelines/run.h"

#include <boost/test/unit_test.hpp>
#include <set>

namespace pipewarden::agent {
namespace {

using namespace std::chrono_literals;
using core::WallTime;

const WallTime kNow{1'700'000'000s};

// ingestion -> {processing, report}, processing -> loader
struct Fixture {
  PipelineConfig config;
  Run run;
  std::set<std::string> sick;

  Fixture() {
    config.name = "daily";
    for (const auto& [name, after] : std::vector<std::pair<std::string, std::vector<std::string>>>{
             {"ingestion", {}}, {"processing", {"ingestion"}}, {"report", {"ingestion"}}, {"loader", {"processing"}}}) {
      StepConfig step;
      step.name = name;
      step.after = after;
      config.steps.push_back(step);
    }
  }
  void Begin(const std::vector<std::string>& only = {}) {
    run.config = std::make_shared<const PipelineConfig>(config);
    run.steps = MakeSteps(config, only);
  }
  // Names of what is started, which then counts as running.
  std::string Next(WallTime now = kNow) {
    decision = Decide(run, now, [&](const std::string& name) { return !sick.contains(name); });
    std::string names;
    for (const std::size_t index : decision.start) {
      run.steps[index].state = StepState::kRunning;
      ++run.steps[index].attempt;
      names += (names.empty() ? "" : " ") + run.ConfigOf(run.steps[index]).name;
    }
    return names;
  }
  void End(const std::string& step, int code, AttemptEnd::Kind kind = AttemptEnd::Kind::kExited, WallTime at = kNow) {
    AttemptEnd end;
    end.kind = kind;
    end.exit_code = code;
    end.started = end.ended = at;
    end.message = "exit code " + std::to_string(code);
    OnAttemptEnd(run, *run.Find(step), end);
  }
  StepState StateOf(const std::string& step) { return run.Find(step)->state; }
  Decision decision;
};

BOOST_FIXTURE_TEST_SUITE(run_decisions, Fixture)

BOOST_AUTO_TEST_CASE(steps_start_when_all_before_them_succeeded) {
  Begin();
  BOOST_TEST(Next() == "ingestion");
  BOOST_TEST(Next() == "");
  End("ingestion", 0);
  BOOST_TEST(Next() == "processing report");
  End("processing", 0);
  BOOST_TEST(Next() == "loader");
  End("loader", 0);
  BOOST_TEST(Next() == "");
  BOOST_TEST(!decision.finished);
  End("report", 0);
  Next();
  BOOST_TEST(decision.finished);
  BOOST_TEST((run.state == RunState::kSucceeded));
}

BOOST_AUTO_TEST_CASE(a_failed_step_stops_what_depends_on_it_and_nothing_else) {
  Begin();
  Next();
  End("ingestion", 0);
  Next();
  End("processing", 3);
  BOOST_TEST(Next() == "");
  BOOST_TEST((StateOf("loader") == StepState::kUpstreamFailed));
  BOOST_TEST((StateOf("report") == StepState::kRunning));
  End("report", 0);
  Next();
  BOOST_TEST(decision.finished);
  BOOST_TEST((run.state == RunState::kFailed));
  BOOST_TEST(run.error == "step 'processing': exit code 3");
}

BOOST_AUTO_TEST_CASE(retries_wait_their_delay) {
  config.steps[0].retries = {.count = 2, .delay = 60s, .backoff = 2, .max_delay = 90s, .exit_codes = {}};
  Begin();
  Next();
  End("ingestion", 1);
  BOOST_TEST(Next(kNow + 59s) == "");
  BOOST_TEST((decision.look_at == kNow + 60s));
  BOOST_TEST(Next(kNow + 60s) == "ingestion");
  End("ingestion", 1, AttemptEnd::Kind::kExited, kNow + 60s);
  BOOST_TEST(Next(kNow + 149s) == "");
  BOOST_TEST(Next(kNow + 150s) == "ingestion");
  End("ingestion", 1);
  Next();
  BOOST_TEST(decision.finished);
  BOOST_TEST(run.Find("ingestion")->attempt == 3);
  BOOST_TEST((run.state == RunState::kFailed));
}

BOOST_AUTO_TEST_CASE(only_named_exit_codes_are_retried) {
  config.steps[0].retries = {.count = 2, .delay = 0s, .backoff = 1, .max_delay = 1h, .exit_codes = {75}};
  Begin();
  Next();
  End("ingestion", 75);
  BOOST_TEST(Next() == "ingestion");
  End("ingestion", 1);
  Next();
  BOOST_TEST(decision.finished);
}

BOOST_AUTO_TEST_CASE(an_attempt_that_never_ran_is_made_anew_and_not_counted) {
  Begin();
  Next();
  End("ingestion", 0, AttemptEnd::Kind::kNotStarted);
  BOOST_TEST(Next() == "ingestion");
  BOOST_TEST(run.Find("ingestion")->attempt == 1);
  BOOST_TEST(run.Find("ingestion")->failures == 0);
}

BOOST_AUTO_TEST_CASE(a_lost_attempt_fails_unless_told_otherwise) {
  config.steps[0].retries.count = 5;
  Begin();
  Next();
  End("ingestion", 0, AttemptEnd::Kind::kLost);
  BOOST_TEST(Next() == "");
  BOOST_TEST((StateOf("ingestion") == StepState::kLost));
  BOOST_TEST((run.state == RunState::kFailed));
}

BOOST_AUTO_TEST_CASE(a_lost_attempt_is_retried_where_asked_but_not_for_ever) {
  config.steps[0].on_lost = OnLost::kRetry;
  Begin();
  int starts = 0;
  while (Next() == "ingestion") {
    ++starts;
    End("ingestion", 0, AttemptEnd::Kind::kLost);
  }
  BOOST_TEST(starts == 4);
  BOOST_TEST((StateOf("ingestion") == StepState::kLost));
}

BOOST_AUTO_TEST_CASE(a_cancelled_run_starts_nothing_more) {
  config.steps[0].retries.count = 5;
  Begin();
  Next();
  run.cancel_requested = true;
  BOOST_TEST(Next() == "");
  BOOST_TEST(!decision.finished);
  End("ingestion", 143);
  Next();
  BOOST_TEST(decision.finished);
  BOOST_TEST((run.state == RunState::kCancelled));
  BOOST_TEST((StateOf("ingestion") == StepState::kCancelled));
  BOOST_TEST((StateOf("loader") == StepState::kCancelled));
}

BOOST_AUTO_TEST_CASE(a_step_waits_for_its_components_but_not_for_ever) {
  config.steps[0].needs = {"namenode"};
  config.steps[0].needs_timeout = 10min;
  sick = {"namenode"};
  Begin();
  BOOST_TEST(Next() == "");
  BOOST_TEST((StateOf("ingestion") == StepState::kWaiting));
  BOOST_TEST((*decision.look_at > kNow));
  sick.clear();
  BOOST_TEST(Next(kNow + 9min) == "ingestion");
  End("ingestion", 0);

  Fixture other;
  other.config.steps[0].needs = {"namenode"};
  other.config.steps[0].needs_timeout = 10min;
  other.sick = {"namenode"};
  other.Begin();
  other.Next();
  BOOST_TEST(other.Next(kNow + 10min) == "");
  BOOST_TEST(other.decision.finished);
  BOOST_TEST(other.run.error == "step 'ingestion': component 'namenode' was not healthy within 10m");
}

BOOST_AUTO_TEST_CASE(only_some_steps) {
  Begin({"processing", "loader"});
  BOOST_TEST(Next() == "processing");
  End("processing", 0);
  BOOST_TEST(Next() == "loader");
  End("loader", 0);
  Next();
  BOOST_TEST((run.state == RunState::kSucceeded));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::agent
