// pipewarden template render --text T: renders a notification template as alertmanager would, on data from a file, so
// that a message can be looked at before an alert sends it. Needs no agent.
#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>

#include "agent/commands/list.h"
#include "alertmanager/templates.h"

namespace pipewarden::agent {
namespace {

using nlohmann::json;

struct Arguments {
  std::string text;
  std::string type = "text";
  std::string data_file;
  std::vector<std::string> files;
};

core::Labels ReadLabels(const json& data, const char* key) {
  std::vector<core::Label> labels;
  if (const auto found = data.find(key); found != data.end() && found->is_object()) {
    for (const auto& [name, value] : found->items()) {
      if (value.is_string()) labels.push_back({name, value.get<std::string>()});
    }
  }
  return core::Labels(labels);
}

std::string ReadText(const json& data, const char* key) {
  const auto found = data.find(key);
  return found != data.end() && found->is_string() ? found->get<std::string>() : "";
}

core::WallTime ReadTime(const json& data, const char* key) {
  const auto time = core::ParseRfc3339(ReadText(data, key));
  return time && !time->IsZero() ? time->ToWall() : core::WallTime{};
}

// The body of a webhook, or template.Data as Alertmanager documents it.
alertmanager::Notification ReadNotification(const json& data) {
  alertmanager::Notification notification;
  notification.receiver = ReadText(data, "receiver");
  notification.group_labels = ReadLabels(data, "groupLabels");
  notification.external_url = ReadText(data, "externalURL");
  notification.reason = ReadText(data, "notification_reason");
  notification.route_labels = ReadLabels(data, "routeLabels");
  notification.now = core::SystemClock().Now();
  if (const auto alerts = data.find("alerts"); alerts != data.end() && alerts->is_array()) {
    for (const json& item : *alerts) {
      if (!item.is_object()) continue;
      core::Alert alert;
      alert.labels = ReadLabels(item, "labels");
      alert.annotations = ReadLabels(item, "annotations");
      alert.starts_at = ReadTime(item, "startsAt");
      if (ReadText(item, "status") == "resolved") alert.ends_at = ReadTime(item, "endsAt");
      alert.generator_url = ReadText(item, "generatorURL");
      notification.alerts.push_back(std::move(alert));
    }
  }
  alertmanager::SetCommon(notification);
  if (data.contains("commonLabels")) notification.common_labels = ReadLabels(data, "commonLabels");
  if (data.contains("commonAnnotations")) notification.common_annotations = ReadLabels(data, "commonAnnotations");
  return notification;
}

constexpr const char* kExample = R"({"receiver": "example", "externalURL": "http://localhost:9595",
 "groupLabels": {"alertname": "Example"},
 "alerts": [{"status": "firing", "startsAt": "2026-01-02T03:04:05Z", "labels": {"alertname": "Example", "severity": "page"},
             "annotations": {"summary": "An example"}, "generatorURL": "http://localhost:9595/graph"}]})";

int Run(const Arguments& arguments) {
  std::string text = kExample;
  if (!arguments.data_file.empty()) {
    std::ifstream in(arguments.data_file, std::ios::binary);
    if (!in) {
      std::cerr << "cannot read " << arguments.data_file << '\n';
      return kExitUsage;
    }
    text.assign(std::istreambuf_iterator<char>(in), {});
  }
  const json data = json::parse(text, nullptr, false);
  if (!data.is_object()) {
    std::cerr << arguments.data_file << ": not a JSON object; write what a webhook receives\n";
    return kExitUsage;
  }
  const auto templates = alertmanager::Templates::Load(arguments.files);
  if (!templates) {
    std::cerr << templates.error().message << '\n';
    return kExitUsage;
  }
  const auto out = (*templates)->Render(arguments.text, ReadNotification(data), arguments.type == "html");
  if (!out) {
    std::cerr << out.error().message << '\n';
    return kExitFailed;
  }
  std::cout << *out;  // exactly, as amtool does
  return kExitWell;
}

std::function<int()> Setup(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  app.require_subcommand(1);
  CLI::App* render = app.add_subcommand("render", "Render a template on an alert's data");
  render->set_help_flag("-h,--help", "Print this help and exit");
  render->get_formatter()->column_width(34);
  render->add_option("--text", arguments->text, "The template, for example '{{ template \"slack.default.title\" . }}'")
      ->required();
  render->add_option("--type", arguments->type, "text, or html (values are escaped)")
      ->check(CLI::IsMember({"text", "html"}));
  render->add_option("--data", arguments->data_file, "A file with the notification as JSON, as a webhook receives it");
  render->add_option("--file", arguments->files, "Template files, as alertmanager.yml names them under templates:");
  return [arguments] { return Run(*arguments); };
}

}  // namespace

constexpr Command kTemplateCommand{
    .name = "template", .summary = "Render a notification template on example data", .setup = Setup};

}  // namespace pipewarden::agent
