// scalar, vector and timestamp.
#include "rules/promql/evaluator.h"
#include "rules/promql/functions/call_context.h"
#include "rules/promql/functions/function_list.h"

namespace pipewarden::rules::promql {
namespace {

core::Result<Value> Scalar(CallContext& call) {
  const auto vector = call.EvalVector(0);
  if (!vector) return core::Fail(vector.error());
  Value value;
  value.type = ValueType::kScalar;
  value.scalar.assign(vector->steps, core::NormalNaN());
  std::vector<unsigned char> seen(vector->steps, 0);
  for (std::size_t i = 0; i < vector->size(); ++i) {
    const double* row = vector->row(i);
    for (std::size_t step = 0; step < vector->steps; ++step) {
      if (!IsFloat(row[step])) continue;
      value.scalar[step] = seen[step] == 0 ? row[step] : core::NormalNaN();
      seen[step] = 1;
    }
  }
  return value;
}

core::Result<Value> Vector(CallContext& call) {
  const auto scalar = call.EvalScalar(0);
  if (!scalar) return core::Fail(scalar.error());
  Value value;
  value.type = ValueType::kVector;
  value.vector = VectorValue(call.steps().count);
  double* row = value.vector.AddRow(std::make_shared<const core::Labels>(), false);
  std::copy(scalar->begin(), scalar->end(), row);
  return value;
}

core::Result<Value> Timestamp(CallContext& call) {
  const Expr& arg = Unwrap(call.arg(0));
  VectorValue vector;
  if (arg.kind == Expr::Kind::kVectorSelector) {
    auto times =
        call.evaluator().EvalSelector(static_cast<const VectorSelector&>(arg), call.steps(), Evaluator::Take::kTimes);
    if (!times) return core::Fail(times.error());
    vector = std::move(*times);
  } else {
    auto evaluated = call.EvalVector(0);
    if (!evaluated) return core::Fail(evaluated.error());
    vector = std::move(*evaluated);
    for (std::size_t i = 0; i < vector.size(); ++i) {
      double* row = vector.row(i);
      for (std::size_t step = 0; step < vector.steps; ++step)
        if (IsPresent(row[step])) row[step] = static_cast<double>(call.steps().At(step)) / 1000;
    }
  }
  for (SeriesHead& head : vector.series) head.drop_name = true;
  return call.Merged(std::move(vector));
}

const Function kFunctions[] = {
    {.name = "scalar",
     .args = kVectorArg,
     .result = ValueType::kScalar,
     .help = "The value of a vector's only element, else NaN.",
     .general = Scalar},
    {.name = "vector", .args = kScalarArg, .help = "A vector of one element without labels.", .general = Vector},
    {.name = "timestamp",
     .args = kVectorArg,
     .help = "The time of each sample in seconds.",
     .general = Timestamp,
     .depends_on_step = true},
};

}  // namespace

std::span<const Function> ConvertFunctions() { return kFunctions; }

}  // namespace pipewarden::rules::promql
