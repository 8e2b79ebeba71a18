// The agent: constructs every part, joins sources to sinks, takes reloads, and ends it all in order. The one place that
// knows all parts; it holds no logic of theirs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/features.h"
#include "core/async/loop.h"
#include "core/logging.h"
#include "core/result.h"
#include "core/time/clock.h"

namespace pipewarden::agent {

struct ClusterListen {
  std::string listen_address{};     // "": no cluster
  std::string advertise_address{};  // where peers reach it; "": the listen address
  std::vector<std::string> peers{};
  core::Duration peer_timeout = std::chrono::seconds(15);
  core::Duration full_interval = std::chrono::minutes(1);
};

struct AgentOptions {
  // The alerting part alone, in place of an Alertmanager and as open as one: `config_file` is an alertmanager.yml then.
  bool alerting_only = false;
  ClusterListen cluster{};  // of the alerting part alone
  std::string config_file{};
  std::string storage_path{};  // "": the configuration's, else ./data
  std::vector<std::string> listen_addresses{"127.0.0.1:9595"};
  std::string health_listen_address{};  // "": none but those
  std::string web_config_file{};
  std::string cors_origin{};   // "": no other origin's scripts read the API
  std::string external_url{};  // "": http://<host name>:<port>
  std::string step_binary{};   // "": pipewarden-step beside the running program
  bool remote_write_receiver = false;
  std::size_t max_samples = 50'000'000;  // held at once by one query
  Features features{};
};

class Agent {
 public:
  Agent(AgentOptions options, core::Clock& clock, core::Logger logger);
  ~Agent();  // stopped, or never started

  core::Loop& loop();

  // Loop thread. Reads the configuration and starts everything. kInvalid where the configuration is wrong: the message
  // has a line for each mistake.
  core::Task<core::Result<void>> Start();
  // Reads the configuration anew and applies it in one turn of the loop. Where anything is wrong nothing changes. One
  // at a time: another waits, and then reads the files as they are by then; kUnavailable where too many wait already.
  core::Task<core::Result<void>> Reload();
  // In order: no new steps, notifications in flight sent, state committed, sources and storage closed. Running steps go
  // on. What hangs on a file system of others is left behind (core::Loop::threads_aside).
  core::Task<void> Stop();

  // Where it answers: "http://127.0.0.1:9595".
  std::vector<std::string> Urls() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

// `pipewarden run`: an Agent on the system's clock, its signals and its supervisor, until SIGTERM. Returns the exit
// code.
int RunAgent(const AgentOptions& options, const core::Logger& logger);

}  // namespace pipewarden::agent
