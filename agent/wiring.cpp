#include "agent/wiring.h"

#include <malloc.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <limits>
#include <optional>
#include <utility>

#include "agent/config.h"
#include "agent/dead_man.h"
#include "agent/dependencies.h"
#include "agent/event_judge.h"
#include "agent/failure_notes.h"
#include "agent/pipelines/pipelines.h"
#include "agent/process_source.h"
#include "agent/rules_thread.h"
#include "agent/selector_check.h"
#include "agent/server/ask.h"
#include "agent/server/faces.h"
#include "agent/server/server.h"
#include "agent/server/unix_socket.h"
#include "agent/server/web_config.h"
#include "agent/status.h"
#include "agent/supervisor.h"
#include "alertmanager/alertmanager.h"
#include "alertmanager/forwarder.h"
#include "core/async/aside.h"
#include "core/async/task_group.h"
#include "core/net/http_client.h"
#include "core/store/file_operations.h"
#include "core/time/duration.h"
#include "core/version.h"
#include "exporters/exposition/registry_source.h"
#include "exporters/freshness.h"
#include "exporters/host_source.h"
#include "exporters/logs/log_source.h"
#include "exporters/probe_runner.h"
#include "rules/promql/engine.h"
#include "rules/remote_write.h"
#include "rules/rule_manager.h"
#include "rules/storage/storage.h"

namespace pipewarden::agent {

// Order of members is order of construction; Stop() ends them in reverse, by hand, because ending waits.
struct Agent::Parts {
  Parts(AgentOptions options_, core::Clock& clock_, core::Logger logger_)
      : options(std::move(options_)), clock(clock_), logger(std::move(logger_)), loop(clock, logger) {}

  core::Result<void> Lock(const Config& config);
  core::Result<void> Open(const Config& config);
  core::Result<void> OpenMeasuring(const Config& config);
  core::Result<void> JoinCluster(const std::shared_ptr<ServerContext>& context);
  core::Result<void> Apply(std::shared_ptr<const Config> next);
  void ShowMeasuring(ServerContext& context);
  core::Result<void> Serve();
  void StartMeasuring();
  core::Task<core::Result<void>> Start();
  core::Task<core::Result<void>> Reload();
  core::Task<core::Result<void>> ReadAndApply();
  core::Task<void> Stop();
  core::Task<void> Ticks();
  core::Task<void> KeepHouse();
  core::TimestampMs Tick(core::TimestampMs wall);  // rules thread; when the next group is due
  void GiveMemoryBack();
  void TellComponents();
  std::vector<std::string> Sickness(core::Duration patience) const;
  void MakeDeadMan();
  core::Result<void> PutAlerts(std::vector<core::Alert> alerts);
  void MakeMetrics();
  void TellReload(bool successful);
  void TellWarnings() const;  // once for each configuration that is taken
  SettingsView Settings() const;

  AgentOptions options;
  core::Clock& clock;
  core::Logger logger;
  core::Loop loop;
  core::TaskGroup tasks{loop};
  std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>();
  std::string storage_path;
  std::string external_url;
  std::optional<StorageLock> storage_lock;
  StorageConfig storage_config;  // as it was at the start: what is in force
  std::shared_ptr<const Config> config;

  core::HttpClient http{loop};
  std::unique_ptr<rules::Storage> storage;
  std::unique_ptr<rules::promql::Engine> engine;
  std::unique_ptr<rules::RuleManager> rules;
  std::unique_ptr<alertmanager::Alertmanager> alertmanager;
  std::unique_ptr<alertmanager::Forwarder> forwarder;
  std::shared_ptr<exporters::ProbeRunner> probes;
  std::shared_ptr<exporters::LogSource> logs;
  std::shared_ptr<exporters::HostSource> host;
  std::shared_ptr<exporters::FreshnessRunner> freshness;
  std::unique_ptr<Pipelines> pipelines;
  std::vector<std::shared_ptr<core::SampleSource>> sources;  // what every tick and every scrape visits
  std::unique_ptr<RulesThread> rules_thread;
  std::unique_ptr<EventJudge> event_judge;
  std::unique_ptr<DeadMan> dead_man;
  std::unique_ptr<Server> server;
  std::unique_ptr<Server> cluster_server;
  std::atomic<bool> ready{false};
  int reloads = 0;         // under way, or waiting for that one
  bool reloading = false;  // one is under way
  bool stopped = false;
  core::MonoTime next_trim{};  // of GiveMemoryBack
  core::MonoTime last_tick{};  // when the rules were last judged

  prometheus::Gauge* reload_successful = nullptr;
  prometheus::Gauge* reload_time = nullptr;
  prometheus::Gauge* loop_stall = nullptr;
  prometheus::Counter* ticks_missed = nullptr;
};

namespace {

constexpr core::Duration kLoadPatience = std::chrono::minutes(1);
constexpr core::Duration kReloadPause = std::chrono::milliseconds(10);
constexpr int kMaxReloads = 8;
// The rules may be late by so much before that is told.
constexpr core::Duration kLongTick = std::chrono::minutes(1);
constexpr core::Duration kTrimEvery = std::chrono::seconds(30);
constexpr core::Duration kKeepHouse = std::chrono::seconds(15);
constexpr core::Duration kClusterTimeout = std::chrono::seconds(5);

std::string HostName() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "localhost";
}

// Beside the agent's own binary.
std::string StepBinary() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return (self.parent_path() / "pipewarden-step").string();
}

// A thread of the web server asks the rules thread.
template <class T, class F>
core::Result<T> AskRules(RulesThread& thread, const core::Clock& clock, core::MonoTime deadline, F question) {
  auto answer = std::make_shared<Answer<T>>();
  const bool posted = thread.Post([answer, question = std::move(question)]() mutable { answer->Put(question()); });
  if (!posted) return core::Fail(core::ErrorCode::kUnavailable, "the rules thread is busy; try again");
  return answer->Wait(deadline - clock.Monotonic());
}

core::Task<core::Result<std::string>> SendToPeer(core::HttpClient& http, std::string address, std::string message) {
  core::HttpRequest request;
  request.method = "POST";
  request.url = "http://" + address + "/cluster/v1/exchange";
  request.headers = {{"Content-Type", "application/octet-stream"}};
  request.body = std::move(message);
  request.timeout = kClusterTimeout;
  request.follow_redirects = false;
  core::Result<core::HttpResponse> response = co_await http.Do(std::move(request));
  core::Result<std::string> answer;
  if (!response)
    answer = core::Fail(response.error());
  else if (response->status != 200)
    answer = core::Fail(core::ErrorCode::kUnavailable, "it answered with status " + std::to_string(response->status));
  else
    answer = std::move(response->body);
  co_return answer;
}

// The address as it was asked for, with the port that the URL of its listener has.
std::string WithPort(const std::string& asked, const std::string& url) {
  const std::string host = asked.substr(0, asked.rfind(':'));
  return (host.empty() ? "[::]" : host) + url.substr(url.rfind(':'));
}

std::string ExternalUrl(const AgentOptions& options) {
  if (!options.external_url.empty()) return options.external_url;
  // What is wrong with the address or the file is told where they are used.
  const std::string& address = options.listen_addresses.front();
  const std::size_t colon = address.rfind(':');
  const auto web =
      options.web_config_file.empty() ? core::Result<WebConfig>(WebConfig{}) : LoadWebConfig(options.web_config_file);
  return (web && !web->tls.cert_file.empty() ? "https://" : "http://") + HostName() +
         (colon == std::string::npos ? "" : address.substr(colon));
}

}  // namespace

// Before anything there is read or written: two agents on one storage path would adopt and start the same steps.
core::Result<void> Agent::Parts::Lock(const Config& first) {
  storage_path = !options.storage_path.empty() ? options.storage_path
                 : !first.storage.path.empty() ? first.storage.path
                                               : "data";
  const auto socket = SocketPath(storage_path);
  if (!socket) return core::Fail(socket.error());
  auto lock = StorageLock::Take(storage_path, *socket);
  if (!lock) return core::Fail(lock.error());
  storage_lock = std::move(*lock);
  return {};
}

// Everything that keeps state opens it here, before anything runs. Each part has a folder of its own.
core::Result<void> Agent::Parts::Open(const Config& first) {
  external_url = ExternalUrl(options);
  if (auto made = core::MakePrivateFolder(storage_path + "/alertmanager"); !made) return made;
  alertmanager = std::make_unique<alertmanager::Alertmanager>(loop, http, logger.With({{"part", "alertmanager"}}),
                                                              registry, storage_path + "/alertmanager", external_url);
  if (auto result = alertmanager->Open(); !result) return result;
  return options.alerting_only ? core::Result<void>() : OpenMeasuring(first);
}

// What `pipewarden alertmanager` does without.
core::Result<void> Agent::Parts::OpenMeasuring(const Config& first) {
  for (const char* part : {"/samples", "/logs", "/pipelines"})
    if (auto made = core::MakePrivateFolder(storage_path + part); !made) return made;

  storage_config = first.storage;
  auto opened = rules::Storage::Open({.path = storage_path + "/samples",
                                      .retention_time = first.storage.retention_time,
                                      .retention_bytes = static_cast<std::uint64_t>(first.storage.retention_bytes),
                                      .max_series = static_cast<std::size_t>(first.storage.max_series)},
                                     logger.With({{"part", "storage"}}), registry);
  if (!opened) return core::Fail(opened.error());
  storage = std::move(*opened);
  engine = std::make_unique<rules::promql::Engine>(rules::promql::EngineOptions{
      .default_subquery_step_ms =
          std::chrono::duration_cast<std::chrono::milliseconds>(first.global.evaluation_interval).count(),
      .max_samples = options.max_samples,
      .delayed_name_removal = options.features.delayed_name_removal});
  rules = std::make_unique<rules::RuleManager>(
      *storage, *engine, clock,
      rules::RuleManagerOptions{.external_url = external_url,
                                .parse = options.features.promql,
                                .on_aside = [this] { rules_thread->Post([this] { rules->Collect(); }); }},
      logger.With({{"part", "rules"}}), registry, [this](std::vector<core::Alert> alerts) {
        AddFailureNotes(
            alerts, *pipelines->Snapshot(),
            [this](RunId run, const std::string& step, int attempt) { return pipelines->LogPath(run, step, attempt); },
            clock.Now());
        for (std::vector<core::Alert>& piece : alertmanager::InTurns(std::move(alerts))) {
          loop.Post([this, piece = std::move(piece)]() mutable {
            if (const auto taken = PutAlerts(std::move(piece)); !taken)
              logger.Error("alerts of the rules were refused", {{"error", taken.error().message}});
          });
        }
      });
  forwarder = std::make_unique<alertmanager::Forwarder>(loop, http, logger.With({{"part", "alertmanager"}}), registry);
  forwarder->SetKnown([this](std::size_t most) { return alertmanager->Known(most); });
  probes = std::make_shared<exporters::ProbeRunner>(loop, http, logger.With({{"part", "probes"}}), registry);
  logs =
      std::make_shared<exporters::LogSource>(loop, logger.With({{"part", "logs"}}), registry, storage_path + "/logs");
  host = std::make_shared<exporters::HostSource>(clock, first.host);
  freshness = std::make_shared<exporters::FreshnessRunner>(loop, logger.With({{"part", "freshness"}}), registry);
  pipelines = std::make_unique<Pipelines>(
      loop, logger.With({{"part", "pipelines"}}), registry,
      PipelinesOptions{.data_dir = storage_path + "/pipelines",
                       .step_binary = options.step_binary.empty() ? StepBinary() : options.step_binary,
                       .is_healthy = [this](const std::string& component) { return !probes->AnyNotUp(component); }});
  return {};
}

// One turn of the loop: every part gets its list and compares by identity. The rules first: only they can refuse.
core::Result<void> Agent::Parts::Apply(std::shared_ptr<const Config> next) {
  alertmanager::Config routing = next->alerting.routing;
  if (options.alerting_only) {
    alertmanager->Apply(std::move(routing));
    config = std::move(next);
    return {};
  }
  // A thousand rules take milliseconds to copy, and to destroy: not here.
  const bool posted = rules_thread->Post([this, next, now = core::ToMs(clock.Now())] {
    rules->Apply(next->rule_files, next->global.evaluation_interval, next->global.external_labels, now);
  });
  if (!posted)
    return core::Fail(core::ErrorCode::kUnavailable, "the rules thread is behind or has ended: try again later");
  probes->Apply(next->probes);
  logs->Apply(next->logs);
  host->Apply(next->host);
  freshness->Apply(next->freshness);
  pipelines->Apply(next->pipelines);
  alertmanager->ApplyDependencies(DependenciesOf(*next));
  alertmanager->Apply(std::move(routing));
  forwarder->Apply(next->alerting.alertmanagers);
  rules_thread->Post([before = std::exchange(config, std::move(next))] {});
  return {};
}

void Agent::Parts::ShowMeasuring(ServerContext& context) {
  FillStatus(context, StatusSources{.loop = loop,
                                    .tasks = tasks,
                                    .probes = *probes,
                                    .freshness = *freshness,
                                    .pipelines = *pipelines,
                                    .rules = *rules});
  context.engine = engine.get();
  context.experimental_functions = options.features.promql.experimental_functions;
  context.storage = storage.get();
  context.head = [this] {
    const auto stats = storage->head_stats();
    const bool empty = stats.oldest == rules::ChunkWriter::kNever;
    return empty ? HeadView{} : HeadView{.chunks = stats.chunks, .oldest = stats.oldest, .newest = stats.newest};
  };
  context.settings = [this](core::MonoTime deadline) {
    return AskLoop<SettingsView>(loop, deadline, [this]() -> core::Result<SettingsView> { return Settings(); });
  };
  if (options.remote_write_receiver)
    context.remote_write = [this](core::RemoteWriteRequest request, core::MonoTime deadline) {
      return AskRules<rules::RemoteWriteOutcome>(
          *rules_thread, clock, deadline, [this, request = std::move(request)]() mutable {
            return rules::AppendRemote(*storage, std::move(request), core::ToMs(clock.Now()));
          });
    };
}

core::Result<void> Agent::Parts::Serve() {
  auto context = std::make_shared<ServerContext>();
  FillAlerting(*context, loop, tasks, *alertmanager);
  if (!options.alerting_only) ShowMeasuring(*context);
  context->clock = &clock;
  context->logger = &logger;
  context->started = clock.Now();
  context->ready = [this] { return ready.load(); };
  context->sources = [this] { return sources; };
  context->put_alerts = [this](std::vector<core::Alert> alerts) { return PutAlerts(std::move(alerts)); };
  context->reload = [this](core::MonoTime deadline) {
    return AskTask<void>(loop, tasks, "reload", deadline, [this] { return Reload(); });
  };
  auto started = Server::Start({.listen_addresses = options.listen_addresses,
                                .health_listen_address = options.health_listen_address,
                                .storage_path = storage_path,
                                .storage_is_locked = true,
                                .web_config_file = options.web_config_file,
                                .hosts = {HostName()},
                                .open = options.alerting_only,
                                .cors_origin = options.cors_origin,
                                .ready = [this] { return ready.load(); }},
                               options.alerting_only ? AlertingRoutes(context) : AllRoutes(context), clock,
                               logger.With({{"part", "web"}}), registry);
  if (!started) return core::Fail(started.error());
  server = std::move(*started);
  if (options.alerting_only)
    for (std::size_t i = 0; i < options.listen_addresses.size(); ++i)
      logger.Info("Listening on", {{"address", WithPort(options.listen_addresses[i], server->urls()[i])}});
  return options.cluster.listen_address.empty() ? core::Result<void>() : JoinCluster(context);
}

core::Result<void> Agent::Parts::JoinCluster(const std::shared_ptr<ServerContext>& context) {
  const ClusterListen& cluster = options.cluster;
  auto started = Server::Start({.listen_addresses = {cluster.listen_address}, .open = true, .threads = 16},
                               ClusterRoutes(context), clock, logger.With({{"part", "cluster"}}), registry);
  if (!started) return core::Fail(started.error().Within("--cluster.listen-address"));
  cluster_server = std::move(*started);
  const std::string address = cluster.advertise_address.empty()
                                  ? WithPort(cluster.listen_address, cluster_server->urls().front())
                                  : cluster.advertise_address;
  logger.Info("the cluster's peers reach this process", {{"address", address}});
  alertmanager->Join({.address = address,
                      .peers = cluster.peers,
                      .peer_timeout = cluster.peer_timeout,
                      .full_interval = cluster.full_interval,
                      .send = [this](std::string to, std::string message) {
                        return SendToPeer(http, std::move(to), std::move(message));
                      }});
  return {};
}

SettingsView Agent::Parts::Settings() const {
  const auto& engine_options = engine->options();
  SettingsView view{.external_labels = config->global.external_labels,
                    .evaluation_interval = core::FormatDuration(config->global.evaluation_interval),
                    .reload_successful = reload_successful->Value() == 1,
                    .reload_time = core::WallTime(std::chrono::duration_cast<core::WallTime::duration>(
                        std::chrono::duration<double>(reload_time->Value()))),
                    .wal_corruptions = storage->wal_corruptions(),
                    .storage_retention = core::FormatDuration(storage_config.retention_time) + " or " +
                                         std::to_string(storage_config.retention_bytes) + "B"};
  for (const rules::RuleFile& file : config->rule_files) view.rule_files.push_back(file.path);
  view.rules = {config, &config->rule_files};
  view.alertmanagers = forwarder->Urls();
  std::string addresses;
  for (const std::string& address : options.listen_addresses) addresses += (addresses.empty() ? "" : ",") + address;
  view.flags = {{"config.file", options.config_file},
                {"enable-feature", options.features.text},
                {"query.lookback-delta", core::FormatDuration(std::chrono::milliseconds(engine_options.lookback_ms))},
                {"query.max-samples", std::to_string(engine_options.max_samples)},
                {"query.timeout", "2m"},
                {"storage.path", storage_path},
                {"web.config.file", options.web_config_file},
                {"web.cors.origin", options.cors_origin},
                {"web.enable-remote-write-receiver", options.remote_write_receiver ? "true" : "false"},
                {"web.external-url", external_url},
                {"web.listen-address", addresses}};
  return view;
}

// Which components are down, for the alerts of what stands on them. One without a verdict stays what it was.
void Agent::Parts::TellComponents() {
  for (const auto& [name, state] : ComponentStates(probes->Status()))
    if (state.known) alertmanager->SetComponent(name, state.down_since);
}

// Why a sign of life would be a lie.
std::vector<std::string> Agent::Parts::Sickness(core::Duration patience) const {
  std::vector<std::string> sickness = alertmanager->Sickness(patience);
  const core::Duration silent = clock.Monotonic() - last_tick;
  if (silent > std::max<core::Duration>(3 * config->global.evaluation_interval, kLongTick))
    sickness.push_back("the rules have not been judged for " +
                       core::FormatDuration(std::chrono::floor<std::chrono::seconds>(silent)));
  if (!storage->writable()) sickness.push_back("samples cannot be written to disk");
  return sickness;
}

namespace {

core::Task<core::Result<void>> SendSignOfLife(core::HttpClient& http, std::string url, std::string body,
                                              core::Duration timeout) {
  core::HttpRequest request;
  request.url = std::move(url);
  request.timeout = timeout;
  request.max_body_bytes = 4096;
  if (!body.empty()) {
    request.method = "POST";
    request.headers = {{"Content-Type", "text/plain; charset=utf-8"}};
    request.body = std::move(body);
  }
  const auto answer = co_await http.Do(std::move(request));
  core::Result<void> result;
  if (!answer)
    result = core::Fail(answer.error());
  else if (answer->status >= 300)
    result = core::Fail(core::ErrorCode::kUnavailable, "answered " + std::to_string(answer->status));
  co_return result;
}

}  // namespace

void Agent::Parts::MakeDeadMan() {
  dead_man = std::make_unique<DeadMan>(
      loop, logger.With({{"part", "dead_man"}}), registry,
      DeadMan::Parts{.sickness = [this](core::Duration patience) { return Sickness(patience); },
                     .send =
                         [this](std::string url, std::string body, core::Duration timeout) {
                           return SendSignOfLife(http, std::move(url), std::move(body), timeout);
                         },
                     .put =
                         [this](core::Alert alert) {
                           for (const core::LabelView label : config->global.external_labels)
                             if (!alert.labels.Has(label.name)) alert.labels.Set(label.name, label.value);
                           std::vector<core::Alert> alerts;
                           alerts.push_back(std::move(alert));
                           if (const auto taken = PutAlerts(std::move(alerts)); !taken)
                             logger.Error("the Watchdog was refused", {{"error", taken.error().message}});
                         }});
}

// Where alerts are handed over they are kept here too, for the pages and the inbox.
core::Result<void> Agent::Parts::PutAlerts(std::vector<core::Alert> alerts) {
  if (forwarder && !forwarder->empty()) forwarder->Send(alerts);
  return alertmanager->Put(std::move(alerts));
}

void Agent::Parts::MakeMetrics() {
  const auto gauge = [this](const char* name, const char* help) {
    return &prometheus::BuildGauge().Name(name).Help(help).Register(*registry).Add({});
  };
  prometheus::BuildGauge()
      .Name("pipewarden_build_info")
      .Help("The running version; always 1.")
      .Register(*registry)
      .Add({{"version", std::string(core::kVersion)}})
      .Set(1);
  reload_successful =
      gauge("pipewarden_config_last_reload_successful", "Whether the last reading of the configuration succeeded.");
  reload_time =
      gauge("pipewarden_config_last_reload_success_timestamp_seconds", "When the configuration in force was read.");
  loop_stall = gauge("pipewarden_loop_stall_seconds", "Longest turn of the loop since the tick before.");
  ticks_missed = &prometheus::BuildCounter()
                      .Name("pipewarden_ticks_missed_total")
                      .Help("Ticks left out because the one before was still under way.")
                      .Register(*registry)
                      .Add({});
}

void Agent::Parts::TellWarnings() const {
  for (const std::string& warning : config->warnings) logger.Warn("configuration", {{"warning", warning}});
  if (storage && config->storage != storage_config)
    logger.Warn("configuration", {{"warning", "storage was changed: that takes effect at the next start"}});
}

void Agent::Parts::TellReload(bool successful) {
  reload_successful->Set(successful ? 1 : 0);
  if (successful) reload_time->Set(core::ToSeconds(clock.Now().time_since_epoch()));
}

namespace {

// Aside, because files may be anywhere: a start or a reload that hangs can be ended then.
core::Task<core::Result<std::shared_ptr<const Config>>> Load(core::Loop& loop, AgentOptions options) {
  using Loaded = core::Result<std::shared_ptr<const Config>>;
  core::Aside aside;
  Loaded loaded = co_await aside.Run(loop, kLoadPatience, [options]() -> Loaded {
    core::ConfigErrors errors;
    std::shared_ptr<const Config> config = options.alerting_only
                                               ? LoadAlertingConfig(options.config_file, errors)
                                               : LoadConfig(options.config_file, errors, options.features.promql);
    if (!errors.empty()) return core::Fail(errors.ToError());
    if (options.alerting_only || options.remote_write_receiver) return config;  // with that any series may come
    auto warned = std::make_shared<Config>(*config);
    std::ranges::move(UnmatchedSelectors(*config, config->rule_files), std::back_inserter(warned->warnings));
    return warned;
  });
  if (!loaded && loaded.error().code == core::ErrorCode::kTimeout)
    loaded = core::Fail(loaded.error().Within("reading the configuration"));
  co_return loaded;
}

}  // namespace

void Agent::Parts::StartMeasuring() {
  for (const std::shared_ptr<core::SampleSource>& source :
       {std::shared_ptr<core::SampleSource>(probes), std::shared_ptr<core::SampleSource>(logs),
        std::shared_ptr<core::SampleSource>(freshness), std::shared_ptr<core::SampleSource>(host)})
    sources.push_back(source);
  rules_thread = std::make_unique<RulesThread>(loop);
  event_judge = std::make_unique<EventJudge>(loop, tasks, *rules_thread, *storage, *rules);
  // A probe's first verdict is none that has changed: the tick judges it, when more of them are known.
  probes->OnVerdict([this](const exporters::ProbeVerdict& verdict) {
    TellComponents();
    if (config->global.event_driven && !verdict.first) event_judge->Note(verdict.samples);
  });
}

core::Task<core::Result<void>> Agent::Parts::Start() {
  core::Result<void> result;
  auto loaded = co_await Load(loop, options);
  if (!loaded) {
    result = core::Fail(loaded.error());
    co_return result;
  }
  config = std::move(*loaded);
  TellWarnings();
  MakeMetrics();
  result = Lock(*config);
  if (!result) co_return result;
  result = Open(*config);
  if (!result) co_return result;
  sources = {std::make_shared<exporters::RegistrySource>("agent", registry)};
  if (!options.alerting_only) StartMeasuring();
  sources.push_back(std::make_shared<ProcessSource>(clock.Now()));
  // An address that is taken is found before any run of the agent before us goes on.
  result = Serve();
  // The components that a step of such a run requires are known, and not healthy before a probe has told so.
  if (result && probes) probes->Apply(config->probes);
  if (result && pipelines) result = co_await pipelines->Open();
  if (result) result = Apply(config);
  if (!result) co_return result;
  TellReload(true);
  if (options.alerting_only) {
    tasks.Spawn("housekeeping", KeepHouse());
  } else {
    last_tick = clock.Monotonic();
    tasks.Spawn("ticks", Ticks());
    MakeDeadMan();
    dead_man->Apply(config->alerting.dead_man);
  }
  ready = true;
  co_return result;
}

core::Task<core::Result<void>> Agent::Parts::Reload() {
  core::Result<void> result;
  if (reloads >= kMaxReloads) {
    result = core::Fail(core::ErrorCode::kUnavailable, "other reloads are under way: try again later");
    co_return result;
  }
  struct Counted {
    int& count;
    ~Counted() { --count; }
  } counted{++reloads};
  while (reloading) co_await loop.Sleep(kReloadPause);
  struct Turn {
    bool& taken;
    ~Turn() { taken = false; }
  } turn{reloading = true};
  NotifyReloading();
  result = co_await ReadAndApply();
  NotifyReady();
  TellReload(result.has_value());
  co_return result;
}

core::Task<core::Result<void>> Agent::Parts::ReadAndApply() {
  core::Result<void> result;
  auto loaded = co_await Load(loop, options);
  if (!loaded) {
    result = core::Fail(loaded.error());
    co_return result;
  }
  // The file of users and certificates belongs to the configuration: both are taken, or neither.
  const auto take_web_config = co_await loop.Blocking([this] { return server->ReadWebConfig(); });
  if (!take_web_config) {
    result = core::Fail(take_web_config.error());
    co_return result;
  }
  result = Apply(*loaded);
  if (!result) co_return result;
  if (dead_man) dead_man->Apply(config->alerting.dead_man);
  (*take_web_config)();
  TellWarnings();
  logger.Info("configuration reloaded");
  co_return result;
}

// The tick of our own clock, at whole multiples of the interval, and the times that rule groups with intervals of their
// own ask for. All sources are visited at one timestamp, then the groups that are due are judged at it.
core::Task<void> Agent::Parts::Ticks() {
  core::TimestampMs group_due = std::numeric_limits<core::TimestampMs>::max();
  for (core::TimestampMs last = core::ToMs(clock.Now());;) {
    const core::TimestampMs interval =
        std::chrono::duration_cast<std::chrono::milliseconds>(config->global.evaluation_interval).count();
    const core::TimestampMs now = core::ToMs(clock.Now());
    const core::TimestampMs tick = (now / interval + 1) * interval;
    if (const core::TimestampMs missed = (tick - last) / interval - 1; missed > 0)
      ticks_missed->Increment(static_cast<double>(missed));
    const core::TimestampMs next = std::min(tick, std::max(group_due, now + 1));
    event_judge->SetTickDue(next);
    co_await loop.SleepUntil(core::FromMs(next));
    event_judge->SetTickDue(std::nullopt);
    loop_stall->Set(core::ToSeconds(loop.TakeLongestTurn()));
    co_await rules_thread->Run([&] { group_due = Tick(next); });
    last_tick = clock.Monotonic();
    last = next;
  }
}

// What a tick does by the way, where there are none.
core::Task<void> Agent::Parts::KeepHouse() {
  for (;;) {
    co_await loop.Sleep(kKeepHouse);
    loop_stall->Set(core::ToSeconds(loop.TakeLongestTurn()));
    co_await loop.Blocking([this] { GiveMemoryBack(); });
  }
}

// What a start, large requests and queries have left free within the allocator's arenas.
void Agent::Parts::GiveMemoryBack() {
  if (clock.jumps() || clock.Monotonic() < next_trim) return;
  next_trim = clock.Monotonic() + kTrimEvery;
  ::malloc_trim(0);
}

core::TimestampMs Agent::Parts::Tick(core::TimestampMs wall) {
  const core::TimestampMs time = storage->TickTime(wall);
  for (const auto& source : sources) storage->Take(*source, time);
  rules->Tick(time);
  GiveMemoryBack();
  return rules->NextDue(time);
}

core::Task<void> Agent::Parts::Stop() {
  if (stopped) co_return;
  stopped = true;
  ready = false;
  if (dead_man) co_await dead_man->Stop();
  tasks.Cancel();
  co_await tasks.Join();
  // From what produces to what consumes: nothing new starts, then what is under way gets through.
  if (pipelines) co_await pipelines->Stop();
  if (freshness) co_await freshness->Stop();
  if (probes) co_await probes->Stop();
  if (logs) co_await logs->Stop();
  if (server) co_await loop.Blocking([this] { server->Stop(); });
  if (cluster_server) co_await loop.Blocking([this] { cluster_server->Stop(); });
  if (rules_thread) {
    co_await loop.Blocking([this] {
      rules_thread->Stop();
      rules->Stop();
    });
  }
  if (forwarder) co_await forwarder->Stop(std::chrono::seconds(5));
  if (alertmanager) co_await alertmanager->Stop();
  if (storage) co_await loop.Blocking([this] { storage->Checkpoint(); });
}

Agent::Agent(AgentOptions options, core::Clock& clock, core::Logger logger)
    : parts_(std::make_unique<Parts>(std::move(options), clock, std::move(logger))) {}
Agent::~Agent() = default;

core::Loop& Agent::loop() { return parts_->loop; }
core::Task<core::Result<void>> Agent::Start() { return parts_->Start(); }
core::Task<core::Result<void>> Agent::Reload() { return parts_->Reload(); }
core::Task<void> Agent::Stop() { return parts_->Stop(); }
std::vector<std::string> Agent::Urls() const {
  return parts_->server ? parts_->server->urls() : std::vector<std::string>{};
}

}  // namespace pipewarden::agent
