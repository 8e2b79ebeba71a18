#include "rules/recording_rule.h"

#include <fmt/format.h>

#include <unordered_set>

namespace pipewarden::rules {

core::Result<std::vector<OutputSample>> VectorOf(const promql::QueryResult& result) {
  std::vector<OutputSample> out;
  if (result.type == promql::ValueType::kScalar) {
    out.push_back({{}, result.scalar.value});
  } else if (result.type == promql::ValueType::kVector) {
    out.reserve(result.vector.size());
    for (const promql::ResultSample& sample : result.vector)
      out.push_back({*sample.labels, sample.value, sample.histogram});
  } else {
    return core::Fail(core::ErrorCode::kInvalid, "rule result is not a vector or scalar");
  }
  return out;
}

core::Result<std::vector<OutputSample>> RecordingRule::Evaluate(const RuleContext& context) {
  auto result = context.query(*config().tree, context.time - context.offset);
  if (!result) return core::Fail(result.error());
  auto samples = VectorOf(*result);
  if (!samples) return samples;
  std::unordered_set<core::Labels, core::LabelsHash> seen;
  for (OutputSample& sample : *samples) {
    sample.labels.Set(core::kMetricName, config().name);
    for (const RuleText& label : config().labels) sample.labels.Set(label.name, label.text);
    if (!seen.insert(sample.labels).second)
      return core::Fail(core::ErrorCode::kInvalid,
                        "vector contains metrics with the same labelset after applying rule labels");
  }
  if (context.limit > 0 && samples->size() > context.limit)
    return core::Fail(core::ErrorCode::kLimit,
                      fmt::format("exceeded limit of {} with {} series", context.limit, samples->size()));
  return samples;
}

}  // namespace pipewarden::rules
