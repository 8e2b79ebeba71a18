#include "exporters/logs/tailer.h"

#include <fnmatch.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

namespace pipewarden::exporters {
namespace {

using core::MonoTime;
using namespace std::chrono_literals;

constexpr std::uint64_t kTurnBytes = 8U << 20U;  // of one file before the next has its turn
constexpr auto kForgetAfter = 1h;                // a closed file that is nowhere to be seen
constexpr auto kSettleTime = 1s;                 // a possible copy must not have grown for so long
constexpr std::uint64_t kLookAgain = 20;         // polls after which siblings are looked at in any case
constexpr std::size_t kMaxOpen = 512;
constexpr auto kCloseIdleAfter = 60s;
constexpr std::int64_t kFreshSeconds = 10;

std::int64_t ChangedNs(const struct stat& info) {
  return std::int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
}
std::uint64_t SizeOf(const struct stat& info) { return static_cast<std::uint64_t>(info.st_size); }
std::string FolderOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}
std::string NameOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// The paths of a folder that rotation may have made of `base`.
std::vector<std::string> RotationsOf(const DirectoryCache::Listing& listing, const std::string& base) {
  std::vector<std::string> paths;
  const std::string name = NameOf(base);
  for (auto i = std::ranges::lower_bound(listing.names, name); i != listing.names.end() && i->starts_with(name); ++i)
    if (IsRotationOf(*i, name)) paths.push_back(base + i->substr(name.size()));
  return paths;
}

// What a rotated file's path may have been: /a/app.log of /a/app.log.1.
std::vector<std::string> PossibleBases(const std::string& path) {
  std::vector<std::string> bases;
  const std::string name = NameOf(path);
  for (std::size_t i = 1; i < name.size(); ++i)
    if (IsRotationOf(name, std::string_view(name).substr(0, i)))
      bases.push_back(path.substr(0, path.size() - name.size() + i));
  return bases;
}

// Changed within the last seconds; the file system's time is compared with the machine's, not with core::Clock.
bool IsFresh(const struct stat& info) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec - info.st_mtim.tv_sec <= kFreshSeconds;
}

bool StatFile(const std::string& path, struct stat& info) {
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

}  // namespace

Tailer::Tailer(LogConfig config, std::vector<FileRecord> restored, std::set<std::string> seen, bool moved,
               core::Logger logger)
    : config_(std::move(config)), logger_(std::move(logger)), seen_patterns_(std::move(seen)), moved_(moved) {
  for (FileRecord& record : restored) {
    const Key key{record.device, record.inode};
    if (record.state == FileState::kFollowed) bases_.insert(record.path);
    for (const std::string& base : PossibleBases(record.path))
      if (IsNamed(base)) bases_.insert(base);
    auto file = std::make_unique<FollowedFile>(std::move(record));
    file->changed = false;
    files_.insert_or_assign(key, std::move(file));
  }
  DropUnnamedPatterns();
}

void Tailer::Reconfigure(LogConfig config) {
  config_ = std::move(config);
  DropUnnamedPatterns();
}

// A path that is followed no more and comes back later is new then.
void Tailer::DropUnnamedPatterns() {
  for (auto i = seen_patterns_.begin(); i != seen_patterns_.end();) {
    if (std::ranges::find(config_.paths, *i) != config_.paths.end()) {
      ++i;
      continue;
    }
    dropped_patterns_.push_back(*i);
    i = seen_patterns_.erase(i);
  }
}

bool Tailer::IsNamed(const std::string& path) const {
  return std::ranges::any_of(config_.paths, [&](const std::string& pattern) {
    return ::fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME | FNM_PERIOD) == 0;
  });
}

FollowedFile* Tailer::Find(const struct stat& info) {
  const auto found = files_.find({info.st_dev, info.st_ino});
  return found == files_.end() ? nullptr : found->second.get();
}

void Tailer::Discover(MonoTime now) {
  folders_.NewPoll();
  ++polls_;
  for (auto& [key, file] : files_) file->seen = file->at_path = false;
  std::set<std::string> known_bases = bases_;
  std::set<std::string> first_seen;
  for (const std::string& pattern : config_.paths) {
    const bool first_sight = !seen_patterns_.contains(pattern);
    for (const std::string& path : ExpandGlob(folders_, pattern)) {
      if (IsExcluded(path, config_.exclude)) continue;
      bases_.insert(path);
      // A path without wildcards was looked beside when it was first seen, whether it was there or not.
      if (first_poll_ && !first_sight && path == pattern) known_bases.insert(path);
      if (first_sight && !known_bases.contains(path)) first_seen.insert(path);
      LookAtPath(path, first_sight, now);
    }
    if (!first_sight) continue;
    seen_patterns_.insert(pattern);
    newly_seen_.push_back(pattern);
  }
  // Files beside the followed ones come second, so that one at its own path is known by then.
  std::set<std::string> unchanged;
  for (const std::string& base : bases_) {
    const Past past = first_seen.contains(base)    ? Past::kHistory
                      : known_bases.contains(base) ? Past::kMissed
                                                   : Past::kByAge;
    if (!LookAtSiblings(base, past, now)) unchanged.insert(FolderOf(base));
  }
  first_poll_ = false;
  for (auto& [key, file] : files_) {
    if (!file->seen && !unchanged.empty() && unchanged.contains(FolderOf(file->record().path)))
      file->seen = !file->at_path && file->record().state != FileState::kFollowed;
    if (file->seen) file->unseen_since = now;
    if (file->at_path || file->record().state != FileState::kFollowed || (!file->IsOpen() && !file->seen)) continue;
    file->record().state = FileState::kLeft;
    file->changed = true;
    file->quiet_since = now;
    ++counts_.rotations;
  }
}

// A path that the patterns name.
void Tailer::LookAtPath(const std::string& path, bool first_sight, MonoTime now) {
  struct stat info{};
  if (!StatFile(path, info)) return;
  FollowedFile* file = Find(info);
  if (file == nullptr) {
    // A pattern that names rotated files too must not take a copy of another followed file for a log of its own.
    for (const std::string& base : PossibleBases(path)) {
      struct stat base_info{};
      const FollowedFile* original = StatFile(base, base_info) ? Find(base_info) : nullptr;
      if (original == nullptr || original->record().offset == 0) continue;
      const Likeness likeness = CompareWithOriginal(path, info, *original, now);
      if (likeness == Likeness::kOther) continue;
      if (likeness == Likeness::kCopy) Register(path, info, FileState::kCopy, now);
      return;
    }
    file = AdoptRestored(path, info, now);
    if (file == nullptr) file = Register(path, info, FileState::kFollowed, now);
    if (file == nullptr) return;
    if (first_sight && !config_.from_beginning) file->StartAtEnd(SizeOf(info));
  }
  file->seen = true;
  if (file->record().state == FileState::kCopy) {
    if (!PossibleBases(path).empty()) return;
    TakeOver(*file, path, info);
  }
  file->at_path = true;
  if (file->record().path == path && file->record().state == FileState::kFollowed) return;
  file->record().path = path;
  file->record().state = FileState::kFollowed;
  file->changed = true;
}

// What was known as a copy stands at a path of its own now: put back in the original's place, or another file that has
// the inode of a copy long gone.
void Tailer::TakeOver(FollowedFile& file, const std::string& path, const struct stat& info) {
  file.Close();
  file.record().path = path;
  file.StartOver();
  if (!file.Open()) return;
  for (const auto& [key, other] : files_) {
    const FileRecord& original = other->record();
    if (original.path != path || original.offset == 0 || other.get() == &file) continue;
    FileRecord there = original;
    there.device = info.st_dev;
    there.inode = info.st_ino;
    const FileRecord before = std::exchange(file.record(), std::move(there));
    if (file.IsSameContent(SizeOf(info))) return;
    file.record() = before;
  }
}

// False where the folder is as it was, so that there was nothing to look at.
bool Tailer::LookAtSiblings(const std::string& base, Past past, MonoTime now) {
  const DirectoryCache::Listing& listing = folders_.List(FolderOf(base));
  std::uint64_t& looked = sibling_generation_[base];
  if (looked == listing.generation && polls_ % kLookAgain != 0 && undecided_.empty()) return false;
  looked = listing.generation;
  const std::vector<std::string> rotations = RotationsOf(listing, base);
  if (rotations.empty()) return true;
  const FollowedFile* original = nullptr;
  struct stat info{};
  if (StatFile(base, info)) original = Find(info);
  for (const std::string& path : rotations) LookAtSibling(path, original, past, now);
  return true;
}

void Tailer::LookAtSibling(const std::string& path, const FollowedFile* original, Past past, MonoTime now) {
  struct stat info{};
  if (!StatFile(path, info)) return;
  if (FollowedFile* known = Find(info)) {
    known->seen = true;
    if (known->record().path == path || known->at_path) return;
    known->record().path = path;
    known->changed = true;
    return;
  }
  if (info.st_size == 0) return;
  const bool history = past == Past::kHistory || (past == Past::kByAge && !IsFresh(info));
  FileState state = FileState::kLeft;
  if (original != nullptr && original->record().offset > 0 && !history) {
    const Likeness likeness = CompareWithOriginal(path, info, *original, now);
    if (likeness == Likeness::kUndecided) return;
    if (likeness == Likeness::kCopy) state = FileState::kCopy;
  }
  FollowedFile* file = AdoptRestored(path, info, now);
  if (file == nullptr) {
    file = Register(path, info, state, now);
    if (file != nullptr && history) file->StartAtEnd(SizeOf(info));
  }
  if (file != nullptr) file->seen = true;
}

FollowedFile* Tailer::Register(const std::string& path, const struct stat& info, FileState state, MonoTime now) {
  FileRecord record;
  record.entry = config_.name;
  record.device = info.st_dev;
  record.inode = info.st_ino;
  record.path = path;
  record.state = state;
  auto file = std::make_unique<FollowedFile>(std::move(record));
  if (auto opened = file->Open(); !opened) {
    ComplainOf(path, opened.error());
    return nullptr;
  }
  unreadable_.erase(path);
  file->quiet_since = file->unseen_since = now;
  undecided_.erase({info.st_dev, info.st_ino});
  auto& place = files_[{info.st_dev, info.st_ino}];
  place = std::move(file);
  return place.get();
}

// After a boot a file may stand under another device number, on some file systems under another inode too.
FollowedFile* Tailer::AdoptRestored(const std::string& path, const struct stat& info, MonoTime now) {
  if (!first_poll_ || !moved_) return nullptr;
  for (auto i = files_.begin(); i != files_.end(); ++i) {
    FollowedFile& old = *i->second;
    const FileRecord& record = old.record();
    if (old.seen || old.IsOpen() || record.offset == 0 || (record.inode != info.st_ino && record.path != path))
      continue;
    const int fd = OpenForReading(path);
    const bool same = fd >= 0 && FollowedFile::HasContentOf(fd, SizeOf(info), record);
    if (fd >= 0) ::close(fd);
    if (!same) continue;
    auto file = std::make_unique<FollowedFile>(record);
    removed_.push_back(record);
    files_.erase(i);
    file->record().device = info.st_dev;
    file->record().inode = info.st_ino;
    file->record().path = path;
    file->quiet_since = file->unseen_since = now;
    auto& place = files_[{info.st_dev, info.st_ino}];
    place = std::move(file);
    return place.get();
  }
  return nullptr;
}

Tailer::Likeness Tailer::CompareWithOriginal(const std::string& path, const struct stat& info,
                                             const FollowedFile& original, MonoTime now) {
  const int fd = OpenForReading(path);
  if (fd < 0) return Likeness::kOther;  // Register will say why it cannot be opened
  const std::uint64_t size = SizeOf(info);
  Likeness likeness = Likeness::kOther;
  if (size >= original.record().offset) {
    if (FollowedFile::HasContentOf(fd, size, original.record())) likeness = Likeness::kCopy;
  } else {
    // A copy that is still being made, a backup of an earlier state, or a short generation of its own.
    FileRecord beginning = original.record();
    beginning.offset = beginning.tail_size = 0;
    const bool alike = size < beginning.head_size || FollowedFile::HasContentOf(fd, size, beginning);
    const auto [candidate, is_new] = undecided_.try_emplace(Key{info.st_dev, info.st_ino}, Candidate{size, now});
    if (!is_new && candidate->second.size != size) candidate->second = {size, now};
    if (now - candidate->second.since < kSettleTime) {
      likeness = Likeness::kUndecided;
    } else if (alike && size >= beginning.head_size) {
      likeness = Likeness::kCopy;
    }
  }
  ::close(fd);
  return likeness;
}

bool Tailer::Read(MonoTime now, std::vector<char>& buffer, std::uint64_t budget, const BlockTaker& take) {
  // Older generations first, so that a gauge ends with the newest value.
  std::vector<FollowedFile*> order;
  for (auto& [key, file] : files_)
    if (file->record().state != FileState::kCopy) order.push_back(file.get());
  std::ranges::stable_sort(order, {}, [](const FollowedFile* file) {
    return std::pair(file->record().state == FileState::kFollowed, file->seen_changed_ns);
  });
  const std::uint64_t before = counts_.bytes;
  bool more = false;
  for (FollowedFile* file : order) {
    const std::uint64_t used = counts_.bytes - before;
    if (used >= budget) return true;
    more = ReadFile(*file, now, buffer, std::min(kTurnBytes, budget - used), take) || more;
  }
  return more;
}

// Whether the file has changed since it was looked at.
bool Tailer::HasNews(FollowedFile& file, MonoTime now, struct stat& info) {
  if (file.IsOpen()) {
    const auto stated = file.Stat();
    if (!stated) {
      Complain(file, stated.error());
      file.Close();  // ESTALE: by its name again at the next poll
      return false;
    }
    info = *stated;
  } else if (!StatFile(file.record().path, info) || info.st_dev != file.record().device ||
             info.st_ino != file.record().inode) {
    return false;
  }
  const bool news = info.st_size != file.seen_size || ChangedNs(info) != file.seen_changed_ns || file.has_more;
  if (!news) return false;
  if (info.st_size != file.seen_size) file.quiet_since = now;
  if (auto opened = file.Open(); !opened) {
    Complain(file, opened.error());
    return false;
  }
  return true;
}

bool Tailer::ReadFile(FollowedFile& file, MonoTime now, std::vector<char>& buffer, std::uint64_t budget,
                      const BlockTaker& take) {
  struct stat info{};
  if (!HasNews(file, now, info)) return false;
  if (!file.IsSameContent(SizeOf(info))) {
    if (file.record().state == FileState::kLeft && IsOverwrittenByCopy(file, info, now)) return false;
    Truncated(file, buffer, take);
  }
  file.seen_size = info.st_size;
  file.seen_changed_ns = ChangedNs(info);
  const auto counts = file.Read(buffer, config_.max_line, budget, take);
  if (!counts) {
    Complain(file, counts.error());
    file.seen_size = -1;
    return false;
  }
  file.error.clear();
  counts_.bytes += counts->bytes;
  counts_.cut += counts->cut;
  return file.has_more;
}

// A rotated file that holds something else now: `cp app.log app.log.1` over what was there.
bool Tailer::IsOverwrittenByCopy(FollowedFile& file, const struct stat& info, MonoTime now) {
  for (const std::string& base : PossibleBases(file.record().path)) {
    struct stat base_info{};
    const FollowedFile* original = StatFile(base, base_info) ? Find(base_info) : nullptr;
    if (original == nullptr || original->record().offset == 0) continue;
    const Likeness likeness = CompareWithOriginal(file.record().path, info, *original, now);
    if (likeness == Likeness::kOther) continue;
    if (likeness == Likeness::kCopy) {
      file.StartOver();
      file.record().state = FileState::kCopy;
    }
    return true;
  }
  return false;
}

// The file holds another content than what was read. What was written to the old one since may stand in a copy.
void Tailer::Truncated(FollowedFile& file, std::vector<char>& buffer, const BlockTaker& take) {
  ++counts_.truncations;
  const FileRecord original = file.record();
  logger_.Info("a log file was truncated or replaced; it is read from its beginning",
               {{"log", config_.name}, {"path", original.path}, {"offset", std::to_string(original.offset)}});
  file.StartOver();
  if (original.offset == 0) return;
  // Of several copies the largest is the latest.
  std::string best;
  std::int64_t best_size = 0;
  DirectoryCache listing;  // of this moment
  for (const std::string& path : RotationsOf(listing.List(FolderOf(original.path)), original.path)) {
    struct stat info{};
    if (!StatFile(path, info) || info.st_size <= best_size) continue;
    const FollowedFile* known = Find(info);
    if (known != nullptr && known->record().state != FileState::kCopy) continue;
    const int fd = OpenForReading(path);
    if (fd >= 0 && FollowedFile::HasContentOf(fd, SizeOf(info), original)) {
      best = path;
      best_size = info.st_size;
    }
    if (fd >= 0) ::close(fd);
  }
  if (!best.empty()) ReadFromCopy(best, original, buffer, take);
}

// Goes on in a copy of `original` where the original was left.
void Tailer::ReadFromCopy(const std::string& path, const FileRecord& original, std::vector<char>& buffer,
                          const BlockTaker& take) {
  struct stat info{};
  if (!StatFile(path, info)) return;
  FollowedFile* copy = Find(info);
  if (copy == nullptr) copy = Register(path, info, FileState::kCopy, core::MonoTime{});
  if (copy == nullptr || !copy->Open()) return;
  FileRecord record = original;
  record.device = info.st_dev;
  record.inode = info.st_ino;
  record.path = path;
  record.state = FileState::kLeft;
  copy->record() = std::move(record);
  copy->changed = true;
  for (copy->has_more = true; copy->has_more;) {
    const auto counts = copy->Read(buffer, config_.max_line, kTurnBytes, take);
    if (!counts) return Complain(*copy, counts.error());
    counts_.bytes += counts->bytes;
    counts_.cut += counts->cut;
  }
  if (const auto rest = copy->TakeRest(buffer, config_.max_line, take)) counts_.bytes += rest->bytes;
}

void Tailer::Tidy(MonoTime now, std::vector<char>& buffer, const BlockTaker& take) {
  std::vector<Key> gone;
  std::size_t open = open_files();
  for (auto& [key, file] : files_) {
    if (file->IsOpen() && !file->has_more && file->record().state != FileState::kFollowed &&
        now - file->quiet_since >= config_.rotate_wait) {
      if (file->record().state == FileState::kLeft) {
        // Nobody has ended the last line; it counts as it is.
        if (const auto rest = file->TakeRest(buffer, config_.max_line, take)) counts_.bytes += rest->bytes;
      }
      const auto info = file->Stat();
      file->Close();
      if (info && info->st_nlink == 0) gone.push_back(key);
      continue;
    }
    if (file->IsOpen() && open > kMaxOpen && !file->has_more && now - file->quiet_since >= kCloseIdleAfter) {
      file->Close();
      --open;
    }
    if (file->unseen_since == MonoTime{}) file->unseen_since = now;
    if (!file->IsOpen() && !file->seen && now - file->unseen_since >= kForgetAfter) gone.push_back(key);
  }
  for (const Key& key : gone) Forget(key);
  if (polls_ % 64 != 0) return;
  // Paths that no file stands at any more (dated names) need no look beside them.
  std::set<std::string> bases;
  for (const auto& [key, file] : files_) {
    if (bases_.contains(file->record().path)) bases.insert(file->record().path);
    for (const std::string& base : PossibleBases(file->record().path))
      if (bases_.contains(base)) bases.insert(base);
  }
  bases_ = std::move(bases);
  std::erase_if(sibling_generation_, [this](const auto& entry) { return !bases_.contains(entry.first); });
  std::erase_if(undecided_, [now](const auto& entry) { return now - entry.second.since > 1min; });
}

void Tailer::Forget(const Key& key) {
  removed_.push_back(files_.at(key)->record());
  files_.erase(key);
}

void Tailer::Complain(FollowedFile& file, const core::Error& error) {
  if (error.code == core::ErrorCode::kNotFound)
    return;  // renamed or removed in this very moment: found by the next poll
  ++counts_.errors;
  if (file.error != error.message)
    logger_.Warn("a log file cannot be read; it is tried again", {{"log", config_.name}, {"error", error.message}});
  file.error = error.message;
}

void Tailer::ComplainOf(const std::string& path, const core::Error& error) {
  if (error.code == core::ErrorCode::kNotFound) return;
  ++counts_.errors;
  std::string& known = unreadable_[path];
  if (known != error.message)
    logger_.Warn("a log file cannot be read; it is tried again", {{"log", config_.name}, {"error", error.message}});
  known = error.message;
}

void Tailer::AddChanges(LogDatabase::Changes& changes) const {
  for (const auto& [key, file] : files_)
    if (file->changed) changes.files.push_back(file->record());
  changes.removed.insert(changes.removed.end(), removed_.begin(), removed_.end());
  for (const std::string& pattern : newly_seen_) changes.seen.emplace_back(config_.name, pattern);
  for (const std::string& pattern : dropped_patterns_) changes.unseen.emplace_back(config_.name, pattern);
}

void Tailer::Committed() {
  for (auto& [key, file] : files_) file->changed = false;
  removed_.clear();
  newly_seen_.clear();
  dropped_patterns_.clear();
}

std::vector<LogFileStatus> Tailer::Files() const {
  std::vector<LogFileStatus> files;
  for (const auto& [key, file] : files_) {
    const FileRecord& record = file->record();
    if (record.state != FileState::kFollowed && !file->IsOpen()) continue;
    const auto size = static_cast<std::uint64_t>(std::max<std::int64_t>(file->seen_size, 0));
    files.push_back(
        {config_.name, record.path, record.offset, size, record.state != FileState::kFollowed, file->error});
  }
  for (const auto& [path, error] : unreadable_) files.push_back({config_.name, path, 0, 0, false, error});
  return files;
}

std::uint64_t Tailer::LagBytes() const {
  std::uint64_t lag = 0;
  for (const auto& [key, file] : files_) {
    if (file->record().state == FileState::kCopy || file->seen_size < 0) continue;
    const auto size = static_cast<std::uint64_t>(file->seen_size);
    if (size > file->record().offset) lag += size - file->record().offset;
  }
  return lag;
}

std::size_t Tailer::open_files() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(files_, [](const auto& entry) { return entry.second->IsOpen(); }));
}

}  // namespace pipewarden::exporters
