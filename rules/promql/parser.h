// PromQL's parser: the whole grammar of Prometheus 3. Errors are kInvalid and read as Prometheus words them, with the
// place: `1:5: parse error: unexpected <op:+>`. Stateless and safe from any thread. Depth and length of a query are
// bounded (kLimit-free: a query too deep or long is refused as kInvalid).
#pragma once

#include <string_view>
#include <vector>

#include "core/model/labels.h"
#include "core/result.h"
#include "rules/promql/ast.h"

namespace pipewarden::rules::promql {

struct ParseOptions {
  bool experimental_functions = false;  // --enable-feature=promql-experimental-functions
};

// The checked syntax tree (types, functions' arguments, matchers).
core::Result<ExprPtr> ParseExpr(std::string_view query, const ParseOptions& options = {});

// up{job="x"} as the HTTP API's match[] takes it: a selector without modifiers, of which nothing else is checked: it
// may accept the empty string alone, or name its metric twice.
core::Result<std::vector<core::Matcher>> ParseMetricSelector(std::string_view text);

// up{job="x"} as a concrete series (equality only): what test files load and expect.
core::Result<core::Labels> ParseMetric(std::string_view text);

// Nested expressions deeper than this are refused: evaluation recurses.
inline constexpr int kMaxExprDepth = 200;
inline constexpr std::size_t kMaxQueryBytes = 1U << 20U;

}  // namespace pipewarden::rules::promql
