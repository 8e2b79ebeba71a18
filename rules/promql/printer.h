// Prints a syntax tree back as a query: parsing the text yields an equal tree. The forms are Prometheus': one space
// around operators, sorted nothing, strings in double quotes, durations as 1h30m.
#pragma once

#include <string>

#include "rules/promql/ast.h"

namespace pipewarden::rules::promql {

std::string Print(const Expr& expr);
// As /api/v1/format_query answers: broken into indented lines where one line would be longer than 100 characters.
std::string PrettyPrint(const Expr& expr);

}  // namespace pipewarden::rules::promql
