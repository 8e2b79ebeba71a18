#include "rules/storage/wal.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <utility>

#include "rules/storage/histogram_chunk.h"

namespace pipewarden::rules {
namespace {

enum RecordType : std::uint8_t { kSeries = 1, kSamples = 2, kChunk = 3, kState = 4, kEnd = 5, kHistograms = 6 };

// How a sample's value is written.
enum ValueKind : std::uint8_t { kRaw = 0, kInteger = 1, kStale = 2, kKinds = 3 };

constexpr std::size_t kHeaderBytes = 8;
constexpr std::uint32_t kMaxRecordBytes = 64U << 20U;
constexpr double kLargestInteger = 1e15;

void SetFixed32(std::string& out, std::size_t at, std::uint32_t value) {
  for (unsigned i = 0; i < 4; ++i) out[at + i] = static_cast<char>((value >> (8U * i)) & 0xFFU);
}

std::uint32_t GetFixed32(std::string_view in) {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < 4; ++i) value |= static_cast<std::uint32_t>(static_cast<unsigned char>(in[i])) << (8U * i);
  return value;
}

void PutString(std::string& out, std::string_view text) {
  PutVarint(out, text.size());
  out += text;
}

bool TakeString(std::string_view& in, std::string_view& text) {
  std::uint64_t size = 0;
  if (!TakeVarint(in, size) || size > in.size()) return false;
  text = in.substr(0, size);
  in.remove_prefix(size);
  return true;
}

bool TakeRef(std::string_view& in, SeriesRef& ref) {
  std::uint64_t value = 0;
  // The largest stays free: series tables are sized by ref + 1.
  if (!TakeVarint(in, value) || value >= 0xFFFFFFFFU) return false;
  ref = static_cast<SeriesRef>(value);
  return true;
}

void PutValue(std::string& out, std::int64_t ref_difference, double value) {
  ValueKind kind = kRaw;
  if (core::IsStaleNaN(value)) {
    kind = kStale;
  } else if (std::fabs(value) <= kLargestInteger && std::trunc(value) == value &&
             std::bit_cast<std::uint64_t>(value) != std::bit_cast<std::uint64_t>(-0.0)) {
    kind = kInteger;
  }
  const auto zigzag =
      (static_cast<std::uint64_t>(ref_difference) << 1U) ^ static_cast<std::uint64_t>(ref_difference >> 63U);
  PutVarint(out, zigzag * kKinds + kind);
  if (kind == kInteger) {
    PutSigned(out, static_cast<std::int64_t>(value));
  } else if (kind == kRaw) {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    for (unsigned i = 0; i < 8; ++i) out += static_cast<char>((bits >> (8U * i)) & 0xFFU);
  }
}

bool TakeValue(std::string_view& in, std::uint64_t kind, double& value) {
  if (kind == kStale) {
    value = core::StaleNaN();
    return true;
  }
  if (kind == kInteger) {
    std::int64_t integer = 0;
    if (!TakeSigned(in, integer)) return false;
    value = static_cast<double>(integer);
    return true;
  }
  if (in.size() < 8) return false;
  std::uint64_t bits = 0;
  for (unsigned i = 0; i < 8; ++i) bits |= static_cast<std::uint64_t>(static_cast<unsigned char>(in[i])) << (8U * i);
  in.remove_prefix(8);
  value = std::bit_cast<double>(bits);
  return true;
}

bool ReadSeries(std::string_view in, WalVisitor& visitor) {
  SeriesRef ref = 0;
  std::int64_t newest = 0;
  std::uint64_t count = 0;
  if (!TakeRef(in, ref) || !TakeSigned(in, newest) || !TakeVarint(in, count) || count > in.size()) return false;
  std::vector<core::LabelView> labels;
  labels.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string_view name;
    std::string_view value;
    if (!TakeString(in, name) || !TakeString(in, value)) return false;
    labels.push_back({name, value});
  }
  visitor.OnSeries(ref, newest, core::Labels(labels));
  return true;
}

bool ReadSamples(std::string_view in, std::vector<RefSample>& samples, WalVisitor& visitor) {
  std::int64_t time = 0;
  if (!TakeSigned(in, time)) return false;
  samples.clear();
  std::int64_t ref = 0;
  while (!in.empty()) {
    std::uint64_t head = 0;
    if (!TakeVarint(in, head)) return false;
    const std::uint64_t zigzag = head / kKinds;
    ref += static_cast<std::int64_t>(zigzag >> 1U) ^ -static_cast<std::int64_t>(zigzag & 1U);
    if (ref < 0 || ref >= 0xFFFFFFFFLL) return false;
    RefSample sample{static_cast<SeriesRef>(ref), 0};
    if (!TakeValue(in, head % kKinds, sample.value)) return false;
    samples.push_back(sample);
  }
  visitor.OnSamples(time, samples);
  return true;
}

bool ReadHistogramSamples(std::string_view in, WalVisitor& visitor) {
  std::int64_t time = 0;
  if (!TakeSigned(in, time)) return false;
  std::vector<RefHistogram> samples;
  while (!in.empty()) {
    RefHistogram sample;
    if (!TakeRef(in, sample.ref)) return false;
    sample.histogram = DecodeHistogram(in, nullptr);
    if (sample.histogram == nullptr) return false;
    samples.push_back(std::move(sample));
  }
  visitor.OnHistograms(time, samples);
  return true;
}

bool ReadChunk(std::string_view in, WalVisitor& visitor) {
  SeriesRef ref = 0;
  std::uint64_t encoding = 0;
  std::uint64_t count = 0;
  std::int64_t first = 0;
  std::int64_t last = 0;
  std::string_view bytes;
  if (!TakeRef(in, ref) || !TakeVarint(in, encoding) || !TakeVarint(in, count) || !TakeSigned(in, first) ||
      !TakeSigned(in, last) || !TakeString(in, bytes) || count > 0xFFFF || bytes.size() > 0xFFFF)
    return false;
  if (encoding < static_cast<std::uint64_t>(ChunkEncoding::kXor) || encoding > kLastEncoding)
    return true;  // a newer binary's
  visitor.OnChunk(ref, Chunk(first, last, static_cast<std::uint16_t>(count),
                             {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()},
                             static_cast<ChunkEncoding>(encoding)));
  return true;
}

}  // namespace

void PutVarint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>((value & 0x7FU) | 0x80U);
    value >>= 7U;
  }
  out += static_cast<char>(value);
}

void PutSigned(std::string& out, std::int64_t value) {
  PutVarint(out, (static_cast<std::uint64_t>(value) << 1U) ^ static_cast<std::uint64_t>(value >> 63U));
}

bool TakeVarint(std::string_view& in, std::uint64_t& value) {
  value = 0;
  for (unsigned i = 0; i < 10 && i < in.size(); ++i) {
    const auto byte = static_cast<unsigned char>(in[i]);
    value |= static_cast<std::uint64_t>(byte & 0x7FU) << (7U * i);
    if ((byte & 0x80U) == 0) {
      in.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

bool TakeSigned(std::string_view& in, std::int64_t& value) {
  std::uint64_t zigzag = 0;
  if (!TakeVarint(in, zigzag)) return false;
  value = static_cast<std::int64_t>((zigzag >> 1U) ^ (~(zigzag & 1U) + 1U));
  return true;
}

std::uint32_t Checksum(std::string_view bytes) {
  return static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

std::size_t WalEncoder::Begin(std::uint8_t type) {
  const std::size_t start = buffer_.size();
  buffer_.append(kHeaderBytes, '\0');
  buffer_ += static_cast<char>(type);
  return start;
}

void WalEncoder::Finish(std::size_t start) {
  const std::string_view payload = std::string_view(buffer_).substr(start + kHeaderBytes);
  const std::uint32_t checksum = Checksum(payload);
  SetFixed32(buffer_, start, static_cast<std::uint32_t>(payload.size()));
  SetFixed32(buffer_, start + 4, checksum);
  ++records_;
}

void WalEncoder::Series(SeriesRef ref, core::TimestampMs newest, const core::Labels& labels) {
  const std::size_t start = Begin(kSeries);
  PutVarint(buffer_, ref);
  PutSigned(buffer_, newest);
  PutVarint(buffer_, labels.size());
  for (const core::LabelView label : labels) {
    PutString(buffer_, label.name);
    PutString(buffer_, label.value);
  }
  Finish(start);
}

void WalEncoder::Samples(core::TimestampMs time, std::span<const RefSample> samples) {
  if (samples.empty()) return;
  const std::size_t start = Begin(kSamples);
  PutSigned(buffer_, time);
  std::int64_t before = 0;
  for (const RefSample& sample : samples) {
    PutValue(buffer_, static_cast<std::int64_t>(sample.ref) - before, sample.value);
    before = sample.ref;
  }
  Finish(start);
}

void WalEncoder::Histograms(core::TimestampMs time, std::span<const RefHistogram> samples) {
  if (samples.empty()) return;
  const std::size_t start = Begin(kHistograms);
  PutSigned(buffer_, time);
  for (const RefHistogram& sample : samples) {
    PutVarint(buffer_, sample.ref);
    EncodeHistogram(buffer_, *sample.histogram, nullptr);
  }
  Finish(start);
}

void WalEncoder::Chunk(SeriesRef ref, const ChunkView& chunk) {
  const std::size_t start = Begin(kChunk);
  PutVarint(buffer_, ref);
  PutVarint(buffer_, static_cast<std::uint64_t>(chunk.encoding));
  PutVarint(buffer_, chunk.count);
  PutSigned(buffer_, chunk.first);
  PutSigned(buffer_, chunk.last);
  PutString(buffer_, {reinterpret_cast<const char*>(chunk.bytes.data()), chunk.bytes.size()});
  Finish(start);
}

void WalEncoder::State(core::TimestampMs head_start, SeriesRef next_ref) {
  const std::size_t start = Begin(kState);
  PutSigned(buffer_, head_start);
  PutVarint(buffer_, next_ref);
  Finish(start);
}

void WalEncoder::End() {
  const std::uint64_t before = records_;
  const std::size_t start = Begin(kEnd);
  PutVarint(buffer_, before);
  Finish(start);
}

WalReadResult ReadWal(std::string_view file, WalVisitor& visitor) {
  WalReadResult result;
  if (!file.starts_with(kWalMagic)) {
    result.damaged = true;
    return result;
  }
  result.good_bytes = kWalMagic.size();
  std::uint64_t records = 0;
  std::vector<RefSample> samples;
  for (std::string_view rest = file.substr(kWalMagic.size()); !rest.empty(); ++records) {
    result.damaged = true;
    if (rest.size() < kHeaderBytes + 1) return result;
    const std::uint32_t length = GetFixed32(rest);
    if (length == 0 || length > kMaxRecordBytes || length > rest.size() - kHeaderBytes) return result;
    std::string_view payload = rest.substr(kHeaderBytes, length);
    if (Checksum(payload) != GetFixed32(rest.substr(4))) return result;
    const auto type = static_cast<std::uint8_t>(payload[0]);
    payload.remove_prefix(1);
    bool good = true;
    if (type == kSeries) {
      good = ReadSeries(payload, visitor);
    } else if (type == kSamples) {
      good = ReadSamples(payload, samples, visitor);
    } else if (type == kChunk) {
      good = ReadChunk(payload, visitor);
    } else if (type == kHistograms) {
      good = ReadHistogramSamples(payload, visitor);
    } else if (type == kState) {
      std::int64_t head_start = 0;
      SeriesRef next = 0;
      good = TakeSigned(payload, head_start) && TakeRef(payload, next);
      if (good) visitor.OnState(head_start, next);
    } else if (type == kEnd) {
      std::uint64_t count = 0;
      good = TakeVarint(payload, count) && count == records;
      result.ended = good;
    }
    if (!good) return result;
    rest.remove_prefix(kHeaderBytes + length);
    result.good_bytes = file.size() - rest.size();
    result.damaged = false;
  }
  return result;
}

WalFile::WalFile(WalFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_), path_(std::move(other.path_)) {}

WalFile& WalFile::operator=(WalFile&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(size_, other.size_);
  std::swap(path_, other.path_);
  return *this;
}

WalFile::~WalFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

core::Result<WalFile> WalFile::Create(const std::string& path) {
  WalFile file;
  file.path_ = path;
  file.descriptor_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
  if (file.descriptor_ < 0) return core::Fail(core::SystemError("create " + path, errno));
  if (auto written = file.Append(kWalMagic); !written) {
    ::unlink(path.c_str());  // or the next try would find a file of that name
    return core::Fail(written.error());
  }
  return file;
}

core::Result<void> WalFile::Append(std::string_view records) {
  std::string_view rest = records;
  while (!rest.empty()) {
    const ssize_t written = ::write(descriptor_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int error = errno;
      if (::ftruncate(descriptor_, static_cast<off_t>(size_)) != 0) size_ += records.size() - rest.size();
      return core::Fail(core::SystemError("write " + path_, error));
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  size_ += records.size();
  return {};
}

}  // namespace pipewarden::rules
