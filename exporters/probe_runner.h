// Runs the configured probes: each on its own timer, with its timeout, never twice at once by the timer. Results become
// metrics (the source "probes"), a status for pages, and one call when a verdict flips.
//
// Thread safety: Apply, RunOnce and Stop belong to the loop's thread; Status, AnyNotUp and Visit to any. Owned by
// `agent`.
#pragma once

#include <prometheus/registry.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/async/loop.h"
#include "core/async/mutex.h"
#include "core/async/task_group.h"
#include "core/model/labels.h"
#include "core/model/sample_source.h"
#include "core/net/http_client.h"
#include "exporters/probe.h"

namespace pipewarden::exporters {

struct ProbeConfig {
  std::string name;
  std::string identity;  // equal text: nothing has changed
  core::Location where;
  const ProbeKind* kind = nullptr;
  std::string component;
  core::Labels labels;  // the configured ones
  core::Duration interval{};
  core::Duration timeout{};
  int failures = 1;
  int successes = 1;
  std::size_t max_series = 200;
  std::shared_ptr<Probe> probe;
};

// The section `probes`: a list of maps.
std::vector<ProbeConfig> ReadProbes(const core::YamlNode& section, core::ConfigErrors& errors);

struct ProbeRun {
  core::WallTime time{};  // of its start
  core::Duration duration{};
  bool success = false;
};

struct ProbeStatus {
  std::string name, kind, component;
  core::Labels labels;
  core::Duration interval{}, timeout{};
  std::optional<bool> up;                     // the verdict; nothing before the first
  std::optional<core::WallTime> last_change;  // when the verdict became what it is
  std::string last_error;                     // of the last failed run; stays until a run fails otherwise
  std::optional<core::WallTime> last_error_time;
  std::string message;  // of the last run: its error, or what a success had to say
  std::uint64_t runs = 0;
  std::vector<ProbeRun> history;  // the newest last, at most kHistory
  static constexpr std::size_t kHistory = 90;
};

struct ProbeSample {
  std::shared_ptr<const core::Series> series;
  double value = 0;
};

struct ProbeVerdict {
  std::string name, kind, component;
  bool up = false;
  bool first = false;  // there was none before
  std::string message;
  core::WallTime time{};
  // What the probe exports now; a series that it exported before and does not any more has a staleness marker.
  std::vector<ProbeSample> samples;
};

struct ProbeOutcome {
  ProbeResult result;
  core::Duration duration{};
};

class ProbeRunner final : public core::SampleSource {
 public:
  ProbeRunner(core::Loop& loop, core::HttpClient& http, core::Logger logger,
              const std::shared_ptr<prometheus::Registry>& registry);
  ~ProbeRunner() override;

  // Called on the loop when a verdict flips (the first one included), after the values have become visible.
  void OnVerdict(std::function<void(const ProbeVerdict&)> callback) { on_verdict_ = std::move(callback); }

  // What is unchanged (name and identity) runs on; what changed starts anew, without a verdict; what is gone ends.
  void Apply(std::vector<ProbeConfig> configs);
  // Runs it now, beside its timer: metrics, verdict and history stay as they are. kNotFound.
  core::Task<core::Result<ProbeOutcome>> RunOnce(std::string name);
  std::vector<ProbeStatus> Status() const;  // by name
  // Whether the verdict on a probe of that component is down, or there is none yet.
  bool AnyNotUp(std::string_view component) const;
  core::Task<void> Stop();

  std::string_view name() const override { return "probes"; }
  void Visit(core::SampleVisitor& visitor) override;

 private:
  struct Entry;
  struct Published;
  struct Counters;

  core::Task<void> RunForever(std::shared_ptr<Entry> entry, core::MonoTime next);
  core::Task<ProbeOutcome> RunProbe(std::shared_ptr<Probe> probe, core::Duration timeout);
  void Note(Entry& entry, core::WallTime time, ProbeOutcome outcome);
  void Export(Entry& entry, std::vector<ProbeValue>& values);
  std::shared_ptr<const Published> MakePublished(Entry& entry, ProbeOutcome outcome);

  core::Loop& loop_;
  core::HttpClient& http_;
  core::Logger logger_;
  std::unique_ptr<Counters> counters_;
  std::function<void(const ProbeVerdict&)> on_verdict_;
  std::vector<core::MetricFamily> families_;                      // constant after construction
  std::map<std::string, std::size_t, std::less<>> family_index_;  // name -> place in families_
  std::map<std::string, std::shared_ptr<Entry>, std::less<>> entries_;
  core::TaskGroup group_;

  mutable core::Mutex mutex_;
  // By name: what pages and metrics show. Values are immutable, so that a visit holds the lock for a copy of the list.
  std::map<std::string, std::shared_ptr<const Published>, std::less<>> published_ GUARDED_BY(mutex_);
  std::map<std::string, ProbeStatus, std::less<>> status_ GUARDED_BY(mutex_);
};

}  // namespace pipewarden::exporters
