// clamp, clamp_min, clamp_max, and max_of, min_of of scalars.
#include <cmath>

#include "rules/promql/functions/call_context.h"
#include "rules/promql/functions/function_list.h"

namespace pipewarden::rules::promql {
namespace {

constexpr ValueType kVectorScalar[] = {ValueType::kVector, ValueType::kScalar};
constexpr ValueType kVectorTwoScalars[] = {ValueType::kVector, ValueType::kScalar, ValueType::kScalar};
constexpr ValueType kTwoScalars[] = {ValueType::kScalar, ValueType::kScalar};

// limit(value, step) replaces each sample.
template <class Limit>
core::Result<Value> Limited(CallContext& call, VectorValue vector, Limit limit) {
  for (std::size_t i = 0; i < vector.size(); ++i) {
    vector.series[i].drop_name = true;
    double* row = vector.row(i);
    for (std::size_t step = 0; step < vector.steps; ++step)
      row[step] = IsFloat(row[step]) ? limit(row[step], step) : Absent();
  }
  vector.DropEmptyRows();
  return call.Merged(std::move(vector));
}

core::Result<Value> Clamp(CallContext& call) {
  auto vector = call.EvalVector(0);
  if (!vector) return core::Fail(vector.error());
  const auto lowest = call.EvalScalar(1);
  if (!lowest) return core::Fail(lowest.error());
  const auto highest = call.EvalScalar(2);
  if (!highest) return core::Fail(highest.error());
  return Limited(call, std::move(*vector), [&](double v, std::size_t step) {
    if ((*highest)[step] < (*lowest)[step]) return Absent();
    return GoMax((*lowest)[step], GoMin((*highest)[step], v));
  });
}

core::Result<Value> ClampMin(CallContext& call) {
  auto vector = call.EvalVector(0);
  if (!vector) return core::Fail(vector.error());
  const auto lowest = call.EvalScalar(1);
  if (!lowest) return core::Fail(lowest.error());
  return Limited(call, std::move(*vector), [&](double v, std::size_t step) { return GoMax((*lowest)[step], v); });
}

core::Result<Value> ClampMax(CallContext& call) {
  auto vector = call.EvalVector(0);
  if (!vector) return core::Fail(vector.error());
  const auto highest = call.EvalScalar(1);
  if (!highest) return core::Fail(highest.error());
  return Limited(call, std::move(*vector), [&](double v, std::size_t step) { return GoMin((*highest)[step], v); });
}

template <double (*kPick)(double, double)>
core::Result<Value> Pick(CallContext& call) {
  auto first = call.EvalScalar(0);
  if (!first) return core::Fail(first.error());
  const auto second = call.EvalScalar(1);
  if (!second) return core::Fail(second.error());
  Value value;
  value.type = ValueType::kScalar;
  value.scalar = std::move(*first);
  for (std::size_t step = 0; step < value.scalar.size(); ++step)
    value.scalar[step] = kPick(value.scalar[step], (*second)[step]);
  return value;
}

const Function kFunctions[] = {
    {.name = "clamp", .args = kVectorTwoScalars, .help = "Kept within [min, max].", .general = Clamp},
    {.name = "clamp_min", .args = kVectorScalar, .help = "Kept at or above min.", .general = ClampMin},
    {.name = "clamp_max", .args = kVectorScalar, .help = "Kept at or below max.", .general = ClampMax},
    {.name = "max_of",
     .args = kTwoScalars,
     .result = ValueType::kScalar,
     .help = "The greater of two scalars.",
     .general = Pick<GoMax>,
     .experimental = true},
    {.name = "min_of",
     .args = kTwoScalars,
     .result = ValueType::kScalar,
     .help = "The smaller of two scalars.",
     .general = Pick<GoMin>,
     .experimental = true},
};

}  // namespace

std::span<const Function> ClampFunctions() { return kFunctions; }

}  // namespace pipewarden::rules::promql
