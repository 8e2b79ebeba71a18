// What native histograms alone have: histogram_count, _sum, _avg, _stddev, _stdvar. Floats are left out.
#include <cmath>

#include "rules/promql/functions/call_context.h"
#include "rules/promql/functions/function_list.h"
#include "rules/promql/histogram_estimates.h"

namespace pipewarden::rules::promql {
namespace {

double Count(const FloatHistogram& histogram) { return histogram.count; }
double Sum(const FloatHistogram& histogram) { return histogram.sum; }
double Average(const FloatHistogram& histogram) { return histogram.sum / histogram.count; }
double Deviation(const FloatHistogram& histogram) { return std::sqrt(HistogramVariance(histogram)); }

template <double (*kOf)(const FloatHistogram&)>
core::Result<Value> Each(CallContext& call) {
  auto vector = call.EvalVector(0);
  if (!vector) return core::Fail(vector.error());
  for (SeriesHead& head : vector->series) head.drop_name = true;
  for (double& cell : vector->cells) cell = IsHistogram(cell) ? kOf(*call.histograms().At(cell)) : Absent();
  vector->DropEmptyRows();
  return call.Merged(std::move(*vector));
}

const Function kFunctions[] = {
    {.name = "histogram_count",
     .args = kVectorArg,
     .help = "Number of observations of native histograms.",
     .general = Each<Count>},
    {.name = "histogram_sum",
     .args = kVectorArg,
     .help = "Sum of the observations of native histograms.",
     .general = Each<Sum>},
    {.name = "histogram_avg",
     .args = kVectorArg,
     .help = "Mean of the observations of native histograms.",
     .general = Each<Average>},
    {.name = "histogram_stddev",
     .args = kVectorArg,
     .help = "Estimated standard deviation of native histograms.",
     .general = Each<Deviation>},
    {.name = "histogram_stdvar",
     .args = kVectorArg,
     .help = "Estimated variance of native histograms.",
     .general = Each<HistogramVariance>},
};

}  // namespace

std::span<const Function> NativeHistogramFunctions() { return kFunctions; }

}  // namespace pipewarden::rules::promql
