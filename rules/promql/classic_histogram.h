// Classic histograms: quantiles and fractions from cumulative buckets with upper bounds. Pure. Internal to
// rules/promql.
#pragma once

#include <limits>
#include <vector>

#include "core/model/sample.h"

namespace pipewarden::rules::promql {

struct ClassicBucket {
  double upper = 0;
  double count = 0;
};
using ClassicBuckets = std::vector<ClassicBucket>;

// What had to be raised so that counts ascend, at one step or at all.
struct ForcedMonotonicity {
  std::size_t count = 0;
  double lowest = std::numeric_limits<double>::infinity();
  double highest = -std::numeric_limits<double>::infinity();
  double greatest_difference = 0;
  core::TimestampMs first = std::numeric_limits<core::TimestampMs>::max();
  core::TimestampMs last = std::numeric_limits<core::TimestampMs>::min();

  void Add(const ForcedMonotonicity& other, core::TimestampMs time);
};

// Both put the buckets in order. NaN where the highest bound is not +Inf.
double QuantileOf(double q, ClassicBuckets& buckets, ForcedMonotonicity& forced);
double FractionBetween(double lower, double upper, ClassicBuckets& buckets);

}  // namespace pipewarden::rules::promql
