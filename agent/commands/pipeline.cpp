// pipewarden pipeline list|run|history|logs: the agent's pipelines and their runs.
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

constexpr std::string_view kPipelines = "/api/pipewarden/v1/pipelines";

struct Arguments {
  ClientOptions client;
  std::string name;
  std::vector<std::string> env;
  bool again = false;
  bool as_json = false;
  int limit = 20;
  std::string run;
  std::string step;
  int attempt = 0;
};

int List(const Arguments& arguments) {
  auto pipelines = Client(arguments.client).Get(kPipelines);
  if (!pipelines) return PrintError(pipelines.error());
  if (arguments.as_json) {
    std::cout << pipelines->dump(2) << '\n';
    return kExitWell;
  }
  std::vector<std::vector<std::string>> rows;
  for (const json& pipeline : *pipelines) {
    const json last = pipeline.value("last_run", json());
    std::string schedule = Text(pipeline, "schedule");
    if (schedule.empty()) schedule = "by hand";
    rows.push_back({Text(pipeline, "name"), schedule, When(pipeline, "next_run"), Text(last, "state"),
                    When(last, "started"), Text(last, "error")});
  }
  if (rows.empty()) {
    std::cout << "No pipelines are configured.\n";
  } else {
    PrintTable({"NAME", "SCHEDULE", "NEXT (UTC)", "LAST RUN", "STARTED (UTC)", "ERROR"}, rows);
  }
  return kExitWell;
}

int RunNow(const Arguments& arguments) {
  json env = json::object();
  for (const std::string& pair : arguments.env) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) {
      return PrintError({core::ErrorCode::kInvalid, "--env takes NAME=VALUE, not '" + pair + "'"});
    }
    env[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  auto run = Client(arguments.client)
                 .Post(std::string(kPipelines) + "/" + core::UrlEscape(arguments.name) + "/run",
                       json{{"env", std::move(env)}, {"again", arguments.again}});
  if (!run) return PrintError(run.error());
  if (arguments.as_json) {
    std::cout << run->dump(2) << '\n';
  } else {
    std::cout << "Run " << Text(*run, "id") << " of '" << ForTerminal(arguments.name)
              << "' has begun. Follow it: pipewarden pipeline history " << ForTerminal(arguments.name) << '\n';
  }
  return kExitWell;
}

int History(const Arguments& arguments) {
  auto runs = Client(arguments.client)
                  .Get(std::string(kPipelines) + "/" + core::UrlEscape(arguments.name) +
                       "/runs?limit=" + std::to_string(arguments.limit));
  if (!runs) return PrintError(runs.error());
  if (arguments.as_json) {
    std::cout << runs->dump(2) << '\n';
    return kExitWell;
  }
  std::vector<std::vector<std::string>> rows;
  for (const json& run : *runs) {
    rows.push_back({Text(run, "id"), Text(run, "cause"), Text(run, "state"), When(run, "slot"), When(run, "started"),
                    run.contains("duration_seconds") ? Seconds(run["duration_seconds"].get<double>()) : "",
                    Text(run, "error")});
    for (const json& step : run.value("steps", json::array())) {
      std::string state = Text(step, "state");
      if (step.value("attempts", 0) > 1) state += " (" + Text(step, "attempts") + " attempts)";
      rows.push_back({"", "  " + Text(step, "name"), state, "", When(step, "started"),
                      step.contains("duration_seconds") ? Seconds(step["duration_seconds"].get<double>()) : "",
                      Text(step, "error")});
    }
  }
  if (rows.empty()) {
    std::cout << "'" << ForTerminal(arguments.name) << "' has not run yet.\n";
  } else {
    PrintTable({"RUN", "CAUSE / STEP", "STATE", "SLOT (UTC)", "STARTED (UTC)", "TOOK", "ERROR"}, rows);
  }
  return kExitWell;
}

int Logs(const Arguments& arguments) {
  std::string path = std::string(kPipelines) + "/" + core::UrlEscape(arguments.name) +
                     "/logs?run=" + core::UrlEscape(arguments.run) + "&step=" + core::UrlEscape(arguments.step);
  if (arguments.attempt > 0) path += "&attempt=" + std::to_string(arguments.attempt);
  auto done = Client(arguments.client).Stream(path, [](std::string_view text) {
    std::cout.write(text.data(), static_cast<std::streamsize>(text.size()));
  });
  std::cout.flush();
  return done ? static_cast<int>(kExitWell) : PrintError(done.error());
}

std::function<int()> Setup(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  auto chosen = std::make_shared<int (*)(const Arguments&)>(nullptr);
  app.require_subcommand(1);
  const auto add = [&](const char* name, const char* summary, int (*run)(const Arguments&)) {
    CLI::App* sub = app.add_subcommand(name, summary);
    sub->set_help_flag("-h,--help", "Print this help and exit");
    sub->get_formatter()->column_width(34);
    sub->callback([chosen, run] { *chosen = run; });
    return sub;
  };
  CLI::App* list = add("list", "List the pipelines with their schedule, next and last run", List);
  list->add_flag("--json", arguments->as_json, "Print the agent's answer as JSON");
  CLI::App* run = add("run", "Start a run now", RunNow);
  run->add_option("NAME", arguments->name, "The pipeline")->required();
  run->add_option("--env", arguments->env, "Set a variable for its steps: MODE=initial_load (repeatable)")->take_all();
  run->add_flag("--again", arguments->again, "Run a pipeline with 'once: true' that has succeeded already");
  run->add_flag("--json", arguments->as_json, "Print the agent's answer as JSON");
  CLI::App* history = add("history", "Show the last runs of a pipeline with their steps", History);
  history->add_option("NAME", arguments->name, "The pipeline")->required();
  history->add_option("--limit", arguments->limit, "How many runs (default: 20)")->check(CLI::Range(1, 1000));
  history->add_flag("--json", arguments->as_json, "Print the agent's answer as JSON");
  CLI::App* logs = add("logs", "Print what a step wrote", Logs);
  logs->add_option("NAME", arguments->name, "The pipeline")->required();
  logs->add_option("STEP", arguments->step, "The step")->required();
  logs->add_option("--run", arguments->run, "The run's id, of 'history' (default: the last run)");
  logs->add_option("--attempt", arguments->attempt, "Which attempt, from 1 (default: the last)");
  for (CLI::App* sub : {list, run, history, logs}) AddClientOptions(*sub, arguments->client);
  return [arguments, chosen] { return *chosen == nullptr ? static_cast<int>(kExitUsage) : (*chosen)(*arguments); };
}

}  // namespace

constexpr Command kPipelineCommand{.name = "pipeline", .summary = "List, run and look into pipelines", .setup = Setup};

}  // namespace pipewarden::agent
