// pipewarden rules test FILE…: tests of rules as `promtool test rules` runs them, with its verdicts and words.
// pipewarden rules backtest FILE: when the alerts of a file would have fired, over what the running agent has stored.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>

#include <nlohmann/json.hpp>

#include "agent/commands/client.h"
#include "agent/commands/command.h"
#include "agent/commands/list.h"
#include "agent/config.h"
#include "agent/features.h"
#include "core/model/matcher.h"
#include "core/model/sample.h"
#include "core/read_file.h"
#include "core/time/civil_time.h"
#include "core/time/duration.h"
#include "rules/rule_test.h"

namespace pipewarden::agent {
namespace {

using nlohmann::json;

struct Arguments {
  std::vector<std::string> files;
  std::vector<std::string> features;
  std::vector<std::string> run;
  std::string config_file;
  std::string junit;
  std::string since = "7d";
  std::string as;  // the configured file that is replayed in another version
  bool as_json = false;
  ClientOptions client;
};

int Test(const Arguments& arguments) {
  const auto features = ParseFeatures(arguments.features);
  if (!features) {
    std::cerr << "--enable-feature: " << features.error().message << "\n";
    return kExitUsage;
  }
  rules::RuleTestOptions options;
  options.parse = features->promql;
  options.delayed_name_removal = features->delayed_name_removal;
  if (!arguments.run.empty()) {
    auto run = core::CompileRegex(fmt::format("{}", fmt::join(arguments.run, "|")));
    if (!run) {
      std::cerr << "--run: " << run.error().message << "\n";
      return kExitUsage;
    }
    options.run = std::move(*run);
  }
  std::shared_ptr<const Config> config;
  if (!arguments.config_file.empty()) {
    core::ConfigErrors errors;
    config = LoadConfig(arguments.config_file, errors, features->promql);
    for (const std::string& line : errors.Lines()) std::cerr << line << "\n";
    if (!errors.empty()) return kExitUsage;
    options.configured = config->rule_files;
  }
  std::vector<rules::RuleTestFile> results;
  bool passed = true;
  for (const std::string& file : arguments.files) {
    results.push_back(rules::RunRuleTests(file, options));
    const rules::RuleTestFile& result = results.back();
    for (const std::string& warning : result.warnings) std::cerr << warning << "\n";
    if (result.passed()) {
      std::cout << "  SUCCESS\n\n";
      continue;
    }
    passed = false;
    std::cerr << "  FAILED:\n";
    for (const std::string& error : result.errors) std::cerr << error << "\n";
    for (const rules::RuleTestCase& one : result.cases)
      for (const std::string& failure : one.failures) std::cerr << failure << "\n";
    std::cout << "\n";
  }
  if (!arguments.junit.empty()) {
    std::ofstream out(arguments.junit);
    out << rules::JunitXml(results) << "\n";
    if (!out.flush()) {
      std::cerr << "cannot write " << arguments.junit << "\n";
      return kExitFailed;
    }
  }
  return passed ? kExitWell : kExitFailed;
}

std::string When(double seconds) {
  return core::FormatRfc3339(core::FromMs(static_cast<core::TimestampMs>(seconds * 1000)));
}

void PrintEvents(const json& data) {
  for (const json& event : data["events"]) {
    std::cout << When(event["time"]) << "  ";
    if (event.contains("error")) {
      std::cout << "error     " << ForTerminal(event["error"].get<std::string>()) << "\n";
      continue;
    }
    core::Labels labels;
    for (const auto& [name, value] : event["labels"].items()) labels.Set(name, value.get<std::string>());
    const bool firing = event["state"] == "firing";
    std::cout << (firing ? "firing    " : "resolved  ") << ForTerminal(labels.ToString());
    if (!firing)
      std::cout << " after "
                << core::FormatDuration(std::chrono::milliseconds(
                       static_cast<std::int64_t>(event["after_seconds"].get<double>() * 1000)));
    std::cout << "\n";
  }
  if (data["truncated"]) std::cout << "… and more: only so many are shown\n";
  std::cout << data["evaluations"] << " evaluations of groups, " << data["firings"] << " alerts fired, "
            << data["still_firing"] << " of them still at the end\n";
}

int Backtest(const Arguments& arguments) {
  const auto since = core::ParseDuration(arguments.since);
  if (!since) {
    std::cerr << "--since: " << since.error().message << "\n";
    return kExitUsage;
  }
  const std::string& file = arguments.files.front();
  const std::string name = std::filesystem::absolute(arguments.as.empty() ? file : arguments.as).lexically_normal();
  auto text = core::ReadFile(file);
  if (!text) return PrintError(text.error());
  ClientOptions client = arguments.client;
  client.timeout = std::chrono::minutes(10);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*since).count();
  const auto data =
      Client(client).Post("/api/pipewarden/v1/rules/backtest",
                          {{"name", name}, {"file", *text}, {"since_seconds", static_cast<std::uint64_t>(seconds)}});
  if (!data) return PrintError(data.error());
  if (arguments.as_json)
    std::cout << data->dump(2) << "\n";
  else
    PrintEvents(*data);
  return kExitWell;
}

std::function<int()> Setup(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  auto chosen = std::make_shared<int (*)(const Arguments&)>(nullptr);
  app.require_subcommand(1);
  CLI::App* test = app.add_subcommand("test", "Run tests of rules, as promtool test rules does");
  test->set_help_flag("-h,--help", "Print this help and exit");
  test->add_option("FILE", arguments->files, "Files of rule tests")->required();
  test->add_option("--run", arguments->run, "Run only tests whose names match this expression; may be repeated");
  test->add_option("--config.file", arguments->config_file,
                   "A configuration whose alert_options hold for its rule files here, too");
  test->add_option("--junit", arguments->junit, "Write the results to this file as JUnit's XML");
  test->add_option("--enable-feature", arguments->features, "As the agent will be run with it");
  test->callback([chosen] { *chosen = Test; });
  CLI::App* backtest = app.add_subcommand("backtest", "Tell when alerts would have fired, over the agent's samples");
  backtest->set_help_flag("-h,--help", "Print this help and exit");
  backtest->add_option("FILE", arguments->files, "The rule file")->required()->expected(1);
  backtest->add_option("--since", arguments->since, "How far back (default: 7d)");
  backtest->add_option("--as", arguments->as,
                       "The configured rule file that it is another version of: its alert_options hold");
  backtest->add_flag("--json", arguments->as_json, "Print the agent's answer as JSON");
  AddClientOptions(*backtest, arguments->client);
  backtest->callback([chosen] { *chosen = Backtest; });
  return [arguments, chosen] { return *chosen == nullptr ? static_cast<int>(kExitUsage) : (*chosen)(*arguments); };
}

}  // namespace

constexpr Command kRulesCommand{
    .name = "rules", .summary = "Test rules, and replay them over what is stored", .setup = Setup};

}  // namespace pipewarden::agent
