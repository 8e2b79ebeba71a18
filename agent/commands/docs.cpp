// pipewarden docs: writes the reference pages from the tables of this binary, or checks that those in a folder are what
// it would write. For those who change Pipewarden; ./dev docs calls it.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>

#include "agent/commands/list.h"
#include "agent/reference.h"

namespace pipewarden::agent {
namespace {

struct DocsOptions {
  std::string folder;
  bool check = false;
};

int Run(const DocsOptions& options) {
  const std::filesystem::path path = std::filesystem::path(options.folder) / "configuration.md";
  const std::string page = ConfigurationPage();
  if (options.check) {
    std::ifstream file(path, std::ios::binary);
    const std::string stored{std::istreambuf_iterator<char>(file), {}};
    if (file.is_open() && stored == page) return kExitWell;
    std::cerr << path.string() << (file.is_open() ? " differs from the option tables" : " cannot be read")
              << " (write it: pipewarden docs --out " << options.folder << ")\n";
    return kExitFailed;
  }
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << page << std::flush;
  if (file) return kExitWell;
  std::cerr << path.string() << " cannot be written (is there a folder " << options.folder << "?)\n";
  return kExitFailed;
}

std::function<int()> Setup(CLI::App& app) {
  auto options = std::make_shared<DocsOptions>();
  app.add_option("--out", options->folder, "The folder of the pages")->required();
  app.add_flag("--check", options->check, "Write nothing; exit 1 where a page there differs");
  return [options] { return Run(*options); };
}

}  // namespace

const Command kDocsCommand{.name = "docs", .summary = "Write the reference of the configuration", .setup = Setup};

}  // namespace pipewarden::agent
