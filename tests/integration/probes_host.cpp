// A process that runs probes when told to, for the tests against real servers: probes_host CONFIG, the section `probes`
// alone. Each line of its input is a probe's name; each answer is a line of JSON.
#include <prometheus/registry.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "core/async/task_group.h"
#include "exporters/probe_runner.h"

namespace pipewarden::exporters {
namespace {

core::Task<void> RunOne(core::Loop& loop, ProbeRunner& runner, std::string name) {
  const auto outcome = co_await runner.RunOnce(std::move(name));
  nlohmann::json answer;
  if (outcome) {
    answer = {{"success", outcome->result.success},
              {"error", outcome->result.error},
              {"message", outcome->result.message},
              {"seconds", core::ToSeconds(outcome->duration)},
              {"values", nlohmann::json::object()}};
    for (const ProbeValue& value : outcome->result.values)
      answer["values"][std::string(value.metric) + core::Labels(value.labels).ToString()] = value.value;
  } else {
    answer = {{"success", false}, {"error", outcome.error().message}};
  }
  std::cout << answer.dump() << std::endl;
  loop.Stop();
}

int Main(const std::string& path) {
  const auto node = core::ReadYamlFile(path);
  if (!node) {
    std::cerr << node.error().message << '\n';
    return 2;
  }
  core::ConfigErrors errors;
  auto configs = ReadProbes(*node, errors);
  for (const std::string& line : errors.Lines()) std::cerr << line << '\n';
  if (!errors.empty()) return 2;
  for (ProbeConfig& config : configs) config.interval = std::chrono::hours(24);  // only on request

  core::SystemClock clock;
  const core::Logger logger(core::LogLevel::kWarn, core::LogFormat::kLogfmt);
  core::Loop loop(clock, logger);
  core::HttpClient http(loop);
  ProbeRunner runner(loop, http, logger, std::make_shared<prometheus::Registry>());
  runner.Apply(std::move(configs));
  for (std::string name; std::getline(std::cin, name);) {
    core::TaskGroup group(loop);
    group.Spawn("run", RunOne(loop, runner, name));
    loop.Run();
    while (group.size() > 0) {
      loop.Post([&loop] { loop.Stop(); });
      loop.Run();
    }
  }
  std::_Exit(0);  // the timers of the probes still wait
}

}  // namespace
}  // namespace pipewarden::exporters

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: probes_host CONFIG\n";
    return 2;
  }
  return pipewarden::exporters::Main(argv[1]);
}
