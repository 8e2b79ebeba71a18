// Sums, differences, multiples and means of native histograms, as Prometheus computes them: histograms of different
// resolution meet at the lower one, zero buckets at the wider one, custom buckets at the bounds that both have. Custom
// and exponential buckets do not meet. Pure. Internal to rules/promql.
#pragma once

#include <optional>

#include "core/model/float_histogram.h"

namespace pipewarden::rules::promql {

using core::FloatHistogram;
using core::HistogramPtr;

// What became of adding one histogram to another.
struct HistogramMerge {
  bool possible = true;            // false: one has custom buckets, the other has not; nothing was changed
  bool resets_conflict = false;    // one hint says reset, the other not
  bool bounds_reconciled = false;  // custom bounds differed
};

// The hint of the result: a gauge's wins, then "unknown".
HistogramMerge Add(FloatHistogram& histogram, const FloatHistogram& other);
HistogramMerge Subtract(FloatHistogram& histogram, const FloatHistogram& other);
void Multiply(FloatHistogram& histogram, double factor);
// By zero: no buckets are left, and counts are infinite.
void Divide(FloatHistogram& histogram, double divisor);

// Compensated (Neumaier's) sum of histograms, and what their hints were.
class HistogramSum {
 public:
  // After an addition that was not possible nothing more may be added.
  HistogramMerge Add(const FloatHistogram& histogram);
  bool empty() const { return !sum_; }
  bool overflows() const;
  bool resets_conflict() const { return seen_reset_ && seen_not_reset_; }
  void MultiplyBy(double factor);
  void DivideBy(double divisor);
  FloatHistogram Result() const;

 private:
  std::optional<FloatHistogram> sum_;
  std::optional<FloatHistogram> compensation_;
  bool seen_reset_ = false;
  bool seen_not_reset_ = false;
};

// The mean: directly as long as the sum stays finite, incrementally from there on.
class HistogramMean {
 public:
  HistogramMerge Add(const FloatHistogram& histogram);
  bool empty() const { return sum_.empty(); }
  bool resets_conflict() const { return sum_.resets_conflict(); }
  FloatHistogram Result() const;

 private:
  HistogramSum sum_;
  double count_ = 0;
  bool incremental_ = false;
};

}  // namespace pipewarden::rules::promql
