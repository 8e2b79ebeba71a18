// A command of the command line (`pipewarden NAME …`), on CLI11: one file agent/commands/<name>.cpp with one constant
// Command, and one line in list.h.
//
//   std::function<int()> Setup(CLI::App& app) {
//     auto options = std::make_shared<Options>();                 // lives as long as the returned function
//     app.add_option("NAME", options->name, "…")->required();
//     return [options] { return Run(*options); };                 // called once, when the command was given
//   }
//   constexpr Command kProbeCommand{.name = "probe", .summary = "Show a probe, or run it now", .setup = Setup};
#pragma once

#include <functional>
#include <string_view>

namespace CLI {
class App;
}

namespace pipewarden::agent {

// What a command returns; the process exits with it.
enum ExitCode : int {
  kExitWell = 0,
  kExitFailed = 1,  // it was understood and did not succeed
  kExitUsage = 2,   // bad usage or bad configuration
};

struct Command {
  std::string_view name;
  std::string_view summary;  // one line, for the list in --help
  // Adds the command's options to `app`, whose name and description are set, and returns what runs it. What it prints
  // goes to std::cout (answers) and std::cerr (errors).
  std::function<int()> (*setup)(CLI::App& app);
};

}  // namespace pipewarden::agent
