// An append-only journal with checksums and checkpoints, for state that changes often and is small enough to be written
// whole now and then (alerts, notification log, silences). Survives a kill of the process: Append has written (no
// fsync) when it returns. Files in `directory`: <name>.<n>.journal and <name>.<n>.checkpoint; checkpoint n is the state
// before the first record of journal n. The next journal is made before the checkpoint that it follows takes its name,
// so that a kill between any two file operations loses nothing.
//
// A record is opaque bytes (up to 64 MiB) behind their length and CRC32, both little-endian; the CRC covers the length
// too, so that a run of zeros is no record. A torn or corrupt record ends the reading of that file cleanly: what was
// before it counts, the rest is set aside as <file>.corrupt and told by log and DamagedRecords().
// Not thread-safe; Append is quick (one write(2)) and may be called on the loop. A checkpoint is written beside it, by
// a CheckpointWriter on another thread. One process at a time uses a directory (the agent holds a lock on its storage
// path).
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

// The state as records, which replace all that was appended before: written to a temporary file, fsynced, renamed;
// older files are removed. One thread at a time, not necessarily the journal's. One that is not finished leaves
// nothing.
class CheckpointWriter {
 public:
  ~CheckpointWriter();
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  Result<void> Write(std::span<const std::string> records);
  // Once, after the last Write; fails where one of them did.
  Result<void> Finish();

 private:
  friend class Journal;
  struct State;
  explicit CheckpointWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

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
  // Begins a checkpoint: from now on Append goes to the next journal, and the writer takes the state. The state may be
  // given in pieces while appends go on, where each record tells the whole of what it is about: each must be as it was
  // when the checkpoint began or later, because what is appended meanwhile is replayed after it.
  Result<std::unique_ptr<CheckpointWriter>> BeginCheckpoint();
  // The writer has ended, well or not, and is no longer at work. Where it failed the old files stay in force, and
  // WantsCheckpoint waits until the log has doubled.
  void EndCheckpoint(const CheckpointWriter& writer);

  std::uint64_t DamagedRecords() const;  // records (or tails) set aside by Open

 private:
  struct State;
  explicit Journal(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace pipewarden::core
