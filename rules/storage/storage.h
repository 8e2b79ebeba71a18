// The embedded time series store: the head in memory (head.h), a write-ahead log behind it (wal.h), sealed windows in
// segment files (segment.h). In its directory:
//
//   wal-<n>.log           what was appended, n rising; written before the samples are visible, without fsync
//   checkpoint-<n>.ckpt   every series, and the head's samples, as they were before wal-<n>; the newest two are kept
//   segment-<start>.seg   the samples of one window of two hours
//   *.corrupt             what did not read back, set aside
//
// A start reads the newest whole checkpoint and the logs from its number on. A window is sealed an hour after its end:
// segment written, head shortened, checkpoint written, older logs removed. Whatever instant the process is killed at,
// what was appended is in the logs, or in the segment, or in both (samples before the newest segment's end are skipped
// when logs are read).
//
// Threads: what stands under "writers" below takes turns (mostly it is the rules thread that writes); Open(from, to)
// and what it returns may be used by any number of threads meanwhile. A batch becomes visible whole.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/logging.h"
#include "core/model/sample_sink.h"
#include "core/result.h"
#include "core/time/clock.h"
#include "rules/promql/queryable.h"
#include "rules/rule_store.h"
#include "rules/storage/head.h"
#include "rules/storage/segment.h"
#include "rules/storage/shared_mutex.h"
#include "rules/storage/wal.h"

namespace prometheus {
class Registry;
}

namespace pipewarden::rules {

class StorageMetrics;

struct StorageOptions {
  std::string path = {};  // the directory
  core::Duration retention_time = std::chrono::days(15);
  std::uint64_t retention_bytes = 512ULL << 20U;  // all files together
  std::size_t max_series = 100'000;               // with samples in memory
  std::size_t cache_bytes = 16U << 20U;
  std::uint64_t wal_file_bytes = 32ULL << 20U;
};

class Storage final : public core::SampleSink, public RuleStore {
 public:
  // Creates the directory, reads what is there. Damaged files are set aside, told and counted, and never keep it from
  // opening; an error is the machine's (no permission, disk full). `registry` takes the storage's own metrics.
  static core::Result<std::unique_ptr<Storage>> Open(StorageOptions options, core::Logger logger,
                                                     std::shared_ptr<prometheus::Registry> registry);
  ~Storage() override;

  // --- writers ---

  // The timestamp for what is measured now: `now`, or one millisecond after the last one where the wall clock has
  // stepped back (which is counted and logged).
  // Rules thread only.
  core::TimestampMs TickTime(core::TimestampMs now);
  // SampleSink. A sample whose series has one at `time` or later already is kept one millisecond after that.
  void Take(core::SampleSource& source, core::TimestampMs time) override EXCLUDES(writer_);
  void Forget(std::string_view source_name, core::TimestampMs time) override EXCLUDES(writer_);

  // The series with these labels, made where there is none yet. nullopt at the series limit; `source` is who is told.
  std::optional<SeriesRef> Resolve(const core::Labels& labels, std::string_view source) override EXCLUDES(writer_);
  // Appends at one time. Samples not after their series' newest, or before what is sealed, are dropped and counted.
  // Returns how many were appended.
  std::size_t Append(core::TimestampMs time, std::span<const RefSample> samples) override EXCLUDES(writer_);
  // The same of native histograms. What is none (core::Validate), or has too many buckets, is dropped and counted.
  std::size_t Append(core::TimestampMs time, std::span<const RefHistogram> samples) override EXCLUDES(writer_);
  // Nothing before it is taken: it is sealed, or retention would drop it at once.
  core::TimestampMs OldestTaken(core::TimestampMs now) const;
  // A series' newest sample. Its value is not known (NaN) where it is only on disk since before the start.
  struct NewestSample {
    core::TimestampMs time = ChunkWriter::kNever;
    double value = 0;
    core::HistogramPtr histogram;  // of a histogram in memory, where `with_histogram` asks for it
  };
  NewestSample NewestOf(SeriesRef ref, bool with_histogram) const;
  // Seals, checkpoints, applies retention, as is due. Cheap where nothing is; call it after each tick.
  void Maintain(core::TimestampMs now) EXCLUDES(writer_);
  // Writes a checkpoint, so that the next start has no log to read. Not needed for safety; good before an orderly end.
  // False where none could be written (which is logged).
  bool Checkpoint() EXCLUDES(writer_);
  // Ends these series with a staleness marker, but for those that have a sample at that time already.
  void End(std::span<const SeriesRef> series, core::TimestampMs time) override EXCLUDES(writer_);
  // The last call: a checkpoint, for a quick next start.
  void Close() { Checkpoint(); }

  // --- any thread ---

  core::Result<std::unique_ptr<promql::Querier>> Open(core::TimestampMs from, core::TimestampMs to) const override;
  // The newest sample's time; kNever where there is none.
  core::TimestampMs newest_time() const { return newest_.load(std::memory_order_acquire); }
  std::size_t series_count() const;
  // Of what is in memory; kNever where nothing is.
  struct HeadStats {
    std::size_t chunks = 0;
    core::TimestampMs oldest = ChunkWriter::kNever;
    core::TimestampMs newest = ChunkWriter::kNever;
  };
  HeadStats head_stats() const;
  std::size_t MemoryBytes() const;
  // Of opening: records, or tails of files, that did not read back.
  // False while what comes in cannot be written to disk. Any thread.
  bool writable() const { return writable_; }
  std::uint64_t wal_corruptions() const { return wal_corruptions_; }
  // Rules thread: the wall clock is behind the samples (see TickTime).
  bool clock_is_behind() const { return clock_is_behind_; }

 private:
  friend class StorageQuerier;
  friend class StorageSeriesSet;
  friend class TakeVisitor;
  friend class StorageLoader;

  using Segments = std::vector<std::shared_ptr<const Segment>>;  // ascending, disjoint
  static constexpr SeriesRef kDropped = 0xFFFFFFFFU;             // a series that the limit refused
  struct SourceSeries {
    core::SeriesId id = 0;
    SeriesRef ref = 0;
  };
  struct Source {
    std::vector<SourceSeries> series;  // in the order of the last visit
  };

  Storage(StorageOptions options, core::Logger logger, std::shared_ptr<prometheus::Registry> registry);

  std::optional<SeriesRef> ResolveInTurn(const core::Labels& labels, std::string_view source) REQUIRES(writer_);
  void AppendBatch(core::TimestampMs time, std::span<const RefSample> samples, bool move_late, std::size_t& appended)
      REQUIRES(writer_);
  void EndInTurn(std::span<const SeriesRef> series, core::TimestampMs time) REQUIRES(writer_);
  void WriteLog() REQUIRES(writer_);
  void OpenNextLog() REQUIRES(writer_);
  // Counts it, and logs it where it is the first since the last checkpoint.
  void WriteFailed(std::string_view what, const core::Error& error) REQUIRES(writer_);
  bool CheckpointInTurn() REQUIRES(writer_);
  void SealWindow() REQUIRES(writer_);
  void ApplyRetention(core::TimestampMs now) REQUIRES(writer_);
  void RemoveDamaged() REQUIRES(writer_);
  void RemoveOldLogs() REQUIRES(writer_);
  std::uint64_t DiskBytes() const;
  core::TimestampMs SealedUntil() const;
  std::string PathOf(std::string_view kind, std::uint64_t number, std::string_view extension) const;
  promql::LabelsPtr LabelsFor(SeriesRef ref) const REQUIRES_SHARED(mutex_);

  const StorageOptions options_;
  const core::Logger logger_;
  std::unique_ptr<StorageMetrics> metrics_;

  mutable SharedMutex mutex_;
  Head head_ GUARDED_BY(mutex_);
  std::shared_ptr<const Segments> segments_ GUARDED_BY(mutex_);
  std::atomic<core::TimestampMs> newest_{ChunkWriter::kNever};
  mutable SegmentCache cache_;

  // Label sets of the series that queries asked for lately, as strings.
  mutable core::Mutex labels_mutex_;
  mutable std::unordered_map<SeriesRef, promql::LabelsPtr> labels_ GUARDED_BY(labels_mutex_);

  // The writers' own; taken before mutex_.
  core::Mutex writer_;
  std::unordered_map<std::string, Source> sources_ GUARDED_BY(writer_);
  WalFile log_ GUARDED_BY(writer_);
  std::uint64_t log_number_ GUARDED_BY(writer_) = 0;
  WalEncoder encoder_ GUARDED_BY(writer_);
  // Something could not be written, which may include new series: without a checkpoint the samples that came of them
  // since would not read back. Until one is written Maintain tries it again.
  bool checkpoint_due_ GUARDED_BY(writer_) = false;
  std::atomic<bool> writable_{true};
  core::TimestampMs next_checkpoint_try_ GUARDED_BY(writer_) = ChunkWriter::kNever;
  core::TimestampMs next_retention_ GUARDED_BY(writer_) = ChunkWriter::kNever;
  core::TimestampMs next_seal_try_ GUARDED_BY(writer_) = ChunkWriter::kNever;

  // Rules thread.
  core::TimestampMs last_tick_ = ChunkWriter::kNever;
  bool clock_is_behind_ = false;
  std::uint64_t wal_corruptions_ = 0;  // of opening
};

}  // namespace pipewarden::rules
