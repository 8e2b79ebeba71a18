// What the faces of the web server read: functions that wiring fills. They are called on the web server's threads, so
// each is safe from any thread: it reads a snapshot, or asks the loop (ask.h) until the deadline it is given. An empty
// function is a part that this process does not run (`pipewarden alertmanager` has no probes): its routes say so.
//
// The views are values, made for one answer. Times are absent where WallTime{}.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/server/http.h"
#include "core/logging.h"
#include "core/model/alert.h"
#include "core/model/sample.h"
#include "core/model/sample_source.h"
#include "core/result.h"
#include "core/time/clock.h"

namespace pipewarden::alertmanager {
class Alertmanager;
}
namespace pipewarden::core {
class Loop;
struct RemoteWriteRequest;
}  // namespace pipewarden::core
namespace pipewarden::rules {
struct RemoteWriteOutcome;
struct RuleFile;
struct RulesSnapshot;
}  // namespace pipewarden::rules
namespace pipewarden::rules::promql {
class Engine;
class Queryable;
}  // namespace pipewarden::rules::promql

namespace pipewarden::agent {

struct ProbeView {
  std::string name{};
  std::string kind{};
  std::string component{};
  std::string target{};    // what it looks at, for people: a URL without secrets, host:port, a command
  std::string state{};     // "healthy", "unhealthy", or "unknown" before its first verdict
  bool success = false;    // of the last run alone; the state flips after several
  std::string message{};   // why, of the last run
  core::WallTime since{};  // the state's last change
  core::WallTime last_run{};
  core::Duration duration{};  // of the last run
  core::Duration interval{};
  std::vector<std::pair<std::string, double>> values{};  // what the last run measured
  std::vector<bool> history{};                           // success of the last runs, the newest last
};

struct StepView {
  std::string name{};
  std::string state{};  // as the run store names them: waiting, running, success, failed, skipped, lost, …
  int attempts = 0;
  int exit_code = 0;  // of the last attempt that ended by itself
  core::WallTime started{};
  core::WallTime ended{};
  std::string error{};
};

struct RunView {
  std::int64_t id = 0;
  std::string pipeline{};
  std::string cause{};  // "schedule", "by hand", …
  std::string state{};
  core::WallTime slot{};
  core::WallTime started{};
  core::WallTime ended{};
  std::string error{};
  std::vector<StepView> steps{};
};

struct PipelineView {
  std::string name{};
  std::string schedule{};  // as written; "" is by hand
  bool once = false;
  core::WallTime next_run{};
  std::vector<std::string> steps{};
  std::optional<RunView> last_run{};   // that ended
  std::vector<RunView> active_runs{};  // under way, newest first
};

struct FreshnessView {
  std::string name{};
  std::string source{};
  std::string state{};  // "fresh", "due", "late", "unknown"
  core::Duration age{};
  core::WallTime due{};
  std::string message{};
};

// An alert as the alertmanager has it.
struct AlertView {
  core::Alert alert{};
  std::string state{};          // "active", "suppressed", "unprocessed"
  std::string suppressed_by{};  // "namenode (down since …)"
  std::vector<std::string> silenced_by{};
  std::vector<std::string> inhibited_by{};
  std::vector<std::string> receivers{};
};

// A notification that the inbox kept.
struct InboxView {
  std::int64_t id = 0;
  core::WallTime at{};
  std::string receiver{};
  std::string status{};  // "firing", "resolved"
  std::string subject{};
  std::string text{};
  core::Labels group_labels{};
  int firing = 0;
  int resolved = 0;
};

// What came of a sample that was sent by an integration of a receiver.
struct ReceiverTestView {
  std::string integration{};  // "slack[0]"
  bool ok = false;
  std::string error{};
};

// What the configuration and the command line say, for those who ask as of a Prometheus.
struct SettingsView {
  core::Labels external_labels{};
  std::string evaluation_interval{};  // "15s"
  std::vector<std::string> rule_files{};
  std::shared_ptr<const std::vector<rules::RuleFile>> rules{};  // as configured; null: none
  std::vector<std::string> alertmanagers{};                     // URLs to which alerts are handed over now
  std::vector<std::pair<std::string, std::string>> flags{};
  bool reload_successful = true;
  core::WallTime reload_time{};
  std::uint64_t wal_corruptions = 0;
  std::string storage_retention{};
};

struct RunPipelineRequest {
  std::string pipeline{};
  std::map<std::string, std::string> env{};
  bool again = false;
};

struct LogRequest {
  std::string pipeline{};
  std::int64_t run = 0;  // 0: the last
  std::string step{};
  int attempt = 0;  // 0: the last
};

struct HeadView {
  std::size_t chunks = 0;
  core::TimestampMs oldest = 0;
  core::TimestampMs newest = 0;
};

struct ServerContext {
  core::Clock* clock = nullptr;
  core::Logger* logger = nullptr;
  core::WallTime started{};

  std::function<bool()> ready;                                        // empty: always
  std::function<core::Result<void>(core::MonoTime deadline)> reload;  // the error is what the configuration has wrong

  // /metrics: all sources, in the order they are shown. Visited once for each scrape.
  std::function<std::vector<std::shared_ptr<core::SampleSource>>()> sources;

  std::function<core::Result<std::vector<ProbeView>>(core::MonoTime deadline)> probes;
  std::function<core::Result<ProbeView>(std::string name, core::MonoTime deadline)> run_probe;

  std::function<core::Result<std::vector<PipelineView>>(core::MonoTime deadline)> pipelines;
  std::function<core::Result<std::vector<RunView>>(std::string pipeline, int limit, core::MonoTime deadline)> runs;
  std::function<core::Result<std::int64_t>(RunPipelineRequest request, core::MonoTime deadline)> run_pipeline;
  std::function<core::Result<std::string>(LogRequest request, core::MonoTime deadline)> log_path;  // a file to stream

  std::function<core::Result<std::vector<FreshnessView>>(core::MonoTime deadline)> freshness;
  std::function<core::Result<std::vector<AlertView>>(core::MonoTime deadline)> alerts;
  std::function<core::Result<std::vector<ReceiverTestView>>(std::string receiver, core::MonoTime deadline)>
      test_receiver;
  std::function<core::Result<std::vector<InboxView>>(int limit, core::MonoTime deadline)> inbox;  // newest first

  // Alertmanager's API asks it on the loop; null where alerts are handed over.
  std::function<core::Result<void>(std::vector<core::Alert> alerts)> put_alerts;  // on the loop
  core::Loop* loop = nullptr;
  alertmanager::Alertmanager* alertmanager = nullptr;

  // The query API.
  const rules::promql::Engine* engine = nullptr;
  const rules::promql::Queryable* storage = nullptr;
  bool experimental_functions = false;
  std::function<HeadView()> head;  // what the storage holds in memory; empty: it is not known
  std::function<std::shared_ptr<const rules::RulesSnapshot>()> rules;  // RuleManager::Snapshot
  std::function<core::Result<SettingsView>(core::MonoTime deadline)> settings;
  // Appends what others push; empty where that is off.
  std::function<core::Result<rules::RemoteWriteOutcome>(core::RemoteWriteRequest, core::MonoTime deadline)>
      remote_write;
};

}  // namespace pipewarden::agent
