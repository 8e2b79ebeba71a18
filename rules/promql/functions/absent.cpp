// absent and absent_over_time: 1 where there is nothing, labelled by the selector's equality matchers.
#include <set>

#include "rules/promql/evaluator.h"
#include "rules/promql/functions/call_context.h"
#include "rules/promql/functions/function_list.h"

namespace pipewarden::rules::promql {
namespace {

// A label that is matched twice is left out.
core::Labels LabelsOfSelector(const Expr& arg) {
  const Expr& expr = Unwrap(arg);
  const std::vector<core::Matcher>* matchers = nullptr;
  if (expr.kind == Expr::Kind::kVectorSelector)
    matchers = &static_cast<const VectorSelector&>(expr).matchers;
  else if (expr.kind == Expr::Kind::kMatrixSelector)
    matchers = &static_cast<const MatrixSelector&>(expr).vector->matchers;
  core::Labels labels;
  if (matchers == nullptr) return labels;
  std::set<std::string_view> seen;
  for (const core::Matcher& matcher : *matchers) {
    if (matcher.name() == core::kMetricName) continue;
    if (matcher.op() == core::MatchOp::kEqual && seen.insert(matcher.name()).second)
      labels.Set(matcher.name(), matcher.value());
    else
      labels.Remove(matcher.name());
  }
  return labels;
}

Value OneWhereNot(const CallContext& call, const std::vector<unsigned char>& present) {
  Value value;
  value.type = ValueType::kVector;
  value.vector = VectorValue(call.steps().count);
  double* row = value.vector.AddRow(std::make_shared<const core::Labels>(LabelsOfSelector(call.arg(0))), false);
  for (std::size_t step = 0; step < present.size(); ++step)
    if (present[step] == 0) row[step] = 1;
  value.vector.DropEmptyRows();
  return value;
}

core::Result<Value> AbsentNow(CallContext& call) {
  const auto vector = call.EvalVector(0);
  if (!vector) return core::Fail(vector.error());
  std::vector<unsigned char> present(vector->steps, 0);
  for (std::size_t i = 0; i < vector->size(); ++i)
    for (std::size_t step = 0; step < vector->steps; ++step)
      if (IsPresent(vector->row(i)[step])) present[step] = 1;
  return OneWhereNot(call, present);
}

core::Result<Value> AbsentOverTime(CallContext& call) {
  std::vector<unsigned char> present(call.steps().count, 0);
  auto seen = call.evaluator().EvalWindows(
      call.arg(0), call.steps(), [&](const SeriesHead&) {},
      [&](std::size_t step, const RangeWindow&) { present[step] = 1; });
  if (!seen) return core::Fail(seen.error());
  return OneWhereNot(call, present);
}

const Function kFunctions[] = {
    {.name = "absent", .args = kVectorArg, .help = "1 where the vector is empty.", .general = AbsentNow},
    {.name = "absent_over_time",
     .args = kMatrixArg,
     .help = "1 where no series has a sample in the range.",
     .general = AbsentOverTime},
};

}  // namespace

std::span<const Function> AbsentFunctions() { return kFunctions; }

}  // namespace pipewarden::rules::promql
