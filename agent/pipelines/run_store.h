// Runs, attempts and watermarks in their own SQLite database (class power): nobody else's commits stand before a start.
// What is asked for in one turn of the loop is one transaction, written in the pool; every call returns after the
// commit that holds it. A failed transaction is taken apart and each request tried alone, so that one bad request fails
// alone. Loop thread only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/pipelines/run.h"
#include "core/async/loop.h"
#include "core/async/task_group.h"
#include "core/store/database.h"

namespace pipewarden::agent {

enum class AttemptState { kIntended, kSpawned, kEnded, kLost };

// A row: an attempt as the database knows it. That it has `started` is told by its folder (agent/step/protocol.h).
struct StoredAttempt {
  RunId run = 0;
  std::string step;
  int attempt = 1;
  AttemptState state = AttemptState::kIntended;
  std::string handle;  // the executor's
  core::WallTime intended{};
  AttemptEnd end;  // where it has ended or is lost
};

// A run with what is stored of its attempts, oldest first. Its steps are as MakeSteps gives them.
struct StoredRun {
  std::shared_ptr<Run> run;
  std::vector<StoredAttempt> attempts;
  std::vector<std::pair<std::string, std::string>>
      step_states;  // final states of a run that has ended: step, state, error below
  std::map<std::string, std::string> step_errors;
};

struct Watermark {
  std::string schedule;   // the schedule it belongs to: another one begins anew
  core::WallTime slot{};  // decided on up to here
  bool paused = false;
};

class RunStore {
 public:
  static core::Task<core::Result<std::unique_ptr<RunStore>>> Open(core::Loop& loop, core::Logger logger,
                                                                  std::string path);
  ~RunStore();
  RunStore(const RunStore&) = delete;
  RunStore& operator=(const RunStore&) = delete;

  // Stores new runs (their id is 0) and moves the watermark on, in one transaction. Gives the ids; 0 for a run whose
  // slot is there already.
  core::Task<core::Result<std::vector<RunId>>> Create(std::vector<std::shared_ptr<const Run>> runs,
                                                      std::optional<core::WallTime> watermark);
  // State, times and error of a run; for one that has ended, the states of its steps as well.
  core::Task<core::Result<void>> Update(const Run& run);
  core::Task<core::Result<void>> RequestCancel(RunId run);
  core::Task<core::Result<void>> PutAttempt(StoredAttempt attempt);

  core::Task<core::Result<std::map<std::string, Watermark>>> Watermarks();
  core::Task<core::Result<void>> PutWatermark(std::string pipeline, Watermark watermark);
  core::Task<core::Result<void>> DropWatermark(std::string pipeline);

  core::Task<core::Result<std::vector<StoredRun>>> Unfinished();
  core::Task<core::Result<std::vector<StoredRun>>> History(std::string pipeline, std::size_t limit);
  // The last run of each pipeline that ended other than skipped, and the end of each step's last success (step "" is
  // the run's own).
  struct Last {
    StoredRun run;
    std::map<std::string, core::WallTime> successes;
  };
  core::Task<core::Result<std::vector<Last>>> LastRuns();
  // How long the newest whole runs of each pipeline took that succeeded, oldest first, at most so many.
  using Durations = std::map<std::string, std::vector<core::Duration>>;
  core::Task<core::Result<Durations>> SuccessfulDurations(int most);
  core::Task<core::Result<bool>> HasSucceeded(std::string pipeline);
  // Removes ended runs beyond the newest `keep` of the pipeline and those that ended before `before`; gives their ids.
  core::Task<core::Result<std::vector<RunId>>> Prune(std::string pipeline, int keep, core::WallTime before);
  // Ids of all runs there are, of those asked for.
  core::Task<core::Result<std::vector<RunId>>> Missing(std::vector<RunId> runs);

  // Whether the last transaction was committed.
  bool healthy() const { return healthy_; }
  // Until all that was asked for is committed; nothing can be asked for after.
  core::Task<void> Close();

 private:
  RunStore(core::Loop& loop, core::Logger logger, core::Database database);
  struct Request;
  template <class T>
  core::Task<core::Result<T>> Do(std::function<core::Result<T>(core::Database&)> work);
  static core::Result<void> Guarded(Request& request, core::Database& database);
  core::Task<void> Flush();

  core::Loop& loop_;
  core::Logger logger_;
  core::Database database_;
  std::vector<std::shared_ptr<Request>> pending_;
  bool flushing_ = false;
  bool healthy_ = true;
  core::TaskGroup tasks_;
};

}  // namespace pipewarden::agent
