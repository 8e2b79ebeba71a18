#include "rules/storage/storage.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "rules/storage/atomic_file.h"
#include "rules/storage/storage_metrics.h"

namespace pipewarden::rules {
namespace {

constexpr core::TimestampMs kSealAfterMs = 60LL * 60 * 1000;  // a window is sealed this long after its end
constexpr core::TimestampMs kKeepUnsealedMs = 4 * kWindowMs;  // where segments cannot be written
constexpr core::TimestampMs kRetentionEveryMs = 60LL * 1000;
constexpr std::size_t kMaxCachedLabels = 50'000;
// Series that ended but have samples on disk still cost their labels; so many times the limit may there be of them.
constexpr std::size_t kSeriesOnDisk = 4;

void WriteHead(const Head& head, WalEncoder& encoder, AtomicFile& file) {
  encoder.State(head.OldestTime().value_or(ChunkWriter::kNever), head.next_ref());
  head.ForEach([&](SeriesRef ref, const MemSeries& series) {
    encoder.Series(ref, series.last_time(), head.LabelsOf(ref));
    series.closed.ForEach([&](const ChunkView& chunk) {
      encoder.Chunk(ref, chunk);
      return true;
    });
    if (!series.open.empty()) encoder.Chunk(ref, series.open.Seal().view());
    if (const HistogramChunkWriter* open = head.OpenHistograms(ref)) encoder.Chunk(ref, open->Seal().view());
    file.Write(encoder.buffer());
    encoder.Clear();
  });
}

}  // namespace

Storage::Storage(StorageOptions options, core::Logger logger, std::shared_ptr<prometheus::Registry> registry)
    : options_(std::move(options)),
      logger_(std::move(logger)),
      metrics_(std::make_unique<StorageMetrics>(std::move(registry))),
      segments_(std::make_shared<const Segments>()),
      cache_(options_.cache_bytes) {}

Storage::~Storage() = default;

std::string Storage::PathOf(std::string_view kind, std::uint64_t number, std::string_view extension) const {
  return fmt::format("{}/{}-{:08}.{}", options_.path, kind, number, extension);
}

std::size_t Storage::series_count() const {
  const ReaderLock lock(mutex_);
  return head_.size();
}

Storage::HeadStats Storage::head_stats() const {
  const ReaderLock lock(mutex_);
  HeadStats stats{.oldest = head_.OldestTime().value_or(ChunkWriter::kNever), .newest = newest_time()};
  head_.ForEach([&](SeriesRef, const MemSeries& series) {
    series.closed.ForEach([&](const ChunkView&) {
      ++stats.chunks;
      return true;
    });
    if (!series.open.empty()) ++stats.chunks;
  });
  stats.chunks += head_.open_histograms();
  return stats;
}

std::size_t Storage::MemoryBytes() const {
  const ReaderLock lock(mutex_);
  return head_.MemoryBytes();
}

core::TimestampMs Storage::SealedUntil() const {
  const ReaderLock lock(mutex_);
  return segments_->empty() ? ChunkWriter::kNever : segments_->back()->end();
}

core::TimestampMs Storage::OldestTaken(core::TimestampMs now) const {
  return std::max(SealedUntil(),
                  now - std::chrono::duration_cast<std::chrono::milliseconds>(options_.retention_time).count());
}

Storage::NewestSample Storage::NewestOf(SeriesRef ref, bool with_histogram) const {
  const ReaderLock lock(mutex_);
  NewestSample newest;
  const MemSeries* series = head_.Get(ref);
  if (series == nullptr) return newest;
  newest.time = series->last_time();
  newest.value = series->open.last_value();
  if (with_histogram && newest.time != ChunkWriter::kNever && promql::IsHistogramMark(newest.value)) {
    promql::SampleColumns columns;
    head_.Read(ref, newest.time, newest.time, columns);
    if (!columns.histograms.empty()) newest.histogram = columns.histograms.back();
  }
  return newest;
}

core::TimestampMs Storage::TickTime(core::TimestampMs now) {
  if (last_tick_ == ChunkWriter::kNever || now > last_tick_) {
    if (clock_is_behind_) logger_.Info("the wall clock has caught up with the samples");
    clock_is_behind_ = false;
    return last_tick_ = now;
  }
  // Two ticks within one millisecond are no step.
  if (!clock_is_behind_ && now < last_tick_) {
    clock_is_behind_ = true;
    metrics_->ClockStep();
    logger_.Warn("the wall clock stepped back; samples go on a millisecond apart until it has caught up",
                 {{"by", fmt::format("{}ms", last_tick_ - now)}});
  }
  return ++last_tick_;
}

// --- appending ---

std::optional<SeriesRef> Storage::Resolve(const core::Labels& labels, std::string_view source) {
  const core::MutexLock turn(writer_);
  return ResolveInTurn(labels, source);
}

std::optional<SeriesRef> Storage::ResolveInTurn(const core::Labels& labels, std::string_view source) {
  {
    const ReaderLock lock(mutex_);
    if (auto found = head_.Find(labels)) return found;
    if (head_.active() >= options_.max_series || head_.size() >= options_.max_series * kSeriesOnDisk ||
        head_.next_ref() >= kDropped - 1) {
      metrics_->DroppedSeries(source);
      return std::nullopt;
    }
  }
  SeriesRef ref = 0;
  {
    const WriterLock lock(mutex_);
    ref = head_.Create(labels);
  }
  // Written with the batch that brings its first sample.
  encoder_.Series(ref, ChunkWriter::kNever, labels);
  return ref;
}

std::size_t Storage::Append(core::TimestampMs time, std::span<const RefSample> samples) {
  const core::MutexLock turn(writer_);
  std::size_t appended = 0;
  AppendBatch(time, samples, false, appended);
  return appended;
}

std::size_t Storage::Append(core::TimestampMs time, std::span<const RefHistogram> samples) {
  const core::MutexLock turn(writer_);
  std::vector<RefHistogram> good;
  std::size_t late = 0;
  const core::TimestampMs sealed = SealedUntil();
  {
    const ReaderLock lock(mutex_);
    for (const RefHistogram& sample : samples) {
      const core::FloatHistogram& histogram = *sample.histogram;
      const MemSeries* series = head_.Get(sample.ref);
      if (series == nullptr || histogram.Parts() > core::kMaxHistogramParts || !core::Validate(histogram)) continue;
      if (time > series->last_time() && (sealed == ChunkWriter::kNever || time >= sealed))
        good.push_back(sample);
      else
        ++late;
    }
  }
  const std::size_t bad = samples.size() - good.size() - late;
  encoder_.Histograms(time, good);
  WriteLog();
  std::size_t appended = 0;
  {
    const WriterLock lock(mutex_);
    for (const RefHistogram& sample : good) appended += head_.Append(sample.ref, time, *sample.histogram) ? 1 : 0;
    if (appended > 0) newest_.store(std::max(newest_time(), time), std::memory_order_release);
  }
  late += good.size() - appended;  // twice in one batch
  if (appended > 0) metrics_->Appended(appended);
  if (late > 0) metrics_->DroppedSamples("out_of_order", late);
  if (bad > 0) metrics_->DroppedSamples("bad_histogram", bad);
  return appended;
}

void Storage::AppendBatch(core::TimestampMs time, std::span<const RefSample> samples, bool move_late,
                          std::size_t& appended) {
  struct Late {
    core::TimestampMs time;
    RefSample sample;
  };
  std::vector<RefSample> on_time;
  std::vector<Late> late;
  on_time.reserve(samples.size());
  std::size_t dropped = 0;
  const core::TimestampMs sealed = SealedUntil();
  {
    const ReaderLock lock(mutex_);
    for (const RefSample& sample : samples) {
      const MemSeries* series = head_.Get(sample.ref);
      if (series == nullptr) {
        ++dropped;
        continue;
      }
      const core::TimestampMs earliest =
          std::max(series->last_time(), sealed == ChunkWriter::kNever ? sealed : sealed - 1);
      if (time > earliest)
        on_time.push_back(sample);
      else if (move_late)
        late.push_back({earliest + 1, sample});
      else
        ++dropped;
    }
  }
  encoder_.Samples(time, on_time);
  for (const Late& one : late) encoder_.Samples(one.time, std::span(&one.sample, 1));
  WriteLog();
  core::TimestampMs newest = newest_time();
  {
    const WriterLock lock(mutex_);
    for (const RefSample& sample : on_time) {
      if (head_.Append(sample.ref, time, sample.value))
        ++appended;
      else
        ++dropped;  // twice in one batch
    }
    if (!on_time.empty()) newest = std::max(newest, time);
    for (const Late& one : late) {
      if (!head_.Append(one.sample.ref, one.time, one.sample.value)) continue;
      ++appended;
      newest = std::max(newest, one.time);
    }
    newest_.store(newest, std::memory_order_release);
  }
  if (appended > 0) metrics_->Appended(appended);
  if (dropped > 0) metrics_->DroppedSamples("out_of_order", dropped);
}

void Storage::End(std::span<const SeriesRef> series, core::TimestampMs time) {
  const core::MutexLock turn(writer_);
  EndInTurn(series, time);
}

void Storage::EndInTurn(std::span<const SeriesRef> series, core::TimestampMs time) {
  std::vector<RefSample> markers;
  {
    const ReaderLock lock(mutex_);
    for (const SeriesRef ref : series) {
      const MemSeries* known = head_.Get(ref);
      if (known == nullptr || known->last_time() >= time) continue;
      markers.push_back({ref, core::StaleNaN()});
    }
  }
  std::ranges::sort(markers, {}, &RefSample::ref);
  std::size_t appended = 0;
  if (!markers.empty()) AppendBatch(time, markers, false, appended);
}

// Collects a source's samples. A source visits its series in the same order nearly always, so the series of the visit
// before are walked alongside, and only from the first difference on they are looked up by id.
class TakeVisitor final : public core::SampleVisitor {
 public:
  TakeVisitor(Storage& storage, Storage::Source& source, std::string_view name)
      : storage_(storage), source_(source), name_(name) {
    samples_.reserve(source.series.size());
  }

  void OnFamily(const core::MetricFamily&) override {}
  void OnSample(const core::Series& series, double value) override {
    Storage::SourceSeries known{series.id, Storage::kDropped};
    if (in_step_ && next_ < source_.series.size() && source_.series[next_].id == series.id) {
      known.ref = source_.series[next_].ref;
      if (known.ref == Storage::kDropped) known.ref = source_.series[next_].ref = Resolve(series);
      ++next_;
    } else {
      if (in_step_) FallOutOfStep();
      const auto found = rest_.find(series.id);
      if (found != rest_.end()) {
        known.ref = found->second;
        rest_.erase(found);
      }
      if (known.ref == Storage::kDropped) known.ref = Resolve(series);
      seen_.push_back(known);
    }
    if (known.ref != Storage::kDropped) samples_.push_back({known.ref, value});
  }

  const std::vector<RefSample>& samples() const { return samples_; }
  // The series that this visit did not show; the source's list becomes that of this visit.
  std::vector<SeriesRef> Finish() {
    std::vector<SeriesRef> gone;
    if (in_step_) {
      for (std::size_t i = next_; i < source_.series.size(); ++i) gone.push_back(source_.series[i].ref);
      source_.series.resize(next_);
    } else {
      for (const auto& [id, ref] : rest_) gone.push_back(ref);
      source_.series = std::move(seen_);
    }
    std::erase(gone, Storage::kDropped);
    return gone;
  }

 private:
  // Take holds the turn while the source visits.
  SeriesRef Resolve(const core::Series& series) PW_NO_ANALYSIS {
    return storage_.ResolveInTurn(series.labels, name_).value_or(Storage::kDropped);
  }
  void FallOutOfStep() {
    in_step_ = false;
    seen_.assign(source_.series.begin(), source_.series.begin() + static_cast<std::ptrdiff_t>(next_));
    for (std::size_t i = next_; i < source_.series.size(); ++i)
      rest_.emplace(source_.series[i].id, source_.series[i].ref);
  }

  Storage& storage_;
  Storage::Source& source_;
  const std::string_view name_;
  std::vector<RefSample> samples_;
  bool in_step_ = true;
  std::size_t next_ = 0;
  std::vector<Storage::SourceSeries> seen_;
  std::unordered_map<core::SeriesId, SeriesRef> rest_;
};

void Storage::Take(core::SampleSource& source, core::TimestampMs time) {
  const core::MutexLock turn(writer_);
  const std::string_view name = source.name();
  Source& known = sources_[std::string(name)];
  TakeVisitor visitor(*this, known, name);
  source.Visit(visitor);
  const std::vector<SeriesRef> gone = visitor.Finish();
  std::size_t appended = 0;
  AppendBatch(time, visitor.samples(), true, appended);
  if (!gone.empty()) EndInTurn(gone, time);
}

void Storage::Forget(std::string_view source_name, core::TimestampMs time) {
  const core::MutexLock turn(writer_);
  const auto found = sources_.find(std::string(source_name));
  if (found == sources_.end()) return;
  std::vector<SeriesRef> gone;
  for (const SourceSeries& series : found->second.series)
    if (series.ref != kDropped) gone.push_back(series.ref);
  sources_.erase(found);
  EndInTurn(gone, time);
}

// --- the log ---

void Storage::WriteLog() {
  if (encoder_.buffer().empty()) return;
  if (!log_.is_open()) OpenNextLog();
  core::Result<void> written =
      log_.is_open() ? log_.Append(encoder_.buffer()) : core::Fail(core::ErrorCode::kInternal, "no log file is open");
  encoder_.Clear();
  if (!written)
    WriteFailed("the storage's log cannot be written; samples stay in memory only", written.error());
  else if (log_.size() > options_.wal_file_bytes)
    OpenNextLog();
}

void Storage::OpenNextLog() {
  auto created = WalFile::Create(PathOf("wal", log_number_ + 1, "log"));
  if (!created) {
    WriteFailed("the storage's log cannot be created", created.error());
    return;
  }
  ++log_number_;
  log_ = std::move(*created);
}

void Storage::WriteFailed(std::string_view what, const core::Error& error) {
  metrics_->WriteFailed();
  if (!checkpoint_due_) logger_.Error(what, {{"error", error.message}});
  checkpoint_due_ = true;
  writable_ = false;
}

bool Storage::Checkpoint() {
  const core::MutexLock turn(writer_);
  return CheckpointInTurn();
}

bool Storage::CheckpointInTurn() {
  // Samples that come after go to the new log; none come between, for it is our turn.
  const std::uint64_t before = log_number_;
  OpenNextLog();
  if (log_number_ == before) return false;
  AtomicFile file(PathOf("checkpoint", log_number_, "ckpt"));
  file.Write(kWalMagic);
  WalEncoder encoder;
  {
    const ReaderLock lock(mutex_);
    WriteHead(head_, encoder, file);
  }
  encoder.End();
  file.Write(encoder.buffer());
  if (auto written = file.Commit(); !written) {
    WriteFailed("no checkpoint of the storage could be written; its logs stay", written.error());
    return false;
  }
  if (checkpoint_due_) logger_.Info("the storage can be written again");
  checkpoint_due_ = false;
  writable_ = true;
  RemoveOldLogs();
  return true;
}

// Keeps the newest two checkpoints and the logs from the older one on.
void Storage::RemoveOldLogs() {
  std::vector<std::uint64_t> checkpoints;
  std::error_code ignored;
  const auto number_of = [](const std::filesystem::path& path) -> std::uint64_t {
    const std::string stem = path.stem().string();
    return std::strtoull(stem.c_str() + stem.find('-') + 1, nullptr, 10);
  };
  for (const auto& entry : std::filesystem::directory_iterator(options_.path, ignored))
    if (entry.path().extension() == ".ckpt") checkpoints.push_back(number_of(entry.path()));
  std::ranges::sort(checkpoints, std::ranges::greater{});
  if (checkpoints.empty()) return;
  // With one checkpoint alone the logs before it are the second generation.
  const std::uint64_t keep_from = checkpoints.size() > 1 ? checkpoints[1] : 0;
  for (const auto& entry : std::filesystem::directory_iterator(options_.path, ignored)) {
    const auto extension = entry.path().extension();
    if ((extension == ".ckpt" || extension == ".log") && number_of(entry.path()) < keep_from)
      std::filesystem::remove(entry.path(), ignored);
  }
}

// --- upkeep ---

void Storage::Maintain(core::TimestampMs now) {
  const core::MutexLock turn(writer_);
  RemoveDamaged();
  if (checkpoint_due_ && now >= next_checkpoint_try_) {
    next_checkpoint_try_ = now + kRetentionEveryMs;  // each try makes a log, and the head may be large
    CheckpointInTurn();
  }
  if (newest_time() != ChunkWriter::kNever && newest_time() >= next_seal_try_) SealWindow();
  if (now >= next_retention_) {
    next_retention_ = now + kRetentionEveryMs;
    ApplyRetention(now);
  }
}

void Storage::SealWindow() {
  std::optional<core::TimestampMs> oldest;
  {
    const ReaderLock lock(mutex_);
    oldest = head_.OldestTime();
  }
  if (!oldest) return;
  const core::TimestampMs start = WindowStart(*oldest);
  const core::TimestampMs end = start + kWindowMs;
  if (newest_time() < end + kSealAfterMs) return;
  {
    const WriterLock lock(mutex_);
    head_.CloseBefore(end);
  }
  const std::string path = fmt::format("{}/segment-{:013}.seg", options_.path, start);
  core::Result<void> written;
  {
    const ReaderLock lock(mutex_);
    written = Segment::Write(path, start, end, head_);
  }
  auto opened = written ? Segment::Open(path) : core::Fail(written.error());
  if (!opened && opened.error().code != core::ErrorCode::kNotFound) {
    metrics_->WriteFailed();
    logger_.Error("a window of samples could not be sealed; it stays in memory", {{"error", opened.error().message}});
    next_seal_try_ = newest_time() + kRetentionEveryMs;
    if (newest_time() < end + kKeepUnsealedMs) return;
    logger_.Error("samples are dropped unsealed, for memory's sake", {{"until", std::to_string(end)}});
  }
  {
    const WriterLock lock(mutex_);
    if (opened) {
      auto grown = std::make_shared<Segments>(*segments_);
      grown->push_back(*opened);
      std::ranges::sort(*grown, {}, [](const auto& segment) { return segment->start(); });
      segments_ = std::move(grown);
    }
    head_.DropBefore(end);
  }
  CheckpointInTurn();
  next_retention_ = ChunkWriter::kNever;
}

void Storage::ApplyRetention(core::TimestampMs now) {
  std::shared_ptr<const Segments> segments;
  {
    const ReaderLock lock(mutex_);
    segments = segments_;
  }
  const auto retention_ms = std::chrono::duration_cast<std::chrono::milliseconds>(options_.retention_time).count();
  std::uint64_t bytes = DiskBytes();
  std::size_t expired = 0;
  for (const auto& segment : *segments) {
    if (segment->end() > now - retention_ms && bytes <= options_.retention_bytes) break;
    bytes -= std::min(bytes, segment->file_bytes());
    ++expired;
  }
  if (expired > 0) {
    auto kept =
        std::make_shared<const Segments>(segments->begin() + static_cast<std::ptrdiff_t>(expired), segments->end());
    const core::TimestampMs oldest = kept->empty() ? segments->back()->end() : kept->front()->start();
    {
      const WriterLock lock(mutex_);
      segments_ = kept;
      head_.RemoveSeriesBefore(oldest);
    }
    std::error_code ignored;
    for (std::size_t i = 0; i < expired; ++i) std::filesystem::remove((*segments)[i]->path(), ignored);
    segments = std::move(kept);
  }
  {
    const core::MutexLock lock(labels_mutex_);
    if (labels_.size() > kMaxCachedLabels) labels_.clear();
  }
  metrics_->SetDisk(bytes, segments->size());
  metrics_->SetSeries(series_count());
}

void Storage::RemoveDamaged() {
  std::shared_ptr<const Segments> segments;
  {
    const ReaderLock lock(mutex_);
    segments = segments_;
  }
  if (std::ranges::none_of(*segments, [](const auto& segment) { return segment->damaged(); })) return;
  auto kept = std::make_shared<Segments>();
  for (const auto& segment : *segments) {
    if (!segment->damaged()) {
      kept->push_back(segment);
      continue;
    }
    metrics_->FileSetAside();
    logger_.Error("a damaged segment was set aside; its samples are missing from now on",
                  {{"file", SetAside(segment->path())}});
  }
  const WriterLock lock(mutex_);
  segments_ = std::move(kept);
}

std::uint64_t Storage::DiskBytes() const {
  std::uint64_t bytes = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(options_.path, ignored)) {
    const std::uint64_t size = entry.file_size(ignored);
    if (!ignored) bytes += size;
  }
  return bytes;
}

}  // namespace pipewarden::rules
