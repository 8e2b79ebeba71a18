// pipewarden check: reads files as a start would and tells every mistake in them. What a file is, is told by its
// content: `groups` make a rule file, `route` or `receivers` an alertmanager.yml, anything else is ours.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <iostream>

#include "agent/commands/command.h"
#include "agent/commands/list.h"
#include "agent/config.h"
#include "agent/features.h"

namespace pipewarden::agent {
namespace {

struct CheckOptions {
  std::vector<std::string> files;
  std::vector<std::string> features;
};

// "1 probe", "2 probes".
std::string Count(std::size_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string CheckRules(const std::string& file, const Features& features, core::ConfigErrors& errors) {
  const rules::RuleFile rule_file = rules::ReadRuleFile(file, errors, features.promql);
  std::size_t rules = 0;
  for (const auto& group : rule_file.groups) rules += group.rules.size();
  return fmt::format("a rule file with {} in {}", Count(rules, "rule"), Count(rule_file.groups.size(), "group"));
}

std::string CheckAlertmanager(const core::YamlNode& root, core::ConfigErrors& errors) {
  const alertmanager::Config config = alertmanager::ReadAlertmanagerConfig(root, errors);
  return fmt::format("an alertmanager.yml with {}", Count(config.receivers.size(), "receiver"));
}

std::string CheckOurs(const std::string& file, const Features& features, core::ConfigErrors& errors) {
  const auto config = LoadConfig(file, errors, features.promql);
  for (const std::string& warning : config->warnings) std::cout << warning << " (warning)\n";
  return fmt::format("a configuration with {}, {}, {} and {}", Count(config->probes.size(), "probe"),
                     Count(config->logs.size(), "log"), Count(config->pipelines.size(), "pipeline"),
                     Count(config->rule_files.size(), "rule file"));
}

int Run(const CheckOptions& options) {
  const auto features = ParseFeatures(options.features);
  if (!features) {
    std::cerr << "--enable-feature: " << features.error().message << "\n";
    return kExitUsage;
  }
  core::ConfigErrors errors;
  for (const std::string& file : options.files) {
    const std::size_t before = errors.size();
    std::string what;
    core::ConfigErrors ignored;  // reported by the reader proper
    const auto root = core::ReadYamlFile(file, ignored);
    if (root && root->Find("groups") != nullptr)
      what = CheckRules(file, *features, errors);
    else if (root && (root->Find("route") != nullptr || root->Find("receivers") != nullptr))
      what = CheckAlertmanager(*root, errors);
    else
      what = CheckOurs(file, *features, errors);
    if (errors.size() == before) std::cout << file << ": well, " << what << "\n";
  }
  for (const std::string& line : errors.Lines()) std::cerr << line << "\n";
  return errors.empty() ? kExitWell : kExitUsage;
}

std::function<int()> Setup(CLI::App& app) {
  auto options = std::make_shared<CheckOptions>();
  app.add_option("FILE", options->files, "Configurations, rule files or alertmanager.yml files")->required();
  app.add_option("--enable-feature", options->features, "As the agent will be run with it");
  return [options] { return Run(*options); };
}

}  // namespace

const Command kCheckCommand{
    .name = "check", .summary = "Check configurations, rule files and alertmanager.yml", .setup = Setup};

}  // namespace pipewarden::agent
