// The inside of Pipelines, in three parts: pipelines.cpp (opening, configuration, questions), pipelines_slots.cpp (when
// runs are made) and pipelines_runs.cpp (how they go). Not for other includers.
//
// Coroutines here belong to one task group and touch entries by name: an entry may be gone after any wait.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <map>
#include <set>

#include "agent/pipelines/environment.h"
#include "agent/pipelines/pipelines.h"
#include "agent/pipelines/run_metrics.h"
#include "agent/pipelines/run_store.h"
#include "agent/pipelines/scheduler.h"
#include "core/async/mutex.h"
#include "core/async/task_group.h"

namespace pipewarden::agent {

// Wakes one waiter; a notification without one is kept for the next.
class Wakeup {
 public:
  explicit Wakeup(core::Loop& loop);
  void Notify();
  // Until Notify(), at most until the time.
  core::Task<void> Wait(std::optional<core::WallTime> until);

 private:
  core::Task<void> WaitForTimer();
  core::Loop& loop_;
  boost::asio::steady_timer timer_;
  bool notified_ = false;
};

// A run under way or waiting for its turn.
struct ActiveRun {
  ActiveRun(core::Loop& loop, std::shared_ptr<Run> run_) : run(std::move(run_)), changed(loop) {}
  std::shared_ptr<Run> run;
  Wakeup changed;
  std::map<std::size_t, RunningAttempt*> running;  // by place in run->steps, for Cancel
  std::map<std::size_t, StoredAttempt> to_adopt;   // of the agent before us
  bool driven = false;
};
using ActiveRunPtr = std::shared_ptr<ActiveRun>;

struct Entry {
  std::shared_ptr<const PipelineConfig> config;
  Schedule schedule;
  Watermark mark;
  std::optional<core::WallTime> next;  // stands in the agenda under this time
  bool firing = false;                 // its slots are being stored
  bool removed = false;                // from the configuration; its runs go on
  std::vector<ActiveRunPtr> active;    // driven
  std::deque<ActiveRunPtr> queue;
  std::optional<RunStatus> last_run;
  core::WallTime last_success{};
  bool late = false;
};

// What the database tells of a pipeline's runs that have ended.
struct Restored {
  std::shared_ptr<Run> run;  // the last
  RunStatus last;
  std::map<std::string, core::WallTime> successes;  // by step; "": of the pipeline itself
  std::vector<core::Duration> durations;
};

struct Pipelines::Impl {
  Impl(core::Loop& loop, core::Logger logger, std::shared_ptr<prometheus::Registry> registry, PipelinesOptions options);

  // pipelines.cpp
  core::Task<core::Result<void>> Open();
  core::Task<core::Result<void>> Restore();
  void RestoreRun(StoredRun stored);
  void Apply(std::vector<PipelineConfig> configs);
  void ApplyOne(PipelineConfig config);
  void TakeRestored(const std::string& name, Entry& entry);
  void RemoveMetrics(const std::string& name, const PipelineConfig& config);
  void RemoveOldSteps(const Entry& entry, const PipelineConfig& before);
  void TellNoSchedule(const std::string& name);
  core::Task<core::Result<RunId>> RunNow(RunRequest request);
  core::Task<core::Result<void>> Cancel(RunId run);
  core::Task<core::Result<void>> SetPaused(std::string pipeline, bool paused);
  core::Task<core::Result<std::vector<RunStatus>>> History(std::string pipeline, std::size_t limit);
  core::Task<void> Stop();
  void Publish(const std::string& pipeline);
  std::string RunFolder(RunId run) const { return options.data_dir + "/runs/" + std::to_string(run); }
  std::string AttemptFolder(RunId run, const std::string& step, int attempt) const;
  core::Task<void> RemoveFolders(std::vector<RunId> runs);
  core::Task<void> RemoveStrays();

  // pipelines_slots.cpp
  core::Task<void> WatchSchedules();
  void PlanNext(const std::string& name, Entry& entry);
  core::Task<void> Fire(std::string name);
  core::Task<bool> FireOnce(std::string name, core::WallTime due_at);
  std::vector<std::shared_ptr<Run>> MakeSlotRuns(const Entry& entry, const DueSlots& due);
  std::shared_ptr<Run> NewRun(const Entry& entry, Cause cause, core::WallTime slot) const;
  std::optional<core::WallTime> JudgeLateness(core::WallTime now);
  core::Task<void> PutWatermark(std::string name);
  core::Task<void> KeepHouse();

  // pipelines_runs.cpp
  void Admit(std::shared_ptr<Run> run);
  void StartNext(const std::string& pipeline);
  core::Task<void> Drive(ActiveRunPtr active);
  void EndRun(const ActiveRunPtr& active);
  core::Task<void> RunAttempt(ActiveRunPtr active, std::size_t index);
  core::Task<AttemptEnd> BeginAttempt(ActiveRunPtr active, std::size_t index, StoredAttempt& stored,
                                      std::unique_ptr<RunningAttempt>& running);
  core::Task<core::Result<AttemptSpec>> MakeSpec(std::shared_ptr<Run> run, const StepConfig& step, int attempt);
  core::Task<void> StoreRun(std::shared_ptr<Run> run);
  core::Task<void> StoreAttempt(StoredAttempt attempt);
  core::Task<void> Prune(std::string pipeline);
  void NoteStore();
  bool IsHealthy(const std::string& component) const { return !options.is_healthy || options.is_healthy(component); }

  core::Loop& loop;
  core::Logger logger;
  PipelinesOptions options;
  RunMetrics metrics;
  std::shared_ptr<Executor> executor;
  std::unique_ptr<RunStore> store;
  bool stopping = false;

  std::map<std::string, Entry> entries;
  std::map<RunId, ActiveRunPtr> runs;                       // active and queued
  std::map<std::string, Watermark> stored_marks;            // of pipelines not configured yet
  std::map<std::string, Restored> stored_runs;              // the same
  std::set<std::pair<core::WallTime, std::string>> agenda;  // next slots
  Wakeup agenda_changed;

  mutable core::Mutex mutex;
  std::map<std::string, std::shared_ptr<const PipelineStatus>> published GUARDED_BY(mutex);

  core::TaskGroup tasks;  // last: it ends before what its tasks use
};

RunStatus StatusOf(const Run& run);

// How long a start waits where the database does not commit.
inline constexpr core::Duration kStoreRetry = std::chrono::seconds(2);

}  // namespace pipewarden::agent
