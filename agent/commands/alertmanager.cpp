// pipewarden alertmanager: the alerting part alone, started as an Alertmanager is.
#include <CLI/CLI.hpp>

#include "agent/commands/command.h"
#include "agent/commands/list.h"
#include "agent/wiring.h"
#include "core/time/duration.h"

namespace pipewarden::agent {
namespace {

struct AlertmanagerOptions {
  AgentOptions agent;
  std::string peer_timeout = "15s";
  std::string full_interval = "1m";
  std::string log_level = "info";
  std::string log_format = "logfmt";
};

std::string CheckDuration(const std::string& text) {
  const auto duration = core::ParseDuration(text);
  return duration ? "" : duration.error().message;
}

int Run(AlertmanagerOptions options) {
  ClusterListen& cluster = options.agent.cluster;
  cluster.peer_timeout = *core::ParseDuration(options.peer_timeout);
  cluster.full_interval = *core::ParseDuration(options.full_interval);
  const core::Logger logger(*core::ParseLogLevel(options.log_level),
                            options.log_format == "json" ? core::LogFormat::kJson : core::LogFormat::kLogfmt);
  return RunAgent(options.agent, logger);
}

std::function<int()> Setup(CLI::App& app) {
  auto options = std::make_shared<AlertmanagerOptions>();
  AgentOptions& agent = options->agent;
  agent.alerting_only = true;
  agent.config_file = "alertmanager.yml";
  agent.storage_path = "data/";
  agent.listen_addresses = {":9093"};
  agent.cluster.listen_address = "0.0.0.0:9094";
  app.add_option("--config.file", agent.config_file, "The configuration, an alertmanager.yml")->capture_default_str();
  app.add_option("--storage.path", agent.storage_path, "Folder of everything it keeps")->capture_default_str();
  app.add_option("--web.listen-address", agent.listen_addresses, "Address and port to serve on; may be repeated")
      ->default_str(":9093");
  app.add_option("--web.config.file", agent.web_config_file, "TLS and users with their roles");
  app.add_option("--web.external-url", agent.external_url, "Address by which people reach it");
  app.add_option("--cluster.listen-address", agent.cluster.listen_address,
                 "Address and port for the peers, which anyone else must not reach; empty: no cluster\n"
                 "[0.0.0.0:9094]")
      ->expected(0, 1);  // `--cluster.listen-address=` is how it is turned off
  app.add_option("--cluster.advertise-address", agent.cluster.advertise_address,
                 "Address and port by which peers reach it [the listen address]");
  app.add_option("--cluster.peer", agent.cluster.peers, "Address and port of a peer; may be repeated");
  app.add_option("--cluster.peer-timeout", options->peer_timeout,
                 "For which each process waits for the one before it to tell")
      ->check(CheckDuration)
      ->capture_default_str();
  app.add_option("--cluster.pushpull-interval", options->full_interval, "Between two times of sharing everything")
      ->check(CheckDuration)
      ->capture_default_str();
  app.add_option("--log.level", options->log_level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
  app.add_option("--log.format", options->log_format, "logfmt or json")
      ->check(CLI::IsMember({"logfmt", "json"}))
      ->capture_default_str();
  return [options] { return Run(*options); };
}

}  // namespace

const Command kAlertmanagerCommand{
    .name = "alertmanager", .summary = "Run the alerting part alone, in place of an Alertmanager", .setup = Setup};

}  // namespace pipewarden::agent
