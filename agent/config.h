// The whole configuration: pipewarden.yml with what it includes, its rule files and its alertmanager.yml, read and
// checked at once. Immutable; a reload reads a new one and takes it only where nothing is wrong with it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/dead_man.h"
#include "agent/pipelines/pipeline.h"
#include "alertmanager/config.h"
#include "alertmanager/forwarder.h"
#include "core/config/option_table.h"
#include "core/model/component_graph.h"
#include "core/model/labels.h"
#include "exporters/freshness.h"
#include "exporters/host_source.h"
#include "exporters/logs/log_config.h"
#include "exporters/probe_runner.h"
#include "rules/rule_file.h"

namespace pipewarden::agent {

struct GlobalConfig {
  core::Duration evaluation_interval{};
  bool event_driven = true;      // rules are judged when a probe's verdict changes, too
  std::string timezone;          // of schedules that name none
  core::Labels external_labels;  // added to alerts (and to remote writes)
};

struct StorageConfig {
  std::string path;  // as configured; --storage.path goes first; relative to the working directory
  core::Duration retention_time{};
  std::int64_t retention_bytes = 0;
  std::int64_t max_series = 0;
  bool operator==(const StorageConfig&) const = default;
};

struct AlertingConfig {
  std::string config_file;  // "" where none is named: one route to the inbox
  alertmanager::Config routing;
  DeadManConfig dead_man;
  std::vector<alertmanager::PeersConfig> alertmanagers;  // to whom alerts are handed over; empty: to nobody
};

struct Config {
  std::string file;                // the main file
  std::vector<std::string> files;  // every file that was read, for messages and the status page
  GlobalConfig global;
  StorageConfig storage;
  core::ComponentGraph components;
  std::vector<exporters::ProbeConfig> probes;
  std::vector<exporters::LogConfig> logs;
  std::vector<exporters::FreshnessConfig> freshness;
  exporters::HostConfig host;
  std::vector<PipelineConfig> pipelines;
  std::vector<rules::RuleFile> rule_files;
  AlertingConfig alerting;
  std::vector<std::string> warnings;  // file:line:column: what is suspicious but no error
};

// What `run` and the client commands take where no --config.file is given: ./pipewarden.yml where it is there, else
// /etc/pipewarden/pipewarden.yml.
std::string DefaultConfigFile();

// Reads and checks everything; all mistakes of all files go to `errors`, and the result is complete only where it stays
// empty.
std::shared_ptr<const Config> LoadConfig(const std::string& path, core::ConfigErrors& errors,
                                         const rules::promql::ParseOptions& promql = {});

// The same for an alertmanager.yml alone, as the only thing that is configured (`pipewarden alertmanager`).
std::shared_ptr<const Config> LoadAlertingConfig(const std::string& path, core::ConfigErrors& errors);

// The sections of pipewarden.yml with their option tables, for the reference in docs/.
struct SectionReference {
  std::string_view name;
  std::string_view summary;
  core::OptionTable options;
};
std::vector<SectionReference> ConfigSections();

}  // namespace pipewarden::agent
