// abs, ceil, floor, exp, sqrt, logarithms, sgn, round: each sample alone.
#include <cmath>

#include "rules/promql/functions/call_context.h"
#include "rules/promql/functions/function_list.h"

namespace pipewarden::rules::promql {
namespace {

double Sign(double v) { return v < 0 ? -1 : v > 0 ? 1 : v; }

core::Result<Value> Round(CallContext& call) {
  auto vector = call.EvalVector(0);
  if (!vector) return core::Fail(vector.error());
  std::vector<double> nearest(call.steps().count, 1);
  if (call.size() > 1) {
    auto given = call.EvalScalar(1);
    if (!given) return core::Fail(given.error());
    nearest = std::move(*given);
  }
  for (std::size_t i = 0; i < vector->size(); ++i) {
    vector->series[i].drop_name = true;
    double* row = vector->row(i);
    for (std::size_t step = 0; step < vector->steps; ++step) {
      if (!IsFloat(row[step])) {
        row[step] = Absent();
        continue;
      }
      // Inverted: fewer surprises with values like 0.1.
      const double inverse = 1.0 / nearest[step];
      row[step] = std::floor(row[step] * inverse + 0.5) / inverse;
    }
  }
  if (!call.histograms().empty()) vector->DropEmptyRows();
  return call.Merged(std::move(*vector));
}

constexpr ValueType kVectorScalar[] = {ValueType::kVector, ValueType::kScalar};

const Function kFunctions[] = {
    {.name = "abs", .args = kVectorArg, .help = "Absolute value.", .map = [](double v) { return std::fabs(v); }},
    {.name = "ceil", .args = kVectorArg, .help = "Rounded up.", .map = [](double v) { return std::ceil(v); }},
    {.name = "floor", .args = kVectorArg, .help = "Rounded down.", .map = [](double v) { return std::floor(v); }},
    {.name = "exp", .args = kVectorArg, .help = "e to the power.", .map = [](double v) { return std::exp(v); }},
    {.name = "sqrt", .args = kVectorArg, .help = "Square root.", .map = [](double v) { return std::sqrt(v); }},
    {.name = "ln", .args = kVectorArg, .help = "Natural logarithm.", .map = [](double v) { return std::log(v); }},
    {.name = "log2", .args = kVectorArg, .help = "Binary logarithm.", .map = [](double v) { return std::log2(v); }},
    {.name = "log10", .args = kVectorArg, .help = "Decimal logarithm.", .map = [](double v) { return std::log10(v); }},
    {.name = "sgn", .args = kVectorArg, .help = "1, 0 or -1 by the sign.", .map = Sign},
    {.name = "round",
     .args = kVectorScalar,
     .variadic = 1,
     .help = "Rounded to the nearest multiple (default 1), ties up.",
     .general = Round},
};

}  // namespace

std::span<const Function> MathFunctions() { return kFunctions; }

}  // namespace pipewarden::rules::promql
