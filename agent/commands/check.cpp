// pipewarden check: reads files as a start would and tells every mistake in them. What a file is, is told by its
// content: `groups` make a rule file, `route` or `receivers` an alertmanager.yml, TLS or users a web configuration,
// anything else is ours. Of rules it tells, too, which selectors match nothing that the configuration could make; that
// is a warning.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <iostream>

#include "agent/commands/command.h"
#include "agent/commands/list.h"
#include "agent/config.h"
#include "agent/features.h"
#include "agent/selector_check.h"
#include "agent/server/web_config.h"

namespace pipewarden::agent {
namespace {

struct CheckOptions {
  std::vector<std::string> files;
  std::string config_file;  // whose metrics rule files are read against
  bool remote_write_receiver = false;
  std::vector<std::string> features;
};

// "1 probe", "2 probes".
std::string Count(std::size_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

enum class FileKind { kRules, kAlertmanager, kAlertOptions, kWeb, kOurs };

class Check {
 public:
  Check(const CheckOptions& options, const Features& features) : options_(options), features_(features) {}

  int Run() {
    std::vector<FileKind> kinds;
    for (const std::string& file : options_.files) kinds.push_back(KindOf(file));
    const auto ours = std::ranges::find(kinds, FileKind::kOurs);
    LoadKnown(ours == kinds.end() ? "" : options_.files[static_cast<std::size_t>(ours - kinds.begin())]);
    for (std::size_t i = 0; i < kinds.size(); ++i) {
      const std::string& file = options_.files[i];
      const std::size_t before = errors_.size();
      const std::string what = Read(file, kinds[i]);
      if (errors_.size() == before) std::cout << file << ": well, " << what << "\n";
    }
    for (const std::string& line : errors_.Lines()) std::cerr << line << "\n";
    return errors_.empty() ? kExitWell : kExitUsage;
  }

 private:
  static FileKind KindOf(const std::string& file) {
    core::ConfigErrors ignored;  // reported by the reader proper
    core::Location unread;
    const auto root = core::ReadYamlFile(file, ignored, {.second_document = &unread});
    if (root && root->Find("groups") != nullptr) return FileKind::kRules;
    if (root && (root->Find("route") != nullptr || root->Find("receivers") != nullptr)) return FileKind::kAlertmanager;
    if (root && root->Find("rules") != nullptr) return FileKind::kAlertOptions;
    if (root && LooksLikeWebConfig(*root)) return FileKind::kWeb;
    return FileKind::kOurs;
  }

  // The configuration that rule files on their own belong to: the one named, one that is checked with them, or the
  // agent's own where it is there and well.
  void LoadKnown(const std::string& checked) {
    if (options_.remote_write_receiver) return;  // anything may come
    const bool named = !options_.config_file.empty();
    const std::string file = named ? options_.config_file : !checked.empty() ? checked : DefaultConfigFile();
    core::ConfigErrors errors;
    auto config = LoadConfig(file, errors, features_.promql);
    if (errors.empty())
      known_ = std::move(config);
    else if (named)
      LoadConfig(file, errors_, features_.promql);
  }

  // What it is and holds.
  std::string Read(const std::string& file, FileKind kind) {
    switch (kind) {
      case FileKind::kRules:
        return Rules(file);
      case FileKind::kAlertmanager:
        return Alertmanager(file);
      case FileKind::kAlertOptions:
        errors_.Add({.file = file, .line = 1, .column = 1},
                    "a file of alert_options is checked with the configuration that names it; give that one");
        return "";
      case FileKind::kWeb:
        return Web(file);
      case FileKind::kOurs:
        break;
    }
    return Ours(file);
  }

  static void Warn(const std::vector<std::string>& warnings) {
    for (const std::string& warning : warnings) std::cout << warning << " (warning)\n";
  }

  std::string Rules(const std::string& file) {
    const std::vector<rules::RuleFile> files{rules::ReadRuleFile(file, errors_, features_.promql)};
    Warn(files[0].warnings);
    if (known_ != nullptr) Warn(UnmatchedSelectors(*known_, files));
    std::size_t rules = 0;
    for (const auto& group : files[0].groups) rules += group.rules.size();
    return fmt::format("a rule file with {} in {}", Count(rules, "rule"), Count(files[0].groups.size(), "group"));
  }

  std::string Alertmanager(const std::string& file) {
    alertmanager::Config config;
    if (const auto root = core::ReadYamlFile(file, errors_))
      config = alertmanager::ReadAlertmanagerConfig(*root, errors_);
    return fmt::format("an alertmanager.yml with {}", Count(config.receivers.size(), "receiver"));
  }

  std::string Web(const std::string& file) {
    WebConfig config;
    if (const auto root = core::ReadYamlFile(file, errors_)) config = ReadWebConfig(*root, errors_);
    return fmt::format("a web configuration with {}", Count(config.users.size(), "user"));
  }

  std::string Ours(const std::string& file) {
    const std::size_t before = errors_.size();
    const auto config = LoadConfig(file, errors_, features_.promql);
    Warn(config->warnings);
    if (errors_.size() == before && !options_.remote_write_receiver)
      Warn(UnmatchedSelectors(*config, config->rule_files));
    return fmt::format("a configuration with {}, {}, {} and {}", Count(config->probes.size(), "probe"),
                       Count(config->logs.size(), "log"), Count(config->pipelines.size(), "pipeline"),
                       Count(config->rule_files.size(), "rule file"));
  }

  const CheckOptions& options_;
  const Features& features_;
  core::ConfigErrors errors_;
  std::shared_ptr<const Config> known_;
};

int Run(const CheckOptions& options) {
  const auto features = ParseFeatures(options.features);
  if (!features) {
    std::cerr << "--enable-feature: " << features.error().message << "\n";
    return kExitUsage;
  }
  return Check(options, *features).Run();
}

std::function<int()> Setup(CLI::App& app) {
  auto options = std::make_shared<CheckOptions>();
  app.add_option("FILE", options->files, "Configurations, rule files, alertmanager.yml files or web configurations")
      ->required();
  app.add_option("--config.file", options->config_file,
                 "The configuration whose metrics rule files are read against (default: one of the FILEs, else the "
                 "one that `run` would take)");
  app.add_flag("--web.enable-remote-write-receiver", options->remote_write_receiver,
               "As the agent will be run with it: metrics of any name may come");
  app.add_option("--enable-feature", options->features, "As the agent will be run with it");
  return [options] { return Run(*options); };
}

}  // namespace

const Command kCheckCommand{.name = "check",
                            .summary = "Check configurations, rule files, alertmanager.yml and web configurations",
                            .setup = Setup};

}  // namespace pipewarden::agent
