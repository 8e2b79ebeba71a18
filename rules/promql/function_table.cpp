// Finds functions by name; the rows stand in functions/.
#include <algorithm>
#include <vector>

#include "rules/promql/functions/function_list.h"

namespace pipewarden::rules::promql {
namespace {

const std::vector<const Function*>& SortedFunctions() {
  static const std::vector<const Function*> all = [] {
    std::vector<const Function*> rows;
    const auto add = [&](std::span<const Function> family) {
      for (const Function& row : family) rows.push_back(&row);
    };
#define X(Family) add(Family##Functions());
    PIPEWARDEN_PROMQL_FAMILIES(X)
#undef X
    std::ranges::sort(rows, {}, [](const Function* row) { return row->name; });
    return rows;
  }();
  return all;
}

}  // namespace

const Function* FindFunction(std::string_view name) {
  const auto& all = SortedFunctions();
  const auto at = std::ranges::lower_bound(all, name, {}, [](const Function* row) { return row->name; });
  return at != all.end() && (*at)->name == name ? *at : nullptr;
}

std::span<const Function* const> AllFunctions() { return SortedFunctions(); }

}  // namespace pipewarden::rules::promql
