// pipewarden notify test RECEIVER: sends a sample notification through a receiver of the running agent, to each of its
// integrations, and tells what came of it.
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
  std::string receiver;
};

int Test(const Arguments& arguments) {
  auto outcomes =
      Client(arguments.client)
          .Post("/api/pipewarden/v1/receivers/" + core::UrlEscape(arguments.receiver) + "/test", json::object());
  if (!outcomes) return PrintError(outcomes.error());
  bool good = true;
  for (const json& outcome : *outcomes) {
    const bool sent = outcome.value("ok", false);
    good &= sent;
    std::cout << ForTerminal(Text(outcome, "integration")) << ": "
              << (sent ? "sent" : ForTerminal(Text(outcome, "error"))) << '\n';
  }
  if (outcomes->empty()) std::cout << "The receiver has no integrations: nothing is sent.\n";
  return good ? kExitWell : kExitFailed;
}

std::function<int()> Setup(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  arguments->client.timeout = std::chrono::seconds(60);
  app.require_subcommand(1);
  CLI::App* test = app.add_subcommand("test", "Send a sample notification through a receiver");
  test->set_help_flag("-h,--help", "Print this help and exit");
  test->get_formatter()->column_width(34);
  test->add_option("RECEIVER", arguments->receiver, "The receiver's name")->required();
  AddClientOptions(*test, arguments->client);
  return [arguments] { return Test(*arguments); };
}

}  // namespace

constexpr Command kNotifyCommand{.name = "notify", .summary = "Try a receiver with a sample", .setup = Setup};

}  // namespace pipewarden::agent
