#include "exporters/exposition/registry_source.h"

#include <prometheus/client_metric.h>
#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <utility>
#include <vector>

#include "exporters/exposition/text_writer.h"

namespace pipewarden::exporters {
namespace {

core::MetricType TypeOf(prometheus::MetricType type) {
  switch (type) {
    case prometheus::MetricType::Counter:
      return core::MetricType::kCounter;
    case prometheus::MetricType::Gauge:
      return core::MetricType::kGauge;
    case prometheus::MetricType::Summary:
      return core::MetricType::kSummary;
    case prometheus::MetricType::Histogram:
      return core::MetricType::kHistogram;
    case prometheus::MetricType::Untyped:
      break;
  }
  return core::MetricType::kUnknown;
}

// The unit that the name ends with, of those that the project uses.
std::string UnitOf(std::string_view name) {
  if (name.ends_with("_total")) name.remove_suffix(6);
  for (const std::string_view unit : {"seconds", "bytes", "ratio", "celsius"}) {
    if (name.size() > unit.size() && name.ends_with(unit) && name[name.size() - unit.size() - 1] == '_') {
      return std::string(unit);
    }
  }
  return {};
}

}  // namespace

RegistrySource::RegistrySource(std::string name, std::shared_ptr<prometheus::Collectable> registry)
    : name_(std::move(name)), registry_(std::move(registry)) {}
RegistrySource::~RegistrySource() = default;

const core::Series& RegistrySource::SeriesOf(std::string_view metric_name, std::string_view suffix,
                                             const prometheus::ClientMetric& metric, std::string_view extra_name,
                                             std::string_view extra_value) {
  std::string key;
  const auto add = [&key](std::string_view part) {
    key += part;
    key += '\xff';
  };
  add(metric_name);
  add(suffix);
  add(extra_value);
  for (const auto& label : metric.label) {
    add(label.name);
    add(label.value);
  }
  auto [found, fresh] = series_.try_emplace(std::move(key));
  if (fresh) {
    std::vector<core::Label> labels;
    labels.reserve(metric.label.size() + 2);
    for (const auto& label : metric.label) labels.push_back({label.name, label.value});
    if (!extra_name.empty()) labels.push_back({std::string(extra_name), std::string(extra_value)});
    labels.push_back({std::string(core::kMetricName), std::string(metric_name) + std::string(suffix)});
    found->second.series.labels = core::Labels(labels);
  }
  found->second.visit = visit_;
  return found->second.series;
}

void RegistrySource::VisitFamily(const prometheus::MetricFamily& family, core::SampleVisitor& visitor) {
  const core::MetricFamily shown{
      .name = family.name, .type = TypeOf(family.type), .help = family.help, .unit = UnitOf(family.name)};
  visitor.OnFamily(shown);
  const std::string& name = family.name;
  for (const prometheus::ClientMetric& metric : family.metric) {
    switch (family.type) {
      case prometheus::MetricType::Counter:
        visitor.OnSample(SeriesOf(name, "", metric, "", ""), metric.counter.value);
        break;
      case prometheus::MetricType::Gauge:
        visitor.OnSample(SeriesOf(name, "", metric, "", ""), metric.gauge.value);
        break;
      case prometheus::MetricType::Untyped:
        visitor.OnSample(SeriesOf(name, "", metric, "", ""), metric.untyped.value);
        break;
      case prometheus::MetricType::Summary:
        for (const auto& quantile : metric.summary.quantile) {
          visitor.OnSample(SeriesOf(name, "", metric, "quantile", FormatValue(quantile.quantile)), quantile.value);
        }
        visitor.OnSample(SeriesOf(name, "_sum", metric, "", ""), metric.summary.sample_sum);
        visitor.OnSample(SeriesOf(name, "_count", metric, "", ""), static_cast<double>(metric.summary.sample_count));
        break;
      case prometheus::MetricType::Histogram:
        for (const auto& bucket : metric.histogram.bucket) {
          visitor.OnSample(SeriesOf(name, "_bucket", metric, "le", FormatValue(bucket.upper_bound)),
                           static_cast<double>(bucket.cumulative_count));
        }
        visitor.OnSample(SeriesOf(name, "_sum", metric, "", ""), metric.histogram.sample_sum);
        visitor.OnSample(SeriesOf(name, "_count", metric, "", ""), static_cast<double>(metric.histogram.sample_count));
        break;
    }
  }
}

void RegistrySource::Visit(core::SampleVisitor& visitor) {
  const std::vector<prometheus::MetricFamily> families = registry_->Collect();
  const core::MutexLock lock(mutex_);
  const std::uint64_t visit = ++visit_;
  for (const prometheus::MetricFamily& family : families) {
    if (!family.metric.empty()) VisitFamily(family, visitor);
  }
  std::erase_if(series_, [visit](const auto& entry) { return entry.second.visit != visit; });
}

}  // namespace pipewarden::exporters
