// <aggregation>_over_time: one series, the samples of one range.
#include <algorithm>
#include <cmath>

#include "core/text/go_string.h"
#include "rules/promql/functions/call_context.h"
#include "rules/promql/functions/function_list.h"
#include "rules/promql/histogram_arithmetic.h"

namespace pipewarden::rules::promql {
namespace {

using Window = const RangeWindow&;
using Params = std::span<const double>;

// The sum or the mean of the histograms in a window that has no floats.
template <class Accumulator>
double OfHistograms(Window window) {
  CallNotes& notes = *window.notes;
  const auto warn = [&](std::string_view text) {
    notes.annotations.Warn(std::string(text) + " " + core::GoQuote(notes.metric_name), notes.at());
    return Absent();
  };
  if (!window.values.empty()) return warn("encountered a mix of histograms and floats for metric name");
  Accumulator accumulator;
  bool reconciled = false;
  for (const HistogramPtr& histogram : window.histograms) {
    const HistogramMerge merge = accumulator.Add(*histogram);
    if (!merge.possible)
      return warn("vector contains a mix of histograms with exponential and custom buckets schemas for metric name");
    reconciled |= merge.bounds_reconciled;
  }
  if (accumulator.resets_conflict())
    notes.annotations.Warn("conflicting counter resets during histogram aggregation", notes.at());
  if (reconciled) notes.annotations.Info("mismatched custom buckets were reconciled during aggregation", notes.at());
  return notes.histograms.Add(accumulator.Result());
}

double Avg(Window window, Params) {
  if (!window.histograms.empty()) return OfHistograms<HistogramMean>(window);
  Mean mean;
  for (const double v : window.values) mean.Add(v);
  return mean.Result();
}

double Sum(Window window, Params) {
  if (!window.histograms.empty()) return OfHistograms<HistogramSum>(window);
  KahanSum sum;
  for (const double v : window.values) sum.Add(v);
  return sum.Result();
}

// NaN gives way to any number.
template <class Better>
std::size_t Extreme(Window window, Better better) {
  std::size_t at = 0;
  for (std::size_t i = 1; i < window.size(); ++i)
    if (better(window.values[i], window.values[at]) || std::isnan(window.values[at])) at = i;
  return at;
}
double Min(Window window, Params) { return window.values[Extreme(window, std::less<>())]; }
double Max(Window window, Params) { return window.values[Extreme(window, std::greater<>())]; }

double Seconds(Window window, std::size_t at) { return static_cast<double>(window.times[at]) / 1000; }
// Of equal extremes the last counts.
double TimeOfMin(Window window, Params) { return Seconds(window, Extreme(window, std::less_equal<>())); }
double TimeOfMax(Window window, Params) { return Seconds(window, Extreme(window, std::greater_equal<>())); }

// True where the window's first sample is a float, its last one.
bool BeginsWithFloat(Window window) {
  if (window.histograms.empty()) return true;
  return !window.values.empty() && window.times.front() < window.histogram_times.front();
}
bool EndsWithFloat(Window window) {
  if (window.histograms.empty()) return true;
  return !window.values.empty() && window.times.back() > window.histogram_times.back();
}
double TimeOfFirst(Window window, Params) {
  const auto times = BeginsWithFloat(window) ? window.times : window.histogram_times;
  return static_cast<double>(times.front()) / 1000;
}
double TimeOfLast(Window window, Params) {
  const auto times = EndsWithFloat(window) ? window.times : window.histogram_times;
  return static_cast<double>(times.back()) / 1000;
}

double Count(Window window, Params) { return static_cast<double>(window.values.size() + window.histograms.size()); }
double Present(Window, Params) { return 1; }
double First(Window window, Params) {
  if (BeginsWithFloat(window)) return window.values.front();
  return window.notes->histograms.Add(window.histograms.front());
}
double Last(Window window, Params) {
  if (EndsWithFloat(window)) return window.values.back();
  return window.notes->histograms.Add(window.histograms.back());
}

double Variance(Window window, Params) {
  double count = 0;
  KahanSum mean;
  KahanSum squares;
  for (const double v : window.values) {
    count += 1;
    const double delta = v - (mean.sum + mean.compensation);
    mean.Add(delta / count);
    squares.Add(delta * (v - (mean.sum + mean.compensation)));
  }
  return (squares.sum + squares.compensation) / count;
}
double Deviation(Window window, Params params) { return std::sqrt(Variance(window, params)); }

double QuantileOverTime(Window window, Params params) {
  WarnOfBadQuantile(window.notes->annotations, params[0], Unwrap(*window.notes->call.args[0]).pos);
  std::vector<double> values(window.values.begin(), window.values.end());
  return Quantile(params[0], values);
}

double MedianDeviation(Window window, Params) {
  std::vector<double> values(window.values.begin(), window.values.end());
  if (std::ranges::any_of(values, [](double v) { return std::isnan(v); })) return core::NormalNaN();
  const double median = Quantile(0.5, values);
  for (double& v : values) v = std::fabs(v - median);
  return Quantile(0.5, values);
}

constexpr ValueType kScalarMatrix[] = {ValueType::kScalar, ValueType::kMatrix};

const Function kFunctions[] = {
    {.name = "avg_over_time",
     .args = kMatrixArg,
     .help = "Mean of the samples.",
     .range = Avg,
     .reads_histograms = true},
    {.name = "sum_over_time",
     .args = kMatrixArg,
     .help = "Sum of the samples.",
     .range = Sum,
     .reads_histograms = true},
    {.name = "min_over_time", .args = kMatrixArg, .help = "Smallest sample.", .range = Min},
    {.name = "max_over_time", .args = kMatrixArg, .help = "Greatest sample.", .range = Max},
    {.name = "count_over_time",
     .args = kMatrixArg,
     .help = "Number of samples.",
     .range = Count,
     .reads_histograms = true},
    {.name = "present_over_time",
     .args = kMatrixArg,
     .help = "1 where there is a sample.",
     .range = Present,
     .reads_histograms = true},
    {.name = "stddev_over_time", .args = kMatrixArg, .help = "Standard deviation.", .range = Deviation},
    {.name = "stdvar_over_time", .args = kMatrixArg, .help = "Variance.", .range = Variance},
    {.name = "first_over_time",
     .args = kMatrixArg,
     .help = "First sample.",
     .range = First,
     .reads_histograms = true,
     .keeps_name = true},
    {.name = "last_over_time",
     .args = kMatrixArg,
     .help = "Last sample.",
     .range = Last,
     .reads_histograms = true,
     .keeps_name = true},
    {.name = "quantile_over_time",
     .args = kScalarMatrix,
     .help = "Quantile of the samples.",
     .range = QuantileOverTime},
    {.name = "mad_over_time",
     .args = kMatrixArg,
     .help = "Median absolute deviation.",
     .range = MedianDeviation,
     .experimental = true},
    {.name = "ts_of_first_over_time",
     .args = kMatrixArg,
     .help = "Time of the first sample.",
     .range = TimeOfFirst,
     .reads_histograms = true,
     .experimental = true},
    {.name = "ts_of_last_over_time",
     .args = kMatrixArg,
     .help = "Time of the last sample.",
     .range = TimeOfLast,
     .reads_histograms = true,
     .experimental = true},
    {.name = "ts_of_min_over_time",
     .args = kMatrixArg,
     .help = "Time of the smallest sample.",
     .range = TimeOfMin,
     .experimental = true},
    {.name = "ts_of_max_over_time",
     .args = kMatrixArg,
     .help = "Time of the greatest sample.",
     .range = TimeOfMax,
     .experimental = true},
};

}  // namespace

std::span<const Function> OverTimeFunctions() { return kFunctions; }

}  // namespace pipewarden::rules::promql
