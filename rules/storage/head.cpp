#include "rules/storage/head.h"

#include <algorithm>
#include <utility>

namespace pipewarden::rules {
namespace {

std::uint32_t HashLabels(const core::Labels& labels) {
  const std::uint64_t hash = labels.Hash();
  return static_cast<std::uint32_t>(hash ^ (hash >> 32U));
}

}  // namespace

bool Head::SameLabels(const MemSeries& series, const core::Labels& labels) const {
  return std::ranges::equal(series.label_span(), labels, [&](const SymbolPair& pair, const core::Label& label) {
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
  auto series = std::make_unique<MemSeries>();
  series->label_count = static_cast<std::uint32_t>(labels.size());
  series->labels = std::make_unique<SymbolPair[]>(labels.size());
  std::size_t at = 0;
  for (const core::Label& label : labels)
    series->labels[at++] = {symbols_.Intern(label.name), symbols_.Intern(label.value)};
  series->hash = HashLabels(labels);
  index_.Add(ref, series->label_span());
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
  if (series.active) return;
  series.active = true;
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

bool Head::RestoreChunk(SeriesRef ref, Chunk chunk) {
  MemSeries* series = Get(ref);
  if (series == nullptr || chunk.count() == 0 || !series->open.empty()) return false;
  if (!series->closed.empty() && chunk.first_time() <= series->closed.back().last_time()) return false;
  // The newest value is known by reading to the end; that tells a damaged chunk as well.
  core::Sample last{0, promql::HistogramMark()};
  std::uint16_t read = 0;
  if (chunk.encoding() == ChunkEncoding::kHistogram) {
    for (HistogramChunkReader reader(chunk); reader.Next(); ++read) last.time = reader.time();
  } else {
    for (ChunkReader reader(chunk); reader.Next(); ++read) last = reader.sample();
  }
  if (read != chunk.count() || last.time != chunk.last_time()) return false;
  series->open.SetLast(last.time, last.value);
  oldest_ = oldest_ == ChunkWriter::kNever ? chunk.first_time() : std::min(oldest_, chunk.first_time());
  series->closed.push_back(std::move(chunk));
  Activate(*series);
  return true;
}

void Head::ReserveRefs(SeriesRef next) {
  if (next > series_.size()) series_.resize(next);
}

core::Labels Head::LabelsOf(SeriesRef ref) const {
  std::vector<core::Label> labels;
  if (const MemSeries* series = Get(ref)) {
    labels.reserve(series->label_count);
    for (const SymbolPair& pair : series->label_span())
      labels.push_back({std::string(symbols_.Text(pair.name)), std::string(symbols_.Text(pair.value))});
  }
  return core::Labels(std::move(labels));
}

void Head::CloseFloats(MemSeries& series) {
  if (series.open.empty()) return;
  series.closed.push_back(series.open.Seal());
  series.open.Reset();
}

void Head::CloseHistograms(SeriesRef ref) {
  const auto open = histograms_.find(ref);
  if (open == histograms_.end()) return;
  if (!open->second.empty()) series_[ref]->closed.push_back(open->second.Seal());
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
    series.closed.push_back(open.Seal());
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
  if (!series.open.empty() &&
      (series.open.count() >= ChunkWriter::kMaxSamples || WindowStart(series.open.first_time()) != WindowStart(time)))
    CloseFloats(series);
  series.open.Append(time, value);
  Activate(series);
  if (oldest_ == ChunkWriter::kNever || time < oldest_) oldest_ = time;
  return true;
}

void Head::Read(SeriesRef ref, core::TimestampMs from, core::TimestampMs to, promql::SampleColumns& out) const {
  const MemSeries& series = *series_[ref];
  const auto read = [&](ChunkReader reader) {
    while (reader.Next()) {
      const core::Sample& sample = reader.sample();
      if (sample.time > to) return;
      if (sample.time >= from) out.Add(sample.time, sample.value);
    }
  };
  for (const Chunk& chunk : series.closed) {
    if (chunk.last_time() < from) continue;
    if (chunk.first_time() > to) return;
    if (chunk.encoding() == ChunkEncoding::kHistogram)
      ReadHistograms(HistogramChunkReader(chunk), from, to, out);
    else
      read(ChunkReader(chunk));
  }
  if (const HistogramChunkWriter* open = OpenHistograms(ref))
    if (open->first_time() <= to && open->last_time() >= from) {
      const Chunk sealed = open->Seal();
      ReadHistograms(HistogramChunkReader(sealed), from, to, out);
    }
  if (!series.open.empty() && series.open.first_time() <= to && series.open.last_time() >= from)
    read(ChunkReader(series.open));
}

std::vector<SeriesRef> Head::Select(std::span<const core::Matcher> matchers) const {
  return index_.Select(matchers, [&](SeriesRef ref, std::string_view name) {
    for (const SymbolPair& pair : series_[ref]->label_span())
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
    if (!open.empty()) series_[ref]->closed.push_back(open.Seal());
    return true;
  });
  for (const auto& series : series_) {
    if (!series || series->open.empty() || series->open.last_time() >= time) continue;
    CloseFloats(*series);
    series->open.GiveMemoryBack();  // most likely the series has ended
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
    std::erase_if(series->closed, [&](const Chunk& chunk) { return chunk.last_time() < time; });
    if (series->closed.empty()) series->closed.shrink_to_fit();
    if (!series->closed.empty())
      see(series->closed.front().first_time());
    else if (!series->open.empty())
      see(series->open.first_time());
    else if (const HistogramChunkWriter* histograms = OpenHistograms(ref))
      see(histograms->first_time());
    else if (std::exchange(series->active, false))
      --active_;
  }
}

std::size_t Head::RemoveSeriesBefore(core::TimestampMs time) {
  const auto gone = [&](SeriesRef ref) {
    const MemSeries& series = *series_[ref];
    return series.closed.empty() && series.open.empty() && OpenHistograms(ref) == nullptr && series.last_time() < time;
  };
  const std::size_t before = index_.size();
  std::vector<SeriesRef> removed;
  ForEach([&](SeriesRef ref, const MemSeries&) {
    if (gone(ref)) removed.push_back(ref);
  });
  if (removed.empty()) return 0;
  index_.RemoveIf([&](SeriesRef ref) { return std::ranges::binary_search(removed, ref); });
  for (const SeriesRef ref : removed) {
    for (const SymbolPair& pair : series_[ref]->label_span()) {
      symbols_.Release(pair.name);
      symbols_.Release(pair.value);
    }
    if (series_[ref]->active) --active_;
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
    bytes += sizeof(MemSeries) + series.label_count * sizeof(SymbolPair) + series.open.MemoryBytes() +
             series.closed.capacity() * sizeof(Chunk);
    for (const Chunk& chunk : series.closed) bytes += chunk.MemoryBytes();
  });
  for (const auto& [ref, open] : histograms_) bytes += sizeof(open) + open.MemoryBytes();
  return bytes;
}

}  // namespace pipewarden::rules
