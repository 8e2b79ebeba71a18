// The write-ahead log's and the checkpoints' format: a file is a magic line and records, each
//
//   length u32 | crc32 of the payload u32 | payload: type u8, then the type's fields          (little-endian)
//
//   1 series    ref, time of its newest sample, number of labels, (name, value)…
//   2 samples   time, then for each: (difference of refs, kind), value                  all at one time
//   3 chunk     ref, encoding, samples, first time, last time, bytes                     checkpoints only
//   4 state     start of the head's window, next ref                                     checkpoints only
//   5 end       number of records before it                                              checkpoints only
//   6 histograms  time, then for each: ref, the histogram (histogram_chunk.h)              all at one time
//
// Numbers are varints (signed ones zigzag), strings have their length in front. A sample's value is written whole, not
// against the one before: a log that lost records reads back right from there on.
//
// Reading stops at the first record that is torn or does not match its checksum; what was before it counts. Records of
// unknown types are skipped, so that an older binary reads what a newer one wrote.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/float_histogram.h"
#include "core/model/labels.h"
#include "core/model/sample.h"
#include "core/result.h"
#include "rules/storage/chunk.h"
#include "rules/storage/label_index.h"

namespace pipewarden::rules {

inline constexpr std::string_view kWalMagic = "PWWAL01\n";

struct RefSample {
  SeriesRef ref = 0;
  double value = 0;
};

struct RefHistogram {
  SeriesRef ref = 0;
  core::HistogramPtr histogram;
};

// Renders records into a buffer that the caller writes out.
class WalEncoder {
 public:
  void Series(SeriesRef ref, core::TimestampMs newest, const core::Labels& labels);
  void Samples(core::TimestampMs time, std::span<const RefSample> samples);
  void Histograms(core::TimestampMs time, std::span<const RefHistogram> samples);
  void Chunk(SeriesRef ref, const ChunkView& chunk);
  void State(core::TimestampMs head_start, SeriesRef next_ref);
  void End();

  const std::string& buffer() const { return buffer_; }
  void Clear() { buffer_.clear(); }

 private:
  std::size_t Begin(std::uint8_t type);
  void Finish(std::size_t start);

  std::string buffer_;
  std::uint64_t records_ = 0;
};

class WalVisitor {
 public:
  virtual ~WalVisitor() = default;
  virtual void OnSeries(SeriesRef ref, core::TimestampMs newest, core::Labels labels) = 0;
  virtual void OnSamples(core::TimestampMs time, std::span<const RefSample> samples) = 0;
  virtual void OnHistograms(core::TimestampMs /*time*/, std::span<const RefHistogram> /*samples*/) {}
  virtual void OnChunk(SeriesRef, rules::Chunk) {}
  virtual void OnState(core::TimestampMs /*head_start*/, SeriesRef /*next_ref*/) {}
};

struct WalReadResult {
  std::size_t good_bytes = 0;  // of the file, to the end of the last good record
  bool damaged = false;        // something follows that is no good record
  bool ended = false;          // an end record with the right count was seen (checkpoints)
};

// `file` is the whole content. Never fails: damage is in the result.
WalReadResult ReadWal(std::string_view file, WalVisitor& visitor);

// An open log file. Appending writes before it returns (a kill of the process loses nothing), without fsync.
class WalFile {
 public:
  WalFile() = default;
  WalFile(WalFile&& other) noexcept;
  WalFile& operator=(WalFile&& other) noexcept;
  ~WalFile();

  // A new file; one of that name must not exist.
  static core::Result<WalFile> Create(const std::string& path);
  // One write. What a failed one left is cut off again, so that records after it can be read.
  core::Result<void> Append(std::string_view records);
  std::uint64_t size() const { return size_; }
  bool is_open() const { return descriptor_ >= 0; }

 private:
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
  std::string path_;
};

// Small numbers take few bytes; shared by the segments' format.
void PutVarint(std::string& out, std::uint64_t value);
void PutSigned(std::string& out, std::int64_t value);
// Reads from the front of `in` and removes what was read; false at the end or for more than ten bytes.
bool TakeVarint(std::string_view& in, std::uint64_t& value);
bool TakeSigned(std::string_view& in, std::int64_t& value);
std::uint32_t Checksum(std::string_view bytes);

}  // namespace pipewarden::rules
