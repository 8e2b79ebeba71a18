#include "rules/memory_store.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <unordered_set>

namespace pipewarden::rules {
namespace {

// The series of the first set, then those of the second that the first does not have.
class JoinedSet final : public promql::SeriesSet {
 public:
  JoinedSet(std::unique_ptr<promql::SeriesSet> front, std::unique_ptr<promql::SeriesSet> back)
      : front_(std::move(front)), back_(std::move(back)) {
    std::unordered_set<core::Labels, core::LabelsHash> seen;
    for (std::size_t i = 0; i < front_->size(); ++i) seen.insert(*front_->labels(i));
    for (std::size_t i = 0; i < back_->size(); ++i)
      if (!seen.contains(*back_->labels(i))) shown_.push_back(i);
  }
  std::size_t size() const override { return front_->size() + shown_.size(); }
  const promql::LabelsPtr& labels(std::size_t index) const override {
    const auto [set, place] = Of(index);
    return set->labels(place);
  }
  core::Result<void> Read(std::size_t index, core::TimestampMs from, core::TimestampMs to,
                          promql::SampleColumns& out) const override {
    const auto [set, place] = Of(index);
    return set->Read(place, from, to, out);
  }
  core::Result<void> ReadLast(std::size_t index, core::TimestampMs from, core::TimestampMs to,
                              promql::SampleColumns& out) const override {
    const auto [set, place] = Of(index);
    return set->ReadLast(place, from, to, out);
  }

 private:
  std::pair<const promql::SeriesSet*, std::size_t> Of(std::size_t index) const {
    if (index < front_->size()) return {front_.get(), index};
    return {back_.get(), shown_[index - front_->size()]};
  }
  std::unique_ptr<promql::SeriesSet> front_;
  std::unique_ptr<promql::SeriesSet> back_;
  std::vector<std::size_t> shown_;
};

class JoinedQuerier final : public promql::Querier {
 public:
  JoinedQuerier(std::unique_ptr<promql::Querier> front, std::unique_ptr<promql::Querier> back)
      : front_(std::move(front)), back_(std::move(back)) {}

  core::Result<std::unique_ptr<promql::SeriesSet>> Select(const promql::SelectHints& hints,
                                                          std::span<const core::Matcher> matchers) override {
    auto front = front_->Select(hints, matchers);
    if (!front) return front;
    auto back = back_->Select(hints, matchers);
    if (!back) return back;
    return std::make_unique<JoinedSet>(std::move(*front), std::move(*back));
  }
  core::Result<std::vector<std::string>> LabelNames(const promql::SelectHints& hints,
                                                    std::span<const core::Matcher> matchers) override {
    return Join(front_->LabelNames(hints, matchers), back_->LabelNames(hints, matchers));
  }
  core::Result<std::vector<std::string>> LabelValues(const promql::SelectHints& hints, std::string_view name,
                                                     std::span<const core::Matcher> matchers) override {
    return Join(front_->LabelValues(hints, name, matchers), back_->LabelValues(hints, name, matchers));
  }

 private:
  using Names = core::Result<std::vector<std::string>>;
  static Names Join(Names front, Names back) {
    if (!front) return front;
    if (!back) return back;
    std::vector<std::string> all;
    std::ranges::set_union(*front, *back, std::back_inserter(all));
    return all;
  }
  std::unique_ptr<promql::Querier> front_;
  std::unique_ptr<promql::Querier> back_;
};

}  // namespace

core::Result<std::unique_ptr<promql::Querier>> MemoryStore::Open(core::TimestampMs from, core::TimestampMs to) const {
  auto own = series_.Open(from, to);
  if (!own || history_ == nullptr) return own;
  auto history = history_->Open(from, to);
  if (!history) return history;
  return std::make_unique<JoinedQuerier>(std::move(*own), std::move(*history));
}

std::optional<SeriesRef> MemoryStore::Resolve(const core::Labels& labels, std::string_view) {
  const auto [place, is_new] = refs_.try_emplace(labels, static_cast<SeriesRef>(known_.size()));
  if (is_new) known_.push_back({labels, std::numeric_limits<core::TimestampMs>::min()});
  return place->second;
}

bool MemoryStore::IsNext(SeriesRef ref, core::TimestampMs time) {
  if (time <= known_[ref].newest) return false;
  known_[ref].newest = time;
  return true;
}

std::size_t MemoryStore::Append(core::TimestampMs time, std::span<const RefSample> samples) {
  std::size_t appended = 0;
  for (const RefSample& sample : samples) {
    if (!IsNext(sample.ref, time)) continue;
    series_.Add(known_[sample.ref].labels, time, sample.value);
    ++appended;
  }
  return appended;
}

std::size_t MemoryStore::Append(core::TimestampMs time, std::span<const RefHistogram> samples) {
  std::size_t appended = 0;
  for (const RefHistogram& sample : samples) {
    if (!IsNext(sample.ref, time)) continue;
    series_.Add(known_[sample.ref].labels, time, sample.histogram);
    ++appended;
  }
  return appended;
}

void MemoryStore::End(std::span<const SeriesRef> series, core::TimestampMs time) {
  for (const SeriesRef ref : series) {
    const RefSample marker{ref, core::StaleNaN()};
    Append(time, std::span(&marker, 1));
  }
}

}  // namespace pipewarden::rules
