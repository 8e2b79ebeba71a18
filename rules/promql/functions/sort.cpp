// sort, sort_desc (by value) and sort_by_label, sort_by_label_desc: order matters in instant queries only, since range
// queries answer in the order of labels.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "rules/promql/evaluator.h"
#include "rules/promql/functions/call_context.h"
#include "rules/promql/functions/function_list.h"
#include "rules/promql/natural_less.h"

namespace pipewarden::rules::promql {
namespace {

template <class Less>
Value Reordered(VectorValue vector, Less less) {
  std::vector<std::size_t> order(vector.size());
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::stable_sort(order, less);
  Value value;
  value.type = ValueType::kVector;
  value.vector = VectorValue(vector.steps);
  value.vector.Reserve(vector.size());
  for (const std::size_t from : order) {
    double* row = value.vector.AddRow(vector.series[from].labels, vector.series[from].drop_name);
    std::copy_n(vector.row(from), vector.steps, row);
  }
  return value;
}

// Over several steps order means nothing; a constant is sorted once, before it is spread over the steps.
bool OverSteps(CallContext& call) {
  const bool over_steps = call.steps().count > 1 || call.steps().ends_later || call.query_end() != call.query_start();
  if (!over_steps || call.evaluator().IsStepInvariant(call.call())) return false;
  call.annotations().Warn("sort is ineffective for range queries since results are always ordered by labels",
                          call.call().pos);
  return true;
}

Value Unsorted(VectorValue vector) {
  Value value;
  value.type = ValueType::kVector;
  value.vector = std::move(vector);
  return value;
}

core::Result<Value> SortByValue(CallContext& call, bool descending) {
  auto vector = call.EvalVector(0);
  if (!vector) return core::Fail(vector.error());
  // Histograms have no order and are left out.
  if (!call.histograms().empty()) {
    std::ranges::replace_if(vector->cells, IsHistogram, Absent());
    vector->DropEmptyRows();
  }
  if (OverSteps(call) || vector->steps > 1) return Unsorted(std::move(*vector));
  const std::vector<double> values = vector->cells;
  return Reordered(std::move(*vector), [&](std::size_t a, std::size_t b) {
    // NaN last, whichever way; those of a short list backwards, as Go's sort leaves them.
    if (std::isnan(values[a])) return std::isnan(values[b]) && a > b;
    if (std::isnan(values[b])) return true;
    return descending ? values[a] > values[b] : values[a] < values[b];
  });
}
core::Result<Value> Sort(CallContext& call) { return SortByValue(call, false); }
core::Result<Value> SortDesc(CallContext& call) { return SortByValue(call, true); }

core::Result<Value> SortByLabels(CallContext& call, bool descending) {
  auto vector = call.EvalVector(0);
  if (!vector) return core::Fail(vector.error());
  if (OverSteps(call) || vector->steps > 1) return Unsorted(std::move(*vector));
  std::vector<std::string> names;
  for (std::size_t i = 1; i < call.size(); ++i) names.push_back(call.StringArg(i));
  std::vector<LabelsPtr> labels;
  for (const SeriesHead& head : vector->series) labels.push_back(head.labels);
  return Reordered(std::move(*vector), [&](std::size_t a, std::size_t b) {
    if (descending) std::swap(a, b);
    for (const std::string& name : names) {
      const std::string_view left = labels[a]->Get(name);
      const std::string_view right = labels[b]->Get(name);
      if (left != right) return NaturalLess(left, right);
    }
    return *labels[a] < *labels[b];
  });
}
core::Result<Value> SortByLabel(CallContext& call) { return SortByLabels(call, false); }
core::Result<Value> SortByLabelDesc(CallContext& call) { return SortByLabels(call, true); }

constexpr ValueType kVectorStrings[] = {ValueType::kVector, ValueType::kString};

const Function kFunctions[] = {
    {.name = "sort", .args = kVectorArg, .help = "By value, ascending.", .general = Sort, .keeps_name = true},
    {.name = "sort_desc", .args = kVectorArg, .help = "By value, descending.", .general = SortDesc, .keeps_name = true},
    {.name = "sort_by_label",
     .args = kVectorStrings,
     .variadic = -1,
     .help = "By label values in natural order, ascending.",
     .general = SortByLabel,
     .keeps_name = true,
     .experimental = true},
    {.name = "sort_by_label_desc",
     .args = kVectorStrings,
     .variadic = -1,
     .help = "By label values in natural order, descending.",
     .general = SortByLabelDesc,
     .keeps_name = true,
     .experimental = true},
};

}  // namespace

std::span<const Function> SortFunctions() { return kFunctions; }

}  // namespace pipewarden::rules::promql
