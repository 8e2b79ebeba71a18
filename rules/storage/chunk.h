// Chunks of samples, compressed as in Facebook's Gorilla (Pelkonen et al., VLDB 2015).
//
// A timestamp is stored as the change of its distance to the one before: one bit where our own clock ticks evenly. A
// value is stored as its XOR with the one before: one bit where it did not change. The time's code words differ from
// Prometheus' in that a jitter of a few milliseconds costs 8 bits instead of 16:
//
//   0                 the distance is the same          110  + 12 bits   it changed by [-2048, 2047] ms
//   10   + 6 bits     it changed by [-32, 31] ms        1110 + 20 bits   by [-524288, 524287] ms
//                                                       1111 + 64 bits   by anything
//
// Not thread-safe by themselves; the head's lock covers those in memory.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <utility>

#include "core/model/sample.h"

namespace pipewarden::rules {

// How the bytes of a chunk are to be read; written to disk, so numbers are never reused. kHistogram: histogram_chunk.h,
// kPacked: packed_chunk.h.
enum class ChunkEncoding : std::uint8_t { kXor = 1, kHistogram = 2, kPacked = 3 };
inline constexpr std::uint64_t kLastEncoding = 3;

// A sealed chunk, wherever its bytes lie.
struct ChunkView {
  ChunkEncoding encoding = ChunkEncoding::kXor;
  core::TimestampMs first = 0;
  core::TimestampMs last = 0;
  std::uint32_t count = 0;
  std::span<const std::uint8_t> bytes;
};

// A sealed chunk that owns its bytes. Default-made it holds no samples.
class Chunk {
 public:
  Chunk() = default;
  // Samples in order, as small as they get: packed (packed_chunk.h), else as XORs.
  // REQUIRES: as many values as times, at most ChunkWriter::kMaxSamples.
  static Chunk Of(std::span<const core::TimestampMs> times, std::span<const double> values);
  // REQUIRES: bytes.size() <= 65535.
  Chunk(core::TimestampMs first, core::TimestampMs last, std::uint16_t count, std::span<const std::uint8_t> bytes,
        ChunkEncoding encoding = ChunkEncoding::kXor);
  Chunk(Chunk&& other) noexcept : data_(std::exchange(other.data_, nullptr)) {}
  Chunk& operator=(Chunk&& other) noexcept {
    std::swap(data_, other.data_);
    return *this;
  }
  ~Chunk();

  ChunkEncoding encoding() const { return data_ != nullptr ? data_->encoding : ChunkEncoding::kXor; }
  core::TimestampMs first_time() const { return data_ != nullptr ? data_->first : 0; }
  core::TimestampMs last_time() const { return data_ != nullptr ? data_->last : 0; }
  std::uint16_t count() const { return data_ != nullptr ? data_->count : 0; }
  std::span<const std::uint8_t> bytes() const;
  ChunkView view() const {
    return {.encoding = encoding(), .first = first_time(), .last = last_time(), .count = count(), .bytes = bytes()};
  }

 private:
  struct Data {
    core::TimestampMs first;
    core::TimestampMs last;
    std::uint16_t count;
    std::uint16_t size;  // of the bytes that follow
    ChunkEncoding encoding;
  };
  Data* data_ = nullptr;
};

// The open chunk of a series.
class ChunkWriter {
 public:
  static constexpr std::uint16_t kMaxSamples = 120;
  static constexpr core::TimestampMs kNever = std::numeric_limits<core::TimestampMs>::min();

  ChunkWriter() = default;
  ChunkWriter(ChunkWriter&& other) noexcept;
  ChunkWriter& operator=(ChunkWriter&& other) noexcept;
  ~ChunkWriter();

  // REQUIRES: time > last_time() unless empty; count() < kMaxSamples.
  void Append(core::TimestampMs time, double value);
  std::uint16_t count() const { return count_; }
  bool empty() const { return count_ == 0; }
  core::TimestampMs first_time() const { return first_; }
  // kNever where nothing was ever written.
  core::TimestampMs last_time() const { return last_; }
  double last_value() const { return last_value_; }
  std::span<const std::uint8_t> bytes() const { return {bytes_, size_}; }
  // A sealed copy of what was written so far.
  Chunk Seal() const;
  // Empties it. last_time() and last_value() stay: they are the series' newest sample.
  void Reset();
  // The newest sample of a series whose older chunks were read back, or whose samples are histograms.
  // REQUIRES: empty().
  void SetLast(core::TimestampMs time, double value) {
    last_ = time;
    last_value_ = value;
  }
  void GiveMemoryBack();  // REQUIRES: empty().
  std::size_t MemoryBytes() const { return capacity_; }

 private:
  void WriteBits(std::uint64_t value, unsigned count);
  void WriteTime(core::TimestampMs time);
  void WriteValue(double value);
  void Grow();

  core::TimestampMs first_ = 0;
  core::TimestampMs last_ = kNever;
  core::TimestampMs last_distance_ = 0;
  double last_value_ = 0;
  std::uint8_t* bytes_ = nullptr;
  std::uint16_t size_ = 0;  // bytes begun
  std::uint16_t capacity_ = 0;
  std::uint8_t count_ = 0;
  std::uint8_t free_bits_ = 0;   // in the last begun byte
  std::uint8_t leading_ = 0xFF;  // the window of the last XOR that brought one; 0xFF: none yet
  std::uint8_t trailing_ = 0;
};
static_assert(sizeof(ChunkWriter) == 48);  // there is one for each series

// Reads a chunk's samples in order, from bytes that outlive it. Bytes that are no chunk's end the reading early, never
// badly.
class ChunkReader {
 public:
  ChunkReader(core::TimestampMs first, std::uint32_t count, std::span<const std::uint8_t> bytes)
      : bytes_(bytes), first_(first), left_(count) {}
  explicit ChunkReader(const ChunkWriter& chunk) : ChunkReader(chunk.first_time(), chunk.count(), chunk.bytes()) {}

  // False at the end.
  bool Next();
  const core::Sample& sample() const { return sample_; }

 private:
  bool ReadBit(unsigned& bit);
  bool ReadBits(unsigned count, std::uint64_t& value);
  bool ReadTime();
  bool ReadValue();

  std::span<const std::uint8_t> bytes_;
  std::size_t position_ = 0;  // in bits
  core::TimestampMs first_;
  std::uint32_t left_;
  bool started_ = false;
  core::TimestampMs distance_ = 0;
  std::uint64_t value_bits_ = 0;
  std::uint8_t leading_ = 0;
  std::uint8_t trailing_ = 0;
  core::Sample sample_;
};

}  // namespace pipewarden::rules
