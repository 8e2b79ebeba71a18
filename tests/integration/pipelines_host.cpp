// A process that hosts Pipelines and nothing else, for the crash test: pipelines_host CONFIG DATA_DIR STEP_BINARY.
// SIGTERM stops it in order.
#include <prometheus/registry.h>

#include <boost/asio.hpp>
#include <csignal>
#include <iostream>

#include "agent/pipelines/pipelines.h"
#include "core/async/task_group.h"

namespace pipewarden::agent {
namespace {

using core::Task;

Task<void> Main(core::Loop& loop, Pipelines& pipelines, std::vector<PipelineConfig> configs, int& code) {
  boost::asio::signal_set signals(loop.executor(), SIGTERM);
  const auto opened = co_await pipelines.Open();
  if (opened) {
    pipelines.Apply(std::move(configs));
    std::cout << "ready" << std::endl;
    co_await signals.async_wait(boost::asio::use_awaitable);
  } else {
    std::cerr << opened.error().message << '\n';
    code = 1;
  }
  co_await pipelines.Stop();
  loop.Stop();
}

int Host(const std::string& config_file, const std::string& data_dir, const std::string& step_binary) {
  core::ConfigErrors errors;
  const auto node = core::ReadYamlFile(config_file);
  if (!node) {
    std::cerr << node.error().message << '\n';
    return 2;
  }
  auto configs = ReadPipelines(*node, errors);
  for (const std::string& line : errors.Lines()) std::cerr << line << '\n';
  if (!errors.empty()) return 2;

  core::SystemClock clock;
  core::Loop loop(clock, core::Logger(core::LogLevel::kWarn, core::LogFormat::kLogfmt));
  int code = 0;
  {
    Pipelines pipelines(loop, loop.logger(), std::make_shared<prometheus::Registry>(),
                        PipelinesOptions{.data_dir = data_dir, .step_binary = step_binary});
    core::TaskGroup group(loop);
    group.Spawn("main", Main(loop, pipelines, std::move(configs), code));
    loop.Run();
  }
  return code;
}

}  // namespace
}  // namespace pipewarden::agent

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: pipelines_host CONFIG DATA_DIR STEP_BINARY\n";
    return 2;
  }
  return pipewarden::agent::Host(argv[1], argv[2], argv[3]);
}
