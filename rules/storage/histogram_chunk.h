// Chunks of native histograms: each sample against the one before it. What hardly changes (schema, bounds, which
// buckets there are) is written again only where it did; counts are differences of whole numbers where they are whole,
// else XORs; one byte where nothing changed. A sample:
//
//   change of the distance in time, signed | flags: hint (2 bits), new layout, whole numbers
//   with a new layout: schema, zero threshold, bounds, indexes of the positive and of the negative buckets
//   sum, as XOR | count, zero count, counts of the positive and of the negative buckets
//
// Numbers are varints (signed ones zigzag); an XOR has its bytes turned round, so that few of them are written where
// the low bits of the mantissa are equal.
//
// Not thread-safe by themselves; the head's lock covers those in memory.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/model/float_histogram.h"
#include "core/model/sample.h"
#include "rules/promql/queryable.h"
#include "rules/storage/chunk.h"

namespace pipewarden::rules {

// Appends the histogram, by the one before it (null: none).
void EncodeHistogram(std::string& out, const core::FloatHistogram& histogram, const core::FloatHistogram* before);
// Reads one from the front of `in`. Null where it does not read back, or is no histogram.
core::HistogramPtr DecodeHistogram(std::string_view& in, const core::FloatHistogram* before);

// The open chunk of a series of histograms.
class HistogramChunkWriter {
 public:
  // Whether the sample would make the chunk too large: then it is to be sealed first.
  bool full() const { return count_ >= ChunkWriter::kMaxSamples || bytes_.size() > kFullBytes; }
  // The sample's hint becomes what the storage knows by the one before it.
  // REQUIRES: time > last_time() unless empty; not full; at most core::kMaxHistogramParts.
  void Append(core::TimestampMs time, const core::FloatHistogram& histogram);

  bool empty() const { return count_ == 0; }
  core::TimestampMs first_time() const { return first_; }
  core::TimestampMs last_time() const { return last_; }
  Chunk Seal() const;
  void Reset();
  std::size_t MemoryBytes() const { return bytes_.capacity(); }

 private:
  static constexpr std::size_t kFullBytes = 24'000;

  std::string bytes_;
  core::TimestampMs first_ = 0;
  core::TimestampMs last_ = 0;
  core::TimestampMs last_distance_ = 0;
  std::uint16_t count_ = 0;
  std::optional<core::FloatHistogram> before_;
};

// Reads a chunk's samples in order, from bytes that outlive it. Bytes that are no chunk's end the reading early.
class HistogramChunkReader {
 public:
  HistogramChunkReader(core::TimestampMs first, std::uint32_t count, std::string_view bytes)
      : in_(bytes), time_(first), left_(count) {}
  explicit HistogramChunkReader(const Chunk& chunk);

  // False at the end.
  bool Next();
  core::TimestampMs time() const { return time_; }
  const core::HistogramPtr& histogram() const { return histogram_; }

 private:
  std::string_view in_;
  core::TimestampMs time_;
  core::TimestampMs distance_ = 0;
  std::uint32_t left_;
  core::HistogramPtr histogram_;
};

// Appends the samples in [from, to] to `out`.
void ReadHistograms(HistogramChunkReader reader, core::TimestampMs from, core::TimestampMs to,
                    promql::SampleColumns& out);

}  // namespace pipewarden::rules
