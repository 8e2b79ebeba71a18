// A run as it stands, and what to do next with it: the decisions alone, without clock, database or processes, so that
// they can be tested as a table. Loop thread only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/pipelines/executors/executor.h"
#include "agent/pipelines/pipeline.h"

namespace pipewarden::agent {

enum class RunState { kQueued, kRunning, kSucceeded, kFailed, kCancelled, kSkipped };
enum class StepState {
  kWaiting,   // for other steps, or for its components
  kStarting,  // an attempt is being prepared
  kRunning,
  kRetrying,  // until retry_at
  kSucceeded,
  kFailed,
  kLost,            // failed, because nobody knows how its last attempt ended
  kUpstreamFailed,  // never started: what it stands on did not succeed
  kCancelled,
};
enum class Cause { kSchedule, kCatchUp, kManual };

std::string_view RunStateName(RunState state);    // "queued", "running", …
std::string_view StepStateName(StepState state);  // "waiting", …, "upstream_failed"
std::string_view CauseName(Cause cause);          // "schedule", "catch_up", "manual"
std::optional<RunState> ParseRunState(std::string_view text);
std::optional<StepState> ParseStepState(std::string_view text);
std::optional<Cause> ParseCause(std::string_view text);
bool IsFinal(RunState state);
bool IsFinal(StepState state);

// One step of a run.
struct StepRun {
  std::size_t config = 0;  // its place in the configuration's steps
  StepState state = StepState::kWaiting;
  int attempt = 0;   // number of the current or last attempt; 0: none yet
  int failures = 0;  // attempts that ran and did not succeed
  std::optional<core::WallTime> retry_at;
  std::optional<core::WallTime> needs_since;  // waits for its components since then
  core::WallTime started{}, ended{};          // of the current or last attempt; zero: not yet
  core::Duration duration{};
  int exit_code = 0;
  std::string error;  // why it is not well, for people
};

struct Run {
  RunId id = 0;
  std::shared_ptr<const PipelineConfig> config;  // the one it began with
  Cause cause = Cause::kManual;
  RunState state = RunState::kQueued;
  core::WallTime slot{};
  core::WallTime interval_start{};  // the slot before; the data interval is [interval_start, slot)
  EnvMap env;                       // of the request, over all other
  std::vector<std::string> only;    // of the request: these steps alone, with `after` among them; empty: all
  bool cancel_requested = false;
  core::WallTime created{}, started{}, ended{};
  std::string error;
  std::vector<StepRun> steps;  // those that take part, in the order of the configuration

  const StepConfig& ConfigOf(const StepRun& step) const { return config->steps[step.config]; }
  StepRun* Find(std::string_view step);
};

// The steps of a new run, all waiting.
std::vector<StepRun> MakeSteps(const PipelineConfig& config, const std::vector<std::string>& only);

struct Decision {
  std::vector<std::size_t> start;         // places in run.steps: begin their next attempt
  std::optional<core::WallTime> look_at;  // nothing changes before, unless an attempt ends
  bool finished = false;                  // run.state and run.error tell how
};
// Marks what can no longer run (upstream failed, cancelled), and tells what to start. `healthy(component)` is asked for
// steps with `requires`.
Decision Decide(Run& run, core::WallTime now, const std::function<bool(const std::string&)>& healthy);

// An attempt has ended: the step succeeds, fails, or waits for its retry. A kNotStarted end makes the step wait again
// with the same attempt's number. True where the attempt counts (it ran).
bool OnAttemptEnd(Run& run, StepRun& step, const AttemptEnd& end);

}  // namespace pipewarden::agent
