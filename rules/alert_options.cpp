#include "rules/alert_options.h"

#include <algorithm>

#include "rules/promql/functions/function.h"
#include "rules/promql/printer.h"

namespace pipewarden::rules {
namespace {

using promql::Expr;
using promql::ExprPtr;

// Makes the tree yield whether conditions in it hold or not; false where absent() stands in it.
bool Unfilter(ExprPtr& expr) {
  switch (expr->kind) {
    case Expr::Kind::kNumber:
    case Expr::Kind::kString:
    case Expr::Kind::kVectorSelector:
    case Expr::Kind::kMatrixSelector:
      return true;
    case Expr::Kind::kSubquery:
      return Unfilter(static_cast<promql::SubqueryExpr&>(*expr).expr);
    case Expr::Kind::kUnary:
      return Unfilter(static_cast<promql::UnaryExpr&>(*expr).expr);
    case Expr::Kind::kParen:
      return Unfilter(static_cast<promql::ParenExpr&>(*expr).expr);
    case Expr::Kind::kAggregate:
      return Unfilter(static_cast<promql::AggregateExpr&>(*expr).expr);
    case Expr::Kind::kCall: {
      auto& call = static_cast<promql::Call&>(*expr);
      return !call.function->name.starts_with("absent") && std::ranges::all_of(call.args, Unfilter);
    }
    case Expr::Kind::kBinary:
      break;
  }
  auto& binary = static_cast<promql::BinaryExpr&>(*expr);
  if (!Unfilter(binary.lhs)) return false;
  if (binary.op == promql::BinaryOp::kUnless) {
    ExprPtr lhs = std::move(binary.lhs);
    expr = std::move(lhs);
    return true;
  }
  if (promql::IsComparison(binary.op)) binary.return_bool = true;
  return Unfilter(binary.rhs);
}

}  // namespace

bool AlertOptions::IsActive(core::TimestampMs time) const {
  if (!holidays.empty() && holidays.contains(core::CivilDate::Of(holiday_zone.ToLocal(core::FromMs(time)))))
    return false;
  return active.empty() || std::ranges::any_of(active, [&](const core::TimeInterval& interval) {
           return interval.Contains(core::FromMs(time));
         });
}

core::Result<ExprPtr> DataExpr(const Expr& expr, const promql::ParseOptions& options) {
  auto tree = promql::ParseExpr(promql::Print(expr), options);  // a copy
  if (!tree) return tree;
  if (!Unfilter(*tree))
    return core::Fail(core::ErrorCode::kInvalid,
                      "missing data is what absent() is about: there is nothing else to tell");
  return tree;
}

core::Labels FixedLabels(const Expr& expr) {
  std::optional<core::Labels> all;
  promql::Walk(expr, [&](const Expr& part) {
    if (part.kind != Expr::Kind::kVectorSelector) return;
    core::Labels labels;
    for (const core::Matcher& matcher : static_cast<const promql::VectorSelector&>(part).matchers)
      if (matcher.op() == core::MatchOp::kEqual && matcher.name() != core::kMetricName && !matcher.value().empty() &&
          (!all || all->Get(matcher.name()) == matcher.value()))
        labels.Set(matcher.name(), matcher.value());
    all = std::move(labels);
  });
  return all.value_or(core::Labels{});
}

}  // namespace pipewarden::rules
