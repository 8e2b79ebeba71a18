#include "rules/promql/classic_histogram.h"

#include <algorithm>
#include <cmath>

namespace pipewarden::rules::promql {
namespace {

constexpr double kSmallDelta = 1e-12;

// Sorts and puts equal bounds together. False where the highest is not +Inf.
bool Prepare(ClassicBuckets& buckets) {
  std::ranges::sort(buckets, {}, &ClassicBucket::upper);
  if (buckets.empty() || buckets.back().upper != std::numeric_limits<double>::infinity()) return false;
  std::size_t last = 0;
  for (std::size_t i = 1; i < buckets.size(); ++i) {
    if (buckets[i].upper == buckets[last].upper)
      buckets[last].count += buckets[i].count;
    else
      buckets[++last] = buckets[i];
  }
  buckets.resize(last + 1);
  return true;
}

bool AlmostEqual(double a, double b) {
  if (a == b || (std::isnan(a) && std::isnan(b))) return true;
  constexpr double kMinNormal = std::numeric_limits<double>::min();
  const double sum = std::fabs(a) + std::fabs(b);
  const double difference = std::fabs(a - b);
  if (a == 0 || b == 0 || sum < kMinNormal) return difference < kSmallDelta * kMinNormal;
  return difference / std::min(sum, std::numeric_limits<double>::max()) < kSmallDelta;
}

ForcedMonotonicity MakeMonotonic(ClassicBuckets& buckets) {
  ForcedMonotonicity forced;
  double previous = buckets[0].count;
  for (std::size_t i = 1; i < buckets.size(); ++i) {
    const double count = buckets[i].count;
    if (count == previous) continue;
    if (AlmostEqual(previous, count)) {
      buckets[i].count = previous;
    } else if (count < previous) {
      buckets[i].count = previous;
      forced.count = 1;
      forced.lowest = std::min(forced.lowest, buckets[i].upper);
      forced.highest = std::max(forced.highest, buckets[i].upper);
      forced.greatest_difference = std::max(forced.greatest_difference, previous - count);
    } else {
      previous = count;
    }
  }
  return forced;
}

}  // namespace

void ForcedMonotonicity::Add(const ForcedMonotonicity& other, core::TimestampMs time) {
  count += other.count;
  lowest = std::min(lowest, other.lowest);
  highest = std::max(highest, other.highest);
  greatest_difference = std::max(greatest_difference, other.greatest_difference);
  first = std::min(first, time);
  last = std::max(last, time);
}

double QuantileOf(double q, ClassicBuckets& buckets, ForcedMonotonicity& forced) {
  if (std::isnan(q)) return core::NormalNaN();
  if (q < 0) return -std::numeric_limits<double>::infinity();
  if (q > 1) return std::numeric_limits<double>::infinity();
  if (!Prepare(buckets)) return core::NormalNaN();
  forced = MakeMonotonic(buckets);
  if (buckets.size() < 2) return core::NormalNaN();
  const double observations = buckets.back().count;
  if (observations == 0) return core::NormalNaN();
  double rank = q * observations;
  std::size_t b = 0;
  while (b < buckets.size() - 1 && !(buckets[b].count >= rank)) ++b;
  if (b == buckets.size() - 1) return buckets[buckets.size() - 2].upper;
  if (b == 0 && buckets[0].upper <= 0) return buckets[0].upper;
  double start = 0;
  double count = buckets[b].count;
  if (b > 0) {
    start = buckets[b - 1].upper;
    count -= buckets[b - 1].count;
    rank -= buckets[b - 1].count;
  }
  return start + (buckets[b].upper - start) * (rank / count);
}

double FractionBetween(double lower, double upper, ClassicBuckets& buckets) {
  if (!Prepare(buckets)) return core::NormalNaN();
  const double count = buckets.back().count;
  if (count == 0 || std::isnan(lower) || std::isnan(upper)) return core::NormalNaN();
  if (lower >= upper) return 0;
  const auto rank_of = [&](double bound) {
    double rank = 0;
    // The first bucket begins at zero, or where its bound is not above that, at no end.
    double begin = buckets[0].upper <= 0 ? -std::numeric_limits<double>::infinity() : 0;
    for (const ClassicBucket& bucket : buckets) {
      if (begin >= bound) return rank;
      if (bucket.upper > bound) {
        if (std::isinf(begin)) return bucket.count;
        return rank + (bucket.count - rank) * (bound - begin) / (bucket.upper - begin);
      }
      rank = bucket.count;
      begin = bucket.upper;
    }
    return count;
  };
  const double low_rank = std::min(rank_of(lower), count);
  const double high_rank = std::min(rank_of(upper), count);
  return (high_rank - low_rank) / count;
}

}  // namespace pipewarden::rules::promql
