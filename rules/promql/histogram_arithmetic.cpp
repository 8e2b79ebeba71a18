#include "rules/promql/histogram_arithmetic.h"

#include <algorithm>
#include <cmath>

namespace pipewarden::rules::promql {
namespace {

using core::CounterResetHint;
using core::HistogramBounds;
using core::HistogramBucket;
using core::HistogramBuckets;

// Neumaier's addition; without a place for the compensation a plain one.
void AddTo(double& sum, double* compensation, double value) {
  if (compensation == nullptr) {
    sum += value;
    return;
  }
  const double total = sum + value;
  if (std::isinf(total))
    *compensation = 0;
  else if (std::fabs(sum) >= std::fabs(value))
    *compensation += (sum - total) + value;
  else
    *compensation += (value - total) + sum;
  sum = total;
}

// A side's counts, and their compensations in the same buckets where there are some.
struct Side {
  HistogramBuckets& counts;
  HistogramBuckets* compensations;

  double* compensation(std::size_t at) const {
    return compensations != nullptr ? &(*compensations)[at].count : nullptr;
  }
};

bool SameLayout(std::span<const HistogramBucket> a, std::span<const HistogramBucket> b) {
  return std::ranges::equal(a, b, {}, &HistogramBucket::index, &HistogramBucket::index);
}

void AddBuckets(Side side, std::span<const HistogramBucket> other, double sign) {
  if (SameLayout(side.counts, other)) {
    for (std::size_t i = 0; i < other.size(); ++i)
      AddTo(side.counts[i].count, side.compensation(i), sign * other[i].count);
    return;
  }
  HistogramBuckets counts;
  HistogramBuckets compensations;
  counts.reserve(side.counts.size() + other.size());
  std::size_t mine = 0;
  std::size_t theirs = 0;
  while (mine < side.counts.size() || theirs < other.size()) {
    const bool take_mine =
        theirs == other.size() || (mine < side.counts.size() && side.counts[mine].index <= other[theirs].index);
    const bool take_theirs =
        mine == side.counts.size() || (theirs < other.size() && other[theirs].index <= side.counts[mine].index);
    HistogramBucket bucket = take_mine ? side.counts[mine] : HistogramBucket{other[theirs].index, 0};
    HistogramBucket compensation{bucket.index, 0};
    if (take_mine && side.compensations != nullptr) compensation.count = (*side.compensations)[mine].count;
    if (take_theirs)
      AddTo(bucket.count, side.compensations != nullptr ? &compensation.count : nullptr, sign * other[theirs].count);
    counts.push_back(bucket);
    if (side.compensations != nullptr) compensations.push_back(compensation);
    mine += take_mine ? 1 : 0;
    theirs += take_theirs ? 1 : 0;
  }
  side.counts = std::move(counts);
  if (side.compensations != nullptr) *side.compensations = std::move(compensations);
}

void Reduce(Side side, std::int32_t from, std::int32_t to) {
  HistogramBuckets counts;
  HistogramBuckets compensations;
  for (std::size_t i = 0; i < side.counts.size(); ++i) {
    const std::int32_t index = ((side.counts[i].index - 1) >> (from - to)) + 1;
    const double rest = side.compensations != nullptr ? (*side.compensations)[i].count : 0;
    if (counts.empty() || counts.back().index != index) {
      counts.push_back({index, side.counts[i].count});
      if (side.compensations != nullptr) compensations.push_back({index, rest});
      continue;
    }
    double* compensation = side.compensations != nullptr ? &compensations.back().count : nullptr;
    AddTo(counts.back().count, compensation, side.counts[i].count);
    if (side.compensations != nullptr) AddTo(counts.back().count, compensation, rest);
  }
  side.counts = std::move(counts);
  if (side.compensations != nullptr) *side.compensations = std::move(compensations);
}

// The buckets put together between fewer bounds; bounds has all of `kept`.
void MapTo(const std::vector<double>& kept, const HistogramBuckets& buckets, std::span<const double> bounds,
           double sign, Side target) {
  std::size_t at = 0;
  for (const HistogramBucket& bucket : buckets) {
    if (static_cast<std::size_t>(bucket.index) < bounds.size())
      while (at < kept.size() && kept[at] < bounds[static_cast<std::size_t>(bucket.index)]) ++at;
    else
      at = kept.size();
    AddTo(target.counts[at].count, target.compensation(at), sign * bucket.count);
  }
}

void AddBetweenCommonBounds(FloatHistogram& sum, FloatHistogram* compensation, const FloatHistogram& other,
                            double sign) {
  std::vector<double> kept;
  std::ranges::set_intersection(sum.custom_bounds(), other.custom_bounds(), std::back_inserter(kept));
  HistogramBuckets counts(kept.size() + 1);
  for (std::size_t i = 0; i < counts.size(); ++i) counts[i].index = static_cast<std::int32_t>(i);
  HistogramBuckets rests = counts;
  const Side target{counts, &rests};
  MapTo(kept, sum.positive, sum.custom_bounds(), 1, target);
  if (compensation != nullptr) MapTo(kept, compensation->positive, sum.custom_bounds(), 1, target);
  MapTo(kept, other.positive, other.custom_bounds(), sign, target);
  sum.positive.clear();
  if (compensation != nullptr) compensation->positive.clear();
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i].count == 0 && rests[i].count == 0) continue;
    sum.positive.push_back(counts[i]);
    if (compensation != nullptr) compensation->positive.push_back(rests[i]);
  }
  sum.bounds = kept.empty() ? nullptr : std::make_shared<const std::vector<double>>(std::move(kept));
}

// What lies within the zero bucket is in its count already.
void RemoveZeroed(const FloatHistogram& histogram, Side side) {
  std::size_t inside = 0;
  while (inside < side.counts.size() && histogram.UpperBound(side.counts[inside].index - 1) < histogram.zero_threshold)
    ++inside;
  side.counts.erase(side.counts.begin(), side.counts.begin() + static_cast<std::ptrdiff_t>(inside));
  if (side.compensations != nullptr)
    side.compensations->erase(side.compensations->begin(),
                              side.compensations->begin() + static_cast<std::ptrdiff_t>(inside));
}

// Widens the zero bucket to at least `threshold`; the compensations of what falls into it go into its count.
void WidenZero(FloatHistogram& sum, FloatHistogram* compensation, double& threshold) {
  const double count = core::ZeroCountWithin(sum, threshold);
  if (compensation != nullptr) {
    for (const HistogramBuckets* side : {&compensation->positive, &compensation->negative})
      for (const HistogramBucket& bucket : *side)
        if (sum.UpperBound(bucket.index - 1) < threshold) compensation->zero_count += bucket.count;
    compensation->zero_threshold = threshold;
  }
  sum.zero_count = count;
  sum.zero_threshold = threshold;
  RemoveZeroed(sum, {sum.positive, compensation != nullptr ? &compensation->positive : nullptr});
  RemoveZeroed(sum, {sum.negative, compensation != nullptr ? &compensation->negative : nullptr});
}

// The zero bucket becomes one that cuts no bucket of either; returns what it holds of `other`.
double ReconcileZero(FloatHistogram& sum, FloatHistogram* compensation, const FloatHistogram& other) {
  double count = other.zero_count;
  double threshold = other.zero_threshold;
  while (threshold != sum.zero_threshold) {
    if (sum.zero_threshold > threshold) {
      threshold = sum.zero_threshold;
      count = core::ZeroCountWithin(other, threshold);
    }
    if (threshold > sum.zero_threshold) WidenZero(sum, compensation, threshold);
  }
  return count;
}

// True where the hints contradict each other.
bool MergeHints(FloatHistogram& sum, const FloatHistogram& other) {
  if (sum.hint == other.hint || sum.hint == CounterResetHint::kGauge) return false;
  if (other.hint == CounterResetHint::kGauge) {
    sum.hint = CounterResetHint::kGauge;
    return false;
  }
  const bool conflict = sum.hint != CounterResetHint::kUnknown && other.hint != CounterResetHint::kUnknown;
  sum.hint = CounterResetHint::kUnknown;
  return conflict;
}

void AddSides(FloatHistogram& sum, FloatHistogram* compensation, const FloatHistogram& other, double sign) {
  const auto side = [&](HistogramBuckets FloatHistogram::* which) {
    return Side{sum.*which, compensation != nullptr ? &(compensation->*which) : nullptr};
  };
  for (HistogramBuckets FloatHistogram::* which : {&FloatHistogram::positive, &FloatHistogram::negative}) {
    if (other.schema < sum.schema) Reduce(side(which), sum.schema, other.schema);
    HistogramBuckets reduced;
    std::span<const HistogramBucket> theirs = other.*which;
    if (other.schema > sum.schema) {
      reduced = core::ReducedBuckets(theirs, other.schema, sum.schema);
      theirs = reduced;
    }
    FloatHistogram layout;
    layout.schema = std::min(sum.schema, other.schema);
    while (!theirs.empty() && !sum.is_custom() && sum.zero_threshold > 0 &&
           layout.UpperBound(theirs.front().index) <= sum.zero_threshold)
      theirs = theirs.subspan(1);
    AddBuckets(side(which), theirs, sign);
  }
  sum.schema = std::min(sum.schema, other.schema);
}

HistogramMerge Accumulate(FloatHistogram& sum, FloatHistogram* compensation, const FloatHistogram& other, double sign) {
  HistogramMerge merge;
  if (sum.is_custom() != other.is_custom()) return {.possible = false};
  merge.resets_conflict = MergeHints(sum, other);
  const auto rest = [&](double FloatHistogram::* which) {
    return compensation != nullptr ? &(compensation->*which) : nullptr;
  };
  if (!sum.is_custom()) {
    const double zero = ReconcileZero(sum, compensation, other);
    AddTo(sum.zero_count, rest(&FloatHistogram::zero_count), sign * zero);
  }
  AddTo(sum.count, rest(&FloatHistogram::count), sign * other.count);
  AddTo(sum.sum, rest(&FloatHistogram::sum), sign * other.sum);
  merge.bounds_reconciled = sum.is_custom() && !core::SameBounds(sum, other);
  if (merge.bounds_reconciled)
    AddBetweenCommonBounds(sum, compensation, other, sign);
  else
    AddSides(sum, compensation, other, sign);
  if (compensation != nullptr) {
    compensation->schema = sum.schema;
    compensation->zero_threshold = sum.zero_threshold;
    compensation->bounds = sum.bounds;
  }
  return merge;
}

// Zero in every bucket of the histogram.
FloatHistogram CompensationOf(const FloatHistogram& histogram) {
  FloatHistogram zero = histogram;
  zero.count = zero.sum = zero.zero_count = 0;
  for (HistogramBuckets* side : {&zero.positive, &zero.negative})
    for (HistogramBucket& bucket : *side) bucket.count = 0;
  return zero;
}

bool AnyInfinite(const FloatHistogram& histogram) {
  const auto infinite = [](const HistogramBucket& bucket) { return std::isinf(bucket.count); };
  return std::isinf(histogram.zero_count) || std::isinf(histogram.count) || std::isinf(histogram.sum) ||
         std::ranges::any_of(histogram.positive, infinite) || std::ranges::any_of(histogram.negative, infinite);
}

template <class Operation>
void OnAll(FloatHistogram& histogram, Operation operation) {
  for (double* value : {&histogram.zero_count, &histogram.count, &histogram.sum}) *value = operation(*value);
  for (HistogramBuckets* side : {&histogram.positive, &histogram.negative})
    for (HistogramBucket& bucket : *side) bucket.count = operation(bucket.count);
}

}  // namespace

HistogramMerge Add(FloatHistogram& histogram, const FloatHistogram& other) {
  return Accumulate(histogram, nullptr, other, 1);
}

HistogramMerge Subtract(FloatHistogram& histogram, const FloatHistogram& other) {
  return Accumulate(histogram, nullptr, other, -1);
}

void Multiply(FloatHistogram& histogram, double factor) {
  OnAll(histogram, [factor](double value) { return value * factor; });
  if (factor < 0) histogram.hint = CounterResetHint::kGauge;
}

void Divide(FloatHistogram& histogram, double divisor) {
  if (divisor == 0) {
    histogram.positive.clear();
    histogram.negative.clear();
  }
  OnAll(histogram, [divisor](double value) { return value / divisor; });
  if (divisor < 0) histogram.hint = CounterResetHint::kGauge;
}

HistogramMerge HistogramSum::Add(const FloatHistogram& histogram) {
  seen_reset_ |= histogram.hint == CounterResetHint::kReset;
  seen_not_reset_ |= histogram.hint == CounterResetHint::kNotReset;
  if (!sum_) {
    sum_ = histogram;
    return {};
  }
  if (!compensation_) compensation_ = CompensationOf(*sum_);
  return Accumulate(*sum_, &*compensation_, histogram, 1);
}

bool HistogramSum::overflows() const { return AnyInfinite(*sum_); }

void HistogramSum::MultiplyBy(double factor) {
  Multiply(*sum_, factor);
  if (compensation_) Multiply(*compensation_, factor);
}

void HistogramSum::DivideBy(double divisor) {
  Divide(*sum_, divisor);
  if (compensation_) Divide(*compensation_, divisor);
}

FloatHistogram HistogramSum::Result() const {
  FloatHistogram result = *sum_;
  if (compensation_) {
    FloatHistogram rest = *compensation_;
    rest.hint = result.hint;
    promql::Add(result, rest);
  }
  return result;
}

HistogramMerge HistogramMean::Add(const FloatHistogram& histogram) {
  count_ += 1;
  if (count_ == 1) return sum_.Add(histogram);
  if (!incremental_) {
    HistogramSum next = sum_;
    const HistogramMerge merge = next.Add(histogram);
    if (!merge.possible || !next.overflows()) {
      sum_ = std::move(next);
      return merge;
    }
    incremental_ = true;
    sum_.DivideBy(count_ - 1);
  }
  sum_.MultiplyBy((count_ - 1) / count_);
  FloatHistogram part = histogram;
  Divide(part, count_);
  return sum_.Add(part);
}

FloatHistogram HistogramMean::Result() const {
  if (incremental_) return sum_.Result();
  HistogramSum mean = sum_;
  mean.DivideBy(count_);
  return mean.Result();
}

}  // namespace pipewarden::rules::promql
