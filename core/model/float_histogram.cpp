#include "core/model/float_histogram.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <string>
#include <string_view>

namespace pipewarden::core {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

bool SameBits(double a, double b) { return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b); }

bool SameBuckets(const HistogramBuckets& a, const HistogramBuckets& b) {
  return std::ranges::equal(a, b, [](const HistogramBucket& x, const HistogramBucket& y) {
    return x.index == y.index && SameBits(x.count, y.count);
  });
}

// By how many units in the last place 2^(i/256) / 2 is too small in the table of bounds that all of Prometheus uses
// ("u": by one too great). Bounds are compared as text, so ours are the same.
constexpr std::string_view kUnitsBelow =
    "00000010001000000012001111111111001000100111001100110u1100110011"
    "0000001111221021001000100001000000010u00102200110111001010221111"
    "1010112211211011111111212122212200110010112210221122101121221121"
    "1132112122322232222222333344324311211222213311222132112222432233";

// 2^(i/256) / 2: the bounds between two powers of two at the highest resolution; lower ones are every other of them.
const std::array<double, 256>& Fractions() {
  static const std::array<double, 256> fractions = [] {
    std::array<double, 256> all{};
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto exact = static_cast<double>(exp2l(static_cast<long double>(i) / 256.0L) / 2.0L);
      const std::uint64_t below = kUnitsBelow[i] == 'u' ? ~0ULL : static_cast<std::uint64_t>(kUnitsBelow[i] - '0');
      all[i] = std::bit_cast<double>(std::bit_cast<std::uint64_t>(exact) - below);
    }
    return all;
  }();
  return fractions;
}

double ExponentialBound(std::int32_t index, std::int32_t schema) {
  // Ends beyond the range of doubles at either side; the last finite bucket ends at the greatest double.
  if (schema < 0) {
    const auto exponent = static_cast<std::int64_t>(index) * (std::int64_t{1} << static_cast<unsigned>(-schema));
    if (exponent == 1024) return std::numeric_limits<double>::max();
    return std::ldexp(1.0, static_cast<int>(std::clamp<std::int64_t>(exponent, -5000, 5000)));
  }
  const auto shift = static_cast<unsigned>(std::min(schema, FloatHistogram::kMaxSchema));
  const std::int32_t within = index & ((1 << shift) - 1);
  const double fraction = Fractions()[static_cast<std::size_t>(within) << (8U - shift)];
  const int exponent = std::clamp((index >> shift) + 1, -5000, 5000);
  if (fraction == 0.5 && exponent == 1025) return std::numeric_limits<double>::max();
  return std::ldexp(fraction, exponent);
}

// Buckets of a side whose ends lie within `threshold` of zero are left out.
std::span<const HistogramBucket> Beyond(const FloatHistogram& histogram, std::span<const HistogramBucket> side,
                                        double threshold) {
  if (threshold == 0 || histogram.is_custom()) return side;
  std::size_t first = 0;
  while (first < side.size() && histogram.UpperBound(side[first].index) <= threshold) ++first;
  return side.subspan(first);
}

// True where a bucket of `before` is not in `now`, or holds more than there.
bool AnyDecrease(std::span<const HistogramBucket> now, std::span<const HistogramBucket> before) {
  std::size_t at = 0;
  for (const HistogramBucket& bucket : before) {
    while (at < now.size() && now[at].index < bucket.index) ++at;
    if (at < now.size() && now[at].index == bucket.index ? now[at].count < bucket.count : bucket.count != 0)
      return true;
  }
  return false;
}

bool AnySideDecreased(const FloatHistogram& current, const FloatHistogram& previous) {
  const auto decreased = [&](const HistogramBuckets& now, const HistogramBuckets& before) {
    const auto late = Beyond(current, now, current.zero_threshold);
    if (previous.schema == current.schema) return AnyDecrease(late, Beyond(current, before, current.zero_threshold));
    const HistogramBuckets reduced = ReducedBuckets(before, previous.schema, current.schema);
    return AnyDecrease(late, Beyond(current, reduced, current.zero_threshold));
  };
  return decreased(current.positive, previous.positive) || decreased(current.negative, previous.negative);
}

// With bounds that differ: counts are compared up to each bound that both have.
bool DecreasedBetweenBounds(const FloatHistogram& current, const FloatHistogram& previous) {
  struct Side {
    const FloatHistogram& histogram;
    std::size_t next = 0;
    double UpTo(double bound) {
      double total = 0;
      for (; next < histogram.positive.size() && histogram.UpperBound(histogram.positive[next].index) <= bound; ++next)
        total += histogram.positive[next].count;
      return total;
    }
  };
  Side now{current};
  Side before{previous};
  const auto a = current.custom_bounds();
  const auto b = previous.custom_bounds();
  std::size_t i = 0;
  std::size_t j = 0;
  while (i <= a.size() && j <= b.size()) {
    const double bound = i < a.size() ? a[i] : kInfinity;
    const double other = j < b.size() ? b[j] : kInfinity;
    if (bound == other) {
      const double count = now.UpTo(bound);
      if (count < before.UpTo(bound)) return true;
      ++i;
      ++j;
    } else if (bound < other) {
      ++i;
    } else {
      ++j;
    }
  }
  return false;
}

}  // namespace

double FloatHistogram::UpperBound(std::int32_t index) const {
  if (!is_custom()) return ExponentialBound(index, schema);
  const auto all = custom_bounds();
  if (index < 0) return -kInfinity;
  return static_cast<std::size_t>(index) < all.size() ? all[static_cast<std::size_t>(index)] : kInfinity;
}

std::size_t FloatHistogram::MemoryBytes() const {
  return sizeof(FloatHistogram) + (positive.size() + negative.size()) * sizeof(HistogramBucket) +
         custom_bounds().size_bytes();
}

std::vector<BoundedBucket> BucketsOf(const FloatHistogram& histogram) {
  std::vector<BoundedBucket> all;
  all.reserve(histogram.negative.size() + histogram.positive.size() + 1);
  const double threshold = histogram.zero_threshold;
  const auto add = [&](BoundedBucket bucket) {
    if (bucket.upper < 0 && bucket.upper > -threshold)
      bucket.upper = -threshold;
    else if (bucket.lower > 0 && bucket.lower < threshold)
      bucket.lower = threshold;
    all.push_back(bucket);
  };
  for (auto bucket = histogram.negative.rbegin(); bucket != histogram.negative.rend(); ++bucket)
    add({-histogram.UpperBound(bucket->index), -histogram.UpperBound(bucket->index - 1), bucket->count, true, false});
  if (histogram.zero_count > 0) all.push_back({-threshold, threshold, histogram.zero_count, true, true});
  for (const HistogramBucket& bucket : histogram.positive)
    add({histogram.UpperBound(bucket.index - 1), histogram.UpperBound(bucket.index), bucket.count,
         histogram.is_custom() && bucket.index == 0, true});
  return all;
}

bool SameBounds(const FloatHistogram& a, const FloatHistogram& b) {
  return a.bounds == b.bounds || std::ranges::equal(a.custom_bounds(), b.custom_bounds());
}

bool SameHistogram(const FloatHistogram& a, const FloatHistogram& b) {
  return a.schema == b.schema && SameBits(a.count, b.count) && SameBits(a.sum, b.sum) &&
         (!a.is_custom() || SameBounds(a, b)) && a.zero_threshold == b.zero_threshold &&
         SameBits(a.zero_count, b.zero_count) && SameBuckets(a.negative, b.negative) &&
         SameBuckets(a.positive, b.positive);
}

void Compact(FloatHistogram& histogram) {
  const auto empty = [](const HistogramBucket& bucket) { return bucket.count == 0; };
  std::erase_if(histogram.positive, empty);
  std::erase_if(histogram.negative, empty);
}

HistogramBuckets ReducedBuckets(std::span<const HistogramBucket> buckets, std::int32_t from, std::int32_t to) {
  HistogramBuckets reduced;
  for (const HistogramBucket& bucket : buckets) {
    const std::int32_t index = ((bucket.index - 1) >> (from - to)) + 1;
    if (!reduced.empty() && reduced.back().index == index)
      reduced.back().count += bucket.count;
    else
      reduced.push_back({index, bucket.count});
  }
  return reduced;
}

void ReduceResolution(FloatHistogram& histogram, std::int32_t schema) {
  if (schema == histogram.schema) return;
  histogram.positive = ReducedBuckets(histogram.positive, histogram.schema, schema);
  histogram.negative = ReducedBuckets(histogram.negative, histogram.schema, schema);
  histogram.schema = schema;
}

double ZeroCountWithin(const FloatHistogram& histogram, double& threshold) {
  if (threshold == histogram.zero_threshold) return histogram.zero_count;
  for (;;) {
    double total = histogram.zero_count;
    const double asked = threshold;
    for (const HistogramBuckets* side : {&histogram.positive, &histogram.negative})
      for (const HistogramBucket& bucket : *side) {
        if (histogram.UpperBound(bucket.index - 1) >= threshold) break;
        total += bucket.count;
        const double end = histogram.UpperBound(bucket.index);
        if (end <= threshold) continue;
        // The threshold cuts this bucket.
        if (bucket.count != 0) threshold = end;
        break;
      }
    // Moved out on the negative side: more positive buckets may lie within now.
    if (threshold == asked) return total;
  }
}

bool IsReset(const FloatHistogram& current, const FloatHistogram& previous) {
  if (current.hint == CounterResetHint::kReset) return true;
  if (current.hint == CounterResetHint::kNotReset) return false;
  if (current.count < previous.count) return true;
  if (current.is_custom()) {
    if (!previous.is_custom()) return true;
    if (!SameBounds(current, previous)) return DecreasedBetweenBounds(current, previous);
  }
  if (current.schema > previous.schema || current.zero_threshold < previous.zero_threshold) return true;
  double threshold = current.zero_threshold;
  const double zero_before = ZeroCountWithin(previous, threshold);
  if (threshold != current.zero_threshold || current.zero_count < zero_before) return true;
  return AnySideDecreased(current, previous);
}

CounterResetHint StoredHint(const FloatHistogram& current, const FloatHistogram* previous) {
  if (current.hint == CounterResetHint::kGauge) return CounterResetHint::kGauge;
  const bool goes_on =
      previous != nullptr && previous->hint != CounterResetHint::kGauge && current.hint != CounterResetHint::kReset &&
      !(current.count < previous->count) && current.schema == previous->schema &&
      current.zero_threshold == previous->zero_threshold && !(current.zero_count < previous->zero_count) &&
      (!current.is_custom() || SameBounds(current, *previous)) && !AnyDecrease(current.positive, previous->positive) &&
      !AnyDecrease(current.negative, previous->negative);
  return goes_on ? CounterResetHint::kNotReset : CounterResetHint::kUnknown;
}

Result<void> Validate(const FloatHistogram& histogram) {
  const auto bad = [](std::string_view why) { return Fail(ErrorCode::kInvalid, "bad histogram: " + std::string(why)); };
  const bool custom = histogram.is_custom();
  if (!custom && (histogram.schema < FloatHistogram::kMinSchema || histogram.schema > FloatHistogram::kMaxSchema))
    return bad("schema " + std::to_string(histogram.schema) + " is not known");
  for (const HistogramBuckets* side : {&histogram.positive, &histogram.negative}) {
    if (!std::ranges::is_sorted(*side, std::less_equal<>(), &HistogramBucket::index))
      return bad("its buckets do not ascend");
    if (std::ranges::any_of(*side, [](const HistogramBucket& bucket) { return bucket.count < 0; }))
      return bad("a bucket has a negative count");
  }
  if (histogram.count < 0 || histogram.zero_count < 0) return bad("it has a negative count");
  if (!custom) return histogram.bounds == nullptr ? Result<void>() : bad("only the custom schema has bounds");
  if (histogram.zero_count != 0 || histogram.zero_threshold != 0 || !histogram.negative.empty())
    return bad("the custom schema has neither a zero bucket nor negative ones");
  const auto bounds = histogram.custom_bounds();
  if (!std::ranges::is_sorted(bounds, [](double a, double b) { return !(a > b); }) ||
      std::ranges::any_of(bounds, [](double bound) { return !(bound < kInfinity); }))
    return bad("its bounds do not ascend, or are not numbers");
  if (!histogram.positive.empty() && (histogram.positive.front().index < 0 ||
                                      static_cast<std::size_t>(histogram.positive.back().index) > bounds.size()))
    return bad("a bucket lies beyond its bounds");
  return {};
}

}  // namespace pipewarden::core
