// deriv, predict_linear (least squares with compensated sums) and double_exponential_smoothing.
#include <cmath>

#include "rules/promql/functions/call_context.h"
#include "rules/promql/functions/function_list.h"

namespace pipewarden::rules::promql {
namespace {

using Window = const RangeWindow&;
using Params = std::span<const double>;

struct Line {
  double slope;
  double intercept;
};

// Through the samples, with x = 0 at `origin`. At least one sample.
Line Fit(Window window, TimestampMs origin) {
  KahanSum x_sum;
  KahanSum y_sum;
  KahanSum xy_sum;
  KahanSum xx_sum;
  const double first = window.values.front();
  bool constant = true;
  for (std::size_t i = 0; i < window.size(); ++i) {
    const double y = window.values[i];
    if (i > 0 && y != first) constant = false;
    const double x = static_cast<double>(window.times[i] - origin) / 1000;
    x_sum.Add(x);
    y_sum.Add(y);
    xy_sum.Add(x * y);
    xx_sum.Add(x * x);
  }
  if (constant) {
    if (std::isinf(first)) return {core::NormalNaN(), core::NormalNaN()};
    return {0, first};
  }
  const auto n = static_cast<double>(window.size());
  const double x = x_sum.sum + x_sum.compensation;
  const double y = y_sum.sum + y_sum.compensation;
  const double covariance = xy_sum.sum + xy_sum.compensation - x * y / n;
  const double variance = xx_sum.sum + xx_sum.compensation - x * x / n;
  const double slope = covariance / variance;
  return {slope, y / n - slope * x / n};
}

double Deriv(Window window, Params) {
  if (window.size() < 2) return Absent();
  // Relative to a time near the samples: fewer digits are lost.
  return Fit(window, window.times.front()).slope;
}

double PredictLinear(Window window, Params params) {
  if (window.size() < 2) return Absent();
  const Line line = Fit(window, window.eval_time);
  return line.slope * params[0] + line.intercept;
}

double Smooth(Window window, Params params) {
  const double smoothing = params[0];
  const double trend = params[1];
  const auto refuse = [&](const char* what, const char* name, double got) {
    char text[128];
    std::snprintf(text, sizeof text, "invalid %s factor. Expected: 0 < %s < 1, got: %f", what, name, got);
    if (window.notes->error.empty()) window.notes->error = text;
    return Absent();
  };
  if (smoothing <= 0 || smoothing >= 1) return refuse("smoothing", "sf", smoothing);
  if (trend <= 0 || trend >= 1) return refuse("trend", "tf", trend);
  if (window.size() < 2) return Absent();
  double before = 0;
  double level = window.values[0];
  double slope = window.values[1] - window.values[0];
  for (std::size_t i = 1; i < window.size(); ++i) {
    const double scaled = smoothing * window.values[i];
    if (i > 1) slope = trend * (level - before) + (1 - trend) * slope;
    const double next = scaled + (1 - smoothing) * (level + slope);
    before = level;
    level = next;
  }
  return level;
}

constexpr ValueType kMatrixScalar[] = {ValueType::kMatrix, ValueType::kScalar};
constexpr ValueType kMatrixTwoScalars[] = {ValueType::kMatrix, ValueType::kScalar, ValueType::kScalar};

const Function kFunctions[] = {
    {.name = "deriv", .args = kMatrixArg, .help = "Slope a second by linear regression.", .range = Deriv},
    {.name = "predict_linear",
     .args = kMatrixScalar,
     .help = "Value in t seconds by linear regression.",
     .range = PredictLinear,
     .depends_on_step = true},
    {.name = "double_exponential_smoothing",
     .args = kMatrixTwoScalars,
     .help = "Holt's double exponential smoothing.",
     .range = Smooth,
     .experimental = true},
};

}  // namespace

std::span<const Function> RegressionFunctions() { return kFunctions; }

}  // namespace pipewarden::rules::promql
