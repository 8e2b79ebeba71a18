// pipewarden promql-test FILE…: test scripts in Prometheus' test language, run against the built-in engine.
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "agent/commands/list.h"
#include "rules/promql/test_runner.h"

namespace pipewarden::agent {
namespace {

std::function<int()> Setup(CLI::App& app) {
  auto files = std::make_shared<std::vector<std::string>>();
  app.add_option("FILE", *files, "Test scripts (load, eval, clear)")->required();
  return [files] { return rules::promql::RunPromqlTests(*files, std::cout); };
}

}  // namespace

constexpr Command kPromqlTestCommand{
    .name = "promql-test", .summary = "Run test scripts in Prometheus' PromQL test language", .setup = Setup};

}  // namespace pipewarden::agent
