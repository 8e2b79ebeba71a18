// pipewarden probe [NAME]: what the agent's probes say; with a name the probe is run at once and its verdict printed.
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "agent/commands/client.h"
#include "agent/commands/list.h"
#include "agent/commands/text.h"
#include "core/text/url.h"

namespace pipewarden::agent {
namespace {

using nlohmann::json;

struct Arguments {
  ClientOptions client;
  std::string name;
  bool last = false;
  bool as_json = false;
};

int ListProbes(const Arguments& arguments) {
  auto probes = Client(arguments.client).Get("/api/pipewarden/v1/probes");
  if (!probes) return PrintError(probes.error());
  if (arguments.as_json) {
    std::cout << probes->dump(2) << '\n';
    return kExitWell;
  }
  bool well = true;
  std::vector<std::vector<std::string>> rows;
  for (const json& probe : *probes) {
    well = well && Text(probe, "state") != "unhealthy";
    rows.push_back({Text(probe, "name"), Text(probe, "kind"), Text(probe, "component"), Text(probe, "state"),
                    Ago(probe, "since"), Text(probe, "message")});
  }
  if (rows.empty()) {
    std::cout << "No probes are configured.\n";
  } else {
    PrintTable({"NAME", "KIND", "COMPONENT", "STATE", "FOR", "LAST"}, rows);
  }
  return well ? kExitWell : kExitFailed;
}

int ShowProbe(const Arguments& arguments) {
  const std::string path = "/api/pipewarden/v1/probes/" + core::UrlEscape(arguments.name);
  const Client client(arguments.client);
  auto probe = arguments.last ? client.Get(path) : client.Post(path + "/run", json::object());
  if (!probe) return PrintError(probe.error());
  if (arguments.as_json) {
    std::cout << probe->dump(2) << '\n';
  } else {
    std::cout << ForTerminal(Text(*probe, "name")) << " (" << ForTerminal(Text(*probe, "kind"))
              << "): " << (probe->value("success", false) ? "success" : "failure") << " in "
              << Seconds(probe->value("duration_seconds", 0.0)) << '\n';
    if (const std::string message = Text(*probe, "message"); !message.empty()) {
      std::cout << "  " << ForTerminal(message) << '\n';
    }
    for (const auto& [name, value] : probe->value("values", json::object()).items()) {
      std::cout << "  " << ForTerminal(name) << ' ' << value.dump() << '\n';
    }
  }
  return probe->value("success", false) ? kExitWell : kExitFailed;
}

std::function<int()> Setup(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  app.add_option("NAME", arguments->name, "The probe to run now; without it all are listed with what they last said");
  app.add_flag("--last", arguments->last, "Show what it last said instead of running it");
  app.add_flag("--json", arguments->as_json, "Print the agent's answer as JSON");
  AddClientOptions(app, arguments->client);
  app.footer("Exits 0 where the probe succeeds (all listed are healthy), 1 where not.");
  return [arguments] { return arguments->name.empty() ? ListProbes(*arguments) : ShowProbe(*arguments); };
}

}  // namespace

constexpr Command kProbeCommand{.name = "probe", .summary = "Run a probe now, or list all", .setup = Setup};

}  // namespace pipewarden::agent
