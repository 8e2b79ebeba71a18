// Segments: the sealed samples of one window (kWindowMs) in one file that never changes, read by pread.
//
//   magic "PWSEG01\n"
//   blocks, one for each series with samples in the window, in order of references:
//       number of chunks, (encoding, samples, first time - window start, last - first, bytes)…      varints
//   index: for each block  ref u32 | offset u64 | size u32 | crc32 of the block u32
//   footer: window start i64 | window end i64 | index offset u64 | blocks u32 | samples u64 | crc32 of index u32 |
//           crc32 of the footer so far u32 | magic "PWSEGEND"                                        (little-endian)
//
// A segment holds no labels: they are in the checkpoints (wal.h), of which two generations are kept.
// Reading is safe from any thread. What was read stays in a SegmentCache that all segments share.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "core/async/mutex.h"
#include "core/result.h"
#include "rules/storage/head.h"

namespace pipewarden::rules {

// Blocks and indexes that were read lately, bounded by bytes; the least recently used go first.
class SegmentCache {
 public:
  using Bytes = std::shared_ptr<const std::string>;
  struct Key {
    std::uint64_t segment = 0;
    std::uint64_t offset = 0;
    bool operator==(const Key&) const = default;
  };

  explicit SegmentCache(std::size_t max_bytes) : max_bytes_(max_bytes) {}
  Bytes Get(Key key);
  void Put(Key key, Bytes bytes);
  std::size_t bytes() const;

 private:
  struct KeyHash {
    std::size_t operator()(const Key& key) const {
      return (key.segment * 0x9E3779B97F4A7C15ULL) ^ (key.offset * 0xD6E8FEB86659FD93ULL);
    }
  };
  using Entries = std::list<std::pair<Key, Bytes>>;  // most recently used first

  const std::size_t max_bytes_;
  mutable core::Mutex mutex_;
  Entries entries_ GUARDED_BY(mutex_);
  std::unordered_map<Key, Entries::iterator, KeyHash> places_ GUARDED_BY(mutex_);
  std::size_t bytes_ GUARDED_BY(mutex_) = 0;
};

class Segment {
 public:
  // Writes the head's closed chunks within [start, end). kNotFound where there are none (nothing is written).
  static core::Result<void> Write(const std::string& path, core::TimestampMs start, core::TimestampMs end,
                                  const Head& head);
  // kCorrupt where footer or index do not read back.
  static core::Result<std::shared_ptr<const Segment>> Open(const std::string& path);
  ~Segment();
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  core::TimestampMs start() const { return start_; }
  core::TimestampMs end() const { return end_; }
  std::uint64_t file_bytes() const { return file_bytes_; }
  std::uint64_t samples() const { return samples_; }
  const std::string& path() const { return path_; }

  // Appends the series' samples in [from, to] to `out`. kCorrupt where the block does not read back; the samples of
  // whole chunks before the damage are there then.
  core::Result<void> Read(SeriesRef ref, core::TimestampMs from, core::TimestampMs to, SegmentCache& cache,
                          promql::SampleColumns& out) const;
  // Whether it has samples of the series; false where its index does not read back.
  bool Has(SeriesRef ref, SegmentCache& cache) const;
  // Set by a failed Read; the storage then sets the file aside.
  bool damaged() const { return damaged_.load(std::memory_order_relaxed); }

 private:
  Segment() = default;
  core::Result<void> ReadFooter();
  core::Result<SegmentCache::Bytes> Load(std::uint64_t offset, std::size_t size, std::uint32_t checksum,
                                         SegmentCache& cache) const;
  // Where its entry stands in the index, where it has one.
  std::optional<std::size_t> Find(SeriesRef ref, std::string_view entries) const;
  core::Error Damage(const std::string& what) const;

  std::string path_;
  int descriptor_ = -1;
  std::uint64_t id_ = 0;  // the cache's; never given twice
  std::uint64_t file_bytes_ = 0;
  core::TimestampMs start_ = 0;
  core::TimestampMs end_ = 0;
  std::uint64_t index_offset_ = 0;
  std::uint32_t blocks_ = 0;
  std::uint64_t samples_ = 0;
  std::uint32_t index_checksum_ = 0;
  mutable std::atomic<bool> damaged_{false};
};

}  // namespace pipewarden::rules
