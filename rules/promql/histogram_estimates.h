// What is estimated from the buckets of a native histogram: quantiles, fractions, variance, what lies beyond a bound.
// Within exponential buckets observations are taken to be spread evenly on a logarithmic scale, within custom ones and
// the zero bucket on a linear one. Pure. Internal to rules/promql.
#pragma once

#include <string>

#include "core/model/float_histogram.h"

namespace pipewarden::rules::promql {

using core::FloatHistogram;

// Observations that are NaN lie in no bucket; what follows of that for the answer.
enum class NaNEffect { kNone, kResultIsNaN, kSkewed, kExcluded };

double QuantileOf(double q, const FloatHistogram& histogram, NaNEffect& effect);
double FractionBetween(double lower, double upper, const FloatHistogram& histogram, NaNEffect& effect);
double HistogramVariance(const FloatHistogram& histogram);
// Removes what lies above the bound, or below.
void TrimAbove(FloatHistogram& histogram, double bound);
void TrimBelow(FloatHistogram& histogram, double bound);

// {count:3, sum:4.5, [-0.001,0.001]:1, (1,2]:2}, as Prometheus prints histograms.
std::string HistogramText(const FloatHistogram& histogram);
// {{schema:1 count:3 …}}, as the test language writes them.
std::string HistogramScriptText(const FloatHistogram& histogram);

}  // namespace pipewarden::rules::promql
