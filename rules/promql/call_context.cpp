#include "rules/promql/functions/call_context.h"
#include "core/text/go_float.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "rules/promql/evaluator.h"
#include "rules/promql/grouping.h"

namespace pipewarden::rules::promql {

Annotations& CallContext::annotations() { return evaluator_.annotations(); }
HistogramPool& CallContext::histograms() { return evaluator_.histograms(); }
TimestampMs CallContext::query_start() const { return evaluator_.query().start; }
TimestampMs CallContext::query_end() const { return evaluator_.query().end; }
TimestampMs CallContext::query_step() const { return evaluator_.query().step; }

core::Result<VectorValue> CallContext::EvalVector(std::size_t index) {
  return evaluator_.EvalVector(*call_.args[index], steps_);
}

core::Result<std::vector<double>> CallContext::EvalScalar(std::size_t index) {
  return evaluator_.EvalScalar(*call_.args[index], steps_);
}

std::string CallContext::StringArg(std::size_t index) const {
  const Expr& literal = Unwrap(arg(index));
  return literal.kind == Expr::Kind::kString ? static_cast<const StringLiteral&>(literal).value : "";
}

core::Labels CallContext::VisibleLabels(const SeriesHead& head) const { return evaluator_.VisibleLabels(head); }
bool CallContext::NameIsHidden(const SeriesHead& head) const { return evaluator_.NameIsHidden(head); }

core::Result<Value> CallContext::Merged(VectorValue vector) {
  auto merged = evaluator_.CheckNames(std::move(vector));
  if (!merged) return core::Fail(merged.error());
  Value value;
  value.type = ValueType::kVector;
  value.vector = std::move(*merged);
  return value;
}

core::Result<Value> CallContext::MergedByLabels(VectorValue vector) {
  auto merged = MergeEqualRows(std::move(vector), !evaluator_.options().delayed_name_removal);
  if (!merged) return core::Fail(merged.error());
  Value value;
  value.type = ValueType::kVector;
  value.vector = std::move(*merged);
  return value;
}

double GoMax(double a, double b) {
  if (std::isinf(a) && a > 0) return a;
  if (std::isinf(b) && b > 0) return b;
  if (std::isnan(a) || std::isnan(b)) return core::NormalNaN();
  if (a == 0 && a == b) return std::signbit(a) ? b : a;
  return a > b ? a : b;
}

double GoMin(double a, double b) {
  if (std::isinf(a) && a < 0) return a;
  if (std::isinf(b) && b < 0) return b;
  if (std::isnan(a) || std::isnan(b)) return core::NormalNaN();
  if (a == 0 && a == b) return std::signbit(a) ? a : b;
  return a < b ? a : b;
}

double Quantile(double q, std::vector<double>& values) {
  if (values.empty() || std::isnan(q)) return core::NormalNaN();
  if (q < 0) return -std::numeric_limits<double>::infinity();
  if (q > 1) return std::numeric_limits<double>::infinity();
  std::ranges::sort(values, [](double a, double b) { return std::isnan(a) ? !std::isnan(b) : a < b; });
  const auto last = static_cast<double>(values.size() - 1);
  const double rank = q * last;
  const double lower = std::max(0.0, std::floor(rank));
  const double upper = std::min(last, lower + 1);
  const double weight = rank - std::floor(rank);
  return values[static_cast<std::size_t>(lower)] * (1 - weight) + values[static_cast<std::size_t>(upper)] * weight;
}

void WarnOfBadQuantile(Annotations& annotations, double q, PositionRange at) {
  if (q >= 0 && q <= 1) return;
  annotations.Warn("quantile value should be between 0 and 1, got " + core::FormatGoFloat(q, 'g', -1), at);
}

}  // namespace pipewarden::rules::promql
