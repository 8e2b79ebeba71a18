// An append-only journal with checksums and checkpoints, for state that changes often and is small enough to be written
// whole now and then (alerts, notification log, silences). Survives a kill of the process: Append has written (no fsync)
// when it returns. Files in `directory`: <name>.<n>.journal and <name>.<n>.checkpoint.
//
// A record is opaque bytes, its length and CRC32 in front. A torn or corrupt record ends the reading of that file
// cleanly: what was before it counts, the rest is set aside as <file>.corrupt and told by log and Damage().
// Not thread-safe; Append is quick (one write(2)) and may be called on the loop.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/logging.h"
#include "core/result.h"

namespace pipewarden::core {

class Journal {
 public:
  // Reads the newest whole checkpoint and what was appended after it, oldest first: `replay` sees every record.
  static Result<Journal> Open(const std::string& directory, const std::string& name,
                              const std::function<void(std::string_view record)>& replay, Logger logger);
  Journal(Journal&&) noexcept;
  Journal& operator=(Journal&&) noexcept;
  ~Journal();

  Result<void> Append(std::string_view record);
  // Several records, one write.
  Result<void> Append(std::span<const std::string> records);

  // True once the log is larger than both 1 MiB and the last checkpoint: write a new one.
  bool WantsCheckpoint() const;
  // The whole state as records, which replace all before: written to a temporary file, fsynced, renamed; older files are
  // removed. On failure the old ones stay in force.
  Result<void> Checkpoint(const std::function<void(const std::function<void(std::string_view record)>& write)>& state);

  std::uint64_t DamagedRecords() const;  // records (or tails) set aside by Open

 private:
  struct State;
  explicit Journal(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace pipewarden::core
