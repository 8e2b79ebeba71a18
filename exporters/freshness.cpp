#include "exporters/freshness.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>

#include <array>

#include "core/async/exceptions.h"

namespace pipewarden::exporters {
namespace {

const std::array<core::MetricFamily, 6>& Families() {
  static const std::array<core::MetricFamily, 6> kFamilies = {{
      {"pipewarden_freshness_age_seconds", core::MetricType::kGauge, "How long ago the data was last updated.",
       "seconds"},
      {"pipewarden_freshness_last_update_timestamp_seconds", core::MetricType::kGauge,
       "When the data was last updated.", "seconds"},
      {"pipewarden_freshness_due", core::MetricType::kGauge,
       "1 where the data should be there by now and is not, or is older than allowed; else 0.", ""},
      {"pipewarden_freshness_check_success", core::MetricType::kGauge,
       "1 where the last look at the data worked, else 0.", ""},
      {"pipewarden_freshness_too_old", core::MetricType::kGauge, "1 where the data is older than max_age, else 0.", ""},
      {"pipewarden_freshness_missing", core::MetricType::kGauge,
       "1 where the data was expected by now and has not come, or nothing is there at all; else 0.", ""},
  }};
  return kFamilies;
}

std::array<std::shared_ptr<const core::Series>, 6> MakeSeries(const std::string& name, std::string_view source) {
  std::array<std::shared_ptr<const core::Series>, 6> series;
  for (std::size_t i = 0; i < series.size(); ++i)
    series[i] = std::make_shared<const core::Series>(
        core::Series{.labels = core::Labels{{std::string(core::kMetricName), Families()[i].name},
                                            {"freshness", name},
                                            {"source", std::string(source)}}});
  return series;
}

}  // namespace

struct FreshnessRunner::Entry {
  explicit Entry(FreshnessConfig config_)
      : config(std::move(config_)), series(MakeSeries(config.name, config.kind->name)) {}

  const FreshnessConfig config;
  std::array<std::shared_ptr<const core::Series>, 6> series;
  core::TaskGroup::TaskId task = 0;  // loop thread
  // Under the runner's mutex:
  std::optional<core::WallTime> checked;
  FreshnessReading reading;
  std::string error;
};

FreshnessRunner::FreshnessRunner(core::Loop& loop, core::Logger logger,
                                 const std::shared_ptr<prometheus::Registry>& registry)
    : loop_(loop), logger_(std::move(logger)), registry_(registry), group_(loop) {
  auto& checks = prometheus::BuildCounter()
                     .Name("pipewarden_freshness_checks_total")
                     .Help("Looks at data for its freshness, by result (success, failure).")
                     .Register(*registry);
  checks_ = &checks.Add({{"result", "success"}});
  failures_ = &checks.Add({{"result", "failure"}});
}

FreshnessRunner::~FreshnessRunner() = default;

void FreshnessRunner::Apply(std::vector<FreshnessConfig> configs) {
  std::map<std::string, std::shared_ptr<Entry>, std::less<>> entries;
  std::vector<std::shared_ptr<Entry>> fresh;
  {
    const core::MutexLock lock(mutex_);
    for (FreshnessConfig& config : configs) {
      const auto known = entries_.find(config.name);
      if (known != entries_.end() && known->second->config.identity == config.identity) {
        entries[config.name] = known->second;
        continue;
      }
      auto entry = std::make_shared<Entry>(std::move(config));
      // A series of the same labels keeps its number.
      if (known != entries_.end() && known->second->series[0]->labels == entry->series[0]->labels)
        entry->series = known->second->series;
      entries[entry->config.name] = entry;
      fresh.push_back(entry);
    }
    for (const auto& [name, entry] : entries_) {
      const auto kept = entries.find(name);
      if (kept == entries.end() || kept->second != entry) group_.Cancel(entry->task);
    }
    entries_ = std::move(entries);
  }
  for (const auto& entry : fresh)
    entry->task = group_.SpawnCancellable("freshness " + entry->config.name, RunForever(entry));
}

core::Task<void> FreshnessRunner::RunForever(std::shared_ptr<Entry> entry) {
  for (;;) {
    const core::MonoTime next = loop_.clock().Monotonic() + entry->config.interval;
    core::Result<FreshnessReading> reading;
    try {
      reading = co_await entry->config.source->Read(loop_);
    } catch (...) {  // our own mistake; the others go on
      reading = core::Fail(core::CaughtError());
    }
    Note(*entry, std::move(reading));
    co_await loop_.SleepUntil(next);
  }
}

void FreshnessRunner::Note(Entry& entry, core::Result<FreshnessReading> reading) {
  (reading ? checks_ : failures_)->Increment();
  const std::string error = reading ? "" : reading.error().message;
  const core::MutexLock lock(mutex_);
  if (!reading && entry.error != error)
    logger_.Warn("cannot tell how fresh the data is", {{"freshness", entry.config.name}, {"error", error}});
  entry.checked = loop_.clock().Now();
  entry.error = error;
  if (reading) entry.reading = std::move(*reading);
}

std::vector<FreshnessStatus> FreshnessRunner::Status() const {
  const core::WallTime now = loop_.clock().Now();
  std::vector<FreshnessStatus> all;
  const core::MutexLock lock(mutex_);
  for (const auto& [name, entry] : entries_) {
    const FreshnessConfig& config = entry->config;
    FreshnessStatus status;
    status.name = name;
    status.source = config.kind->name;
    status.checked = entry->checked;
    status.last_update = entry->reading.last_update;
    status.what = entry->reading.what;
    if (status.last_update) status.age = std::max(now - *status.last_update, core::Duration{});
    status.max_age = config.max_age;
    status.error = entry->error;
    status.depends_on = config.depends_on;
    if (config.expected) status.next_expected = config.expected->Around(now).next;
    if (entry->checked && (entry->error.empty() || status.last_update)) {
      FreshnessVerdict verdict = JudgeFreshness(config, status.last_update, now);
      status.due = verdict.due;
      status.reason = std::move(verdict.reason);
    }
    all.push_back(std::move(status));
  }
  return all;
}

core::Task<void> FreshnessRunner::Stop() {
  group_.Cancel();
  co_await group_.Join();
}

void FreshnessRunner::Visit(core::SampleVisitor& visitor) {
  struct Row {
    std::array<std::shared_ptr<const core::Series>, 6> series;
    std::array<std::optional<double>, 6> values;
  };
  const core::WallTime now = loop_.clock().Now();
  std::vector<Row> rows;
  {
    const core::MutexLock lock(mutex_);
    for (const auto& [name, entry] : entries_) {
      if (!entry->checked) continue;
      Row row{entry->series, {}};
      const auto& last = entry->reading.last_update;
      if (last) {
        row.values[0] = core::ToSeconds(std::max(now - *last, core::Duration{}));
        row.values[1] = core::ToSeconds(last->time_since_epoch());
      }
      // Where it could never be looked at, nothing is known of it, and nothing is said.
      if (last || entry->error.empty()) {
        const FreshnessVerdict verdict = JudgeFreshness(entry->config, last, now);
        row.values[2] = verdict.due ? 1 : 0;
        row.values[4] = verdict.too_old ? 1 : 0;
        row.values[5] = verdict.missing ? 1 : 0;
      }
      row.values[3] = entry->error.empty() ? 1 : 0;
      rows.push_back(std::move(row));
    }
  }
  for (std::size_t i = 0; i < Families().size(); ++i) {
    bool open = false;
    for (const Row& row : rows) {
      if (!row.values[i]) continue;
      if (!open) visitor.OnFamily(Families()[i]);
      open = true;
      visitor.OnSample(*row.series[i], *row.values[i]);
    }
  }
}

}  // namespace pipewarden::exporters
