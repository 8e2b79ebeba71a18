#include "rules/storage/histogram_chunk.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "rules/storage/wal.h"

namespace pipewarden::rules {
namespace {

using core::FloatHistogram;
using core::HistogramBucket;
using core::HistogramBuckets;

constexpr unsigned kNewLayout = 4;
constexpr unsigned kWhole = 8;
constexpr double kLargestWhole = 9007199254740992.0;  // 2^53: differences of such are exact
constexpr std::int64_t kLargestIndex = 1 << 20;

bool Within(std::int64_t value, std::int64_t limit) { return value >= -limit && value <= limit; }

bool IsWhole(double value) {
  return std::fabs(value) <= kLargestWhole && std::trunc(value) == value && !(value == 0 && std::signbit(value));
}

// Calls visit(value) for count, zero count and the counts of all buckets.
template <class Histogram, class Visit>
void EachCount(Histogram& histogram, Visit visit) {
  visit(histogram.count);
  visit(histogram.zero_count);
  for (auto* side : {&histogram.positive, &histogram.negative})
    for (auto& bucket : *side) visit(bucket.count);
}

bool AllWhole(const FloatHistogram& histogram) {
  bool whole = true;
  EachCount(histogram, [&](double value) { whole = whole && IsWhole(value); });
  return whole;
}

bool SameIndexes(const HistogramBuckets& a, const HistogramBuckets& b) {
  return std::ranges::equal(a, b, {}, &HistogramBucket::index, &HistogramBucket::index);
}

bool SameLayout(const FloatHistogram& a, const FloatHistogram& b) {
  return a.schema == b.schema && a.zero_threshold == b.zero_threshold && core::SameBounds(a, b) &&
         SameIndexes(a.positive, b.positive) && SameIndexes(a.negative, b.negative);
}

std::uint64_t TurnedXor(double value, double before) {
  return __builtin_bswap64(std::bit_cast<std::uint64_t>(value) ^ std::bit_cast<std::uint64_t>(before));
}

void PutXor(std::string& out, double value, double before) { PutVarint(out, TurnedXor(value, before)); }

bool TakeXor(std::string_view& in, double before, double& value) {
  std::uint64_t turned = 0;
  if (!TakeVarint(in, turned)) return false;
  value = std::bit_cast<double>(__builtin_bswap64(turned) ^ std::bit_cast<std::uint64_t>(before));
  return true;
}

void PutIndexes(std::string& out, const HistogramBuckets& side) {
  PutVarint(out, side.size());
  std::int32_t next = 0;
  for (const HistogramBucket& bucket : side) {
    PutSigned(out, std::int64_t{bucket.index} - next);
    next = bucket.index + 1;
  }
}

bool TakeIndexes(std::string_view& in, HistogramBuckets& side) {
  std::uint64_t count = 0;
  if (!TakeVarint(in, count) || count > core::kMaxHistogramParts || count > in.size()) return false;
  std::int64_t next = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::int64_t step = 0;
    if (!TakeSigned(in, step) || !Within(step, 2 * kLargestIndex)) return false;
    next += step;
    if (!Within(next, kLargestIndex)) return false;
    side.push_back({static_cast<std::int32_t>(next), 0});
    ++next;
  }
  return true;
}

void PutLayout(std::string& out, const FloatHistogram& histogram) {
  PutSigned(out, histogram.schema);
  PutXor(out, histogram.zero_threshold, 0);
  const auto bounds = histogram.custom_bounds();
  PutVarint(out, bounds.size());
  double before = 0;
  for (const double bound : bounds) {
    PutXor(out, bound, before);
    before = bound;
  }
  PutIndexes(out, histogram.positive);
  PutIndexes(out, histogram.negative);
}

bool TakeLayout(std::string_view& in, FloatHistogram& histogram) {
  std::int64_t schema = 0;
  std::uint64_t count = 0;
  if (!TakeSigned(in, schema) || !Within(schema, 100) || !TakeXor(in, 0, histogram.zero_threshold) ||
      !TakeVarint(in, count) || count > core::kMaxHistogramParts || count > in.size())
    return false;
  histogram.schema = static_cast<std::int32_t>(schema);
  std::vector<double> bounds;
  double before = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (!TakeXor(in, before, bounds.emplace_back())) return false;
    before = bounds.back();
  }
  if (!bounds.empty()) histogram.bounds = std::make_shared<const std::vector<double>>(std::move(bounds));
  return TakeIndexes(in, histogram.positive) && TakeIndexes(in, histogram.negative);
}

}  // namespace

void EncodeHistogram(std::string& out, const FloatHistogram& histogram, const FloatHistogram* before) {
  const bool same_layout = before != nullptr && SameLayout(histogram, *before);
  const bool whole = AllWhole(histogram) && (!same_layout || AllWhole(*before));
  out += static_cast<char>(static_cast<unsigned>(histogram.hint) | (same_layout ? 0U : kNewLayout) |
                           (whole ? kWhole : 0U));
  if (!same_layout) PutLayout(out, histogram);
  PutXor(out, histogram.sum, before != nullptr ? before->sum : 0);
  std::vector<double> earlier;
  if (same_layout) EachCount(*before, [&](double value) { earlier.push_back(value); });
  std::size_t at = 0;
  EachCount(histogram, [&](double value) {
    const double last = same_layout ? earlier[at++] : 0;
    if (whole)
      PutSigned(out, static_cast<std::int64_t>(value) - static_cast<std::int64_t>(last));
    else
      PutXor(out, value, last);
  });
}

core::HistogramPtr DecodeHistogram(std::string_view& in, const FloatHistogram* before) {
  if (in.empty()) return nullptr;
  const auto flags = static_cast<unsigned char>(in[0]);
  in.remove_prefix(1);
  const bool same_layout = (flags & kNewLayout) == 0;
  if (flags > 15 || (same_layout && before == nullptr)) return nullptr;
  auto histogram = std::make_shared<FloatHistogram>();
  if (same_layout) *histogram = *before;
  histogram->hint = static_cast<core::CounterResetHint>(flags & 3U);
  if (!same_layout && !TakeLayout(in, *histogram)) return nullptr;
  if (!TakeXor(in, before != nullptr ? before->sum : 0, histogram->sum)) return nullptr;
  bool good = true;
  EachCount(*histogram, [&](double& value) {
    if ((flags & kWhole) == 0) {
      good = good && TakeXor(in, value, value);
      return;
    }
    std::int64_t difference = 0;
    good = good && IsWhole(value) && TakeSigned(in, difference) && Within(difference, std::int64_t{1} << 54);
    if (good) value = static_cast<double>(static_cast<std::int64_t>(value) + difference);
  });
  if (!good || !core::Validate(*histogram)) return nullptr;
  return histogram;
}

void HistogramChunkWriter::Append(core::TimestampMs time, const FloatHistogram& histogram) {
  FloatHistogram stored = histogram;
  stored.hint = core::StoredHint(histogram, before_ ? &*before_ : nullptr);
  if (count_ == 0) {
    first_ = time;
  } else {
    PutSigned(bytes_, time - last_ - last_distance_);
    last_distance_ = time - last_;
  }
  EncodeHistogram(bytes_, stored, before_ ? &*before_ : nullptr);
  last_ = time;
  ++count_;
  before_ = std::move(stored);
}

Chunk HistogramChunkWriter::Seal() const {
  if (count_ == 0) return {};
  return {first_,
          last_,
          count_,
          {reinterpret_cast<const std::uint8_t*>(bytes_.data()), bytes_.size()},
          ChunkEncoding::kHistogram};
}

void HistogramChunkWriter::Reset() {
  bytes_.clear();
  count_ = 0;
  last_distance_ = 0;
  before_.reset();
}

HistogramChunkReader::HistogramChunkReader(const Chunk& chunk)
    : HistogramChunkReader(chunk.first_time(), chunk.count(),
                           {reinterpret_cast<const char*>(chunk.bytes().data()), chunk.bytes().size()}) {}

void ReadHistograms(HistogramChunkReader reader, core::TimestampMs from, core::TimestampMs to,
                    promql::SampleColumns& out) {
  while (reader.Next()) {
    if (reader.time() > to) return;
    if (reader.time() >= from) out.Add(reader.time(), reader.histogram());
  }
}

bool HistogramChunkReader::Next() {
  if (left_ == 0) return false;
  const core::HistogramPtr before = histogram_;
  if (before != nullptr) {
    std::int64_t change = 0;
    if (!TakeSigned(in_, change) || __builtin_add_overflow(distance_, change, &distance_) ||
        __builtin_add_overflow(time_, distance_, &time_) || distance_ <= 0) {
      left_ = 0;
      return false;
    }
  }
  histogram_ = DecodeHistogram(in_, before.get());
  left_ = histogram_ != nullptr ? left_ - 1 : 0;
  return histogram_ != nullptr;
}

}  // namespace pipewarden::rules
