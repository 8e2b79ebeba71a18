// pipewarden run: the agent itself.
#include <CLI/CLI.hpp>
#include <iostream>

#include "agent/commands/command.h"
#include "agent/commands/list.h"
#include "agent/config.h"
#include "agent/wiring.h"

namespace pipewarden::agent {
namespace {

struct RunOptions {
  AgentOptions agent;
  std::string log_level = "info";
  std::string log_format = "logfmt";
  std::vector<std::string> features;
};

int Run(RunOptions options) {
  if (options.agent.config_file.empty()) options.agent.config_file = DefaultConfigFile();
  auto features = ParseFeatures(options.features);
  if (!features) {
    std::cerr << "--enable-feature: " << features.error().message << "\n";
    return kExitUsage;
  }
  options.agent.features = std::move(*features);
  const core::Logger logger(*core::ParseLogLevel(options.log_level),
                            options.log_format == "json" ? core::LogFormat::kJson : core::LogFormat::kLogfmt);
  return RunAgent(options.agent, logger);
}

std::function<int()> Setup(CLI::App& app) {
  auto options = std::make_shared<RunOptions>();
  app.add_option("--config.file", options->agent.config_file,
                 "The configuration [./pipewarden.yml, then /etc/pipewarden/pipewarden.yml]");
  app.add_option("--web.listen-address", options->agent.listen_addresses,
                 "Address and port to serve on; may be repeated")
      ->default_str("127.0.0.1:9595");
  app.add_option("--web.health-listen-address", options->agent.health_listen_address,
                 "Address and port of a second listener that answers /-/healthy and /-/ready alone,\n"
                 "without TLS and users");
  app.add_option("--web.config.file", options->agent.web_config_file, "TLS and users with their roles");
  app.add_flag("--web.enable-remote-write-receiver", options->agent.remote_write_receiver,
               "Take samples that others push to /api/v1/write");
  app.add_option("--web.cors.origin", options->agent.cors_origin,
                 "Origins whose scripts may read /api/v1, as a fully anchored regular expression [none]");
  app.add_option("--web.external-url", options->agent.external_url, "Address by which people reach the agent");
  app.add_option("--storage.path", options->agent.storage_path,
                 "Folder of everything the agent keeps [the configuration's, else ./data]");
  app.add_option("--query.max-samples", options->agent.max_samples,
                 "Samples that one query may hold in memory; beyond it is refused")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1'000'000'000}))
      ->capture_default_str();
  app.add_option("--enable-feature", options->features,
                 "As in Prometheus: promql-experimental-functions, promql-delayed-name-removal");
  app.add_option("--log.level", options->log_level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
  app.add_option("--log.format", options->log_format, "logfmt or json")
      ->check(CLI::IsMember({"logfmt", "json"}))
      ->capture_default_str();
  return [options] { return Run(*options); };
}

}  // namespace

const Command kRunCommand{.name = "run", .summary = "Run the agent", .setup = Setup};

}  // namespace pipewarden::agent
