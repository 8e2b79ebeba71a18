// The storage's read side: queriers and the series they select. Nothing is copied when a selection is made but each
// series' newest sample; samples are decoded when they are asked for, under the head's lock for a series at a time.
// What was appended after the querier was opened stays hidden by its time.
#include <algorithm>
#include <functional>
#include <set>

#include "rules/storage/storage.h"

namespace pipewarden::rules {
namespace {

constexpr std::size_t kMaxCachedLabels = 50'000;

}  // namespace

promql::LabelsPtr Storage::LabelsFor(SeriesRef ref) const {
  const core::MutexLock lock(labels_mutex_);
  if (labels_.size() >= kMaxCachedLabels) labels_.clear();
  promql::LabelsPtr& cached = labels_[ref];
  if (!cached) cached = std::make_shared<const core::Labels>(head_.LabelsOf(ref));
  return cached;
}

class StorageSeriesSet final : public promql::SeriesSet {
 public:
  struct Entry {
    SeriesRef ref = 0;
    promql::LabelsPtr labels;
    core::Sample last;
    bool last_known = false;  // its newest sample is in memory
  };

  StorageSeriesSet(const Storage& storage, core::TimestampMs visible_until, const promql::SelectHints& hints,
                   std::vector<Entry> entries)
      : storage_(storage), visible_until_(visible_until), check_(hints.check), entries_(std::move(entries)) {}

  std::size_t size() const override { return entries_.size(); }
  const promql::LabelsPtr& labels(std::size_t index) const override { return entries_[index].labels; }

  core::Result<void> Read(std::size_t index, core::TimestampMs from, core::TimestampMs to,
                          promql::SampleColumns& out) const override {
    to = std::min(to, visible_until_);
    if (from > to) return {};
    const SeriesRef ref = entries_[index].ref;
    std::shared_ptr<const Storage::Segments> segments;
    promql::SampleColumns in_head;
    {
      // Head and segments are looked at under one lock: samples wander from the one to the other.
      const ReaderLock lock(storage_.mutex_);
      const bool sealed = !storage_.segments_->empty() && storage_.segments_->back()->end() > from;
      if (sealed) segments = storage_.segments_;
      if (storage_.head_.Get(ref) != nullptr) storage_.head_.Read(ref, from, to, sealed ? in_head : out);
    }
    if (!segments) return {};
    const auto first = std::ranges::upper_bound(*segments, from, {}, [](const auto& s) { return s->end(); });
    for (auto segment = first; segment != segments->end() && (*segment)->start() <= to; ++segment) {
      // A damaged segment counts as absent: Maintain sets it aside and tells.
      auto read = (*segment)->Read(ref, from, to, storage_.cache_, out);
      if (!read && read.error().code != core::ErrorCode::kCorrupt) return read;
      if (check_)
        if (auto go_on = check_(out.size()); !go_on) return go_on;
    }
    out.Append(std::move(in_head));
    return {};
  }

  core::Result<void> ReadLast(std::size_t index, core::TimestampMs from, core::TimestampMs to,
                              promql::SampleColumns& out) const override {
    const Entry& entry = entries_[index];
    if (entry.last.time < from) return {};
    // Of a histogram only the time is remembered.
    if (entry.last_known && entry.last.time <= std::min(to, visible_until_) &&
        !promql::IsHistogramMark(entry.last.value)) {
      out.Add(entry.last.time, entry.last.value);
      return {};
    }
    return SeriesSet::ReadLast(index, from, to, out);
  }

 private:
  const Storage& storage_;
  const core::TimestampMs visible_until_;
  const std::function<core::Result<void>(std::size_t)> check_;
  const std::vector<Entry> entries_;
};

class StorageQuerier final : public promql::Querier {
 public:
  explicit StorageQuerier(const Storage& storage) : storage_(storage), visible_until_(storage.newest_time()) {}

  core::Result<std::unique_ptr<promql::SeriesSet>> Select(const promql::SelectHints& hints,
                                                          std::span<const core::Matcher> matchers) override {
    std::vector<StorageSeriesSet::Entry> entries;
    const std::vector<SeriesRef> refs = Present(hints, matchers);
    {
      const ReaderLock lock(storage_.mutex_);
      entries.reserve(refs.size());
      for (const SeriesRef ref : refs) {
        if (hints.limit != 0 && entries.size() >= hints.limit) break;
        const MemSeries* series = storage_.head_.Get(ref);
        if (series == nullptr) continue;  // retention took it meanwhile
        entries.push_back({ref,
                           storage_.LabelsFor(ref),
                           {series->last_time(), series->open.last_value()},
                           !series->open.empty() || !series->closed.empty()});
      }
    }
    return std::make_unique<StorageSeriesSet>(storage_, visible_until_, hints, std::move(entries));
  }

  core::Result<std::vector<std::string>> LabelNames(const promql::SelectHints& hints,
                                                    std::span<const core::Matcher> matchers) override {
    return Collect(hints, matchers, [](const core::Labels& labels, std::set<std::string, std::less<>>& out) {
      for (const core::LabelView label : labels)
        if (!out.contains(label.name)) out.emplace(label.name);
    });
  }

  core::Result<std::vector<std::string>> LabelValues(const promql::SelectHints& hints, std::string_view name,
                                                     std::span<const core::Matcher> matchers) override {
    return Collect(hints, matchers, [name](const core::Labels& labels, std::set<std::string, std::less<>>& out) {
      const std::string_view value = labels.Get(name);
      if (!value.empty() && !out.contains(value)) out.emplace(value);
    });
  }

 private:
  template <class Visit>
  std::vector<std::string> Collect(const promql::SelectHints& hints, std::span<const core::Matcher> matchers,
                                   Visit&& visit) const {
    std::set<std::string, std::less<>> out;
    const std::vector<SeriesRef> refs = Present(hints, matchers);
    const ReaderLock lock(storage_.mutex_);
    for (const SeriesRef ref : refs)
      if (storage_.head_.Get(ref) != nullptr) visit(storage_.head_.LabelsOf(ref), out);
    return {out.begin(), out.end()};
  }

  // The series that match and have a chunk that touches [hints.from, hints.to].
  std::vector<SeriesRef> Present(const promql::SelectHints& hints, std::span<const core::Matcher> matchers) const {
    std::vector<SeriesRef> refs;
    std::vector<SeriesRef> not_in_head;
    std::shared_ptr<const Storage::Segments> segments;
    if (hints.from > hints.to) return refs;
    {
      const ReaderLock lock(storage_.mutex_);
      segments = storage_.segments_;
      const bool sealed = !segments->empty() && segments->back()->end() > hints.from;
      for (const SeriesRef ref : storage_.head_.Select(matchers)) {
        if (storage_.head_.HasChunkIn(ref, hints.from, hints.to))
          refs.push_back(ref);
        else if (sealed && storage_.head_.Get(ref)->last_time() >= hints.from)
          not_in_head.push_back(ref);
      }
    }
    if (not_in_head.empty()) return refs;
    const auto first = std::ranges::upper_bound(*segments, hints.from, {}, [](const auto& s) { return s->end(); });
    for (const SeriesRef ref : not_in_head)
      for (auto segment = first; segment != segments->end() && (*segment)->start() <= hints.to; ++segment)
        if ((*segment)->Has(ref, storage_.cache_)) {
          refs.push_back(ref);
          break;
        }
    std::ranges::sort(refs);
    return refs;
  }

  const Storage& storage_;
  const core::TimestampMs visible_until_;
};

core::Result<std::unique_ptr<promql::Querier>> Storage::Open(core::TimestampMs, core::TimestampMs) const {
  return std::make_unique<StorageQuerier>(*this);
}

}  // namespace pipewarden::rules
