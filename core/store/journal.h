// An append-only journal with checksums and checkpoints, for state that changes often and is small enough to be written
// whole now and then (alerts, notification log, silences). Survives a kill of the process: Append has written (no
// fsync) when it returns. Files in `directory`: <name>.<n>.journal and <name>.<n>.checkpoint; checkpoint n is the state
// before the first record of journal n. The next journal is made before the checkpoint that it follows takes its name,
// so that a kill between any two file operations loses nothing.
//
// A record is opaque bytes (up to 64 MiB) behind their length and CRC32, both little-endian; the CRC covers the length
// too, so that a run of zeros is no record. A torn or corrupt record ends the reading of that file cleanly: what was
// before it counts, the rest is set aside as <file>.corrupt and told by log and DamagedRecords().
// Not thread-safe; Append is quick (one write(2)) and may be called on the loop; Checkpoint fsyncs. One process at a
// time uses a directory (the agent holds a lock on its storage path).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/logging.h"
#include "core/result.h"
#include "core/store/file_operations.h"

namespace pipewarden::core {

class Journal {
 public:
  // Reads the newest whole checkpoint and what was appended after it, oldest first: `replay` sees every record. Where
  // no checkpoint is whole, the readable part of the newest. The directory is there already.
  static Result<Journal> Open(const std::string& directory, const std::string& name,
                              const std::function<void(std::string_view record)>& replay, Logger logger,
                              FileOperations& files = FileOperations::Real());
  Journal(Journal&&) noexcept;
  Journal& operator=(Journal&&) noexcept;
  ~Journal();

  // kLimit where the disk is full. What failed is not in the journal, also after a restart.
  Result<void> Append(std::string_view record);
  // Several records, one write.
  Result<void> Append(std::span<const std::string> records);

  // True once the log is larger than both 1 MiB and the last checkpoint: write a new one.
  bool WantsCheckpoint() const;
  // The whole state as records, which replace all before: written to a temporary file, fsynced, renamed; older files
  // are removed. On failure the old ones stay in force.
  Result<void> Checkpoint(const std::function<void(const std::function<void(std::string_view record)>& write)>& state);

  std::uint64_t DamagedRecords() const;  // records (or tails) set aside by Open

 private:
  struct State;
  explicit Journal(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace pipewarden::core
