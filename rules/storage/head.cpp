#include "rules/storage/head.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <new>
#include <utility>

#include "rules/storage/read_chunk.h"

namespace pipewarden::rules {
namespace {

// Open samples take up to five times the memory of packed ones, so they are closed often: after 10 to 19 of them, not
// all series at the same time.
constexpr std::uint32_t kOpenSamples = 10;

std::uint32_t HashLabels(const core::Labels& labels) {
  const std::uint64_t hash = labels.Hash();
  return static_cast<std::uint32_t>(hash ^ (hash >> 32U));
}

}  // namespace

MemSeries::Ptr MemSeries::Make(std::size_t labels, std::uint32_t hash) {
  void* memory = ::operator new(sizeof(MemSeries) + labels * sizeof(SymbolPair));
  Ptr series(new (memory) MemSeries(static_cast<std::uint32_t>(labels), hash));
  std::ranges::uninitialized_value_construct(series->labels());
  return series;
}

void MemSeries::Delete::operator()(MemSeries* series) const {
  series->~MemSeries();
  ::operator delete(series);
}

bool Head::SameLabels(const MemSeries& series, const core::Labels& labels) const {
  return std::ranges::equal(series.labels(), labels, [&](const SymbolPair& pair, core::LabelView label) {
    return symbols_.Text(pair.name) == label.name && symbols_.Text(pair.value) == label.value;
  });
}

std::optional<SeriesRef> Head::Find(const core::Labels& labels) const {
  if (buckets_.empty()) return std::nullopt;
  const std::uint32_t hash = HashLabels(labels);
  const std::size_t mask = buckets_.size() - 1;
  for (std::size_t at = hash & mask; buckets_[at] != 0; at = (at + 1) & mask) {
    const SeriesRef ref = buckets_[at] - 1;
    if (series_[ref]->hash == hash && SameLabels(*series_[ref], labels)) return ref;
  }
  return std::nullopt;
}

void Head::Rehash(std::size_t buckets) {
  buckets_.assign(buckets, 0);
  const std::size_t mask = buckets - 1;
  ForEach([&](SeriesRef ref, const MemSeries& series) {
    std::size_t at = series.hash & mask;
    while (buckets_[at] != 0) at = (at + 1) & mask;
    buckets_[at] = ref + 1;
  });
}

void Head::Insert(SeriesRef ref, const core::Labels& labels) {
  auto series = MemSeries::Make(labels.size(), HashLabels(labels));
  auto* pair = series->labels().data();
  for (const core::LabelView label : labels) *pair++ = {symbols_.Intern(label.name), symbols_.Intern(label.value)};
  index_.Add(ref, series->labels());
  if (ref >= series_.size()) series_.resize(ref + 1U);
  const std::size_t hash = series->hash;
  series_[ref] = std::move(series);
  if (index_.size() * 4 > buckets_.size() * 3) {
    Rehash(std::max<std::size_t>(64, buckets_.size() * 2));
    return;
  }
  const std::size_t mask = buckets_.size() - 1;
  std::size_t bucket = hash & mask;
  while (buckets_[bucket] != 0) bucket = (bucket + 1) & mask;
  buckets_[bucket] = ref + 1;
}

void Head::Activate(MemSeries& series) {
  if (series.active != 0) return;
  series.active = 1;
  ++active_;
}

SeriesRef Head::Create(const core::Labels& labels) {
  const SeriesRef ref = next_ref();
  Insert(ref, labels);
  Activate(*series_[ref]);
  return ref;
}

bool Head::Restore(SeriesRef ref, const core::Labels& labels) {
  if (const MemSeries* present = Get(ref)) return SameLabels(*present, labels);
  // The index wants rising references; what a log holds rises too, unless it was damaged.
  if (ref < next_ref() || Find(labels)) return false;
  Insert(ref, labels);
  return true;
}

bool Head::RestoreChunk(SeriesRef ref, const ChunkView& chunk) {
  MemSeries* series = Get(ref);
  if (series == nullptr || chunk.count == 0 || !series->open.empty() || !ChunkList::Takes(chunk)) return false;
  if (!series->closed.empty() && chunk.first <= series->closed.last().last) return false;
  // The newest value is known by reading to the end; that tells a damaged chunk as well.
  promql::SampleColumns samples;
  ReadChunk(chunk, std::numeric_limits<core::TimestampMs>::min(), std::numeric_limits<core::TimestampMs>::max(),
            samples);
  if (samples.size() != chunk.count || samples.times.back() != chunk.last) return false;
  series->open.SetLast(samples.times.back(), samples.values.back());
  oldest_ = oldest_ == ChunkWriter::kNever ? chunk.first : std::min(oldest_, chunk.first);
  series->closed.Add(chunk);
  Activate(*series);
  return true;
}

void Head::ReserveRefs(SeriesRef next) {
  if (next > series_.size()) series_.resize(next);
}

core::Labels Head::LabelsOf(SeriesRef ref) const {
  std::vector<core::LabelView> labels;
  if (const MemSeries* series = Get(ref)) {
    labels.reserve(series->labels().size());
    for (const SymbolPair& pair : series->labels())
      labels.push_back({symbols_.Text(pair.name), symbols_.Text(pair.value)});
  }
  return core::Labels(labels);
}

// Puts the open samples behind those of the last closed chunk, as long as that is not full.
void Head::CloseFloats(MemSeries& series) {
  if (series.open.empty()) return;
  promql::SampleColumns samples;
  constexpr auto kEver = std::numeric_limits<core::TimestampMs>::max();
  bool goes_on = false;
  if (!series.closed.empty()) {
    const ChunkView last = series.closed.last();
    goes_on = last.encoding != ChunkEncoding::kHistogram &&
              last.count + series.open.count() <= ChunkWriter::kMaxSamples &&
              WindowStart(last.first) == WindowStart(series.open.first_time());
    if (goes_on) ReadChunk(last, -kEver, kEver, samples);
  }
  ReadOpen(series.open, -kEver, kEver, samples);
  const Chunk sealed = Chunk::Of(samples.times, samples.values);
  if (goes_on)
    series.closed.ReplaceLast(sealed.view());
  else
    series.closed.Add(sealed.view());
  series.open.Reset();
  series.open.GiveMemoryBack();
}

void Head::CloseHistograms(SeriesRef ref) {
  const auto open = histograms_.find(ref);
  if (open == histograms_.end()) return;
  if (!open->second.empty()) series_[ref]->closed.Add(open->second.Seal().view());
  histograms_.erase(open);
}

const HistogramChunkWriter* Head::OpenHistograms(SeriesRef ref) const {
  const auto open = histograms_.find(ref);
  return open != histograms_.end() && !open->second.empty() ? &open->second : nullptr;
}

bool Head::Append(SeriesRef ref, core::TimestampMs time, const core::FloatHistogram& histogram) {
  MemSeries& series = *series_[ref];
  if (time <= series.last_time()) return false;
  CloseFloats(series);
  HistogramChunkWriter& open = histograms_[ref];
  if (!open.empty() && (open.full() || WindowStart(open.first_time()) != WindowStart(time))) {
    series.closed.Add(open.Seal().view());
    open.Reset();
  }
  open.Append(time, histogram);
  series.open.SetLast(time, promql::HistogramMark());
  Activate(series);
  if (oldest_ == ChunkWriter::kNever || time < oldest_) oldest_ = time;
  return true;
}

bool Head::Append(SeriesRef ref, core::TimestampMs time, double value) {
  MemSeries& series = *series_[ref];
  if (time <= series.last_time()) return false;
  if (!histograms_.empty()) CloseHistograms(ref);
  if (!series.open.empty() && WindowStart(series.open.first_time()) != WindowStart(time)) CloseFloats(series);
  series.open.Append(time, value);
  if (series.open.count() >= kOpenSamples + ref % kOpenSamples) CloseFloats(series);
  Activate(series);
  if (oldest_ == ChunkWriter::kNever || time < oldest_) oldest_ = time;
  return true;
}

void Head::Read(SeriesRef ref, core::TimestampMs from, core::TimestampMs to, promql::SampleColumns& out) const {
  const MemSeries& series = *series_[ref];
  series.closed.ForEach([&](const ChunkView& chunk) {
    if (chunk.first > to) return false;
    if (chunk.last >= from) ReadChunk(chunk, from, to, out);
    return true;
  });
  if (const HistogramChunkWriter* open = OpenHistograms(ref))
    if (open->first_time() <= to && open->last_time() >= from) {
      const Chunk sealed = open->Seal();
      ReadHistograms(HistogramChunkReader(sealed), from, to, out);
    }
  ReadOpen(series.open, from, to, out);
}

bool Head::HasChunkIn(SeriesRef ref, core::TimestampMs from, core::TimestampMs to) const {
  const MemSeries& series = *series_[ref];
  const auto touches = [&](const auto& open) { return open.first_time() <= to && open.last_time() >= from; };
  if (!series.open.empty() && touches(series.open)) return true;
  bool found = false;
  series.closed.ForEach([&](const ChunkView& chunk) {
    found = chunk.first <= to && chunk.last >= from;
    return !found && chunk.first <= to;
  });
  if (found || histograms_.empty()) return found;
  const HistogramChunkWriter* histograms = OpenHistograms(ref);
  return histograms != nullptr && touches(*histograms);
}

std::vector<SeriesRef> Head::Select(std::span<const core::Matcher> matchers) const {
  return index_.Select(matchers, [&](SeriesRef ref, std::string_view name) {
    for (const SymbolPair& pair : series_[ref]->labels())
      if (symbols_.Text(pair.name) == name) return symbols_.Text(pair.value);
    return std::string_view{};
  });
}

std::optional<core::TimestampMs> Head::OldestTime() const {
  if (oldest_ == ChunkWriter::kNever) return std::nullopt;
  return oldest_;
}

void Head::CloseBefore(core::TimestampMs time) {
  std::erase_if(histograms_, [&](auto& entry) {
    auto& [ref, open] = entry;
    if (open.last_time() >= time) return false;
    if (!open.empty()) series_[ref]->closed.Add(open.Seal().view());
    return true;
  });
  for (const auto& series : series_) {
    if (!series || series->open.empty() || series->open.last_time() >= time) continue;
    CloseFloats(*series);
  }
}

void Head::DropBefore(core::TimestampMs time) {
  oldest_ = ChunkWriter::kNever;
  const auto see = [&](core::TimestampMs first) {
    oldest_ = oldest_ == ChunkWriter::kNever ? first : std::min(oldest_, first);
  };
  for (SeriesRef ref = 0; ref < series_.size(); ++ref) {
    const auto& series = series_[ref];
    if (!series) continue;
    series->closed.DropBefore(time);
    if (!series->closed.empty())
      see(series->closed.first_time());
    else if (!series->open.empty())
      see(series->open.first_time());
    else if (const HistogramChunkWriter* histograms = OpenHistograms(ref))
      see(histograms->first_time());
    else if (series->active != 0) {
      series->active = 0;
      --active_;
    }
  }
}

std::size_t Head::RemoveSeriesBefore(core::TimestampMs time) {
  const SeriesRef seen_until = std::exchange(seen_until_, next_ref());
  const auto gone = [&](SeriesRef ref) {
    const MemSeries& series = *series_[ref];
    if (!series.closed.empty() || !series.open.empty() || OpenHistograms(ref) != nullptr) return false;
    return series.last_time() == ChunkWriter::kNever ? ref < seen_until : series.last_time() < time;
  };
  const std::size_t before = index_.size();
  std::vector<SeriesRef> removed;
  ForEach([&](SeriesRef ref, const MemSeries&) {
    if (gone(ref)) removed.push_back(ref);
  });
  if (removed.empty()) return 0;
  index_.RemoveIf([&](SeriesRef ref) { return std::ranges::binary_search(removed, ref); });
  for (const SeriesRef ref : removed) {
    for (const SymbolPair& pair : series_[ref]->labels()) {
      symbols_.Release(pair.name);
      symbols_.Release(pair.value);
    }
    active_ -= series_[ref]->active;
    histograms_.erase(ref);
    series_[ref].reset();
  }
  symbols_.Compact();
  Rehash(buckets_.size());
  return before - index_.size();
}

std::size_t Head::MemoryBytes() const {
  std::size_t bytes = symbols_.MemoryBytes() + index_.MemoryBytes() + series_.capacity() * sizeof(series_[0]) +
                      buckets_.capacity() * sizeof(std::uint32_t);
  ForEach([&](SeriesRef, const MemSeries& series) {
    bytes += sizeof(MemSeries) + series.labels().size_bytes() + series.open.MemoryBytes() + series.closed.MemoryBytes();
  });
  for (const auto& [ref, open] : histograms_) bytes += sizeof(open) + open.MemoryBytes();
  return bytes;
}

}  // namespace pipewarden::rules
