#include "exporters/logs/metric_table.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "core/text/utf8.h"

namespace pipewarden::exporters {
namespace {

constexpr std::size_t kMaxLabelBytes = 256;

std::string Bound(double bound) {
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, bound);
  return {buffer, end};
}

}  // namespace

void AppendKey(std::string& key, std::string_view value) {
  const std::size_t size = value.size();
  if (size > 127) key += static_cast<char>(0x80U | (size >> 8U));
  key += static_cast<char>(size & 0xFFU);
  key += value;
}

std::vector<std::string_view> DecodeKey(std::string_view key) {
  std::vector<std::string_view> values;
  while (!key.empty()) {
    std::size_t size = static_cast<unsigned char>(key[0]);
    key.remove_prefix(1);
    if (size > 127 && !key.empty()) {
      size = (size & 0x7FU) << 8U | static_cast<unsigned char>(key[0]);
      key.remove_prefix(1);
    }
    values.push_back(key.substr(0, size));
    key.remove_prefix(std::min(size, key.size()));
  }
  return values;
}

std::size_t MetricTable::SeriesPerSlot(const LogMetric& metric) {
  return metric.family.type == core::MetricType::kHistogram ? metric.buckets.size() + 3 : 1;
}

void MetricTable::Configure(const std::vector<LogMetric>& metrics) {
  std::vector<Metric> old = std::move(metrics_);
  metrics_.clear();
  changed_.clear();
  for (const LogMetric& definition : metrics) {
    const auto same =
        std::ranges::find(old, definition.family.name, [](const Metric& m) { return m.definition.family.name; });
    Metric metric;
    if (same != old.end() && same->definition.Shape() == definition.Shape()) {
      metric = std::move(*same);
      old.erase(same);
    } else if (same != old.end()) {
      removed_.push_back(definition.family.name);
      old.erase(same);
    }
    metric.definition = definition;
    metric.changed = true;
    metrics_.push_back(std::move(metric));
    Metric& now = metrics_.back();
    // Without labels there is one series, at zero from the start, so that increase() sees the first hit.
    if (definition.label_names.empty() && definition.family.type != core::MetricType::kGauge && now.slots.empty()) {
      SlotOf(now, "");
    }
    for (std::size_t i = 0; i < now.slots.size(); ++i)
      if (now.slots[i].changed) changed_.emplace_back(metrics_.size() - 1, i);
  }
  for (const Metric& metric : old) removed_.push_back(metric.definition.family.name);
  series_count_ = 0;
  for (const Metric& metric : metrics_) series_count_ += metric.series.size();
}

std::size_t MetricTable::IndexOf(std::string_view metric) const {
  for (std::size_t i = 0; i < metrics_.size(); ++i)
    if (metrics_[i].definition.family.name == metric) return i;
  std::abort();
}

MetricTable::Slot& MetricTable::SlotOf(Metric& metric, std::string_view key) {
  const auto known = metric.by_key.find(key);
  if (known != metric.by_key.end()) return metric.slots[known->second];
  if (metric.slots.size() >= metric.definition.max_series && !metric.definition.label_names.empty()) {
    std::string overflow;
    for (std::size_t i = 0; i < metric.definition.label_names.size(); ++i) AppendKey(overflow, kOverflowLabel);
    if (key != overflow) {
      ++overflowed_;
      const auto there = metric.by_key.find(overflow);
      if (there != metric.by_key.end()) return metric.slots[there->second];
      key_ = overflow;
      key = key_;
    }
  }
  Slot slot;
  slot.key = std::string(key);
  const bool histogram = metric.definition.family.type == core::MetricType::kHistogram;
  slot.values.assign(histogram ? metric.definition.buckets.size() + 2 : 1, 0.0);
  metric.by_key.emplace(slot.key, metric.slots.size());
  AddSeries(metric, slot.key);
  series_count_ += SeriesPerSlot(metric.definition);
  metric.slots.push_back(std::move(slot));
  metric.changed = true;
  return metric.slots.back();
}

void MetricTable::AddSeries(Metric& metric, std::string_view key) {
  const LogMetric& definition = metric.definition;
  const std::vector<std::string_view> values = DecodeKey(key);
  std::vector<core::Label> labels;
  for (std::size_t i = 0; i < definition.label_names.size() && i < values.size(); ++i)
    labels.push_back({definition.label_names[i], core::ToValidUtf8(values[i])});
  const auto add = [&](std::string_view suffix, std::string_view le) {
    std::vector<core::Label> all = labels;
    all.push_back({std::string(core::kMetricName), definition.family.name + std::string(suffix)});
    if (!le.empty()) all.push_back({"le", std::string(le)});
    auto series = std::make_shared<core::Series>();
    series->labels = core::Labels(all);
    metric.series.push_back(std::move(series));
  };
  if (definition.family.type != core::MetricType::kHistogram) {
    add("", "");
    return;
  }
  for (const double bound : definition.buckets) add("_bucket", Bound(bound));
  add("_bucket", "+Inf");
  add("_sum", "");
  add("_count", "");
}

bool MetricTable::Update(std::size_t index, std::span<const std::string_view> labels, double value) {
  Metric& metric = metrics_[index];
  const core::MetricType type = metric.definition.family.type;
  if (std::isnan(value) || (type == core::MetricType::kCounter && (value < 0 || std::isinf(value)))) return false;
  key_.clear();
  for (const std::string_view label : labels) AppendKey(key_, label.substr(0, kMaxLabelBytes));
  Slot& slot = SlotOf(metric, key_);
  switch (type) {
    case core::MetricType::kCounter:
      slot.values[0] += value;
      break;
    case core::MetricType::kHistogram: {
      const auto bucket =
          std::ranges::lower_bound(metric.definition.buckets, value) - metric.definition.buckets.begin();
      slot.values[static_cast<std::size_t>(bucket)] += 1;
      slot.values.back() += value;
      break;
    }
    default:
      slot.values[0] = value;
  }
  if (!slot.changed) {
    slot.changed = true;
    metric.changed = true;
    changed_.emplace_back(index, static_cast<std::size_t>(&slot - metric.slots.data()));
  }
  return true;
}

void MetricTable::Restore(const Row& row) {
  for (Metric& metric : metrics_) {
    if (metric.definition.family.name != row.metric) continue;
    if (DecodeKey(row.key).size() != metric.definition.label_names.size()) return;
    Slot& slot = SlotOf(metric, row.key);
    if (slot.key == row.key && slot.values.size() == row.values.size()) slot.values = row.values;
    metric.changed = true;
    return;
  }
}

void MetricTable::ForEachChanged(const std::function<void(const Row& row)>& visit) const {
  for (const auto& [metric, slot] : changed_) {
    const Slot& s = metrics_[metric].slots[slot];
    visit({metrics_[metric].definition.family.name, s.key, s.values});
  }
}

std::vector<std::pair<std::string, std::string>> MetricTable::Shapes() const {
  std::vector<std::pair<std::string, std::string>> shapes;
  for (const Metric& metric : metrics_) shapes.emplace_back(metric.definition.family.name, metric.definition.Shape());
  return shapes;
}

std::shared_ptr<const FamilySnapshot> MetricTable::Snapshot(Metric& metric) {
  auto snapshot = std::make_shared<FamilySnapshot>();
  snapshot->family = metric.definition.family;
  // The list of series is shared as long as none is new.
  if (metric.snapshot && metric.snapshot_series == metric.series.size()) {
    snapshot->series = metric.snapshot->series;
  } else {
    snapshot->series = std::make_shared<const std::vector<std::shared_ptr<const core::Series>>>(metric.series);
    metric.snapshot_series = metric.series.size();
  }
  snapshot->values.reserve(metric.series.size());
  for (const Slot& slot : metric.slots) {
    if (metric.definition.family.type != core::MetricType::kHistogram) {
      snapshot->values.push_back(slot.values[0]);
      continue;
    }
    double cumulated = 0;
    for (std::size_t i = 0; i + 1 < slot.values.size(); ++i) snapshot->values.push_back(cumulated += slot.values[i]);
    snapshot->values.push_back(slot.values.back());
    snapshot->values.push_back(cumulated);
  }
  return snapshot;
}

std::shared_ptr<const MetricSnapshot> MetricTable::Committed() {
  for (const auto& [metric, slot] : changed_) metrics_[metric].slots[slot].changed = false;
  changed_.clear();
  removed_.clear();
  auto all = std::make_shared<MetricSnapshot>();
  for (Metric& metric : metrics_) {
    if (metric.changed) metric.snapshot = Snapshot(metric);
    metric.changed = false;
    all->push_back(metric.snapshot);
  }
  return all;
}

}  // namespace pipewarden::exporters
