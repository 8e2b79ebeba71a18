// pipewarden alert list: the alerts that fire, and what keeps some of them quiet.
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "agent/commands/client.h"
#include "agent/commands/list.h"
#include "agent/commands/text.h"
#include "core/model/labels.h"
#include "core/text/url.h"

namespace pipewarden::agent {
namespace {

using nlohmann::json;

struct Arguments {
  ClientOptions client;
  std::vector<std::string> filter;
  std::string receiver;
  bool as_json = false;
};

std::string LabelsWithoutName(const json& alert) {
  std::vector<core::Label> labels;
  for (const auto& [name, value] : alert.value("labels", json::object()).items())
    if (name != core::kAlertName && value.is_string()) labels.push_back({name, value.get<std::string>()});
  return core::Labels(std::move(labels)).ToString();
}

// "active", "silenced", "inhibited", "muted".
std::string StateOf(const json& alert) {
  const json status = alert.value("status", json::object());
  for (const auto& [field, word] :
       {std::pair{"silencedBy", "silenced"}, {"inhibitedBy", "inhibited"}, {"mutedBy", "muted"}})
    if (!status.value(field, json::array()).empty()) return word;
  return Text(status, "state");
}

int List(const Arguments& arguments) {
  std::string path = "/api/v2/alerts?receiver=" + core::UrlEscape(arguments.receiver);
  for (const std::string& matcher : arguments.filter) path += "&filter=" + core::UrlEscape(matcher);
  auto alerts = Client(arguments.client).Call("GET", path);
  if (!alerts) return PrintError(alerts.error());
  if (arguments.as_json) {
    std::cout << alerts->dump(2) << '\n';
    return kExitWell;
  }
  std::vector<std::vector<std::string>> rows;
  for (const json& alert : *alerts) {
    const json labels = alert.value("labels", json::object());
    const json annotations = alert.value("annotations", json::object());
    rows.push_back({Text(labels, "alertname"), StateOf(alert), Text(alert, "startsAt"), LabelsWithoutName(alert),
                    Text(annotations, "summary")});
  }
  if (rows.empty())
    std::cout << "No alerts.\n";
  else
    PrintTable({"ALERT", "STATE", "SINCE (UTC)", "LABELS", "SUMMARY"}, rows);
  return kExitWell;
}

std::function<int()> Setup(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  app.require_subcommand(1);
  CLI::App* list = app.add_subcommand("list", "List the alerts that fire");
  list->set_help_flag("-h,--help", "Print this help and exit");
  list->get_formatter()->column_width(34);
  list->add_option("--filter", arguments->filter, "Matchers that all must match: --filter 'severity=\"page\"'");
  list->add_option("--receiver", arguments->receiver, "Those that go to this receiver alone (a regular expression)");
  list->add_flag("--json", arguments->as_json, "Print the agent's answer as JSON");
  AddClientOptions(*list, arguments->client);
  return [arguments] { return List(*arguments); };
}

}  // namespace

constexpr Command kAlertCommand{.name = "alert", .summary = "List the alerts that fire", .setup = Setup};

}  // namespace pipewarden::agent
