#include "exporters/logs/log_worker.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <set>

namespace pipewarden::exporters {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kBlockBytes = 256U << 10U;
constexpr std::uint64_t kPollBytes = 64U << 20U;  // between two commits
constexpr auto kOpenAgain = 5s;
constexpr std::uint64_t kStateEvery = 8;  // polls, where nothing has changed

std::string BootId() {
  std::ifstream in("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(in, id);
  return id;
}

}  // namespace

std::optional<double> ParseLogNumber(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  if (text.empty() || (text[0] != '-' && text[0] != '.' && (text[0] < '0' || text[0] > '9'))) return std::nullopt;
  if (text.size() <= 15) {  // a plain integer, exact in a double
    std::int64_t number = 0;
    std::size_t i = 0;
    while (i < text.size() && text[i] >= '0' && text[i] <= '9') number = number * 10 + (text[i++] - '0');
    if (i == text.size()) return static_cast<double>(number);
  }
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

struct LogWorker::Entry {
  Entry(Tailer tailer_, PatternSet patterns_) : tailer(std::move(tailer_)), patterns(std::move(patterns_)) {}

  // An update with its names resolved to indices.
  struct Resolved {
    std::size_t metric = 0;
    std::optional<std::size_t> value;
    double scale = 1;
    std::vector<std::size_t> labels;
  };

  Tailer tailer;
  PatternSet patterns;
  std::vector<std::vector<Resolved>> updates;  // of each pattern
  std::vector<std::uint64_t> hits;

  void Resolve(const MetricTable& table);
};

void LogWorker::Entry::Resolve(const MetricTable& table) {
  const std::vector<LogPattern>& configured = tailer.config().patterns;
  updates.assign(configured.size(), {});
  hits.resize(configured.size());
  for (std::size_t i = 0; i < configured.size(); ++i) {
    const std::vector<std::string>& names = patterns.GroupNames(i);
    const auto index = [&names](const std::string& group) {
      return static_cast<std::size_t>(std::ranges::find(names, group) - names.begin());
    };
    for (const LogUpdate& update : configured[i].updates) {
      Resolved resolved;
      resolved.metric = table.IndexOf(update.metric);
      if (!update.value_group.empty()) resolved.value = index(update.value_group);
      resolved.scale = update.scale;
      for (const std::string& group : update.label_groups) resolved.labels.push_back(index(group));
      updates[i].push_back(std::move(resolved));
    }
  }
}

// Makes values of matches.
class LogWorker::Updater final : public MatchSink {
 public:
  Updater(Entry& entry, MetricTable& table, LogCounts& counts) : entry_(entry), table_(table), counts_(counts) {}

  void OnMatch(std::size_t pattern, std::span<const std::string_view> groups) override {
    ++entry_.hits[pattern];
    for (const Entry::Resolved& update : entry_.updates[pattern]) {
      double value = 1;
      if (update.value) {
        const std::optional<double> number = ParseLogNumber(groups[*update.value]);
        if (!number) {
          ++counts_.value_errors;
          continue;
        }
        value = *number * update.scale;
      }
      labels_.clear();
      for (const std::size_t group : update.labels) labels_.push_back(groups[group]);
      if (!table_.Update(update.metric, labels_, value)) ++counts_.value_errors;
    }
  }

  void TakeBlock(std::string_view block) {
    const PatternSet::Counts counts = entry_.patterns.Scan(block, entry_.tailer.config().max_line, *this);
    counts_.lines += counts.lines;
    counts_.cut += counts.cut;
  }

 private:
  Entry& entry_;
  MetricTable& table_;
  LogCounts& counts_;
  std::vector<std::string_view> labels_;
};

LogWorker::LogWorker(core::Clock& clock, core::Logger logger, std::string data_dir)
    : clock_(clock), logger_(std::move(logger)), data_dir_(std::move(data_dir)) {}
LogWorker::~LogWorker() = default;

void LogWorker::Apply(std::vector<LogConfig> configs) {
  core::MutexLock lock(mutex_);
  pending_ = std::move(configs);
}

void LogWorker::NoteError(const std::string& error) {
  if (!error.empty() && error != error_)
    logger_.Error("what log lines made cannot be stored; values stand still until it can", {{"error", error}});
  if (error.empty() && !error_.empty()) logger_.Info("what log lines made is stored again");
  error_ = error;
}

bool LogWorker::OpenDatabase() {
  if (database_) return true;
  if (clock_.Monotonic() < next_open_) return false;
  next_open_ = clock_.Monotonic() + kOpenAgain;
  const auto failed = [this](const core::Error& error) {
    database_.reset();
    NoteError(error.message);
    return false;
  };
  auto opened = LogDatabase::Open(data_dir_ + "/logs.db", BootId(), logger_);
  if (!opened) return failed(opened.error());
  database_.emplace(std::move(*opened));
  auto files = database_->LoadFiles();
  if (!files) return failed(files.error());
  auto seen = database_->LoadSeen();
  if (!seen) return failed(seen.error());
  restored_.clear();
  restored_seen_.clear();
  for (FileRecord& file : *files) restored_[file.entry].push_back(std::move(file));
  for (const auto& [entry, pattern] : *seen) restored_seen_[entry].insert(pattern);
  NoteError("");
  return true;
}

void LogWorker::TakePending() {
  std::optional<std::vector<LogConfig>> configs;
  {
    core::MutexLock lock(mutex_);
    configs.swap(pending_);
  }
  if (configs) Configure(std::move(*configs));
}

void LogWorker::Configure(std::vector<LogConfig> configs) {
  reconfigured_ = true;
  std::vector<LogMetric> metrics;
  std::set<std::string> names;
  std::size_t buffer = kBlockBytes;
  for (const LogConfig& config : configs) {
    names.insert(config.name);
    buffer = std::max(buffer, config.max_line * 2);
    for (const LogMetric& metric : config.metrics)
      if (std::ranges::find(metrics, metric.family.name, [](const LogMetric& m) { return m.family.name; }) ==
          metrics.end())
        metrics.push_back(metric);
  }
  buffer_.resize(buffer);
  buffer_.shrink_to_fit();
  table_.Configure(metrics);
  for (const auto& [name, entry] : entries_)
    if (!names.contains(name)) removed_entries_.push_back(name);
  for (const auto& [name, files] : restored_)
    if (!names.contains(name)) removed_entries_.push_back(name);
  for (const auto& [name, seen] : restored_seen_)
    if (!names.contains(name)) removed_entries_.push_back(name);
  std::erase_if(entries_, [&](const auto& entry) { return !names.contains(entry.first); });
  for (LogConfig& config : configs) MakeEntry(std::move(config));
  restored_.clear();
  restored_seen_.clear();
  for (auto& [name, entry] : entries_) entry->Resolve(table_);
}

void LogWorker::MakeEntry(LogConfig config) {
  const std::string name = config.name;
  const auto known = entries_.find(name);
  if (known != entries_.end() && known->second->tailer.config().identity == config.identity) return;
  PatternSet patterns(config.patterns, config.metrics);
  if (known != entries_.end()) {
    known->second->patterns = std::move(patterns);
    known->second->hits.assign(config.patterns.size(), 0);
    known->second->tailer.Reconfigure(std::move(config));
    return;
  }
  Tailer tailer(std::move(config), std::move(restored_[name]), std::move(restored_seen_[name]),
                database_->booted_since(), logger_);
  entries_.emplace(name, std::make_unique<Entry>(std::move(tailer), std::move(patterns)));
}

bool LogWorker::ReadAll(core::MonoTime now) {
  bool more = false;
  for (auto& [name, entry] : entries_) entry->tailer.Discover(now);
  for (auto& [name, entry] : entries_) {
    Updater updater(*entry, table_, counts_);
    const BlockTaker take = [&updater](std::string_view block) { updater.TakeBlock(block); };
    more = entry->tailer.Read(now, buffer_, kPollBytes / entries_.size() + 1, take) || more;
    entry->tailer.Tidy(now, buffer_, take);
    const TailerCounts counts = entry->tailer.TakeCounts();
    counts_.bytes += counts.bytes;
    counts_.cut += counts.cut;
    counts_.rotations += counts.rotations;
    counts_.truncations += counts.truncations;
    counts_.read_errors += counts.errors;
  }
  return more;
}

bool LogWorker::Commit(bool last) {
  LogDatabase::Changes changes;
  for (const auto& [name, entry] : entries_) entry->tailer.AddChanges(changes);
  changes.removed_entries = removed_entries_;
  if (changes.empty() && !table_.HasChanges() && !last) return false;
  if (auto done = database_->Commit(changes, table_, last); !done) {
    ++counts_.commit_errors;
    NoteError(done.error().message);
    return false;
  }
  NoteError("");
  for (const auto& [name, entry] : entries_) entry->tailer.Committed();
  removed_entries_.clear();
  return true;
}

bool LogWorker::Poll() {
  ++polls_;
  if (!OpenDatabase()) {
    Publish(false);
    return false;
  }
  TakePending();
  if (!values_loaded_ && reconfigured_) {
    if (auto loaded = database_->LoadValues(table_); !loaded) {
      NoteError(loaded.error().message);
      return false;
    }
    values_loaded_ = true;
    Publish(true);  // what was committed before the restart is visible before anything is read
  }
  if (!values_loaded_) return false;
  const bool more = ReadAll(clock_.Monotonic());
  const bool committed = Commit(false);
  if (committed || (reconfigured_ && error_.empty())) {
    reconfigured_ = false;
    Publish(true);
  } else if (polls_ % kStateEvery == 0 || !error_.empty()) {
    Publish(false);
  }
  return more && error_.empty();
}

void LogWorker::Close() {
  if (!database_ || !values_loaded_) return;
  if (Commit(true)) Publish(true);
  database_.reset();
}

void LogWorker::Publish(bool with_metrics) {
  auto state = std::make_shared<LogState>();
  counts_.lag_bytes = 0;
  for (const auto& [name, entry] : entries_) {
    for (LogFileStatus& file : entry->tailer.Files()) state->files.push_back(std::move(file));
    counts_.lag_bytes += entry->tailer.LagBytes();
    const std::vector<LogPattern>& patterns = entry->tailer.config().patterns;
    for (std::size_t i = 0; i < patterns.size(); ++i)
      state->patterns.push_back({name, patterns[i].match, entry->patterns.Plan(i), entry->hits[i]});
  }
  state->series = counts_.series = table_.series_count();
  state->error = error_;
  counts_.files = state->files.size();
  counts_.overflowed = table_.overflowed();
  std::shared_ptr<const MetricSnapshot> metrics = with_metrics ? table_.Committed() : nullptr;
  core::MutexLock lock(mutex_);
  state_ = std::move(state);
  published_ = counts_;
  if (metrics) metrics_ = std::move(metrics);
}

std::shared_ptr<const MetricSnapshot> LogWorker::Metrics() const {
  core::MutexLock lock(mutex_);
  return metrics_;
}
std::shared_ptr<const LogState> LogWorker::State() const {
  core::MutexLock lock(mutex_);
  return state_;
}
LogCounts LogWorker::Counts() const {
  core::MutexLock lock(mutex_);
  return published_;
}

}  // namespace pipewarden::exporters
