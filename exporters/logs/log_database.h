// What survives of following logs, in one SQLite file (class "process"): how far each file is read and the values that
// came of it, committed together, so that a kill neither counts a line twice nor loses one.
//
// After a power loss or a crash of the machine the latest commits may be missing: the values would come back slightly
// lower than what a Prometheus has seen, and increase() would take that for a reset and count everything again. So
// where the machine has booted since and the agent was not stopped in order, all values start at zero; the offsets
// stay. One thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/store/database.h"
#include "exporters/logs/metric_table.h"

namespace pipewarden::exporters {

// How a file is known.
enum class FileState : std::int64_t {
  kFollowed = 0,  // at a path that the patterns name
  kLeft = 1,      // rotated away, or there before: read on only when it grows
  kCopy = 2,  // a copy (copytruncate, backup) of a followed file: read only for what its original lost to truncation
};

// A file's identity and how far it is read. Head and tail are hashes of the first bytes and of those before the offset.
struct FileRecord {
  std::string entry;  // of `logs:`
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::string path;
  std::uint64_t offset = 0;
  bool skipping = false;  // within a line that is too long
  std::uint64_t head_size = 0;
  std::uint64_t head_hash = 0;
  std::uint64_t tail_size = 0;
  std::uint64_t tail_hash = 0;
  FileState state = FileState::kFollowed;
};

class LogDatabase {
 public:
  // `boot_id` names the machine's current boot (/proc/sys/kernel/random/boot_id).
  static core::Result<LogDatabase> Open(const std::string& path, const std::string& boot_id, core::Logger logger);

  bool booted_since() const { return booted_since_; }  // device numbers may have changed

  core::Result<std::vector<FileRecord>> LoadFiles();
  // Values of metrics whose shape is the same; those of metrics that the table does not know are deleted.
  core::Result<void> LoadValues(MetricTable& table);
  // Path patterns seen before, as (entry, pattern).
  core::Result<std::set<std::pair<std::string, std::string>>> LoadSeen();

  struct Changes {
    std::vector<FileRecord> files;                                  // new or changed
    std::vector<FileRecord> removed;                                // by entry, device and inode
    std::vector<std::pair<std::string, std::string>> seen, unseen;  // (entry, pattern)
    std::vector<std::string> removed_entries;
    bool empty() const {
      return files.empty() && removed.empty() && seen.empty() && unseen.empty() && removed_entries.empty();
    }
  };
  // All or nothing. With `last` the values are marked as whole over a boot.
  core::Result<void> Commit(const Changes& changes, const MetricTable& table, bool last = false);

 private:
  explicit LogDatabase(core::Database database) : database_(std::move(database)) {}
  core::Result<void> Begin(const std::string& boot_id, const core::Logger& logger);
  core::Result<void> Write(const Changes& changes, const MetricTable& table, bool last);
  core::Result<void> WriteValues(const MetricTable& table);
  using Shapes = std::vector<std::pair<std::string, std::string>>;  // name and shape
  core::Result<void> WriteShapes(const Shapes& shapes);
  core::Result<void> DeleteMetrics(const std::vector<std::string>& metrics);
  // Runs `sql` for each row of `rows`, with `bind` giving its parameters.
  template <class Rows, class Bind>
  core::Result<void> ForEach(std::string_view sql, const Rows& rows, Bind bind);
  // Statements of commits are kept: to prepare one costs more than to run it. `sql` is a constant.
  core::Result<core::Statement*> Prepared(std::string_view sql);

  core::Database database_;
  std::map<std::string_view, core::Statement> statements_;  // they end before the database
  Shapes stored_shapes_;                                    // as this process has committed them
  bool booted_since_ = false;
};

}  // namespace pipewarden::exporters
