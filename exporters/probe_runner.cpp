#include "exporters/probe_runner.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "core/async/exceptions.h"
#include "core/model/sample.h"
#include "core/text/utf8.h"

namespace pipewarden::exporters {
namespace {

using namespace std::chrono_literals;
using SeriesPointer = std::shared_ptr<const core::Series>;

// A probe that does not keep its timeout is cancelled after this grace; time for its own, better message, and for a
// command to be ended.
constexpr core::Duration kGrace = 3s;

// The run as a Result. What a probe throws is our own mistake, and ends with that run.
core::Task<core::Result<ProbeResult>> AsResult(std::shared_ptr<Probe> probe, ProbeContext context) {
  core::Result<ProbeResult> result;
  try {
    result = co_await probe->Run(context);
  } catch (...) {
    result = core::Fail(core::CaughtError());
  }
  co_return result;
}

}  // namespace

struct ProbeRunner::Entry {
  explicit Entry(ProbeConfig config_) : config(std::move(config_)) {}

  ProbeConfig config;
  core::TaskGroup::TaskId task = 0;
  bool removed = false;
  std::optional<bool> up;
  bool last_success = false;
  int in_a_row = 0;  // runs with the last result
  // What its last run exported, in the order of the run, so that an equal series keeps its number.
  struct Exported {
    std::size_t family;
    std::vector<core::Label> labels;  // the value's own
    SeriesPointer series;
  };
  std::vector<Exported> exported;
  bool complete = false;  // `exported` is all that the last run gave, under this configuration
};

struct ProbeRunner::Published {
  struct Value {
    std::size_t family;
    SeriesPointer series;
    double value;
  };
  std::vector<Value> values;  // sorted by family
};

struct ProbeRunner::Counters {
  explicit Counters(std::shared_ptr<prometheus::Registry> owner, prometheus::Registry& registry)
      : registry_kept(std::move(owner)),
        runs(prometheus::BuildCounter()
                 .Name("pipewarden_probe_runs_total")
                 .Help("Runs of probes, by kind and result (success, failure).")
                 .Register(registry)),
        skipped(prometheus::BuildCounter()
                    .Name("pipewarden_probe_runs_skipped_total")
                    .Help("Runs left out because the run before had not ended in time.")
                    .Register(registry)
                    .Add({})),
        dropped(prometheus::BuildCounter()
                    .Name("pipewarden_probe_series_dropped_total")
                    .Help("Series not exported because the probe was beyond its max_series, or gave one twice.")
                    .Register(registry)
                    .Add({})) {}
  std::shared_ptr<prometheus::Registry> registry_kept;  // the counters live in it
  prometheus::Family<prometheus::Counter>& runs;
  prometheus::Counter& skipped;
  prometheus::Counter& dropped;
};

ProbeRunner::ProbeRunner(core::Loop& loop, core::HttpClient& http, core::Logger logger,
                         const std::shared_ptr<prometheus::Registry>& registry)
    : loop_(loop),
      http_(http),
      logger_(std::move(logger)),
      counters_(std::make_unique<Counters>(registry, *registry)),
      group_(loop) {
  const auto add = [this](std::span<const ProbeMetric> metrics) {
    for (const ProbeMetric& metric : metrics)
      if (family_index_.emplace(metric.name, families_.size()).second)
        families_.push_back(
            {std::string(metric.name), metric.type, std::string(metric.help), std::string(metric.unit)});
  };
  add(CommonProbeMetrics());
  for (const ProbeKind* kind : ProbeKinds()) add(kind->metrics);
}

ProbeRunner::~ProbeRunner() = default;

void ProbeRunner::Apply(std::vector<ProbeConfig> configs) {
  std::unordered_set<std::string> wanted;
  for (const ProbeConfig& config : configs) wanted.insert(config.name);
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    if (wanted.contains(entry->first)) {
      ++entry;
      continue;
    }
    entry->second->removed = true;
    group_.Cancel(entry->second->task);
    const core::MutexLock lock(mutex_);
    published_.erase(entry->first);
    status_.erase(entry->first);
    entry = entries_.erase(entry);
  }

  // First runs are spread over a short while, by name, so that a reload does not change anyone's place. Places are
  // those of a grid: at least ten, and then for about five probes each, because to wake up costs more than a run.
  const auto count = static_cast<long>(configs.size());
  const core::Duration window = 200ms * count;
  for (ProbeConfig& config : configs) {
    auto& place = entries_[config.name];
    if (place != nullptr && place->config.identity == config.identity) continue;
    auto entry = std::make_shared<Entry>(std::move(config));
    if (place != nullptr) {
      place->removed = true;
      group_.Cancel(place->task);
      entry->exported = std::move(place->exported);
    }
    place = entry;
    const ProbeConfig& now = entry->config;
    {
      const core::MutexLock lock(mutex_);
      published_.erase(now.name);
      ProbeStatus& status = status_[now.name];
      status = {};
      status.name = now.name;
      status.kind = now.kind->name;
      status.component = now.component;
      status.labels = now.labels;
      status.interval = now.interval;
      status.timeout = now.timeout;
    }
    const core::Duration spread = std::min(window, now.interval);
    const auto place_in_spread = static_cast<double>(core::Labels{{"probe", now.name}}.Fingerprint() % 1024) / 1024;
    const core::Duration grid = std::min(spread / 10, spread * 5 / count);
    core::MonoTime first =
        loop_.clock().Monotonic() + std::chrono::duration_cast<core::Duration>(spread * place_in_spread);
    first += grid - first.time_since_epoch() % grid;
    entry->task = group_.SpawnCancellable("probe " + now.name, RunForever(entry, first));
  }
}

core::Task<void> ProbeRunner::RunForever(std::shared_ptr<Entry> entry, core::MonoTime next) {
  for (;;) {
    co_await loop_.SleepUntil(next);
    const core::WallTime time = loop_.clock().Now();
    ProbeOutcome outcome = co_await RunProbe(entry->config.probe, entry->config.timeout);
    if (entry->removed) co_return;
    Note(*entry, time, std::move(outcome));
    next += entry->config.interval;
    const core::MonoTime now = loop_.clock().Monotonic();
    if (next < now) {  // the place in time stays, what has been missed is left out
      const auto missed = (now - next) / entry->config.interval + 1;
      counters_->skipped.Increment(static_cast<double>(missed));
      next += missed * entry->config.interval;
    }
  }
}

core::Task<ProbeOutcome> ProbeRunner::RunProbe(std::shared_ptr<Probe> probe, core::Duration timeout) {
  // Real time: what a probe waits for lives in it, also where the loop's clock jumps.
  const auto start = std::chrono::steady_clock::now();
  const ProbeContext context{loop_, http_, timeout};
  ProbeOutcome outcome;
  auto result = co_await core::WithTimeout(loop_, timeout + kGrace, AsResult(probe, context));
  if (result) {
    outcome.result = std::move(*result);
  } else {
    outcome.result.error = result.error().message;
  }
  outcome.duration = std::chrono::steady_clock::now() - start;
  co_return outcome;
}

void ProbeRunner::Note(Entry& entry, core::WallTime time, ProbeOutcome outcome) {
  const ProbeConfig& config = entry.config;
  const bool success = outcome.result.success;
  counters_->runs.Add({{"kind", std::string(config.kind->name)}, {"result", success ? "success" : "failure"}})
      .Increment();
  entry.in_a_row = success == entry.last_success ? entry.in_a_row + 1 : 1;
  entry.last_success = success;
  const bool flips = entry.up != success && entry.in_a_row >= (success ? config.successes : config.failures);
  const bool first = !entry.up.has_value();
  if (flips) entry.up = success;

  const std::string message = success ? outcome.result.message : outcome.result.error;
  const std::vector<Entry::Exported> before = flips ? entry.exported : std::vector<Entry::Exported>{};
  const core::Duration duration = outcome.duration;
  const auto published = MakePublished(entry, std::move(outcome));
  {
    const core::MutexLock lock(mutex_);
    published_[config.name] = published;
    ProbeStatus& status = status_[config.name];
    if (flips) status.last_change = time;
    status.up = entry.up;
    status.message = message;
    ++status.runs;
    if (!success) {
      status.last_error = message;
      status.last_error_time = time;
    }
    if (status.history.size() >= ProbeStatus::kHistory) status.history.erase(status.history.begin());
    status.history.push_back({time, duration, success});
  }
  if (!flips) return;
  if (success) {
    logger_.Info("probe is up", {{"probe", config.name}, {"kind", std::string(config.kind->name)}});
  } else {
    logger_.Warn("probe is down",
                 {{"probe", config.name}, {"kind", std::string(config.kind->name)}, {"error", message}});
  }
  if (!on_verdict_) return;
  std::vector<ProbeSample> samples;
  for (const Published::Value& value : published->values) samples.push_back({value.series, value.value});
  for (const Entry::Exported& was : before)
    if (std::ranges::find(published->values, was.series, &Published::Value::series) == published->values.end())
      samples.push_back({was.series, core::StaleNaN()});
  on_verdict_({config.name, std::string(config.kind->name), config.component, success, first, message, time,
               std::move(samples)});
}

// Gives each value of a run its series, and leaves out of `values` what has none.
void ProbeRunner::Export(Entry& entry, std::vector<ProbeValue>& values) {
  const ProbeConfig& config = entry.config;
  core::Labels base = config.labels;
  base.Set("probe", config.name);
  base.Set("kind", config.kind->name);
  base.Set("component", config.component);

  std::unordered_map<core::Labels, SeriesPointer, core::LabelsHash> known;
  for (Entry::Exported& exported : entry.exported) known.emplace(exported.series->labels, exported.series);
  std::unordered_set<SeriesPointer> taken;
  entry.exported.clear();
  const std::size_t given = values.size();
  std::vector<ProbeValue> kept;
  for (ProbeValue& value : values) {
    const auto family = family_index_.find(value.metric);
    if (family == family_index_.end() || kept.size() >= config.max_series) continue;
    core::Labels labels = base;
    for (const core::Label& label : value.labels) labels.Set(label.name, core::ToValidUtf8(label.value));
    labels.Set(core::kMetricName, value.metric);
    SeriesPointer& series = known[labels];
    if (series == nullptr) series = std::make_shared<core::Series>(core::Series{.labels = std::move(labels)});
    if (!taken.insert(series).second) continue;
    entry.exported.push_back({family->second, value.labels, series});
    kept.push_back(std::move(value));
  }
  entry.complete = kept.size() == given;
  if (!entry.complete) counters_->dropped.Increment(static_cast<double>(given - kept.size()));
  values = std::move(kept);
}

std::shared_ptr<const ProbeRunner::Published> ProbeRunner::MakePublished(Entry& entry, ProbeOutcome outcome) {
  std::vector<ProbeValue> values = {{"probe_success", outcome.result.success ? 1.0 : 0.0}};
  if (entry.up) values.push_back({"probe_up", *entry.up ? 1.0 : 0.0});
  values.push_back({"probe_duration_seconds", core::ToSeconds(outcome.duration)});
  values.push_back({"probe_timeout_seconds", core::ToSeconds(entry.config.timeout)});
  std::ranges::move(outcome.result.values, std::back_inserter(values));

  // Most runs give what the one before gave, in its order: then no label is made or compared with all others.
  const bool as_before =
      entry.complete && std::ranges::equal(values, entry.exported, [&](const auto& value, const auto& was) {
        return value.metric == families_[was.family].name && value.labels == was.labels;
      });
  if (!as_before) Export(entry, values);
  auto published = std::make_shared<Published>();
  published->values.reserve(values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    published->values.push_back({entry.exported[i].family, entry.exported[i].series, values[i].value});
  std::ranges::stable_sort(published->values, {}, &Published::Value::family);
  return published;
}

core::Task<core::Result<ProbeOutcome>> ProbeRunner::RunOnce(std::string name) {
  core::Result<ProbeOutcome> result;
  const auto entry = entries_.find(name);
  if (entry == entries_.end()) {
    std::vector<std::string_view> names;
    for (const auto& [known, unused] : entries_) names.push_back(known);
    result = core::Fail(core::ErrorCode::kNotFound, "no probe '" + name + "'" + core::DidYouMean(name, names));
    co_return result;
  }
  const auto probe = entry->second->config.probe;
  const core::Duration timeout = entry->second->config.timeout;
  result = co_await RunProbe(probe, timeout);
  co_return result;
}

std::vector<ProbeStatus> ProbeRunner::Status() const {
  const core::MutexLock lock(mutex_);
  std::vector<ProbeStatus> all;
  all.reserve(status_.size());
  for (const auto& [name, status] : status_) all.push_back(status);
  return all;
}

bool ProbeRunner::AnyNotUp(std::string_view component) const {
  const core::MutexLock lock(mutex_);
  return std::ranges::any_of(
      status_, [&](const auto& probe) { return probe.second.component == component && probe.second.up != true; });
}

core::Task<void> ProbeRunner::Stop() {
  group_.Cancel();
  co_await group_.Join();
}

void ProbeRunner::Visit(core::SampleVisitor& visitor) {
  std::vector<std::shared_ptr<const Published>> all;
  {
    const core::MutexLock lock(mutex_);
    all.reserve(published_.size());
    for (const auto& [name, published] : published_) all.push_back(published);
  }
  std::vector<std::size_t> next(all.size(), 0);
  for (std::size_t family = 0; family < families_.size(); ++family) {
    bool opened = false;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto& values = all[i]->values;
      for (; next[i] < values.size() && values[next[i]].family == family; ++next[i]) {
        if (!opened) visitor.OnFamily(families_[family]);
        opened = true;
        visitor.OnSample(*values[next[i]].series, values[next[i]].value);
      }
    }
  }
}

}  // namespace pipewarden::exporters
