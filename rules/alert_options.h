// What an alerting rule may have beyond Prometheus' keys: a condition of its own for the end of an alert (hysteresis),
// what missing data means, and when it is judged at all. A rule without it is exactly Prometheus'. Immutable; safe from
// any thread.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/config/yaml.h"
#include "core/model/sample.h"
#include "core/result.h"
#include "core/time/calendar.h"
#include "rules/promql/ast.h"
#include "rules/promql/parser.h"

namespace pipewarden::rules {

// What it means that the series which a rule judges are not there:
//   kResolve  that its condition does not hold, as in Prometheus
//   kKeep     nothing: alerts that fire go on firing until there is data again
//   kAlert    kKeep, and where there is no data at all and nothing fires, that is an alert in itself
enum class NoData { kResolve, kKeep, kAlert };

struct AlertOptions {
  // A firing alert ends when this yields its labels, and not before; null: when the rule's expression does not.
  std::shared_ptr<const promql::Expr> resolve_expr;
  std::optional<NoData> no_data;                  // absent: kResolve, but with a resolve_expr only that ends an alert
  std::shared_ptr<const promql::Expr> data_expr;  // where no_data is given: DataExpr of the rule's expression
  // Outside of all of these the rule's condition counts as cleared; empty: always inside.
  std::vector<core::TimeInterval> active;
  std::set<core::CivilDate> holidays;  // outside on these days, too
  core::TimeZone holiday_zone;         // where they are
  core::Location where;

  bool IsActive(core::TimestampMs time) const;
  // Whether an alert may go on where the rule's expression does not yield it.
  bool HoldsAlerts() const { return resolve_expr != nullptr || no_data.value_or(NoData::kResolve) != NoData::kResolve; }
};

// An expression that yields for all that `expr` judges, whether its condition holds or not: comparisons filter nothing,
// `unless` takes nothing away. kInvalid: with absent() there is nothing to yield.
core::Result<promql::ExprPtr> DataExpr(const promql::Expr& expr, const promql::ParseOptions& options);

// What all selectors of the expression ask for with `=`, but the metric: the labels of an alert about missing data.
core::Labels FixedLabels(const promql::Expr& expr);

}  // namespace pipewarden::rules
