#include "agent/commands/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "agent/commands/list.h"
#include "core/config/option_table.h"
#include "core/version.h"

namespace pipewarden::agent {

std::span<const Command* const> Commands() {
#define PIPEWARDEN_COMMAND_ADDRESS(Name) &k##Name##Command,
  static constexpr const Command* kCommands[] = {PIPEWARDEN_COMMANDS(PIPEWARDEN_COMMAND_ADDRESS)};
#undef PIPEWARDEN_COMMAND_ADDRESS
  return kCommands;
}

int RunCommandLine(int argc, const char* const* argv) {
  CLI::App app{
      "Pipewarden watches a data pipeline from the node it runs on: it probes, tails logs, runs the pipeline's\n"
      "steps, judges what it sees by Prometheus rules and tells people by Alertmanager's routing."};
  app.name("pipewarden");
  app.set_version_flag("--version", "pipewarden " + std::string(core::kVersion), "Print the version and exit");
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.require_subcommand(1);
  app.footer(
      "'pipewarden COMMAND --help' tells more of a command. Commands that ask a running agent reach it by its Unix\n"
      "socket. Exit codes: 0 well, 1 failed, 2 bad usage or bad configuration.");
  app.get_formatter()->column_width(26);

  std::function<int()> run;
  for (const Command* command : Commands()) {
    CLI::App* sub = app.add_subcommand(std::string(command->name), std::string(command->summary));
    sub->set_help_flag("-h,--help", "Print this help and exit");
    sub->get_formatter()->column_width(34);
    sub->callback([&run, chosen = command->setup(*sub)] { run = chosen; });
  }
  if (argc > 1 && argv[1][0] != '-' &&
      std::ranges::none_of(Commands(), [&](const Command* command) { return command->name == argv[1]; })) {
    std::vector<std::string_view> names;
    for (const Command* command : Commands()) names.push_back(command->name);
    std::cerr << "pipewarden: unknown command '" << argv[1] << "'" << core::DidYouMean(argv[1], names)
              << "\n'pipewarden --help' lists the commands.\n";
    return kExitUsage;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help, --version
    app.exit(success);
    return kExitWell;
  } catch (const CLI::ParseError& error) {
    std::cerr << "pipewarden: " << error.what() << "\n'pipewarden --help' lists the commands and options.\n";
    return kExitUsage;
  }
  return run ? run() : kExitUsage;
}

}  // namespace pipewarden::agent
