// Printing with every selector pinned to a time: how the test language turns a query into others with the same answer.
// Internal to rules/promql.
#pragma once

#include <optional>
#include <string>

#include "rules/promql/ast.h"

namespace pipewarden::rules::promql {

struct PrintOptions {
  // Selectors and subqueries without an @ modifier get this one; what is inside a subquery stays as it is.
  std::optional<TimestampMs> pin_at;
};
std::string PrintPinned(const Expr& expr, const PrintOptions& options);

}  // namespace pipewarden::rules::promql
