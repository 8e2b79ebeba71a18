// A native histogram as Prometheus defines it, with counts as floating-point numbers: what PromQL computes with and the
// storage keeps. Source: https://prometheus.io/docs/specs/native_histograms/.
//
// Buckets lie side by side and are told by an index. In an exponential schema (-4 to 8) the positive bucket i reaches
// from 2^((i-1) * 2^-schema), exclusive, to 2^(i * 2^-schema), inclusive; negative buckets mirror that; a zero bucket
// [-zero_threshold, zero_threshold] lies between. In the schema -53 the bounds are given: bucket i reaches from
// bounds[i-1] (the first one from -Inf) to bounds[i], the last one to +Inf, and there is nothing else.
//
// A plain value, like a number. What is computed with it stands in rules/promql.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "core/result.h"

namespace pipewarden::core {

// What is known of a counter's resets at a sample: nothing; it was reset; it was not; it is a gauge.
enum class CounterResetHint : std::uint8_t { kUnknown, kReset, kNotReset, kGauge };

struct HistogramBucket {
  std::int32_t index = 0;
  double count = 0;
};
// Indexes ascend. A bucket may be empty; one that is not listed is.
using HistogramBuckets = std::vector<HistogramBucket>;
// Strictly ascending. Shared: a series' bounds hardly ever change.
using HistogramBounds = std::shared_ptr<const std::vector<double>>;

// Buckets and bounds of one histogram that is stored, at most: so a sample always fits into a chunk.
inline constexpr std::size_t kMaxHistogramParts = 2000;

struct FloatHistogram {
  static constexpr std::int32_t kCustomSchema = -53;
  static constexpr std::int32_t kMinSchema = -4;
  static constexpr std::int32_t kMaxSchema = 8;

  CounterResetHint hint = CounterResetHint::kUnknown;
  std::int32_t schema = 0;
  double zero_threshold = 0;
  double zero_count = 0;
  double count = 0;  // of all observations, NaN among them, which lie in no bucket
  double sum = 0;
  HistogramBuckets positive;
  HistogramBuckets negative;
  HistogramBounds bounds;  // of the custom schema; null: none

  bool is_custom() const { return schema == kCustomSchema; }
  std::span<const double> custom_bounds() const {
    return bounds != nullptr ? std::span<const double>(*bounds) : std::span<const double>();
  }
  // The upper bound of a positive bucket. The bucket before it ends where it begins.
  double UpperBound(std::int32_t index) const;
  std::size_t Parts() const { return positive.size() + negative.size() + custom_bounds().size(); }
  std::size_t MemoryBytes() const;
};

// A sample's histogram is shared between the storage, evaluations and answers. Null stands for "a float" where a
// sample may be either.
using HistogramPtr = std::shared_ptr<const FloatHistogram>;

struct BoundedBucket {
  double lower = 0;
  double upper = 0;
  double count = 0;
  bool lower_inclusive = false;
  bool upper_inclusive = true;
};
// All buckets from the lowest to the highest, empty ones too, but the zero bucket only where it is not empty. Bounds
// within the zero bucket are moved to its end.
std::vector<BoundedBucket> BucketsOf(const FloatHistogram& histogram);

// Equal to the bit but for the hints, empty buckets included.
bool SameHistogram(const FloatHistogram& a, const FloatHistogram& b);
bool SameBounds(const FloatHistogram& a, const FloatHistogram& b);

// Removes empty buckets.
void Compact(FloatHistogram& histogram);
// Puts buckets together so that the histogram has the lower resolution. REQUIRES: exponential, schema <= its own.
void ReduceResolution(FloatHistogram& histogram, std::int32_t schema);
HistogramBuckets ReducedBuckets(std::span<const HistogramBucket> buckets, std::int32_t from, std::int32_t to);

// What the zero bucket would hold if it reached to `threshold` (at least its own), which is moved out to the next bound
// where it would cut a bucket that is not empty.
double ZeroCountWithin(const FloatHistogram& histogram, double& threshold);

// True where `current` cannot have come of `previous` by counting on: some count is less than it was. A hint of
// `current` that knows is believed.
bool IsReset(const FloatHistogram& current, const FloatHistogram& previous);

// The hint that the storage gives a sample by the one before it in its series (null: none, or a float): what a reader
// would see in Prometheus, where a chunk never spans a reset.
CounterResetHint StoredHint(const FloatHistogram& current, const FloatHistogram* previous);

// kInvalid where it is none: an unknown schema, indexes or bounds that do not ascend, a negative count.
Result<void> Validate(const FloatHistogram& histogram);

}  // namespace pipewarden::core
