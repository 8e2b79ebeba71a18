// pipewarden alert list|explain|history: the alerts that fire and what keeps some of them quiet; why one fires and what
// became of it; who was told what, and what came of it.
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
  std::string alert;
  int limit = 50;
  bool as_json = false;
};

bool IsFingerprint(std::string_view text) {
  return text.size() == 16 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string LabelsWithoutName(const json& alert) {
  std::vector<core::Label> labels;
  for (const auto& [name, value] : alert.value("labels", json::object()).items())
    if (name != core::kAlertName && value.is_string()) labels.push_back({name, value.get<std::string>()});
  return core::Labels(labels).ToString();
}

// "active", "silenced", "inhibited", "muted".
std::string StateOf(const json& alert) {
  const json status = alert.value("status", json::object());
  if (const std::string down = Text(status, "suppressedBy"); !down.empty()) return "suppressed by " + down;
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
    rows.push_back({Text(alert, "fingerprint"), Text(labels, "alertname"), StateOf(alert), Text(alert, "startsAt"),
                    LabelsWithoutName(alert), Text(annotations, "summary")});
  }
  if (rows.empty())
    std::cout << "No alerts.\n";
  else
    PrintTable({"FINGERPRINT", "ALERT", "STATE", "SINCE (UTC)", "LABELS", "SUMMARY"}, rows);
  return kExitWell;
}

// The fingerprints of what is named: itself, or those of the alerts of that name.
core::Result<std::vector<std::string>> Named(const Arguments& arguments) {
  if (IsFingerprint(arguments.alert)) return std::vector<std::string>{arguments.alert};
  auto alerts = Client(arguments.client).Call("GET", "/api/v2/alerts");
  if (!alerts) return core::Fail(alerts.error());
  std::vector<std::string> found;
  for (const json& alert : *alerts)
    if (Text(alert.value("labels", json::object()), "alertname") == arguments.alert)
      found.push_back(Text(alert, "fingerprint"));
  if (found.empty())
    return core::Fail(core::ErrorCode::kNotFound, "no alert '" + arguments.alert +
                                                      "' fires (of one that has resolved give the fingerprint; "
                                                      "'pipewarden alert history --json' has it)");
  return found;
}

int Explain(const Arguments& arguments) {
  const auto fingerprints = Named(arguments);
  if (!fingerprints) return PrintError(fingerprints.error());
  json all = json::array();
  for (const std::string& fingerprint : *fingerprints) {
    auto answer =
        Client(arguments.client).Get("/api/pipewarden/v1/alerts/" + core::UrlEscape(fingerprint) + "/explain");
    if (!answer) return PrintError(answer.error());
    all.push_back(std::move(*answer));
  }
  if (arguments.as_json) {
    std::cout << (all.size() == 1 ? all[0] : all).dump(2) << '\n';
    return kExitWell;
  }
  for (const json& one : all) {
    if (&one != &all.front()) std::cout << '\n';
    std::cout << ForTerminal(Text(one.value("labels", json::object()), "alertname")) << ' '
              << ForTerminal(LabelsWithoutName(one)) << ' ' << ForTerminal(Text(one, "fingerprint")) << '\n';
    for (const json& word : one.value("words", json::array()))
      if (word.is_string()) std::cout << "- " << ForTerminal(word.get<std::string>()) << '\n';
  }
  return kExitWell;
}

int History(const Arguments& arguments) {
  auto entries =
      Client(arguments.client).Get("/api/pipewarden/v1/notifications?limit=" + std::to_string(arguments.limit));
  if (!entries) return PrintError(entries.error());
  if (arguments.as_json) {
    std::cout << entries->dump(2) << '\n';
    return kExitWell;
  }
  std::vector<std::vector<std::string>> rows;
  for (const json& entry : *entries)
    rows.push_back({When(entry, "at"), Text(entry, "result"),
                    Text(entry, "receiver") + "/" + Text(entry, "integration"), Text(entry, "attempts"),
                    Text(entry, "title"), Text(entry, "error")});
  if (rows.empty())
    std::cout << "Nobody has been told anything yet.\n";
  else
    PrintTable({"WHEN (UTC)", "RESULT", "TO", "ATTEMPTS", "NOTIFICATION", "ERROR"}, rows);
  return kExitWell;
}

std::function<int()> Setup(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  auto chosen = std::make_shared<int (*)(const Arguments&)>(nullptr);
  app.require_subcommand(1);
  const auto sub = [&](const char* name, const char* summary, int (*run)(const Arguments&)) {
    CLI::App* added = app.add_subcommand(name, summary);
    added->set_help_flag("-h,--help", "Print this help and exit");
    added->get_formatter()->column_width(34);
    added->callback([chosen, run] { *chosen = run; });
    added->add_flag("--json", arguments->as_json, "Print the agent's answer as JSON");
    AddClientOptions(*added, arguments->client);
    return added;
  };
  CLI::App* list = sub("list", "List the alerts that fire", List);
  list->add_option("--filter", arguments->filter, "Matchers that all must match: --filter 'severity=\"page\"'");
  list->add_option("--receiver", arguments->receiver, "Those that go to this receiver alone (a regular expression)");
  CLI::App* explain = sub("explain", "Tell why an alert fires, who was told, and what comes next", Explain);
  explain->add_option("ALERT", arguments->alert, "A fingerprint, of 'list'; or the name of alerts that fire")
      ->required();
  CLI::App* history = sub("history", "List the last notifications and what came of them", History);
  history->add_option("--limit", arguments->limit, "How many (default: 50)")->check(CLI::Range(1, 1000));
  return [arguments, chosen] { return *chosen == nullptr ? static_cast<int>(kExitUsage) : (*chosen)(*arguments); };
}

}  // namespace

constexpr Command kAlertCommand{.name = "alert", .summary = "List, explain and look back on alerts", .setup = Setup};

}  // namespace pipewarden::agent
