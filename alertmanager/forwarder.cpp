#include "alertmanager/forwarder.h"

#include <glob.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <algorithm>
#include <deque>
#include <set>
#include <unordered_map>

#include "core/text/escape.h"
#include "core/time/civil_time.h"
#include "core/version.h"

namespace pipewarden::alertmanager {
namespace {

using namespace std::chrono_literals;
using core::OptionType;
using core::YamlNode;
using AlertPtr = std::shared_ptr<const core::Alert>;

constexpr core::Duration kFirstPause = 1s;
constexpr core::Duration kLongestPause = 30s;

constexpr std::string_view kSchemes[] = {"http", "https"};
constexpr core::Option kPeersOptions[] = {
    {.name = "static_configs", .type = OptionType::kNode, .help = "Addresses: [{targets: [\"host:9093\", …]}]."},
    {.name = "file_sd_configs",
     .type = OptionType::kNode,
     .help = "Files with addresses, JSON or YAML: [{files: [\"am/*.yml\"], refresh_interval: 30s}]."},
    {.name = "scheme",
     .type = OptionType::kEnum,
     .default_text = "http",
     .choices = kSchemes,
     .help = "How to reach them."},
    {.name = "path_prefix", .type = OptionType::kString, .help = "What stands before /api/v2/alerts."},
    {.name = "timeout",
     .type = OptionType::kDuration,
     .default_text = "10s",
     .min = 0.1,
     .max = 300,
     .help = "For one batch."},
    {.name = "api_version",
     .type = OptionType::kString,
     .default_text = "v2",
     .help = "v2; older ones are not spoken."},
    {.name = "http_config",
     .type = OptionType::kNode,
     .help =
         "Authorization, TLS and proxies, as in an alertmanager.yml. Its keys may also stand beside `scheme`, as in a "
         "prometheus.yml."},
};
constexpr core::Option kStaticOptions[] = {
    {.name = "targets", .type = OptionType::kStringList, .required = true, .help = "host:port"},
    {.name = "labels", .type = OptionType::kNode, .help = "taken and left"},
};
constexpr core::Option kFileOptions[] = {
    {.name = "files", .type = OptionType::kStringList, .required = true, .help = "patterns"},
    {.name = "refresh_interval", .type = OptionType::kDuration, .default_text = "30s", .min = 1, .help = "look again"},
};

bool IsTarget(std::string_view text) {
  return !text.empty() && text.find('/') == std::string_view::npos &&
         std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) > ' '; });
}

const std::vector<YamlNode>& Items(const YamlNode* node, core::ConfigErrors& errors) {
  static const std::vector<YamlNode> kNone;
  if (node == nullptr || node->IsNull()) return kNone;
  if (!node->IsSequence()) errors.Add(node->where(), "a list is expected here, not " + std::string(node->KindName()));
  return node->items();
}

PeersConfig ReadEntry(const YamlNode& node, core::ConfigErrors& errors) {
  const core::OptionTable tables[] = {kPeersOptions, HttpOptions()};
  const core::Options options = core::ReadOptions(node, tables, "alertmanagers", errors);
  PeersConfig config;
  for (const YamlNode& item : Items(options.Node("static_configs"), errors)) {
    const core::Options fixed = core::ReadOptions(item, kStaticOptions, "static_configs", errors);
    for (std::string& target : fixed.List("targets")) {
      if (!IsTarget(target)) errors.Add(fixed.Where("targets"), "'" + target + "' is no host:port");
      config.targets.push_back(std::move(target));
    }
  }
  const std::string& file = node.where().file;
  const std::string folder = file.find('/') == std::string::npos ? "" : file.substr(0, file.rfind('/') + 1);
  for (const YamlNode& item : Items(options.Node("file_sd_configs"), errors)) {
    const core::Options files = core::ReadOptions(item, kFileOptions, "file_sd_configs", errors);
    for (const std::string& pattern : files.List("files"))
      config.files.push_back(pattern.starts_with('/') ? pattern : folder + pattern);
    config.refresh = std::min(config.refresh, files.Duration("refresh_interval"));
  }
  if (config.targets.empty() && config.files.empty())
    errors.Add(node.where(), "alertmanagers without addresses: give static_configs or file_sd_configs");
  if (options.Text("api_version") != "v2")
    errors.Add(options.Where("api_version"), "api_version '" + options.Text("api_version") + "' is not spoken: use v2");
  config.scheme = options.Text("scheme");
  config.path_prefix = options.Text("path_prefix");
  while (config.path_prefix.ends_with('/')) config.path_prefix.pop_back();
  if (!config.path_prefix.empty() && !config.path_prefix.starts_with('/')) config.path_prefix.insert(0, "/");
  config.timeout = options.Duration("timeout");
  const YamlNode* http = options.Node("http_config");
  config.http = http != nullptr ? ReadHttpSettings(*http, errors) : ReadHttpKeys(options, errors);
  return config;
}

// The addresses in all files that a list of patterns names. A file that does not read counts for nothing, and is told.
std::vector<std::string> ReadTargets(const std::vector<std::string>& patterns, std::vector<std::string>& complaints) {
  std::vector<std::string> targets;
  for (const std::string& pattern : patterns) {
    glob_t found{};
    ::glob(pattern.c_str(), 0, nullptr, &found);
    for (std::size_t i = 0; i < found.gl_pathc; ++i) {
      auto some = ReadTargetsFile(found.gl_pathv[i]);
      if (some)
        std::ranges::move(*some, std::back_inserter(targets));
      else
        complaints.push_back(some.error().message);
    }
    ::globfree(&found);
  }
  return targets;
}

}  // namespace

std::vector<PeersConfig> ReadPeers(const YamlNode& node, core::ConfigErrors& errors) {
  std::vector<PeersConfig> all;
  for (const YamlNode& item : Items(&node, errors)) all.push_back(ReadEntry(item, errors));
  return all;
}

core::OptionTable PeersOptions() { return kPeersOptions; }

core::Result<std::vector<std::string>> ReadTargetsFile(const std::string& path) {
  const auto root = core::ReadYamlFile(path);
  if (!root) return core::Fail(root.error());
  core::ConfigErrors errors;
  std::vector<std::string> targets;
  for (const YamlNode& item : Items(&*root, errors))
    for (std::string& target : core::ReadOptions(item, kStaticOptions, "a list of targets", errors).List("targets")) {
      if (!IsTarget(target)) errors.Add(item.where(), "'" + target + "' is no host:port");
      targets.push_back(std::move(target));
    }
  if (!errors.empty()) return core::Fail(errors.ToError());
  return targets;
}

std::string AlertsJson(const std::vector<AlertPtr>& alerts) {
  std::string out = "[";
  const auto labels = [&](const char* key, const core::Labels& set) {
    out += key;
    bool first = true;
    for (const core::LabelView label : set) {
      if (!std::exchange(first, false)) out += ',';
      core::AppendJsonString(out, label.name);
      out += ':';
      core::AppendJsonString(out, label.value);
    }
    out += '}';
  };
  const auto time = [&](const char* key, core::WallTime at) {
    if (at != core::WallTime{}) out += key + core::FormatRfc3339(at) + '"';
  };
  for (const AlertPtr& alert : alerts) {
    if (out.size() > 1) out += ',';
    labels("{\"labels\":{", alert->labels);
    if (!alert->annotations.empty()) labels(",\"annotations\":{", alert->annotations);
    time(",\"startsAt\":\"", alert->starts_at);
    time(",\"endsAt\":\"", alert->ends_at);
    if (!alert->generator_url.empty()) {
      out += ",\"generatorURL\":";
      core::AppendJsonString(out, alert->generator_url);
    }
    out += '}';
  }
  return out += ']';
}

namespace {

std::vector<AlertPtr> Shared(const std::vector<core::Alert>& alerts) {
  std::vector<AlertPtr> shared;
  for (const core::Alert& alert : alerts) shared.push_back(std::make_shared<const core::Alert>(alert));
  return shared;
}

}  // namespace

struct Forwarder::Metrics {
  explicit Metrics(prometheus::Registry& registry)
      : sent(prometheus::BuildCounter()
                 .Name("pipewarden_forwarded_alerts_total")
                 .Help("Alerts that an Alertmanager took over, by its address.")
                 .Register(registry)),
        failed(prometheus::BuildCounter()
                   .Name("pipewarden_forwarding_errors_total")
                   .Help("Batches that an Alertmanager did not take; they are sent again.")
                   .Register(registry)),
        dropped(prometheus::BuildCounter()
                    .Name("pipewarden_forwarding_dropped_alerts_total")
                    .Help("Alerts that went unsent because a queue was full, or that an Alertmanager refused.")
                    .Register(registry)),
        queued(prometheus::BuildGauge()
                   .Name("pipewarden_forwarding_queue_alerts")
                   .Help("Alerts that wait for an Alertmanager.")
                   .Register(registry)) {}
  prometheus::Family<prometheus::Counter>& sent;
  prometheus::Family<prometheus::Counter>& failed;
  prometheus::Family<prometheus::Counter>& dropped;
  prometheus::Family<prometheus::Gauge>& queued;
};

struct Forwarder::Peer {
  std::string url;  // of the route
  PeersConfig config;
  std::unordered_map<std::uint64_t, AlertPtr> waiting;  // the newest word of each
  std::deque<std::uint64_t> order;                      // oldest first; of those that are gone from `waiting` too
  bool draining = false;
  bool gone = false;

  void Add(std::uint64_t fingerprint, AlertPtr alert) {
    const auto [at, fresh] = waiting.insert_or_assign(fingerprint, std::move(alert));
    if (fresh) order.push_back(fingerprint);
  }
  AlertPtr TakeOldest() {
    while (!order.empty()) {
      const auto at = waiting.find(order.front());
      order.pop_front();
      if (at == waiting.end()) continue;
      AlertPtr alert = std::move(at->second);
      waiting.erase(at);
      return alert;
    }
    return nullptr;
  }
  // A batch that was not taken goes back to the front, but for what has a newer word meanwhile.
  void PutBack(const std::vector<AlertPtr>& batch) {
    for (auto alert = batch.rbegin(); alert != batch.rend(); ++alert) {
      const std::uint64_t fingerprint = (*alert)->Fingerprint();
      if (waiting.try_emplace(fingerprint, *alert).second) order.push_front(fingerprint);
    }
  }
};

Forwarder::Forwarder(core::Loop& loop, core::HttpClient& http, core::Logger logger,
                     std::shared_ptr<prometheus::Registry> registry)
    : loop_(loop), http_(http), logger_(std::move(logger)), tasks_(loop) {
  if (registry != nullptr) metrics_ = std::make_unique<Metrics>(*registry);
}

Forwarder::~Forwarder() { tasks_.Cancel(); }

void Forwarder::Apply(std::vector<PeersConfig> config) {
  config_ = std::move(config);
  SetPeers({});
  ++generation_;
  if (std::ranges::any_of(config_, [](const PeersConfig& one) { return !one.files.empty(); }))
    tasks_.Spawn("addresses of alertmanagers", Watch(generation_));
}

// Reads the files, now and again, until another configuration holds.
core::Task<void> Forwarder::Watch(std::uint64_t generation) {
  while (generation == generation_) {
    core::Duration pause = 30s;
    std::vector<std::vector<std::string>> patterns;
    for (const PeersConfig& one : config_) {
      patterns.push_back(one.files);
      if (!one.files.empty()) pause = std::min(pause, one.refresh);
    }
    std::vector<std::string> complaints;
    const auto targets = co_await loop_.Blocking([&] {
      std::vector<std::vector<std::string>> all;
      for (const auto& some : patterns) all.push_back(ReadTargets(some, complaints));
      return all;
    });
    if (generation != generation_) co_return;
    for (const std::string& complaint : complaints)
      logger_.Warn("addresses of alertmanagers do not read", {{"error", complaint}});
    if (complaints.empty()) SetPeers(targets);  // else those that are known stay
    co_await loop_.Sleep(pause);
  }
}

void Forwarder::SetPeers(const std::vector<std::vector<std::string>>& from_files) {
  std::map<std::string, std::shared_ptr<Peer>> next;
  std::vector<std::shared_ptr<Peer>> fresh;
  for (std::size_t i = 0; i < config_.size(); ++i) {
    const PeersConfig& config = config_[i];
    std::set<std::string> targets(config.targets.begin(), config.targets.end());
    if (i < from_files.size()) targets.insert(from_files[i].begin(), from_files[i].end());
    for (const std::string& target : targets) {
      const std::string url = config.scheme + "://" + target + config.path_prefix + "/api/v2/alerts";
      const auto known = peers_.find(url);
      const auto peer = known != peers_.end() ? known->second : std::make_shared<Peer>();
      peer->url = url;
      peer->config = config;
      if (next.emplace(url, peer).second && known == peers_.end()) fresh.push_back(peer);
    }
  }
  for (const auto& [url, peer] : peers_) peer->gone = !next.contains(url);
  peers_ = std::move(next);
  if (fresh.empty() || !known_) return;
  const std::vector<AlertPtr> missed = Shared(known_(kMaxQueue));
  for (const std::shared_ptr<Peer>& peer : fresh) Add(peer, missed);
}

std::vector<std::string> Forwarder::Urls() const {
  std::vector<std::string> urls;
  for (const auto& [url, peer] : peers_) urls.push_back(url);
  return urls;
}

void Forwarder::Send(const std::vector<core::Alert>& alerts) {
  const std::vector<AlertPtr> shared = Shared(alerts);
  for (const auto& [url, peer] : peers_) Add(peer, shared);
}

void Forwarder::Add(const std::shared_ptr<Peer>& peer, const std::vector<AlertPtr>& alerts) {
  if (alerts.empty()) return;
  for (const AlertPtr& alert : alerts) {
    peer->Add(alert->Fingerprint(), alert);
    if (peer->waiting.size() <= kMaxQueue) continue;
    peer->TakeOldest();
    if (metrics_) metrics_->dropped.Add({{"alertmanager", peer->url}}).Increment();
  }
  if (metrics_) metrics_->queued.Add({{"alertmanager", peer->url}}).Set(static_cast<double>(peer->waiting.size()));
  if (!std::exchange(peer->draining, true)) tasks_.Spawn("alerts to " + peer->url, Drain(peer));
}

core::Task<void> Forwarder::Drain(std::shared_ptr<Peer> peer) {
  core::Duration pause = kFirstPause;
  while (!peer->gone) {
    std::vector<AlertPtr> batch;
    while (batch.size() < kMaxBatch) {
      AlertPtr alert = peer->TakeOldest();
      if (alert == nullptr) break;
      batch.push_back(std::move(alert));
    }
    if (batch.empty()) break;
    const bool taken = co_await Post(peer, batch);
    if (!taken) peer->PutBack(batch);
    if (metrics_) metrics_->queued.Add({{"alertmanager", peer->url}}).Set(static_cast<double>(peer->waiting.size()));
    if (taken) {
      pause = kFirstPause;
      continue;
    }
    if (stopping_) break;
    co_await loop_.Sleep(pause);
    pause = std::min(kLongestPause, 2 * pause);
  }
  peer->draining = false;
}

// True where the batch is done with: taken, or refused for what is in it (4xx), which sending again would not mend.
core::Task<bool> Forwarder::Post(std::shared_ptr<Peer> peer, std::vector<AlertPtr> batch) {
  NotifyContext context;
  context.loop = &loop_;
  context.http = &http_;
  context.time_left = peer->config.timeout;
  core::HttpRequest request = JsonRequest(peer->url, AlertsJson(batch));
  request.headers.emplace_back("User-Agent", "Pipewarden/" + std::string(core::kVersion));
  const NotifyOutcome outcome =
      co_await alertmanager::Post(std::move(context), peer->config.http, std::move(request), {.also = {429}});
  const auto count = static_cast<double>(batch.size());
  if (outcome.ok) {
    if (metrics_) metrics_->sent.Add({{"alertmanager", peer->url}}).Increment(count);
    co_return true;
  }
  if (metrics_) metrics_->failed.Add({{"alertmanager", peer->url}}).Increment();
  logger_.Warn(
      outcome.retry ? "an alertmanager did not take alerts; they are sent again" : "an alertmanager refused alerts",
      {{"alertmanager", peer->url}, {"alerts", std::to_string(batch.size())}, {"error", outcome.error}});
  if (!outcome.retry && metrics_) metrics_->dropped.Add({{"alertmanager", peer->url}}).Increment(count);
  co_return !outcome.retry;
}

core::Task<void> Forwarder::Stop(core::Duration deadline) {
  stopping_ = true;
  const core::MonoTime until = loop_.clock().Monotonic() + deadline;
  const auto busy = [this] {
    return std::ranges::any_of(peers_, [](const auto& peer) { return peer.second->draining; });
  };
  while (busy() && loop_.clock().Monotonic() < until) co_await loop_.Sleep(20ms);
  tasks_.Cancel();
  co_await tasks_.Join();
}

}  // namespace pipewarden::alertmanager
