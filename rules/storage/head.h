// The head: every series that has samples within retention, with its labels, and the samples of the last hours.
//
// What a series costs in memory is what bounds how many one node can hold, so labels are pairs of symbols, chunks are
// single allocations, and label sets as strings are made only for what queries ask for (Storage keeps those).
//
// Floats and native histograms of a series stand in chunks of their own; hardly any series has histograms, so their
// open chunks stand beside the series. Samples of a series ascend in time. A chunk never spans two windows (kWindowMs,
// aligned to the epoch), so that a window can be sealed into a segment as whole chunks.
//
// Not thread-safe: Storage's lock covers it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/model/labels.h"
#include "core/model/sample.h"
#include "rules/promql/queryable.h"
#include "rules/storage/chunk.h"
#include "rules/storage/chunk_list.h"
#include "rules/storage/histogram_chunk.h"
#include "rules/storage/label_index.h"
#include "rules/storage/symbol_table.h"

namespace pipewarden::rules {

inline constexpr core::TimestampMs kWindowMs = 2LL * 60 * 60 * 1000;
// The start of the window that holds the time.
constexpr core::TimestampMs WindowStart(core::TimestampMs time) {
  const core::TimestampMs rest = time % kWindowMs;
  return time - (rest < 0 ? rest + kWindowMs : rest);
}

// Its labels stand behind it in the same allocation.
class MemSeries {
 public:
  struct Delete {
    void operator()(MemSeries* series) const;
  };
  using Ptr = std::unique_ptr<MemSeries, Delete>;
  // The labels are to be written into.
  static Ptr Make(std::size_t labels, std::uint32_t hash);

  const std::uint32_t hash;
  std::uint32_t active : 1 = 0;  // counted in Head::active()

 private:
  const std::uint32_t label_count_ : 31;

 public:
  ChunkWriter open;
  ChunkList closed;  // all before `open`

  std::span<SymbolPair> labels() { return {reinterpret_cast<SymbolPair*>(this + 1), label_count_}; }
  // Sorted by name, as core::Labels is.
  std::span<const SymbolPair> labels() const { return {reinterpret_cast<const SymbolPair*>(this + 1), label_count_}; }
  core::TimestampMs last_time() const { return open.last_time(); }

 private:
  MemSeries(std::uint32_t labels, std::uint32_t label_hash) : hash(label_hash), label_count_(labels & 0x7FFFFFFFU) {}
};
static_assert(sizeof(MemSeries) == 72);

class Head {
 public:
  Head() : index_(symbols_) {}
  Head(const Head&) = delete;
  Head& operator=(const Head&) = delete;

  std::optional<SeriesRef> Find(const core::Labels& labels) const;
  // A new series. REQUIRES: Find(labels) finds none.
  SeriesRef Create(const core::Labels& labels);
  // A series read back from a checkpoint or log. False where the reference or the labels are another series' already.
  bool Restore(SeriesRef ref, const core::Labels& labels);
  // Appends a chunk read back; false where it does not follow what the series has.
  bool RestoreChunk(SeriesRef ref, const ChunkView& chunk);

  const MemSeries* Get(SeriesRef ref) const { return ref < series_.size() ? series_[ref].get() : nullptr; }
  MemSeries* Get(SeriesRef ref) { return ref < series_.size() ? series_[ref].get() : nullptr; }
  core::Labels LabelsOf(SeriesRef ref) const;

  // False where the time is not after the series' newest sample. REQUIRES: the series exists.
  bool Append(SeriesRef ref, core::TimestampMs time, double value);
  // Likewise. REQUIRES: a valid histogram of at most core::kMaxHistogramParts.
  bool Append(SeriesRef ref, core::TimestampMs time, const core::FloatHistogram& histogram);
  // Appends the samples in [from, to] to `out`.
  void Read(SeriesRef ref, core::TimestampMs from, core::TimestampMs to, promql::SampleColumns& out) const;
  // Whether a chunk in memory touches [from, to]. REQUIRES: the series exists.
  bool HasChunkIn(SeriesRef ref, core::TimestampMs from, core::TimestampMs to) const;
  // The series' open chunk of histograms; null where it has none.
  const HistogramChunkWriter* OpenHistograms(SeriesRef ref) const;

  std::size_t open_histograms() const { return histograms_.size(); }

  std::vector<SeriesRef> Select(std::span<const core::Matcher> matchers) const;
  const LabelIndex& index() const { return index_; }

  // The time of the oldest sample in memory; nullopt where there is none.
  std::optional<core::TimestampMs> OldestTime() const;
  // Closes open chunks all of whose samples are before the time, so that closed chunks hold all that is before it.
  // REQUIRES: the time is a window's start.
  void CloseBefore(core::TimestampMs time);
  // Drops the closed chunks that end before the time.
  void DropBefore(core::TimestampMs time);
  // Removes the series without samples in memory whose newest sample is before the time (they have none on disk
  // either). One that never had a sample is spared once: its first one may be under way. Returns how many.
  std::size_t RemoveSeriesBefore(core::TimestampMs time);

  // Every series, in order of references.
  template <class Visit>
  void ForEach(Visit&& visit) const {
    for (SeriesRef ref = 0; ref < series_.size(); ++ref)
      if (series_[ref]) visit(ref, *series_[ref]);
  }
  std::size_t size() const { return index_.size(); }
  // Series that have samples in memory, or are about to: what the series limit counts.
  std::size_t active() const { return active_; }
  SeriesRef next_ref() const { return static_cast<SeriesRef>(series_.size()); }
  void ReserveRefs(SeriesRef next);  // no new series gets a reference below
  std::size_t MemoryBytes() const;

 private:
  void Insert(SeriesRef ref, const core::Labels& labels);
  void Rehash(std::size_t buckets);
  void Activate(MemSeries& series);
  void CloseFloats(MemSeries& series);
  void CloseHistograms(SeriesRef ref);
  bool SameLabels(const MemSeries& series, const core::Labels& labels) const;

  SymbolTable symbols_;
  LabelIndex index_;
  std::vector<MemSeries::Ptr> series_;  // by reference
  // Of each series at most one of the open chunks, of floats and of histograms, has samples.
  std::unordered_map<SeriesRef, HistogramChunkWriter> histograms_;
  std::vector<std::uint32_t> buckets_;  // by labels: reference + 1; 0: empty; linear probing
  std::size_t active_ = 0;
  SeriesRef seen_until_ = 0;                        // series from here on are new since the last RemoveSeriesBefore
  core::TimestampMs oldest_ = ChunkWriter::kNever;  // a lower bound of the samples' times; kNever: none
};

}  // namespace pipewarden::rules
