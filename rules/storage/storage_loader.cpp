// Opening a storage: segments, the newest whole checkpoint, the logs since. See storage.h for the files.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>

#include "core/read_file.h"
#include "core/store/file_operations.h"
#include "rules/storage/atomic_file.h"
#include "rules/storage/storage.h"
#include "rules/storage/storage_metrics.h"

namespace pipewarden::rules {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kKeepAside = 4;  // damaged files, for a look; older ones go
constexpr std::size_t kManyLogs = 16;  // many short logs mean many restarts: a checkpoint makes the next one quick

// References are dense unless a file lies; a table for a reference out of nowhere would take gigabytes.
constexpr SeriesRef kLargestRefGap = 16U << 20U;

// Puts what logs and checkpoints say into a head.
class Replay final : public WalVisitor {
 public:
  Replay(Head& head, core::TimestampMs sealed_until, std::size_t max_series)
      : head_(head), sealed_until_(sealed_until), max_series_(max_series) {}

  void OnSeries(SeriesRef ref, core::TimestampMs last, core::Labels labels) override {
    if (ref > head_.next_ref() + kLargestRefGap || head_.size() > max_series_ * 8) {
      ++unreadable;
      return;
    }
    const bool present = head_.Get(ref) != nullptr;
    if (!head_.Restore(ref, labels)) {
      ++unreadable;
      return;
    }
    if (!present && last != ChunkWriter::kNever) head_.Get(ref)->open.SetLast(last, core::StaleNaN());
  }

  void OnSamples(core::TimestampMs time, std::span<const RefSample> samples) override {
    if (time < sealed_until_) return;
    for (const RefSample& sample : samples) {
      highest_ref = std::max(highest_ref, sample.ref);
      if (head_.Get(sample.ref) == nullptr) {
        ++unreadable;
        continue;
      }
      if (!head_.Append(sample.ref, time, sample.value)) continue;
      newest = std::max(newest, time);
    }
  }

  void OnHistograms(core::TimestampMs time, std::span<const RefHistogram> samples) override {
    if (time < sealed_until_) return;
    for (const RefHistogram& sample : samples) {
      highest_ref = std::max(highest_ref, sample.ref);
      if (head_.Get(sample.ref) == nullptr) {
        ++unreadable;
        continue;
      }
      if (head_.Append(sample.ref, time, *sample.histogram)) newest = std::max(newest, time);
    }
  }

  void OnChunk(SeriesRef ref, Chunk chunk) override {
    if (chunk.last_time() < sealed_until_) return;
    const core::TimestampMs last = chunk.last_time();
    if (head_.RestoreChunk(ref, chunk.view()))
      newest = std::max(newest, last);
    else
      ++unreadable;
  }

  void OnState(core::TimestampMs, SeriesRef next_ref) override { next = next_ref; }

  core::TimestampMs newest = ChunkWriter::kNever;
  SeriesRef next = 0;
  SeriesRef highest_ref = 0;
  std::size_t unreadable = 0;

 private:
  Head& head_;
  const core::TimestampMs sealed_until_;
  const std::size_t max_series_;
};

class NoReplay final : public WalVisitor {
 public:
  void OnSeries(SeriesRef, core::TimestampMs, core::Labels) override {}
  void OnSamples(core::TimestampMs, std::span<const RefSample>) override {}
};

struct Files {
  std::map<std::uint64_t, std::string> logs;
  std::map<std::uint64_t, std::string> checkpoints;
  std::map<std::uint64_t, std::string> segments;
};

void RemoveOldAside(std::vector<fs::path> aside) {
  if (aside.size() <= kKeepAside) return;
  std::error_code ignored;
  std::ranges::sort(aside, std::ranges::greater{},
                    [&](const fs::path& path) { return fs::last_write_time(path, ignored); });
  for (std::size_t i = kKeepAside; i < aside.size(); ++i) fs::remove(aside[i], ignored);
}

core::Result<Files> ListFiles(const std::string& directory) {
  Files files;
  std::error_code error;
  fs::directory_iterator at(directory, error);
  if (error) return core::Fail(core::SystemError("read folder " + directory, error.value()));
  std::vector<fs::path> aside;
  for (const auto& entry : at) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".tmp")) {
      std::error_code ignored;
      fs::remove(entry.path(), ignored);
      continue;
    }
    const auto place = [&](std::string_view prefix, std::string_view suffix, auto& into) {
      if (!name.starts_with(prefix) || !name.ends_with(suffix)) return;
      std::uint64_t number = 0;
      const char* first = name.data() + prefix.size();
      const char* last = name.data() + name.size() - suffix.size();
      if (std::from_chars(first, last, number).ptr == last) into[number] = entry.path().string();
    };
    place("wal-", ".log", files.logs);
    place("checkpoint-", ".ckpt", files.checkpoints);
    place("segment-", ".seg", files.segments);
    if (name.ends_with(".corrupt")) aside.push_back(entry.path());
  }
  RemoveOldAside(std::move(aside));
  return files;
}

}  // namespace

// Fills a storage that nobody else knows yet.
class StorageLoader {
 public:
  explicit StorageLoader(Storage& storage) : storage_(storage) {}

  core::Result<void> Load() {
    if (auto made = core::MakePrivateFolder(storage_.options_.path); !made) return made;
    auto files = ListFiles(storage_.options_.path);
    if (!files) return core::Fail(files.error());
    const core::MutexLock turn(storage_.writer_);
    LoadSegments(*files);
    LoadHead(*files);
    storage_.OpenNextLog();
    if (!storage_.log_.is_open())
      return core::Fail(core::ErrorCode::kInternal,
                        "no log could be created in " + storage_.options_.path + ": is the disk full or read-only?");
    if (damaged_ || files->logs.size() > kManyLogs) {
      // What was read of a damaged log is in the checkpoint; only then the log may go.
      if (storage_.CheckpointInTurn())
        for (const auto& [path, why] : torn_logs_) Aside(path, why);
    }
    return {};
  }

 private:
  void Aside(const std::string& path, const std::string& why) {
    storage_.metrics_->FileSetAside();
    storage_.logger_.Error("a file of the storage does not read back and was set aside",
                           {{"file", SetAside(path)}, {"reason", why}});
  }

  void LoadSegments(const Files& files) {
    auto segments = std::make_shared<Storage::Segments>();
    for (const auto& [start, path] : files.segments) {
      auto segment = Segment::Open(path);
      if (segment) {
        sealed_until_ = std::max(sealed_until_, (*segment)->end());
        segments->push_back(std::move(*segment));
      } else {
        Aside(path, segment.error().message);
      }
    }
    const WriterLock lock(storage_.mutex_);
    storage_.segments_ = std::move(segments);
  }

  // Checked whole before it is used: a head that took half a checkpoint could not be emptied again.
  bool IsWhole(const std::string& path, std::string& content) {
    auto read = core::ReadFile(path);
    std::string why;
    if (read) {
      content = std::move(*read);
      NoReplay nothing;
      const WalReadResult result = ReadWal(content, nothing);
      if (!result.damaged && result.ended) return true;
      why = fmt::format("damaged at byte {}", result.good_bytes);
    } else {
      why = read.error().message;
    }
    Aside(path, why);
    return false;
  }

  void LoadHead(const Files& files) REQUIRES(storage_.writer_) {
    const WriterLock lock(storage_.mutex_);
    Replay replay(storage_.head_, sealed_until_, storage_.options_.max_series);
    std::uint64_t from = 0;
    bool loaded = false;
    for (auto at = files.checkpoints.rbegin(); at != files.checkpoints.rend() && !loaded; ++at) {
      std::string content;
      loaded = IsWhole(at->second, content);
      if (loaded) {
        from = at->first;
        ReadWal(content, replay);
      } else {
        damaged_ = true;
      }
    }
    storage_.head_.ReserveRefs(std::min(replay.next, storage_.head_.next_ref() + kLargestRefGap));
    storage_.log_number_ = std::max(files.logs.empty() ? 0 : files.logs.rbegin()->first,
                                    files.checkpoints.empty() ? 0 : files.checkpoints.rbegin()->first);
    for (auto at = files.logs.lower_bound(from); at != files.logs.end(); ++at) LoadLog(at->second, replay);
    if (replay.unreadable > 0) {
      damaged_ = true;
      storage_.logger_.Warn("entries of the storage's logs belong to series that are not known; they are lost",
                            {{"entries", std::to_string(replay.unreadable)}});
    }
    if (replay.highest_ref < storage_.head_.next_ref() + kLargestRefGap)
      storage_.head_.ReserveRefs(replay.highest_ref + 1);
    // Without labels segments say nothing, and new series would get the references that they use.
    if (!loaded && storage_.head_.size() == 0 && !storage_.segments_->empty()) {
      for (const auto& segment : *storage_.segments_) Aside(segment->path(), "no checkpoint tells its series");
      storage_.segments_ = std::make_shared<const Storage::Segments>();
    }
    core::TimestampMs newest = replay.newest;
    if (!storage_.segments_->empty()) newest = std::max(newest, storage_.segments_->back()->end() - 1);
    storage_.newest_.store(newest);
    storage_.last_tick_ = newest;
  }

  void LoadLog(const std::string& path, Replay& replay) {
    auto content = core::ReadFile(path);
    if (!content) {
      damaged_ = true;
      Aside(path, content.error().message);
      return;
    }
    const WalReadResult read = ReadWal(*content, replay);
    // A file without its whole first line was being created when the process ended.
    if (!read.damaged || kWalMagic.starts_with(*content)) return;
    damaged_ = true;
    ++storage_.wal_corruptions_;
    storage_.metrics_->LogDamaged();
    torn_logs_.emplace_back(
        path, fmt::format("{} of {} bytes were read; the record after them is torn", read.good_bytes, content->size()));
  }

  Storage& storage_;
  core::TimestampMs sealed_until_ = ChunkWriter::kNever;
  bool damaged_ = false;
  std::vector<std::pair<std::string, std::string>> torn_logs_;
};

core::Result<std::unique_ptr<Storage>> Storage::Open(StorageOptions options, core::Logger logger,
                                                     std::shared_ptr<prometheus::Registry> registry) {
  std::unique_ptr<Storage> storage(new Storage(std::move(options), std::move(logger), std::move(registry)));
  if (auto loaded = StorageLoader(*storage).Load(); !loaded) return core::Fail(loaded.error());
  storage->metrics_->SetSeries(storage->series_count());
  return storage;
}

}  // namespace pipewarden::rules
