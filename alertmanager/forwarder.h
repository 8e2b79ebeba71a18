// Hands alerts over to real Alertmanagers, as Prometheus' notifier does: every alert to every one of them, in batches
// of at most 256 (they share what they know among themselves). Each has a queue of its own, in which an alert stands
// once, at its newest word: while an Alertmanager cannot be reached its queue waits, and what it is told on its return
// is how things are then. Addresses stand in the configuration or in files that are read again when they change.
//
// Source: prometheus notifier/ and <alertmanager_config>. Loop thread only.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "alertmanager/http_settings.h"
#include "core/async/loop.h"
#include "core/async/task_group.h"
#include "core/config/option_table.h"
#include "core/logging.h"
#include "core/model/alert.h"
#include "core/net/http_client.h"

namespace prometheus {
class Registry;
}

namespace pipewarden::alertmanager {

// One entry of `alerting.alertmanagers`.
struct PeersConfig {
  std::vector<std::string> targets;  // host:port
  std::vector<std::string> files;    // patterns, absolute or relative to the working directory
  core::Duration refresh = std::chrono::seconds(30);
  std::string scheme = "http";
  std::string path_prefix;  // without a slash at its end
  core::Duration timeout = std::chrono::seconds(10);
  std::shared_ptr<const HttpSettings> http;
};

std::vector<PeersConfig> ReadPeers(const core::YamlNode& node, core::ConfigErrors& errors);
core::OptionTable PeersOptions();  // for the reference

// The addresses of a file_sd file (JSON or YAML, as Prometheus reads it); labels are read and left.
core::Result<std::vector<std::string>> ReadTargetsFile(const std::string& path);

// One alert for each, as Prometheus posts them; an alert without an end leaves it to the Alertmanager.
std::string AlertsJson(const std::vector<std::shared_ptr<const core::Alert>>& alerts);

class Forwarder {
 public:
  static constexpr std::size_t kMaxQueue = 10'000;  // alerts a peer; beyond it the oldest goes, and is counted
  static constexpr std::size_t kMaxBatch = 256;

  // `registry` may be null. All outlive it.
  Forwarder(core::Loop& loop, core::HttpClient& http, core::Logger logger,
            std::shared_ptr<prometheus::Registry> registry);
  ~Forwarder();

  // Peers whose address stays keep their queue.
  void Apply(std::vector<PeersConfig> config);
  void Send(const std::vector<core::Alert>& alerts);
  // Whom to ask, when an Alertmanager is new here (after a start every one is), for the alerts that it may have missed:
  // up to `most`. So what waits for one outlives the process.
  void SetKnown(std::function<std::vector<core::Alert>(std::size_t most)> known) { known_ = std::move(known); }
  bool empty() const { return config_.empty(); }
  std::vector<std::string> Urls() const;  // where alerts go now, sorted

  // What is queued is sent once more, within `deadline`.
  core::Task<void> Stop(core::Duration deadline);

 private:
  struct Peer;
  struct Metrics;

  core::Task<void> Watch(std::uint64_t generation);
  void Add(const std::shared_ptr<Peer>& peer, const std::vector<std::shared_ptr<const core::Alert>>& alerts);
  void SetPeers(const std::vector<std::vector<std::string>>& from_files);
  core::Task<void> Drain(std::shared_ptr<Peer> peer);
  core::Task<bool> Post(std::shared_ptr<Peer> peer, std::vector<std::shared_ptr<const core::Alert>> batch);

  core::Loop& loop_;
  core::HttpClient& http_;
  core::Logger logger_;
  std::unique_ptr<Metrics> metrics_;
  core::TaskGroup tasks_;
  std::vector<PeersConfig> config_;
  std::function<std::vector<core::Alert>(std::size_t most)> known_;
  std::map<std::string, std::shared_ptr<Peer>> peers_;  // by URL
  std::uint64_t generation_ = 0;                        // of the configuration
  bool stopping_ = false;
};

}  // namespace pipewarden::alertmanager
