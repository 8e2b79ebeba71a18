#include "rules/promql/memory_series.h"

#include <algorithm>
#include <set>

namespace pipewarden::rules::promql {
namespace {

bool AllMatch(std::span<const core::Matcher> matchers, const core::Labels& labels) {
  return std::ranges::all_of(matchers, [&](const core::Matcher& matcher) { return matcher.Matches(labels); });
}

class MemorySet final : public SeriesSet {
 public:
  explicit MemorySet(std::vector<const MemorySeries::Entry*> entries) : entries_(std::move(entries)) {}

  std::size_t size() const override { return entries_.size(); }
  const LabelsPtr& labels(std::size_t index) const override { return entries_[index]->labels; }

  core::Result<void> Read(std::size_t index, TimestampMs from, TimestampMs to, SampleColumns& out) const override {
    const SampleColumns& all = entries_[index]->samples;
    const auto first = std::ranges::lower_bound(all.times, from) - all.times.begin();
    const auto last = std::ranges::upper_bound(all.times, to) - all.times.begin();
    if (first < last) Copy(all, first, last, out);
    return {};
  }

  core::Result<void> ReadLast(std::size_t index, TimestampMs from, TimestampMs to, SampleColumns& out) const override {
    const SampleColumns& all = entries_[index]->samples;
    const auto last = std::ranges::upper_bound(all.times, to) - all.times.begin();
    if (last > 0 && all.times[static_cast<std::size_t>(last - 1)] >= from) Copy(all, last - 1, last, out);
    return {};
  }

 private:
  static void Copy(const SampleColumns& all, std::ptrdiff_t first, std::ptrdiff_t last, SampleColumns& out) {
    out.times.insert(out.times.end(), all.times.begin() + first, all.times.begin() + last);
    out.values.insert(out.values.end(), all.values.begin() + first, all.values.begin() + last);
    if (all.histograms.empty()) return;
    out.histograms.resize(out.times.size() - static_cast<std::size_t>(last - first));
    out.histograms.insert(out.histograms.end(), all.histograms.begin() + first, all.histograms.begin() + last);
  }

  std::vector<const MemorySeries::Entry*> entries_;
};

class MemoryQuerier final : public Querier {
 public:
  explicit MemoryQuerier(const std::vector<MemorySeries::Entry>& series) : series_(series) {}

  core::Result<std::unique_ptr<SeriesSet>> Select(const SelectHints& hints,
                                                  std::span<const core::Matcher> matchers) override {
    std::vector<const MemorySeries::Entry*> found;
    for (const MemorySeries::Entry& entry : series_) {
      if (hints.limit > 0 && found.size() == hints.limit) break;
      if (AllMatch(matchers, *entry.labels)) found.push_back(&entry);
    }
    return std::make_unique<MemorySet>(std::move(found));
  }

  core::Result<std::vector<std::string>> LabelNames(const SelectHints&,
                                                    std::span<const core::Matcher> matchers) override {
    std::set<std::string> names;
    for (const MemorySeries::Entry& entry : series_)
      if (AllMatch(matchers, *entry.labels))
        for (const core::LabelView label : *entry.labels) names.emplace(label.name);
    return std::vector<std::string>(names.begin(), names.end());
  }

  core::Result<std::vector<std::string>> LabelValues(const SelectHints&, std::string_view name,
                                                     std::span<const core::Matcher> matchers) override {
    std::set<std::string> values;
    for (const MemorySeries::Entry& entry : series_)
      if (entry.labels->Has(name) && AllMatch(matchers, *entry.labels)) values.emplace(entry.labels->Get(name));
    return std::vector<std::string>(values.begin(), values.end());
  }

 private:
  const std::vector<MemorySeries::Entry>& series_;
};

}  // namespace

MemorySeries::Entry& MemorySeries::EntryOf(const core::Labels& labels) {
  const auto [at, added] = index_.try_emplace(labels, series_.size());
  if (added) series_.push_back(Entry{std::make_shared<const core::Labels>(labels), {}});
  return series_[at->second];
}

std::size_t MemorySeries::PlaceFor(SampleColumns& samples, TimestampMs time) {
  const auto at = std::ranges::lower_bound(samples.times, time) - samples.times.begin();
  const auto index = static_cast<std::size_t>(at);
  if (index < samples.size() && samples.times[index] == time) return index;
  samples.times.insert(samples.times.begin() + at, time);
  samples.values.insert(samples.values.begin() + at, 0);
  if (!samples.histograms.empty()) samples.histograms.insert(samples.histograms.begin() + at, nullptr);
  return index;
}

void MemorySeries::Add(const core::Labels& labels, TimestampMs time, double value) {
  SampleColumns& samples = EntryOf(labels).samples;
  const std::size_t at = PlaceFor(samples, time);
  samples.values[at] = value;
  if (!samples.histograms.empty()) samples.histograms[at] = nullptr;
}

void MemorySeries::Add(const core::Labels& labels, TimestampMs time, const HistogramPtr& histogram) {
  SampleColumns& samples = EntryOf(labels).samples;
  const std::size_t at = PlaceFor(samples, time);
  samples.values[at] = HistogramMark();
  samples.histograms.resize(samples.size());
  auto stored = std::make_shared<FloatHistogram>(*histogram);
  stored->hint = core::StoredHint(*histogram, at > 0 ? samples.histograms[at - 1].get() : nullptr);
  samples.histograms[at] = std::move(stored);
}

void MemorySeries::Add(const core::Labels& labels, const SampleColumns& samples) {
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (!samples.histograms.empty() && samples.histograms[i] != nullptr)
      Add(labels, samples.times[i], samples.histograms[i]);
    else
      Add(labels, samples.times[i], samples.values[i]);
  }
}

void MemorySeries::Clear() {
  series_.clear();
  index_.clear();
}

core::Result<std::unique_ptr<Querier>> MemorySeries::Open(TimestampMs, TimestampMs) const {
  return std::make_unique<MemoryQuerier>(series_);
}

}  // namespace pipewarden::rules::promql
