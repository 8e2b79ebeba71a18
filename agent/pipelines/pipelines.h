// Pipelines: what the agent launches, on time, once, and never lost. Owns the schedules, the runs, their database and
// the folders of their attempts. Loop thread only, but for Snapshot() and LogPath().
//
// Data: <data_dir>/runs.db (SQLite, class power) and <data_dir>/runs/<run>/<step>.<attempt>/ (agent/step/protocol.h).
// Where the database cannot commit, no step starts (fail closed): starts are tried again every few seconds and
// pipewarden_pipeline_store_up is 0 meanwhile.
//
// Slots: each pipeline's watermark, the last slot that was decided on, is committed together with the slot's run: over
// a restart no slot is lost or doubled, and a clock that steps back fires nothing again. Slots missed while the agent
// was down, by `catch_up`: none (default) runs the newest one if it is at most catch_up_window (5m) old, so that a
// restart or an upgrade loses no daily run; latest runs the newest one within the window (7d); all runs each within it
// (1d), at most catch_up_max, oldest first, one after another. A new or edited schedule and a resumed pipeline begin
// now. Slots that fall due while a run is active, by `overlap`: skip (default; the slot stands in the history as
// skipped), queue, replace (the active run is cancelled), allow.
//
// Metrics, all named pipewarden_pipeline_… (label pipeline; where [,step] stands each step has its own as well):
//   run_last_status{pipeline[,step]}                     1: the last that ended succeeded, 0: it did not
//   run_last_start_timestamp_seconds{pipeline[,step]}    0: never
//   run_last_end_timestamp_seconds{pipeline[,step]}
//   run_last_success_timestamp_seconds{pipeline[,step]}  end of the last success; 0: never
//   run_duration_seconds{pipeline[,step]}                of the last that ended
//   run_running{pipeline[,step]}                         how many are under way
//   run_queued{pipeline}                                 runs that wait for their turn
//   run_total{pipeline,status}                           runs that ended: succeeded failed cancelled skipped
//   run_attempts_total{pipeline,step,status}             that ended: succeeded failed timeout lost cancelled
//   run_last_lateness_seconds{pipeline}                  first start after the slot, of the last scheduled run
//   run_late{pipeline}                                   1: a promise of `sla` is broken right now
//   run_promise_broken{pipeline,promise}                 start_within, finish_by, max_duration: those that are made
//   run_outstanding{pipeline}                            1: `sla: finish_by`, and no run of the newest slot succeeded
//   run_usual_duration_seconds{pipeline,percentile}      50 and 95 of the last 50 whole runs that succeeded
//   run_usual_runs{pipeline}                             how many those are
//   run_deadline_timestamp_seconds{pipeline}             `sla: finish_by` of the newest slot; 0: none
//   next_slot_timestamp_seconds{pipeline}                0: none
//   slots_missed_total{pipeline}                         slots that passed unrun while the agent was down
//   paused{pipeline}
//   store_up                                             0: the database cannot commit, nothing starts
// The last_* series come back from the history after a restart.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/pipelines/executors/executor.h"
#include "agent/pipelines/pipeline.h"
#include "agent/pipelines/run.h"
#include "core/async/loop.h"
#include "core/logging.h"
#include "core/result.h"

namespace prometheus {
class Registry;
}

namespace pipewarden::agent {

struct PipelinesOptions {
  std::string data_dir;     // made where it is not there
  std::string step_binary;  // pipewarden-step, beside the agent's own binary
  // Whether a component is healthy, for `requires`; without it every component counts as healthy.
  std::function<bool(const std::string& component)> is_healthy = {};
  std::shared_ptr<Executor> executor = nullptr;  // instead of the local one, for tests
};

struct StepStatus {
  std::string name;
  StepState state = StepState::kWaiting;
  int attempts = 0;
  core::WallTime started{}, ended{};  // of the last attempt; WallTime{}: not yet
  core::Duration duration{};
  int exit_code = 0;
  std::string error;
  std::optional<core::WallTime> retry_at;
};

struct RunStatus {
  RunId id = 0;
  std::string pipeline;
  Cause cause = Cause::kManual;
  RunState state = RunState::kQueued;
  core::WallTime slot{}, created{}, started{}, ended{};  // WallTime{}: not yet
  std::string error;
  std::vector<StepStatus> steps;
};

struct PipelineStatus {
  std::string name;
  std::string schedule;  // "" by hand only
  std::string timezone;
  std::vector<std::string> steps;
  bool paused = false;
  bool once = false;
  bool late = false;
  std::optional<core::WallTime> next_slot;
  std::optional<RunStatus> last_run;   // the last that ended
  std::vector<RunStatus> active_runs;  // running, then queued
};

struct RunRequest {
  std::string pipeline;
  EnvMap env;                                         // over the configuration's
  std::vector<std::string> steps = {};                // only these; empty: all
  std::optional<core::WallTime> slot = std::nullopt;  // now
  bool again = false;                                 // a second success of a `once` pipeline
};

class Pipelines {
 public:
  Pipelines(core::Loop& loop, core::Logger logger, std::shared_ptr<prometheus::Registry> registry,
            PipelinesOptions options);
  ~Pipelines();  // stopped, or the loop has stopped for good
  Pipelines(const Pipelines&) = delete;
  Pipelines& operator=(const Pipelines&) = delete;

  // Opens the database and adopts what runs. Once, before all else.
  core::Task<core::Result<void>> Open();
  // The configuration from now on. Runs under way go on with the one they began with.
  void Apply(std::vector<PipelineConfig> configs);

  // The run is committed when it returns. kNotFound (pipeline or step), kInvalid (a `once` pipeline has succeeded).
  core::Task<core::Result<RunId>> RunNow(RunRequest request);
  core::Task<core::Result<void>> Cancel(RunId run);
  core::Task<core::Result<void>> SetPaused(std::string pipeline, bool paused);

  // Newest first, those under way among them. kNotFound where the pipeline has neither configuration nor runs.
  core::Task<core::Result<std::vector<RunStatus>>> History(std::string pipeline, std::size_t limit);

  // By name. Any thread; as of the last change.
  std::shared_ptr<const std::vector<PipelineStatus>> Snapshot() const;
  // The file with an attempt's output; attempt 0 is the last one. Any thread. kNotFound says which are there.
  core::Result<std::string> LogPath(RunId run, const std::string& step, int attempt) const;

  // No new steps, all state committed. Steps that run go on and are adopted by the next start.
  core::Task<void> Stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pipewarden::agent
