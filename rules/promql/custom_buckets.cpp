#include "rules/promql/custom_buckets.h"

#include <cmath>

#include "core/text/go_float.h"
#include "rules/promql/literal.h"

namespace pipewarden::rules::promql {

void CustomBuckets::Add(const core::Labels& labels, core::TimestampMs time, double value) {
  std::string_view name = labels.Get(core::kMetricName);
  const std::size_t end = name.rfind('_');
  const std::string_view suffix = end == std::string_view::npos ? std::string_view() : name.substr(end);
  if (suffix != "_bucket" && suffix != "_count" && suffix != "_sum") return;
  core::Labels base = labels;
  base.Set(core::kMetricName, std::string(name.substr(0, end)));
  base.Remove("le");
  if (suffix == "_bucket") {
    const auto bound = ParseNumber(labels.Get("le"));
    if (bound && !std::isnan(*bound)) series_[base][time].buckets.try_emplace(*bound, value);
    return;
  }
  Parts& parts = series_[base][time];
  if (suffix == "_count")
    parts.count = value;
  else
    parts.sum = value;
}

core::Result<core::HistogramPtr> CustomBuckets::Histogram(const Parts& parts) {
  const auto bad = [](const std::string& why) { return core::Fail(core::ErrorCode::kInvalid, why); };
  core::FloatHistogram histogram;
  histogram.schema = core::FloatHistogram::kCustomSchema;
  histogram.sum = parts.sum;
  histogram.count = parts.count.value_or(parts.buckets.empty() ? 0 : parts.buckets.rbegin()->second);
  if (histogram.count < 0)
    return bad("count must be non-negative: count=" + core::FormatGoFloat(histogram.count, 'g', -1));
  std::map<double, double> buckets = parts.buckets;
  buckets.try_emplace(std::numeric_limits<double>::infinity(), histogram.count);
  std::vector<double> bounds;
  double before = 0;
  for (const auto& [bound, count] : buckets) {
    if (count < before)
      return bad("count is not cumulative: " + core::FormatGoFloat(count, 'g', -1) + " < " +
                 core::FormatGoFloat(before, 'g', -1));
    if (count != before) histogram.positive.push_back({static_cast<std::int32_t>(bounds.size()), count - before});
    if (!std::isinf(bound)) bounds.push_back(bound);
    before = count;
  }
  if (before != histogram.count)
    return bad("count mismatch: count=" + core::FormatGoFloat(histogram.count, 'g', -1) +
               " != le=+Inf count=" + core::FormatGoFloat(before, 'g', -1));
  if (!bounds.empty()) histogram.bounds = std::make_shared<const std::vector<double>>(std::move(bounds));
  return std::make_shared<const core::FloatHistogram>(std::move(histogram));
}

core::Result<std::vector<CustomBuckets::Series>> CustomBuckets::Build() const {
  std::vector<Series> all;
  for (const auto& [labels, times] : series_) {
    Series series{labels, {}};
    for (const auto& [time, parts] : times) {
      auto histogram = Histogram(parts);
      if (!histogram) return core::Fail(histogram.error().Within(labels.ToString()));
      series.samples.emplace_back(time, std::move(*histogram));
    }
    all.push_back(std::move(series));
  }
  return all;
}

}  // namespace pipewarden::rules::promql
