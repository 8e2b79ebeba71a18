// Follows the files of one entry of `logs:` across everything that rotation does to them:
//
//   rename          the old descriptor is read until it has been quiet for rotate_wait, and again whenever the file
//                   grows later; generations that came and went between two polls are found beside it (app.log.1,
//                   app.log.2)
//   copytruncate    what was written between the last poll and the truncation is read from the copy, if it is there
//   truncation      also one that has grown beyond the old offset by the next poll: by the bytes before the offset
//   unlink, reuse   the descriptor keeps the old file; an inode that comes again holds other bytes
//
// A copy of a followed file is never read for itself. Polling alone finds everything; nothing depends on notifications.
// One thread at a time.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/logging.h"
#include "exporters/logs/followed_file.h"
#include "exporters/logs/glob.h"
#include "exporters/logs/log_config.h"

namespace pipewarden::exporters {

struct TailerCounts {
  std::uint64_t bytes = 0;
  std::uint64_t cut = 0;
  std::uint64_t rotations = 0;    // another file stands at a path, or the old one has left it
  std::uint64_t truncations = 0;  // another content in the same file
  std::uint64_t errors = 0;       // failures to open or read
};

// What pages show of a file.
struct LogFileStatus {
  std::string entry;
  std::string path;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  bool left = false;  // rotated away
  std::string error;
};

class Tailer {
 public:
  // `restored`: the entry's files as stored; `seen`: the path patterns that were followed before. With `moved` device
  // numbers may have changed since.
  Tailer(LogConfig config, std::vector<FileRecord> restored, std::set<std::string> seen, bool moved,
         core::Logger logger);

  const LogConfig& config() const { return config_; }
  // Another configuration for the same files (the same name).
  void Reconfigure(LogConfig config);

  // Looks for files once: what is new, gone, renamed.
  void Discover(core::MonoTime now);
  // Reads each file that has something, at most `budget` bytes altogether; true where more is there.
  bool Read(core::MonoTime now, std::vector<char>& buffer, std::uint64_t budget, const BlockTaker& take);
  // Follow-up of a poll: closes what has been quiet, forgets what is gone.
  void Tidy(core::MonoTime now, std::vector<char>& buffer, const BlockTaker& take);

  // What is to be committed, and that it is.
  void AddChanges(LogDatabase::Changes& changes) const;
  void Committed();

  TailerCounts TakeCounts() { return std::exchange(counts_, {}); }
  std::vector<LogFileStatus> Files() const;
  std::uint64_t LagBytes() const;
  std::size_t open_files() const;

 private:
  using Key = std::pair<std::uint64_t, std::uint64_t>;  // device, inode
  using Files_ = std::map<Key, std::unique_ptr<FollowedFile>>;

  // What an unknown rotated file beside a followed one is: from before it was followed, one whose time at the path was
  // missed, or, beside a path that is new itself, the one or the other by its age.
  enum class Past { kHistory, kMissed, kByAge };

  void DropUnnamedPatterns();
  bool IsNamed(const std::string& path) const;
  void LookAtPath(const std::string& path, bool first_sight, core::MonoTime now);
  void TakeOver(FollowedFile& file, const std::string& path, const struct stat& info);
  bool LookAtSiblings(const std::string& base, Past past, core::MonoTime now);
  void LookAtSibling(const std::string& path, const FollowedFile* original, Past past, core::MonoTime now);
  // Registers a file that was not known; nullptr where it cannot be opened.
  FollowedFile* Register(const std::string& path, const struct stat& info, FileState state, core::MonoTime now);
  FollowedFile* AdoptRestored(const std::string& path, const struct stat& info, core::MonoTime now);
  enum class Likeness { kOther, kCopy, kUndecided };
  Likeness CompareWithOriginal(const std::string& path, const struct stat& info, const FollowedFile& original,
                               core::MonoTime now);
  bool ReadFile(FollowedFile& file, core::MonoTime now, std::vector<char>& buffer, std::uint64_t budget,
                const BlockTaker& take);
  bool IsOverwrittenByCopy(FollowedFile& file, const struct stat& info, core::MonoTime now);
  bool HasNews(FollowedFile& file, core::MonoTime now, struct stat& info);
  void Truncated(FollowedFile& file, std::vector<char>& buffer, const BlockTaker& take);
  void ReadFromCopy(const std::string& path, const FileRecord& original, std::vector<char>& buffer,
                    const BlockTaker& take);
  void Complain(FollowedFile& file, const core::Error& error);
  void ComplainOf(const std::string& path, const core::Error& error);
  FollowedFile* Find(const struct stat& info);
  void Forget(const Key& key);

  LogConfig config_;
  core::Logger logger_;
  DirectoryCache folders_;
  Files_ files_;
  std::set<std::string> seen_patterns_;
  std::vector<std::string> newly_seen_, dropped_patterns_;   // since the last commit
  std::set<std::string> bases_;                              // paths that the patterns name, or named a file at
  std::map<std::string, std::uint64_t> sibling_generation_;  // of a base's folder, when its siblings were looked at
  std::map<std::string, std::string> unreadable_;            // paths and why
  struct Candidate {
    std::uint64_t size;
    core::MonoTime since;
  };
  std::map<Key, Candidate> undecided_;  // possible copies that may still grow
  std::vector<FileRecord> removed_;
  bool first_poll_ = true;
  bool moved_;
  std::uint64_t polls_ = 0;
  TailerCounts counts_;
};

}  // namespace pipewarden::exporters
