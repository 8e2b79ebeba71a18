// One file that is followed: its identity, how far it is read, and the reading itself in blocks of whole lines.
//
// A file is the same as long as device and inode are, its first bytes (up to 1 KiB, growing with what was read) and the
// bytes before the offset (up to 256) read as they did. Anything else at that name or inode is another content, read
// from its beginning. The offset stands behind a newline always (but within a line that is too long): a line that is
// not whole yet is read again later, so that nothing of it needs to be kept. One thread at a time.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/time/clock.h"
#include "exporters/logs/log_database.h"

namespace pipewarden::exporters {

// Takes blocks of whole lines, each line ended by a newline but a last one that never will be.
using BlockTaker = std::function<void(std::string_view block)>;

struct ReadCounts {
  std::uint64_t bytes = 0;
  std::uint64_t cut = 0;  // lines longer than the bound
};

class FollowedFile {
 public:
  explicit FollowedFile(FileRecord record) : record_(std::move(record)) {}
  ~FollowedFile();
  FollowedFile(const FollowedFile&) = delete;
  FollowedFile& operator=(const FollowedFile&) = delete;

  const FileRecord& record() const { return record_; }
  FileRecord& record() { return record_; }  // who changes it sets changed
  bool changed = true;                      // since the last commit

  bool IsOpen() const { return fd_ >= 0; }
  // Opens record().path; kNotFound where another file stands there by now.
  core::Result<void> Open();
  void Close();
  // fstat(2) of the open file.
  core::Result<struct stat> Stat() const;

  // Whether the open file of `size` bytes still is what was read. A read error counts as yes: nothing is known then.
  bool IsSameContent(std::uint64_t size) const { return HasContentOf(fd_, size, record_); }
  // Whether another open file begins with what was read of `record`.
  static bool HasContentOf(int fd, std::uint64_t size, const FileRecord& record);

  // Another content: from its beginning.
  void StartOver();
  // At the end of what is there; within a line where the last one is not whole.
  void StartAtEnd(std::uint64_t size);

  // Reads what is there from the offset on, at most about `budget` bytes, in a buffer that several files share. Gives
  // what was read; ESTALE and the like are errors, and the file is closed.
  core::Result<ReadCounts> Read(std::vector<char>& buffer, std::size_t max_line, std::uint64_t budget,
                                const BlockTaker& take);
  // The line without a newline at the end, which none will complete any more.
  core::Result<ReadCounts> TakeRest(std::vector<char>& buffer, std::size_t max_line, const BlockTaker& take);

  // What the tailer keeps of it.
  std::int64_t seen_size = -1;  // and time of change, when it was last looked at
  std::int64_t seen_changed_ns = -1;
  core::MonoTime quiet_since{};
  core::MonoTime unseen_since{};
  bool seen = true;       // at this poll
  bool at_path = false;   // at a path that the patterns name, at this poll
  bool has_more = false;  // the budget ended before the file
  std::string error;      // why it cannot be read, for pages

 private:
  void UpdateHashes();
  FileRecord record_;
  int fd_ = -1;
};

// Opens for reading without blocking on what is no file; -1 and errno.
int OpenForReading(const std::string& path);

}  // namespace pipewarden::exporters
