#include "rules/storage/chunk.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

#include "rules/storage/packed_chunk.h"

namespace pipewarden::rules {
namespace {

constexpr std::uint64_t Mask(unsigned bits) { return bits >= 64 ? ~0ULL : (1ULL << bits) - 1; }

bool FitsSigned(std::int64_t value, unsigned bits) {
  const std::int64_t half = std::int64_t{1} << (bits - 1);
  return value >= -half && value < half;
}

std::int64_t SignExtend(std::uint64_t value, unsigned bits) {
  const std::uint64_t sign = 1ULL << (bits - 1);
  return static_cast<std::int64_t>((value ^ sign) - sign);
}

// Distances wrap as unsigned numbers do: a damaged chunk may hold any, and overflow of signed ones is undefined.
std::int64_t WrappingAdd(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
std::int64_t WrappingSubtract(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}

// Whether it is worth a try: XORs are small where a value is mostly that before, and take eight bytes and two bits each
// even where it always is.
bool XorsMayBeSmaller(std::size_t packed_bytes, std::span<const double> values) {
  if (packed_bytes <= 8 + values.size() / 4) return false;
  std::size_t same = 0;
  for (std::size_t i = 1; i < values.size(); ++i) same += values[i] == values[i - 1] ? 1 : 0;
  return same * 2 >= values.size() || packed_bytes > values.size() * 2;
}

}  // namespace

Chunk::Chunk(core::TimestampMs first, core::TimestampMs last, std::uint16_t count, std::span<const std::uint8_t> bytes,
             ChunkEncoding encoding) {
  void* memory = ::operator new(sizeof(Data) + bytes.size());
  data_ = new (memory) Data{first, last, count, static_cast<std::uint16_t>(bytes.size()), encoding};
  std::ranges::copy(bytes, reinterpret_cast<std::uint8_t*>(data_ + 1));
}

Chunk Chunk::Of(std::span<const core::TimestampMs> times, std::span<const double> values) {
  if (times.empty()) return {};
  const std::string packed = PackSamples(times, values);
  if (packed.empty() || XorsMayBeSmaller(packed.size(), values)) {
    ChunkWriter plain;
    for (std::size_t i = 0; i < times.size(); ++i) plain.Append(times[i], values[i]);
    if (packed.empty() || packed.size() >= plain.bytes().size()) return plain.Seal();
  }
  return {times.front(),
          times.back(),
          static_cast<std::uint16_t>(times.size()),
          {reinterpret_cast<const std::uint8_t*>(packed.data()), packed.size()},
          ChunkEncoding::kPacked};
}

Chunk::~Chunk() { ::operator delete(data_); }

std::span<const std::uint8_t> Chunk::bytes() const {
  if (data_ == nullptr) return {};
  return {reinterpret_cast<const std::uint8_t*>(data_ + 1), data_->size};
}

ChunkWriter::ChunkWriter(ChunkWriter&& other) noexcept { *this = std::move(other); }

ChunkWriter& ChunkWriter::operator=(ChunkWriter&& other) noexcept {
  std::swap(first_, other.first_);
  std::swap(last_, other.last_);
  std::swap(last_distance_, other.last_distance_);
  std::swap(last_value_, other.last_value_);
  std::swap(bytes_, other.bytes_);
  std::swap(size_, other.size_);
  std::swap(capacity_, other.capacity_);
  std::swap(count_, other.count_);
  std::swap(free_bits_, other.free_bits_);
  std::swap(leading_, other.leading_);
  std::swap(trailing_, other.trailing_);
  return *this;
}

ChunkWriter::~ChunkWriter() { std::free(bytes_); }

void ChunkWriter::Reset() {
  size_ = count_ = 0;  // the memory stays: the next chunk will be about as large
  free_bits_ = trailing_ = 0;
  leading_ = 0xFF;
  last_distance_ = 0;
}

void ChunkWriter::GiveMemoryBack() {
  std::free(bytes_);
  bytes_ = nullptr;
  size_ = capacity_ = 0;
}

void ChunkWriter::Grow() {
  // Small steps: most series hold values that hardly change, and every byte here is there once for each series.
  // These sizes are what the allocator hands out whole: it has blocks of 16 bytes, 8 of which are its own.
  const std::size_t step = std::max(32U, capacity_ / 4U / 16U * 16U);
  const std::size_t wanted = capacity_ == 0 ? 24U : std::min<std::size_t>(capacity_ + step, 0xFFFF);
  auto* grown = static_cast<std::uint8_t*>(std::realloc(bytes_, wanted));
  if (grown == nullptr) throw std::bad_alloc();
  bytes_ = grown;
  capacity_ = static_cast<std::uint16_t>(wanted);
}

void ChunkWriter::WriteBits(std::uint64_t value, unsigned count) {
  while (count > 0) {
    if (free_bits_ == 0) {
      if (size_ == capacity_) Grow();
      bytes_[size_++] = 0;
      free_bits_ = 8;
    }
    const unsigned taken = std::min<unsigned>(free_bits_, count);
    const auto part = static_cast<std::uint8_t>((value >> (count - taken)) & Mask(taken));
    bytes_[size_ - 1] = static_cast<std::uint8_t>(bytes_[size_ - 1] | (part << (free_bits_ - taken)));
    free_bits_ = static_cast<std::uint8_t>(free_bits_ - taken);
    count -= taken;
  }
}

void ChunkWriter::WriteTime(core::TimestampMs time) {
  const std::int64_t distance = WrappingSubtract(time, last_);
  const std::int64_t change = WrappingSubtract(distance, last_distance_);
  const auto bits = static_cast<std::uint64_t>(change);
  if (change == 0) {
    WriteBits(0, 1);
  } else if (FitsSigned(change, 6)) {
    WriteBits(0b10, 2);
    WriteBits(bits & Mask(6), 6);
  } else if (FitsSigned(change, 12)) {
    WriteBits(0b110, 3);
    WriteBits(bits & Mask(12), 12);
  } else if (FitsSigned(change, 20)) {
    WriteBits(0b1110, 4);
    WriteBits(bits & Mask(20), 20);
  } else {
    WriteBits(0b1111, 4);
    WriteBits(bits, 64);
  }
  last_distance_ = distance;
}

void ChunkWriter::WriteValue(double value) {
  const std::uint64_t changed = std::bit_cast<std::uint64_t>(value) ^ std::bit_cast<std::uint64_t>(last_value_);
  if (changed == 0) {
    WriteBits(0, 1);
    return;
  }
  const unsigned leading = std::min(31U, static_cast<unsigned>(std::countl_zero(changed)));
  const unsigned trailing = static_cast<unsigned>(std::countr_zero(changed));
  if (leading_ != 0xFF && leading >= leading_ && trailing >= trailing_) {
    WriteBits(0b10, 2);
    WriteBits(changed >> trailing_, 64U - leading_ - trailing_);
    return;
  }
  const unsigned meaningful = 64U - leading - trailing;  // 1 to 64; 64 is written as 0
  WriteBits(0b11, 2);
  WriteBits(leading, 5);
  WriteBits(meaningful & 63U, 6);
  WriteBits(changed >> trailing, meaningful);
  leading_ = static_cast<std::uint8_t>(leading);
  trailing_ = static_cast<std::uint8_t>(trailing);
}

void ChunkWriter::Append(core::TimestampMs time, double value) {
  if (count_ == 0) {
    first_ = time;
    WriteBits(std::bit_cast<std::uint64_t>(value), 64);
  } else {
    WriteTime(time);
    WriteValue(value);
  }
  last_ = time;
  last_value_ = value;
  ++count_;
}

Chunk ChunkWriter::Seal() const {
  if (count_ == 0) return {};
  return {first_, last_, count_, bytes()};
}

bool ChunkReader::ReadBits(unsigned count, std::uint64_t& value) {
  if (position_ + count > bytes_.size() * 8) return false;
  const std::size_t byte = position_ / 8;
  const auto shift = static_cast<unsigned>(position_ % 8);
  position_ += count;
  if (byte + 8 <= bytes_.size() && shift + count <= 64) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes_.data() + byte, 8);
    word = __builtin_bswap64(word);
    value = (word << shift) >> (64U - count);
    return true;
  }
  value = 0;
  std::size_t at = byte;
  unsigned free = 8U - shift;
  while (count > 0) {
    const unsigned taken = std::min(free, count);
    const std::uint64_t part = (bytes_[at] >> (free - taken)) & Mask(taken);
    value = taken == 64 ? part : (value << taken) | part;
    count -= taken;
    free = 8;
    ++at;
  }
  return true;
}

bool ChunkReader::ReadBit(unsigned& bit) {
  const std::size_t byte = position_ / 8;
  if (byte >= bytes_.size()) return false;
  bit = (bytes_[byte] >> (7U - position_ % 8)) & 1U;
  ++position_;
  return true;
}

bool ChunkReader::ReadTime() {
  static constexpr unsigned kWidths[] = {0, 6, 12, 20, 64};
  unsigned prefix = 0;
  unsigned bit = 1;
  while (prefix < 4) {
    if (!ReadBit(bit)) return false;
    if (bit == 0) break;
    ++prefix;
  }
  if (prefix > 0) {
    const unsigned width = kWidths[prefix];
    std::uint64_t raw = 0;
    if (!ReadBits(width, raw)) return false;
    distance_ = WrappingAdd(distance_, SignExtend(raw, width));
  }
  sample_.time = WrappingAdd(sample_.time, distance_);
  return true;
}

bool ChunkReader::ReadValue() {
  unsigned bit = 0;
  if (!ReadBit(bit)) return false;
  if (bit == 0) return true;
  if (!ReadBit(bit)) return false;
  if (bit == 1) {
    std::uint64_t window = 0;
    if (!ReadBits(11, window)) return false;
    const auto leading = static_cast<unsigned>(window >> 6U);
    unsigned meaningful = static_cast<unsigned>(window & 63U);
    if (meaningful == 0) meaningful = 64;
    if (leading + meaningful > 64) return false;
    leading_ = static_cast<std::uint8_t>(leading);
    trailing_ = static_cast<std::uint8_t>(64U - leading - meaningful);
  }
  std::uint64_t changed = 0;
  if (!ReadBits(64U - leading_ - trailing_, changed)) return false;
  value_bits_ ^= changed << trailing_;
  sample_.value = std::bit_cast<double>(value_bits_);
  return true;
}

bool ChunkReader::Next() {
  if (left_ == 0) return false;
  if (!started_) {
    started_ = true;
    if (!ReadBits(64, value_bits_)) return false;
    sample_ = {first_, std::bit_cast<double>(value_bits_)};
  } else if (!ReadTime() || !ReadValue()) {
    left_ = 0;
    return false;
  }
  --left_;
  return true;
}

}  // namespace pipewarden::rules
