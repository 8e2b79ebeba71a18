#include "rules/promql/histogram_estimates.h"

#include <cmath>

#include "core/model/sample.h"
#include "core/text/go_float.h"

namespace pipewarden::rules::promql {
namespace {

using core::BoundedBucket;
using core::CounterResetHint;
using core::HistogramBucket;
using core::HistogramBuckets;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

BoundedBucket Positive(const FloatHistogram& histogram, const HistogramBucket& bucket) {
  return {histogram.UpperBound(bucket.index - 1), histogram.UpperBound(bucket.index), bucket.count};
}
BoundedBucket Negative(const FloatHistogram& histogram, const HistogramBucket& bucket) {
  return {-histogram.UpperBound(bucket.index), -histogram.UpperBound(bucket.index - 1), bucket.count};
}

bool HasSpan(double lower, double upper) { return lower <= 0 && upper >= 0; }

// The zero bucket has no observations on a side where there are no buckets.
void NarrowZero(const FloatHistogram& histogram, double& lower, double& upper) {
  if (histogram.negative.empty() && !histogram.positive.empty()) lower = 0;
  if (histogram.positive.empty() && !histogram.negative.empty()) upper = 0;
}

// The share of a bucket with finite bounds that lies below a value within it.
double ShareBelow(const BoundedBucket& bucket, double value, bool linear) {
  if (linear) return (value - bucket.lower) / (bucket.upper - bucket.lower);
  const double lower = std::log2(std::fabs(bucket.lower));
  const double upper = std::log2(std::fabs(bucket.upper));
  const double at = std::log2(std::fabs(value));
  return value > 0 ? (at - lower) / (upper - lower) : 1 - (at - upper) / (lower - upper);
}

double Interpolated(const BoundedBucket& bucket, double share, bool linear) {
  if (linear) return bucket.lower + (bucket.upper - bucket.lower) * share;
  const double lower = std::log2(std::fabs(bucket.lower));
  const double upper = std::log2(std::fabs(bucket.upper));
  if (bucket.lower > 0) return std::exp2(lower + (upper - lower) * share);
  return -std::exp2(upper + (lower - upper) * (1 - share));
}

// What is kept of a bucket, and where the middle of that is.
struct Kept {
  double count = 0;
  double middle = 0;
};

double Middle(double lower, double upper, bool positive, bool linear) {
  if (std::isinf(lower)) {
    if (std::isinf(upper)) return 0;
    return upper > 0 ? upper / 2 : upper;
  }
  if (std::isinf(upper)) return lower;
  if (linear) return (lower + upper) / 2;
  const double mean = std::sqrt(std::fabs(lower * upper));
  return positive ? mean : -mean;
}

// A bucket without an end, cut by the bound: nothing is known of where its observations lie. Only a custom one from
// -Inf to above zero is taken to start at zero.
Kept TrimEndless(const BoundedBucket& bucket, double bound, bool above) {
  const auto finite = [](double value) { return std::isinf(value) ? 0 : value; };
  if (bucket.lower == -kInfinity) {
    if (above) {
      if (bound >= bucket.upper) return {bucket.count, 0};
      if (bound > 0 && bucket.upper > 0 && bucket.upper != kInfinity)
        return {bucket.count * bound / bucket.upper, bound / 2};
      if (bucket.upper <= 0) return {bucket.count, bound};
      return {0, finite(bucket.upper)};
    }
    if (bound <= bucket.lower) return {bucket.count, 0};
    if (bound >= 0 && bucket.upper > bound && bucket.upper != kInfinity)
      return {bucket.count * (1 - bound / bucket.upper), (bound + bucket.upper) / 2};
    return {0, finite(bucket.upper)};
  }
  if (!above && bound >= bucket.lower) return {bucket.count, bound};
  return {0, finite(bucket.lower)};
}

Kept TrimBucket(const BoundedBucket& bucket, double bound, bool above, bool positive, bool linear) {
  const bool all = above ? bucket.upper <= bound : bucket.lower >= bound;
  if (all) return {bucket.count, Middle(bucket.lower, bucket.upper, positive, linear)};
  const bool cut = above ? bucket.lower < bound : bucket.upper > bound;
  if (!cut) return {};
  if (bucket.lower == -kInfinity || bucket.upper == kInfinity) return TrimEndless(bucket, bound, above);
  const double below = bound <= bucket.lower   ? 0
                       : bound >= bucket.upper ? bucket.count
                                               : bucket.count * ShareBelow(bucket, bound, linear);
  if (above) return {below, Middle(bucket.lower, bound, positive, linear)};
  return {bucket.count - below, Middle(bound, bucket.upper, positive, linear)};
}

Kept TrimZero(BoundedBucket bucket, double bound, bool above) {
  const double middle = (bucket.lower + bucket.upper) / 2;
  if (bound <= bucket.lower) return above ? Kept{} : Kept{bucket.count, middle};
  if (bound >= bucket.upper) return above ? Kept{bucket.count, middle} : Kept{};
  const double width = bucket.upper - bucket.lower;
  if (above) return {bucket.count * ((bound - bucket.lower) / width), (bucket.lower + bound) / 2};
  return {bucket.count * ((bucket.upper - bound) / width), (bound + bucket.upper) / 2};
}

void Trim(FloatHistogram& histogram, double bound, bool above) {
  Kept total;
  bool changed = false;
  const auto keep = [&](double& count, const Kept& kept) {
    total.count += kept.count;
    total.middle += kept.middle * kept.count;
    changed |= count != kept.count;
    count = kept.count;
  };
  bool any_positive = false;
  bool any_negative = false;
  for (HistogramBucket& bucket : histogram.positive) {
    if (bucket.count == 0) continue;
    any_positive = true;
    keep(bucket.count, TrimBucket(Positive(histogram, bucket), bound, above, true, histogram.is_custom()));
  }
  for (HistogramBucket& bucket : histogram.negative) {
    if (bucket.count == 0) continue;
    any_negative = true;
    keep(bucket.count, TrimBucket(Negative(histogram, bucket), bound, above, false, histogram.is_custom()));
  }
  if (histogram.zero_count > 0) {
    BoundedBucket zero{-histogram.zero_threshold, histogram.zero_threshold, histogram.zero_count};
    if (any_negative && !any_positive) zero.upper = 0;
    if (any_positive && !any_negative) zero.lower = 0;
    keep(histogram.zero_count, TrimZero(zero, bound, above));
  }
  if (!changed) return;
  histogram.count = total.count;
  histogram.sum = total.middle;
  core::Compact(histogram);
}

}  // namespace

double QuantileOf(double q, const FloatHistogram& histogram, NaNEffect& effect) {
  if (q < 0) return -kInfinity;
  if (q > 1) return kInfinity;
  if (histogram.count == 0 || std::isnan(q)) return core::NormalNaN();
  const std::vector<BoundedBucket> all = core::BucketsOf(histogram);
  const bool with_nan = std::isnan(histogram.sum);
  // From the nearer end; NaN observations are taken to lie above all others.
  const bool upwards = with_nan || q < 0.5;
  double rank = (upwards ? q : 1 - q) * histogram.count;
  double count = 0;
  BoundedBucket bucket;
  std::size_t seen = 0;
  while (seen < all.size()) {
    bucket = all[upwards ? seen : all.size() - 1 - seen];
    ++seen;
    if (bucket.count == 0) continue;
    count += bucket.count;
    if (count >= rank) break;
  }
  if (!histogram.is_custom() && bucket.lower < 0 && bucket.upper > 0) {
    NarrowZero(histogram, bucket.lower, bucket.upper);
  } else if (histogram.is_custom()) {
    if (bucket.lower == -kInfinity) {
      if (bucket.upper <= 0) return bucket.upper;
      bucket.lower = 0;
    } else if (bucket.upper == kInfinity) {
      return bucket.lower;
    }
  }
  count = count > histogram.count ? histogram.count : count;
  if (count < rank) {
    if (!with_nan) return bucket.upper;
    effect = NaNEffect::kResultIsNaN;
    return core::NormalNaN();
  }
  rank = upwards ? rank - (count - bucket.count) : count - rank;
  if (with_nan) {
    // Prometheus counts on with the same variable, and then takes the last bucket for the one it had found.
    for (; seen < all.size(); ++seen) {
      bucket = all[seen];
      count += bucket.count;
    }
    if (count < histogram.count) effect = NaNEffect::kSkewed;
  }
  const bool linear = histogram.is_custom() || HasSpan(bucket.lower, bucket.upper);
  return Interpolated(bucket, rank / bucket.count, linear);
}

double FractionBetween(double lower, double upper, const FloatHistogram& histogram, NaNEffect& effect) {
  if (histogram.count == 0 || std::isnan(lower) || std::isnan(upper)) return core::NormalNaN();
  if (lower >= upper) return 0;
  const std::vector<BoundedBucket> all = core::BucketsOf(histogram);
  // The number of observations below a bound; above the last bucket, all.
  const auto rank_of = [&](double bound, double highest) {
    double rank = 0;
    for (BoundedBucket bucket : all) {
      bool linear = histogram.is_custom();
      if (HasSpan(bucket.lower, bucket.upper)) {
        NarrowZero(histogram, bucket.lower, bucket.upper);
        linear = true;
      }
      if (bucket.lower >= bound) return std::min(rank, highest);
      if (bucket.upper > bound) {
        // Nothing is known of where in a bucket without a lower end the observations lie.
        if (linear && bucket.lower == -kInfinity) return std::min(bucket.count, highest);
        return std::min(rank + bucket.count * ShareBelow(bucket, bound, linear), highest);
      }
      rank += bucket.count;
    }
    return highest;
  };
  double counted = histogram.count;
  if (std::isnan(histogram.sum)) {
    counted = 0;
    for (const BoundedBucket& bucket : all) counted += bucket.count;
    if (counted < histogram.count) effect = NaNEffect::kExcluded;
  }
  return (rank_of(upper, counted) - rank_of(lower, counted)) / histogram.count;
}

double HistogramVariance(const FloatHistogram& histogram) {
  const double mean = histogram.sum / histogram.count;
  double variance = 0;
  double compensation = 0;
  for (const BoundedBucket& bucket : core::BucketsOf(histogram)) {
    if (bucket.count == 0) continue;
    double middle = 0;
    if (histogram.is_custom()) {
      middle = (bucket.upper + bucket.lower) / 2;
    } else if (!HasSpan(bucket.lower, bucket.upper)) {
      middle = std::sqrt(bucket.upper * bucket.lower);
      if (bucket.upper < 0) middle = -middle;
    }
    const double delta = middle - mean;
    const double value = bucket.count * delta * delta;
    const double total = variance + value;
    if (std::isinf(total))
      compensation = 0;
    else if (std::fabs(variance) >= std::fabs(value))
      compensation += (variance - total) + value;
    else
      compensation += (value - total) + variance;
    variance = total;
  }
  return (variance + compensation) / histogram.count;
}

void TrimAbove(FloatHistogram& histogram, double bound) { Trim(histogram, bound, true); }
void TrimBelow(FloatHistogram& histogram, double bound) { Trim(histogram, bound, false); }

std::string HistogramText(const FloatHistogram& histogram) {
  std::string out = "{count:" + core::FormatGoFloat(histogram.count, 'g', -1) +
                    ", sum:" + core::FormatGoFloat(histogram.sum, 'g', -1);
  const auto add = [&](const BoundedBucket& bucket, bool lower_inclusive, bool upper_inclusive) {
    if (bucket.count == 0) return;
    out += std::string(", ") + (lower_inclusive ? '[' : '(') + core::FormatGoFloat(bucket.lower, 'g', -1) + "," +
           core::FormatGoFloat(bucket.upper, 'g', -1) + (upper_inclusive ? ']' : ')') + ":" +
           core::FormatGoFloat(bucket.count, 'g', -1);
  };
  for (auto bucket = histogram.negative.rbegin(); bucket != histogram.negative.rend(); ++bucket)
    add(Negative(histogram, *bucket), true, false);
  if (!histogram.is_custom())
    add({-histogram.zero_threshold, histogram.zero_threshold, histogram.zero_count}, true, true);
  for (const HistogramBucket& bucket : histogram.positive)
    add(Positive(histogram, bucket), histogram.is_custom() && bucket.index == 0, true);
  return out + "}";
}

std::string HistogramScriptText(const FloatHistogram& histogram) {
  std::string out;
  const auto field = [&](std::string_view name, const std::string& value) {
    if (!out.empty()) out += ' ';
    out += std::string(name) + ":" + value;
  };
  const auto number = [&](std::string_view name, double value) {
    if (value != 0) field(name, core::FormatGoFloat(value, 'g', -1));
  };
  if (histogram.schema != 0) field("schema", std::to_string(histogram.schema));
  number("count", histogram.count);
  number("sum", histogram.sum);
  number("z_bucket", histogram.zero_count);
  number("z_bucket_w", histogram.zero_threshold);
  if (histogram.is_custom()) {
    std::string list;
    for (const double bound : histogram.custom_bounds())
      list += (list.empty() ? "" : " ") + core::FormatGoFloat(bound, 'g', -1);
    field("custom_values", "[" + list + "]");
  }
  static constexpr std::string_view kHints[] = {"", "reset", "not_reset", "gauge"};
  if (histogram.hint != CounterResetHint::kUnknown)
    field("counter_reset_hint", std::string(kHints[static_cast<std::size_t>(histogram.hint)]));
  const auto side = [&](std::string_view offset, std::string_view name, const HistogramBuckets& buckets) {
    std::string list;
    std::int32_t next = 0;
    bool any = false;
    for (const HistogramBucket& bucket : buckets) {
      if (bucket.count == 0) continue;
      if (!any && bucket.index != 0) field(offset, std::to_string(bucket.index));
      for (; any && next < bucket.index && list.size() < 10'000; ++next) list += " 0";
      list += (list.empty() ? "" : " ") + core::FormatGoFloat(bucket.count, 'g', -1);
      next = bucket.index + 1;
      any = true;
    }
    if (any) field(name, "[" + list + "]");
  };
  side("offset", "buckets", histogram.positive);
  side("n_offset", "n_buckets", histogram.negative);
  return "{{" + out + "}}";
}

}  // namespace pipewarden::rules::promql
