// pipewarden query EXPR: a PromQL query to the agent's storage, at one time or over a range.
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "agent/commands/client.h"
#include "agent/commands/list.h"
#include "agent/commands/text.h"
#include "core/model/labels.h"
#include "core/text/url.h"

namespace pipewarden::agent {
namespace {

using nlohmann::json;

struct Arguments {
  ClientOptions client;
  std::string expression;
  std::string time;
  std::string start;
  std::string end;
  std::string step = "1m";
  bool as_json = false;
};

std::string SeriesText(const json& metric) {
  std::vector<core::Label> labels;
  for (const auto& [name, value] : metric.items()) {
    if (value.is_string()) labels.push_back({name, value.get<std::string>()});
  }
  return core::Labels(labels).ToString();
}

// [time, "value"] -> "value @time", as promtool prints it.
std::string SampleText(const json& sample) {
  if (!sample.is_array() || sample.size() != 2 || !sample[1].is_string()) return sample.dump();
  return sample[1].get<std::string>() + " @[" + sample[0].dump() + "]";
}

void Print(const json& data) {
  const std::string type = Text(data, "resultType");
  const json result = data.value("result", json::array());
  if (type == "scalar" || type == "string") {
    std::cout << ForTerminal(SampleText(result)) << '\n';
    return;
  }
  for (const json& series : result) {
    std::cout << ForTerminal(SeriesText(series.value("metric", json::object())));
    if (type == "vector") {
      std::cout << " => " << ForTerminal(SampleText(series.value("value", json::array()))) << '\n';
      continue;
    }
    std::cout << " =>\n";
    for (const json& sample : series.value("values", json::array())) {
      std::cout << "  " << ForTerminal(SampleText(sample)) << '\n';
    }
  }
}

int Run(const Arguments& arguments) {
  const bool range = !arguments.start.empty();
  std::string path = range ? "/api/v1/query_range?query=" : "/api/v1/query?query=";
  path += core::UrlEscape(arguments.expression);
  if (range) {
    const std::string now = std::to_string(std::time(nullptr));
    path += "&start=" + core::UrlEscape(arguments.start) +
            "&end=" + core::UrlEscape(arguments.end.empty() ? now : arguments.end) +
            "&step=" + core::UrlEscape(arguments.step);
  } else if (!arguments.time.empty()) {
    path += "&time=" + core::UrlEscape(arguments.time);
  }
  auto data = Client(arguments.client).Get(path);
  if (!data) return PrintError(data.error());
  if (arguments.as_json) {
    std::cout << data->dump(2) << '\n';
  } else {
    Print(*data);
  }
  return kExitWell;
}

std::function<int()> Setup(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  app.add_option("EXPR", arguments->expression, "The query, PromQL")->required();
  app.add_option("--time", arguments->time, "When to evaluate it: Unix seconds or RFC 3339 (default: now)");
  auto* start =
      app.add_option("--start", arguments->start, "Evaluate it over a range from here: Unix seconds or RFC 3339");
  app.add_option("--end", arguments->end, "End of the range (default: now)")->needs(start);
  app.add_option("--step", arguments->step, "Step of the range (default: 1m)")->needs(start);
  app.add_flag("--json", arguments->as_json, "Print the answer's data as JSON");
  AddClientOptions(app, arguments->client);
  return [arguments] { return Run(*arguments); };
}

}  // namespace

constexpr Command kQueryCommand{.name = "query", .summary = "Evaluate a PromQL expression", .setup = Setup};

}  // namespace pipewarden::agent
