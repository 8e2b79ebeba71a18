#include "agent/failure_notes.h"

#include <boost/test/unit_test.hpp>

#include "tests/support/temp_folder.h"

namespace pipewarden::agent {
namespace {

RunStatus Run(RunId id, RunState state) {
  RunStatus run;
  run.id = id;
  run.state = state;
  return run;
}

StepStatus Step(std::string name, StepState state, int attempts, std::string error = "") {
  StepStatus step;
  step.name = std::move(name);
  step.state = state;
  step.attempts = attempts;
  step.error = std::move(error);
  return step;
}

struct Fixture {
  Fixture() {
    std::string lines;
    for (int i = 1; i <= 30; ++i) lines += "line " + std::to_string(i) + "\n";
    folder.Write("ingest.2", lines);
    PipelineStatus daily;
    daily.name = "daily";
    daily.last_run = Run(7, RunState::kFailed);
    daily.last_run->steps = {Step("ingest", StepState::kFailed, 2, "exit code 3"),
                             Step("check", StepState::kLost, 1, "lost"), Step("load", StepState::kUpstreamFailed, 0)};
    PipelineStatus hourly;
    hourly.name = "hourly";
    hourly.last_run = Run(8, RunState::kSucceeded);
    hourly.active_runs = {Run(9, RunState::kRunning)};
    hourly.active_runs[0].steps = {Step("load", StepState::kRunning, 3)};
    pipelines = {daily, hourly};
  }
  core::Labels Notes(std::vector<core::Label> labels, core::Labels annotations = {}) {
    core::Alert alert;
    alert.labels = core::Labels(labels);
    alert.annotations = std::move(annotations);
    std::vector<core::Alert> alerts = {alert};
    AddFailureNotes(
        alerts, pipelines,
        [&](RunId run, const std::string& step, int attempt) -> core::Result<std::string> {
          asked += std::to_string(run) + "/" + step + "." + std::to_string(attempt) + " ";
          return folder / (step + "." + std::to_string(attempt));
        },
        core::WallTime{});
    return alerts[0].annotations;
  }

  test::TempFolder folder;
  std::vector<PipelineStatus> pipelines;
  std::string asked;
};

BOOST_FIXTURE_TEST_SUITE(failure_notes, Fixture)

BOOST_AUTO_TEST_CASE(the_step_the_attempt_and_the_last_lines) {
  const core::Labels notes = Notes({{"alertname", "PipelineFailed"}, {"pipeline", "daily"}});
  BOOST_TEST(notes.Get("run") == "7");
  BOOST_TEST(notes.Get("step") == "ingest, and also check");
  BOOST_TEST(notes.Get("attempt") == "2");
  BOOST_TEST(notes.Get("error") == "exit code 3");
  BOOST_TEST(notes.Get("output").starts_with("line 21\n"));
  BOOST_TEST(notes.Get("output").ends_with("\nline 30"));
}

BOOST_AUTO_TEST_CASE(the_step_of_the_alert_where_it_names_one) {
  BOOST_TEST(Notes({{"pipeline", "daily"}, {"step", "check"}}).Get("step") == "check");
  BOOST_TEST(Notes({{"pipeline", "daily"}, {"step", "load"}}).empty());
}

BOOST_AUTO_TEST_CASE(a_retry_under_way_tells_of_the_attempt_that_failed) {
  const core::Labels notes = Notes({{"pipeline", "hourly"}});
  BOOST_TEST(notes.Get("attempt") == "2");
  BOOST_TEST(notes.Get("output").empty());  // there is none
  BOOST_TEST(asked == "9/load.2 ");
}

BOOST_AUTO_TEST_CASE(what_the_rule_says_stays_and_other_alerts_are_left_alone) {
  BOOST_TEST(Notes({{"pipeline", "daily"}}, {{"step", "mine"}}).Get("step") == "mine");
  BOOST_TEST(Notes({{"pipeline", "unknown"}}).empty());
  BOOST_TEST(Notes({{"job", "x"}}).empty());
}

BOOST_AUTO_TEST_CASE(the_last_lines_of_a_file) {
  BOOST_TEST(LastLines(folder / "nothing").empty());
  folder.Write("empty", "");
  BOOST_TEST(LastLines(folder / "empty").empty());
  folder.Write("one", "only\n");
  BOOST_TEST(LastLines(folder / "one") == "only");
  folder.Write("long", "first\n" + std::string(5000, 'x') + "\nlast\n");
  BOOST_TEST(LastLines(folder / "long") == "last");
  folder.Write("endless", std::string(5000, 'x'));
  BOOST_TEST(LastLines(folder / "endless").size() == kOutputBytes);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::agent
