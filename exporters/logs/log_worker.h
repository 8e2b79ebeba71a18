// Does the work of LogSource, off the loop: follows the files, makes values of their lines, commits both together, and
// publishes what is committed. One poll at a time; Apply, Visit's snapshot and State may be called from any thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/async/mutex.h"
#include "core/logging.h"
#include "core/time/clock.h"
#include "exporters/logs/log_config.h"
#include "exporters/logs/log_database.h"
#include "exporters/logs/metric_table.h"
#include "exporters/logs/pattern_set.h"
#include "exporters/logs/tailer.h"

namespace pipewarden::exporters {

// What pages show of a pattern.
struct LogPatternStatus {
  std::string entry;
  std::string match;
  std::string plan;  // how its lines are found
  std::uint64_t hits = 0;
};

struct LogState {
  std::vector<LogFileStatus> files;
  std::vector<LogPatternStatus> patterns;
  std::uint64_t series = 0;
  std::string error;  // why nothing is committed, else ""
};

struct LogCounts {
  std::uint64_t lines = 0, bytes = 0, cut = 0, rotations = 0, truncations = 0, read_errors = 0;
  std::uint64_t value_errors = 0;  // a group's text is no number that its metric takes
  std::uint64_t commit_errors = 0;
  std::uint64_t overflowed = 0;                        // updates that went to an overflow series
  std::uint64_t files = 0, lag_bytes = 0, series = 0;  // now
};

class LogWorker {
 public:
  LogWorker(core::Clock& clock, core::Logger logger, std::string data_dir);
  ~LogWorker();

  void Apply(std::vector<LogConfig> configs) EXCLUDES(mutex_);  // in force from the next poll on
  // Looks at all files once; true where a bound ended it before everything was read.
  bool Poll() EXCLUDES(mutex_);
  // The last commit: values stay whole over a boot.
  void Close() EXCLUDES(mutex_);

  std::shared_ptr<const MetricSnapshot> Metrics() const EXCLUDES(mutex_);
  std::shared_ptr<const LogState> State() const EXCLUDES(mutex_);
  LogCounts Counts() const EXCLUDES(mutex_);  // since the start

 private:
  struct Entry;
  class Updater;

  bool OpenDatabase();
  void TakePending() EXCLUDES(mutex_);
  void Configure(std::vector<LogConfig> configs);
  void MakeEntry(LogConfig config);
  bool ReadAll(core::MonoTime now);
  bool Commit(bool last);
  void Publish(bool with_metrics) EXCLUDES(mutex_);
  void NoteError(const std::string& error);

  core::Clock& clock_;
  core::Logger logger_;
  std::string data_dir_;
  std::optional<LogDatabase> database_;
  core::MonoTime next_open_{};
  bool values_loaded_ = false;
  std::map<std::string, std::vector<FileRecord>> restored_;
  std::map<std::string, std::set<std::string>> restored_seen_;
  std::map<std::string, std::unique_ptr<Entry>> entries_;
  std::vector<std::string> removed_entries_;
  MetricTable table_;
  std::vector<char> buffer_;
  std::string error_;
  LogCounts counts_;
  std::uint64_t polls_ = 0;
  bool reconfigured_ = false;

  mutable core::Mutex mutex_;
  std::optional<std::vector<LogConfig>> pending_ GUARDED_BY(mutex_);
  std::shared_ptr<const MetricSnapshot> metrics_ GUARDED_BY(mutex_) = std::make_shared<MetricSnapshot>();
  std::shared_ptr<const LogState> state_ GUARDED_BY(mutex_) = std::make_shared<LogState>();
  LogCounts published_ GUARDED_BY(mutex_);
};

// A number as log lines write it: 12, -0.5, 1e3, +7; nullopt else.
std::optional<double> ParseLogNumber(std::string_view text);

}  // namespace pipewarden::exporters
