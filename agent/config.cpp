#include "agent/config.h"

#include <glob.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>

#include "agent/alert_options.h"
#include "core/time/duration.h"
#include "rules/rule_pack.h"

namespace pipewarden::agent {
namespace {

using core::ConfigErrors;
using core::Option;
using core::Options;
using core::OptionType;
using core::YamlNode;

constexpr Option kRootOptions[] = {
    {.name = "include",
     .type = OptionType::kStringList,
     .help = "More files (globs, relative to this file) whose sections are added to this file's."},
    {.name = "global", .type = OptionType::kNode, .help = "What holds for everything."},
    {.name = "storage", .type = OptionType::kNode, .help = "Where and how much is kept."},
    {.name = "components", .type = OptionType::kNode, .help = "What there is, and what stands on what."},
    {.name = "probes", .type = OptionType::kNode, .help = "What is watched."},
    {.name = "logs", .type = OptionType::kNode, .help = "Log files whose lines become metrics."},
    {.name = "freshness", .type = OptionType::kNode, .help = "Data that must not grow old."},
    {.name = "host", .type = OptionType::kNode, .help = "Metrics of the machine itself, under node_exporter's names."},
    {.name = "pipelines", .type = OptionType::kNode, .help = "What is run, and when."},
    {.name = "rule_files",
     .type = OptionType::kStringList,
     .help = "Prometheus rule files (globs, relative to this file)."},
    {.name = "alert_options",
     .type = OptionType::kStringList,
     .help = "Files (globs, relative to this file) that give alerts more than Prometheus' rule files can say."},
    {.name = "rule_packs",
     .type = OptionType::kNode,
     .help = "Rules that come with the agent: names, or a map of names to thresholds."},
    {.name = "alerting", .type = OptionType::kNode, .help = "Who is told."},
};

constexpr Option kGlobalOptions[] = {
    {.name = "evaluation_interval",
     .type = OptionType::kDuration,
     .default_text = "15s",
     .min = 1,
     .max = 86400,
     .help =
         "The tick: all sources are sampled and all rule groups without an interval of their own are judged at it."},
    {.name = "event_driven",
     .type = OptionType::kBool,
     .default_text = "true",
     .help =
         "Judge the alerting rules with `for: 0s` that read a probe as soon as its verdict changes, and not only at "
         "the next tick."},
    {.name = "timezone",
     .type = OptionType::kTimeZone,
     .default_text = "UTC",
     .help = "Zone of schedules and calendars that name none."},
    {.name = "external_labels",
     .type = OptionType::kStringMap,
     .help = "Labels added to every alert that leaves the agent."},
};

constexpr Option kStorageOptions[] = {
    {.name = "path",
     .type = OptionType::kString,
     .help = "Folder of everything the agent keeps; `--storage.path` goes first; without either ./data."},
    {.name = "retention_time",
     .type = OptionType::kDuration,
     .default_text = "15d",
     .min = 7200,
     .help = "Samples older than this are removed."},
    {.name = "retention_bytes",
     .type = OptionType::kBytes,
     .default_text = "512MB",
     .min = 1 << 20,
     .help = "Samples on disk beyond this size are removed, oldest first."},
    {.name = "max_series",
     .type = OptionType::kInt,
     .default_text = "100000",
     .min = 1000,
     .help = "New series beyond this number are dropped and counted; those that are there go on."},
};

constexpr Option kComponentOptions[] = {
    {.name = "layer", .type = OptionType::kString, .help = "Layer that it belongs to, for people and pages."},
    {.name = "depends_on", .type = OptionType::kStringList, .help = "Components that it stands on."},
};

constexpr Option kAlertingOptions[] = {
    {.name = "config_file",
     .type = OptionType::kPath,
     .help = "An alertmanager.yml. Without it one route leads to the built-in inbox alone."},
    {.name = "alertmanagers",
     .type = OptionType::kNode,
     .help = "Hand alerts over to these Alertmanagers, as Prometheus does; instead of `config_file`. The "
             "inbox keeps them all the same."},
    {.name = "inbox",
     .type = OptionType::kBool,
     .default_text = "true",
     .help = "Keep every notification of every route for the page and the command line too."},
    {.name = "dead_man",
     .type = OptionType::kNode,
     .help = "A sign of life that stops when the agent could not warn anybody."},
};

// One file of the configuration: its tree stays alive while its sections are read.
struct File {
  std::string path;
  YamlNode root;
  Options options;
};

// The files a pattern names, sorted; a plain name is given as it is, so that its absence shows when it is read.
std::vector<std::string> Expand(const std::string& pattern) {
  if (pattern.find_first_of("*?[") == std::string::npos) return {pattern};
  glob_t found{};
  std::vector<std::string> paths;
  if (::glob(pattern.c_str(), 0, nullptr, &found) == 0)
    for (std::size_t i = 0; i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i]);
  ::globfree(&found);
  return paths;
}

class Loader {
 public:
  Loader(ConfigErrors& errors, const rules::promql::ParseOptions& promql) : errors_(errors), promql_(promql) {}

  std::shared_ptr<const Config> Load(const std::string& path) {
    config_->file = path;
    ReadFile(path, 0, {});
    if (files_.empty()) return config_;
    ReadGlobal();
    ReadStorage();
    ReadComponents();
    Collect("probes", config_->probes, exporters::ReadProbes);
    Collect("logs", config_->logs, exporters::ReadLogs);
    Collect("freshness", config_->freshness, exporters::ReadFreshness);
    ReadPipelineSections();
    config_->host = exporters::ReadHost(Only("host"), errors_);
    ReadRules();
    ReadAlerting();
    ReadAlertOptionFiles();
    CheckReferences();
    return config_;
  }

 private:
  static constexpr int kMaxIncludeDepth = 10;

  // A file that is not there is told of where it is named.
  bool Readable(const std::string& path, const core::Location& where, const std::string& remedy) {
    const bool readable = ::access(path.c_str(), R_OK) == 0;
    if (!readable) errors_.Add(where, "open " + path + ": " + std::strerror(errno) + " (" + remedy + ")");
    return readable;
  }

  void ReadFile(const std::string& path, int depth, const core::Location& where) {
    if (!seen_.insert(std::filesystem::absolute(path).lexically_normal()).second) return;
    config_->files.push_back(path);
    const std::string remedy = depth == 0 ? "name another with --config.file" : "remove it from include";
    if (!Readable(path, where, remedy)) return;
    auto root = core::ReadYamlFile(path, errors_);
    if (!root) return;
    files_.push_back(std::make_unique<File>(path, std::move(*root), Options()));
    File& file = *files_.back();
    core::ExpandEnvironment(file.root, errors_);
    file.options = core::ReadOptions(file.root, kRootOptions, "the configuration", errors_);
    for (const std::string& pattern : file.options.List("include")) {
      if (depth == kMaxIncludeDepth) {
        errors_.Add(file.options.Where("include"), "files include each other more than 10 deep");
        return;
      }
      const auto included = Expand(file.options.Where("include").Resolve(pattern));
      if (included.empty()) Warn(file.options.Where("include"), "no file matches '" + pattern + "'");
      for (const std::string& more : included) ReadFile(more, depth + 1, file.options.Where("include"));
    }
  }

  void Warn(const core::Location& where, const std::string& message) {
    config_->warnings.push_back(where.ToString() + ": " + message);
  }

  // A section that may stand in one file only; a null node where it stands in none.
  const YamlNode& Only(std::string_view name) {
    static const YamlNode kNothing;
    const YamlNode* only = nullptr;
    for (const auto& file : files_) {
      const YamlNode* node = file->options.Node(name);
      if (node == nullptr) continue;
      if (only != nullptr)
        errors_.Add(node->where(), "section '" + std::string(name) + "' stands already in " + only->where().ToString() +
                                       " (keep one of them)");
      else
        only = node;
    }
    return only == nullptr ? kNothing : *only;
  }

  // Reads a section of every file and refuses names that two of them use.
  template <class T>
  void Collect(std::string_view section, std::vector<T>& all, std::vector<T> (*read)(const YamlNode&, ConfigErrors&)) {
    for (const auto& file : files_) {
      const YamlNode* node = file->options.Node(section);
      if (node == nullptr || node->IsNull()) continue;
      std::vector<T> some = read(*node, errors_);
      std::ranges::move(some, std::back_inserter(all));
    }
    RefuseDoubles(section, all);
  }

  template <class T>
  void RefuseDoubles(std::string_view section, const std::vector<T>& all) {
    std::map<std::string, core::Location> first;
    for (const T& item : all) {
      const auto [at, fresh] = first.emplace(item.name, item.where);
      if (!fresh && at->second.file != item.where.file)  // within one file the section's reader has told
        errors_.Add(item.where, "the name '" + item.name + "' in " + std::string(section) + " is taken at " +
                                    at->second.ToString() + " (rename one of them)");
    }
  }

  void ReadGlobal() {
    const Options options = core::ReadOptions(Only("global"), kGlobalOptions, "global", errors_);
    config_->global.evaluation_interval = options.Duration("evaluation_interval");
    config_->global.event_driven = options.Bool("event_driven");
    config_->global.timezone = options.Text("timezone");
    for (const auto& [name, value] : options.Map("external_labels")) {
      if (!core::IsValidLabelName(name))
        errors_.Add(options.Where("external_labels"), "'" + name + "' is no label name ([a-zA-Z_][a-zA-Z0-9_]*)");
      config_->global.external_labels.Set(name, value);
    }
  }

  void ReadStorage() {
    const Options options = core::ReadOptions(Only("storage"), kStorageOptions, "storage", errors_);
    config_->storage = {.path = options.Text("path"),
                        .retention_time = options.Duration("retention_time"),
                        .retention_bytes = options.Bytes("retention_bytes"),
                        .max_series = options.Int("max_series")};
  }

  void ReadComponents() {
    std::vector<core::Component> components;
    std::map<std::string, core::Location> places;
    for (const auto& file : files_) {
      const YamlNode* section = file->options.Node("components");
      if (section == nullptr || section->IsNull()) continue;
      if (!section->IsMap()) {
        errors_.Add(section->where(), "components must be a map of names, and is " + std::string(section->KindName()));
        continue;
      }
      for (const YamlNode::Entry& entry : section->entries()) {
        const Options options =
            core::ReadOptions(entry.value, kComponentOptions, "component '" + entry.key + "'", errors_);
        const auto [at, fresh] = places.emplace(entry.key, entry.key_where);
        if (!fresh)
          errors_.Add(entry.key_where, "component '" + entry.key + "' stands already at " + at->second.ToString());
        components.push_back({entry.key, options.Text("layer"), options.List("depends_on")});
      }
    }
    core::ComponentGraph::Problems problems;
    config_->components = core::ComponentGraph(std::move(components), problems);
    for (const auto& [name, problem] : problems) errors_.Add(places[name], "component '" + name + "': " + problem);
  }

  void ReadPipelineSections() {
    Collect("pipelines", config_->pipelines, ReadPipelines);
    for (PipelineConfig& pipeline : config_->pipelines) {
      if (pipeline.timezone.empty()) pipeline.timezone = config_->global.timezone;
      for (const Cron& cron : pipeline.schedules)
        if (!cron.Next({}, {}))
          Warn(pipeline.where, "the schedule '" + cron.expression() + "' of pipeline '" + pipeline.name +
                                   "' never comes: no year has such a day");
    }
  }

  void ReadRules() {
    std::set<std::string> read;
    for (const auto& file : files_) {
      for (const std::string& pattern : file->options.List("rule_files")) {
        const auto paths = Expand(file->options.Where("rule_files").Resolve(pattern));
        if (paths.empty()) Warn(file->options.Where("rule_files"), "no rule file matches '" + pattern + "'");
        for (const std::string& path : paths) {
          if (!read.insert(path).second) continue;
          config_->files.push_back(path);
          if (!Readable(path, file->options.Where("rule_files"), "remove it from rule_files")) continue;
          config_->rule_files.push_back(rules::ReadRuleFile(path, errors_, promql_));
          std::ranges::copy(config_->rule_files.back().warnings, std::back_inserter(config_->warnings));
        }
      }
      if (const YamlNode* packs = file->options.Node("rule_packs")) ReadRulePacks(*packs, read);
    }
  }

  // [host, agent], host, or {host: {disk_free: 0.1}, agent: }.
  void ReadRulePacks(const YamlNode& node, std::set<std::string>& read) {
    static const YamlNode kNoParameters;
    if (node.IsScalar()) ReadRulePack(node.text(), node.where(), kNoParameters, read);
    for (const YamlNode& item : node.items()) {
      if (item.IsScalar())
        ReadRulePack(item.text(), item.where(), kNoParameters, read);
      else
        errors_.Add(item.where(), "a rule pack is a name, not " + std::string(item.KindName()) +
                                      " (thresholds stand in a map: {host: {disk_free: 0.1}})");
    }
    for (const YamlNode::Entry& entry : node.entries()) ReadRulePack(entry.key, entry.key_where, entry.value, read);
  }

  void ReadRulePack(const std::string& name, const core::Location& where, const YamlNode& parameters,
                    std::set<std::string>& read) {
    auto pack = rules::ReadRulePack(name);
    if (!pack) return errors_.Add(where, pack.error().message);
    if (!parameters.IsNull() && !parameters.IsMap())
      errors_.Add(parameters.where(),
                  "rule pack '" + name + "' takes a map of thresholds, not " + std::string(parameters.KindName()));
    for (const YamlNode::Entry& entry : parameters.entries()) {
      std::optional<double> value = entry.value.AsFloat();
      if (!value && entry.value.IsScalar())
        if (const auto duration = core::ParseDuration(entry.value.text())) value = core::ToSeconds(*duration);
      if (!value || !std::isfinite(*value))
        errors_.Add(entry.value.where(),
                    "'" + entry.key + "' of rule pack '" + name + "' takes a number or a duration");
      else if (const auto set = rules::SetRulePackParameter(*pack, entry.key, *value); !set)
        errors_.Add(entry.key_where, set.error().message);
    }
    if (read.insert("pack:" + name).second)
      config_->rule_files.push_back(std::move(*pack));
    else if (!parameters.entries().empty())
      errors_.Add(where, "rule pack '" + name + "' is named twice; keep the place with its thresholds");
  }

  void ReadAlerting() {
    const Options options = core::ReadOptions(Only("alerting"), kAlertingOptions, "alerting", errors_);
    config_->alerting.config_file = options.Text("config_file");
    alertmanager::Config& routing = config_->alerting.routing;
    routing = alertmanager::InboxOnlyConfig();
    if (!config_->alerting.config_file.empty()) {
      config_->files.push_back(config_->alerting.config_file);
      const std::string& path = config_->alerting.config_file;
      const bool readable = Readable(path, options.Where("config_file"), "without config_file the inbox keeps all");
      if (const auto root = readable ? core::ReadYamlFile(path, errors_) : std::nullopt)
        routing = alertmanager::ReadAlertmanagerConfig(*root, errors_);
    }
    if (const YamlNode* peers = options.Node("alertmanagers"); peers != nullptr) {
      config_->alerting.alertmanagers = alertmanager::ReadPeers(*peers, errors_);
      if (!config_->alerting.config_file.empty())
        errors_.Add(peers->where(),
                    "'alertmanagers' and 'config_file' exclude each other: either people are told from "
                    "here, or others are told to tell them");
    }
    routing.inbox = options.Bool("inbox");
    if (const YamlNode* node = options.Node("dead_man"); node != nullptr && !node->IsNull())
      config_->alerting.dead_man = ReadDeadMan(*node, errors_);
    for (const std::string& warning : routing.warnings) config_->warnings.push_back(warning);
  }

  void ReadAlertOptionFiles() {
    std::set<std::string> read;
    for (const auto& file : files_)
      for (const std::string& pattern : file->options.List("alert_options")) {
        const core::Location& where = file->options.Where("alert_options");
        const auto paths = Expand(where.Resolve(pattern));
        if (paths.empty()) Warn(where, "no file of alert options matches '" + pattern + "'");
        for (const std::string& path : paths) {
          if (!read.insert(path).second) continue;
          config_->files.push_back(path);
          if (!Readable(path, where, "remove it from alert_options")) continue;
          ReadAlertOptions(path, config_->rule_files, config_->alerting.routing.time_intervals,
                           config_->global.timezone, errors_, promql_);
        }
      }
  }

  // What one section says of another must be there: a name that nothing has would be a gate that is always open.
  void CheckReferences() {
    std::set<std::string_view> names;
    const auto check = [&](const std::string& name, const core::Location& where, const std::string& what,
                           const std::string& problem) {
      if (name.empty() || names.contains(name)) return;
      const std::vector<std::string_view> known(names.begin(), names.end());
      errors_.Add(where, what + " names '" + name + "', " + problem + core::DidYouMean(name, known));
    };
    for (const core::Component& component : config_->components.InOrder()) names.insert(component.name);
    if (!names.empty())
      for (const auto& probe : config_->probes)
        check(probe.component, probe.where, "component of probe '" + probe.name + "'", "which is not under components");
    // Where components are not listed they are what probes say.
    for (const auto& probe : config_->probes) names.insert(probe.component);
    for (const PipelineConfig& pipeline : config_->pipelines)
      for (const StepConfig& step : pipeline.steps)
        for (const std::string& need : step.needs)
          check(need, pipeline.where, "'requires' of step '" + step.name + "' in pipeline '" + pipeline.name + "'",
                "which is no component, neither listed nor of a probe");
    for (const PipelineConfig& pipeline : config_->pipelines) names.insert(pipeline.name);
    for (const auto& freshness : config_->freshness)
      for (const std::string& name : freshness.depends_on)
        check(name, freshness.where, "'depends_on' of freshness '" + freshness.name + "'",
              "which is neither a pipeline nor a component");
  }

  ConfigErrors& errors_;
  const rules::promql::ParseOptions promql_;
  std::shared_ptr<Config> config_ = std::make_shared<Config>();
  std::vector<std::unique_ptr<File>> files_;
  std::set<std::string> seen_;
};

}  // namespace

std::string DefaultConfigFile() {
  std::error_code unknown;
  return std::filesystem::exists("pipewarden.yml", unknown) ? "pipewarden.yml" : "/etc/pipewarden/pipewarden.yml";
}

std::shared_ptr<const Config> LoadConfig(const std::string& path, ConfigErrors& errors,
                                         const rules::promql::ParseOptions& promql) {
  return Loader(errors, promql).Load(path);
}

std::shared_ptr<const Config> LoadAlertingConfig(const std::string& path, core::ConfigErrors& errors) {
  auto config = std::make_shared<Config>();
  config->file = path;
  config->files = {path};
  AlertingConfig& alerting = config->alerting;
  alerting.config_file = path;
  if (const auto root = core::ReadYamlFile(path, errors))
    alerting.routing = alertmanager::ReadAlertmanagerConfig(*root, errors);
  alerting.routing.inbox = false;
  config->warnings = alerting.routing.warnings;
  return config;
}

std::vector<SectionReference> ConfigSections() {
  return {{"the top level", "The sections of the file.", kRootOptions},
          {"global", "What holds for everything.", kGlobalOptions},
          {"storage", "Where and how much is kept.", kStorageOptions},
          {"components", "For each component, by its name:", kComponentOptions},
          {"alerting", "Who is told.", kAlertingOptions},
          {"alerting.dead_man", "A sign of life; see operations.", DeadManOptions()},
          {"alerting.alertmanagers", "For each entry of the list:", alertmanager::PeersOptions()}};
}

}  // namespace pipewarden::agent
