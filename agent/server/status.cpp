// /api/v1/metadata, targets, alertmanagers, status/…: what Prometheus' clients (Grafana, promtool) ask beside queries.
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "agent/server/faces.h"
#include "agent/server/json_text.h"
#include "agent/server/own_api.h"
#include "agent/server/query.h"
#include "core/text/escape.h"
#include "core/time/civil_time.h"
#include "core/version.h"
#include "rules/promql/engine.h"
#include "rules/promql/functions/function.h"
#include "rules/promql/parser.h"

namespace pipewarden::agent {
namespace {

using nlohmann::json;

std::string TimeText(core::WallTime time) { return core::FormatRfc3339(time); }

class FamilyCollector final : public core::SampleVisitor {
 public:
  void OnFamily(const core::MetricFamily& family) override { families.try_emplace(family.name, family); }
  void OnSample(const core::Series&, double) override {}
  std::map<std::string, core::MetricFamily> families;
};

HttpResponse ShowMetadata(const ServerContext& context, const HttpRequest& request) {
  std::int64_t limits[] = {-1, -1};
  std::size_t place = 0;
  for (const char* name : {"limit", "limit_per_metric"}) {
    if (const std::string text = request.Param(name).value_or(""); !text.empty()) {
      const auto number = ParseApiInt(text);
      if (!number) return ErrorResponse(Envelope::kPrometheus, 400, std::string(name) + " must be a number");
      limits[place] = *number;
    }
    ++place;
  }
  FamilyCollector collector;
  for (const auto& source : context.sources()) source->Visit(collector);
  const std::string metric = request.Param("metric").value_or("");
  json object = json::object();
  for (const auto& [name, family] : collector.families) {
    if (!metric.empty() && name != metric) continue;
    if (limits[0] >= 0 && object.size() >= static_cast<std::size_t>(limits[0])) break;
    object[name] =
        json::array({{{"type", core::MetricTypeName(family.type)}, {"help", family.help}, {"unit", family.unit}}});
  }
  return DataResponse(object);
}

// The ten most of something, as [{"name": …, "value": …}].
json TopOf(const std::map<std::string, std::size_t>& counts, std::size_t limit) {
  std::vector<std::pair<std::string, std::size_t>> sorted(counts.begin(), counts.end());
  std::ranges::stable_sort(sorted, std::ranges::greater{}, [](const auto& one) { return one.second; });
  if (sorted.size() > limit) sorted.resize(limit);
  json list = json::array();
  for (const auto& [name, value] : sorted) list.push_back({{"name", name}, {"value", value}});
  return list;
}

HttpResponse ShowTsdb(const ServerContext& context, const HttpRequest& request) {
  std::size_t limit = 10;
  if (const std::string text = request.Param("limit").value_or(""); !text.empty()) {
    const auto number = ParseApiInt(text);
    if (!number || *number < 1) return ErrorResponse(Envelope::kPrometheus, 400, "limit must be a positive number");
    limit = static_cast<std::size_t>(*number);
  }
  if (context.storage == nullptr) return DataResponse(json::object());
  const core::TimestampMs now = core::ToMs(context.clock->Now());
  constexpr core::TimestampMs kHeadMs = 2LL * 60 * 60 * 1000;
  const HeadView head = context.head ? context.head() : HeadView{.oldest = now - kHeadMs, .newest = now};
  auto querier = context.storage->Open(head.oldest, head.newest);
  if (!querier) return ErrorResponse(Envelope::kPrometheus, querier.error());
  auto set = (*querier)->Select({.from = head.oldest, .to = head.newest}, {});
  if (!set) return ErrorResponse(Envelope::kPrometheus, set.error());
  std::map<std::string, std::size_t> by_metric, by_pair, bytes_by_label;
  std::map<std::string, std::size_t> values_by_label;
  for (std::size_t i = 0; i < (*set)->size(); ++i) {
    for (const core::LabelView label : *(*set)->labels(i)) {
      if (label.name == core::kMetricName) ++by_metric[std::string(label.value)];
      const std::string name(label.name);
      if (by_pair[name + "=" + std::string(label.value)]++ == 0) {
        ++values_by_label[name];
        bytes_by_label[name] += label.name.size() + label.value.size();
      }
    }
  }
  return DataResponse({{"headStats",
                        {{"numSeries", (*set)->size()},
                         {"numLabelPairs", by_pair.size()},
                         {"chunkCount", head.chunks},
                         {"minTime", head.oldest},
                         {"maxTime", head.newest}}},
                       {"seriesCountByMetricName", TopOf(by_metric, limit)},
                       {"labelValueCountByLabelName", TopOf(values_by_label, limit)},
                       {"memoryInBytesByLabelName", TopOf(bytes_by_label, limit)},
                       {"seriesCountByLabelValuePair", TopOf(by_pair, limit)}});
}

HttpResponse WithSettings(const ServerContext& context, const HttpRequest& request,
                          HttpResponse (*show)(const ServerContext&, const SettingsView&)) {
  if (!context.settings) return show(context, {});
  const auto settings = context.settings(request.deadline);
  return settings ? show(context, *settings) : ErrorResponse(Envelope::kPrometheus, settings.error());
}

// Not the file as written, which may hold secrets: its part that Prometheus' clients look at.
HttpResponse ShowConfig(const ServerContext&, const SettingsView& settings) {
  std::string yaml = "global:\n  evaluation_interval: " + settings.evaluation_interval + "\n";
  if (!settings.external_labels.empty()) yaml += "  external_labels:\n";
  for (const core::LabelView label : settings.external_labels)
    yaml += "    " + core::JsonString(label.name) + ": " + core::JsonString(label.value) + "\n";
  if (!settings.rule_files.empty()) yaml += "rule_files:\n";
  for (const std::string& file : settings.rule_files) yaml += "  - " + core::JsonString(file) + "\n";
  return DataResponse({{"yaml", yaml}});
}

HttpResponse ShowFlags(const ServerContext&, const SettingsView& settings) {
  json object = json::object();
  for (const auto& [name, value] : settings.flags) object[name] = value;
  return DataResponse(object);
}

HttpResponse ShowRuntime(const ServerContext& context, const SettingsView& settings) {
  char folder[4096] = {};
  utsname machine{};
  ::uname(&machine);
  return DataResponse({{"startTime", TimeText(context.started)},
                       {"CWD", ::getcwd(folder, sizeof folder) == nullptr ? "" : folder},
                       {"hostname", machine.nodename},
                       {"serverTime", TimeText(context.clock->Now())},
                       {"reloadConfigSuccess", settings.reload_successful},
                       {"lastConfigTime", TimeText(settings.reload_time)},
                       {"corruptionCount", settings.wal_corruptions},
                       {"goroutineCount", 0},
                       {"GOMAXPROCS", std::thread::hardware_concurrency()},
                       {"GOMEMLIMIT", 0},
                       {"GOGC", ""},
                       {"GODEBUG", ""},
                       {"storageRetention", settings.storage_retention}});
}

// There are none: probes are no scrape targets, and nothing is scraped.
HttpResponse ShowTargets(const HttpRequest& request) {
  const std::string state = request.Param("state").value_or("");
  const bool dropped = state.empty() || EqualsIgnoreCase(state, "any") || EqualsIgnoreCase(state, "dropped");
  return DataResponse({{"activeTargets", json::array()},
                       {"droppedTargets", json::array()},
                       {"droppedTargetCounts", dropped ? json::object() : json(nullptr)}});
}

HttpResponse ShowTargetMetadata(const HttpRequest& request) {
  if (const std::string limit = request.Param("limit").value_or(""); !limit.empty() && !ParseApiInt(limit))
    return ErrorResponse(Envelope::kPrometheus, 400, "limit must be a number");
  if (const std::string match = request.Param("match_target").value_or(""); !match.empty())
    if (const auto parsed = rules::promql::ParseMetricSelector(match); !parsed)
      return ErrorResponse(Envelope::kPrometheus, 400, "invalid parameter \"match_target\": " + parsed.error().message);
  return DataResponse(json::array());
}

// Nothing is dropped: there is no relabelling of addresses.
HttpResponse ShowAlertmanagers(const ServerContext&, const SettingsView& settings) {
  json active = json::array();
  for (const std::string& url : settings.alertmanagers) active.push_back({{"url", url}});
  return DataResponse({{"activeAlertmanagers", active}, {"droppedAlertmanagers", json::array()}});
}

json BuildJson() {
  return {{"version", core::kVersion}, {"revision", ""},  {"branch", ""},
          {"buildUser", ""},           {"buildDate", ""}, {"goVersion", ""}};
}

HttpResponse ShowBuild() {
  json build = BuildJson();
  build["application"] = "pipewarden";
  return DataResponse(build);
}

// What a client may count on, by the names that Prometheus gives it. What is not named is not there.
HttpResponse ShowFeatures(const ServerContext& context) {
  const bool experimental = context.experimental_functions;
  json functions = json::object();
  for (const rules::promql::Function* function : rules::promql::AllFunctions())
    functions[std::string(function->name)] = !function->experimental || experimental;
  json operators = json::object();
  for (const char* name : {"!=",     "!~",  "%",       "*",        "+",
                           "-",      "/",   "<",       "</",       "<=",
                           "==",     "=~",  ">",       ">/",       ">=",
                           "@",      "^",   "and",     "atan2",    "or",
                           "unless", "avg", "bottomk", "count",    "count_values",
                           "group",  "max", "min",     "quantile", "stddev",
                           "stdvar", "sum", "topk"})
    operators[name] = true;
  for (const char* name : {"limit_ratio", "limitk"}) operators[name] = experimental;
  json promql = json::object();
  for (const char* name : {"at_modifier", "bool", "by", "duration_expr", "group_left", "group_right", "ignoring",
                           "negative_offset", "offset", "on", "per_query_lookback_delta", "subqueries", "without"})
    promql[name] = true;
  for (const char* name :
       {"anchored", "fill", "fill_left", "fill_right", "per_step_stats", "smoothed", "type_and_unit_labels"})
    promql[name] = false;
  promql["delayed_name_removal"] = context.engine != nullptr && context.engine->options().delayed_name_removal;
  return DataResponse({{"api",
                        {{"admin", false},
                         {"exclude_alerts", true},
                         {"label_values_match", true},
                         {"lifecycle", true},
                         {"otlp_write_receiver", false},
                         {"query_stats", true},
                         {"query_warnings", true},
                         {"remote_write_receiver", static_cast<bool>(context.remote_write)},
                         {"search", false},
                         {"time_range_labels", true},
                         {"time_range_series", true}}},
                       {"prometheus", {{"agent_mode", false}, {"server_mode", true}}},
                       {"promql", std::move(promql)},
                       {"promql_functions", std::move(functions)},
                       {"promql_operators", std::move(operators)},
                       {"rules", {{"concurrent_rule_eval", false}, {"keep_firing_for", true}, {"query_offset", true}}},
                       {"tsdb", {{"exemplar_storage", false}, {"isolation", true}, {"native_histograms", true}}}});
}

}  // namespace

Routes StatusRoutes(std::shared_ptr<const ServerContext> context) {
  const auto with_settings = [context](HttpResponse (*show)(const ServerContext&, const SettingsView&)) {
    return [context, show](const HttpRequest& request) { return WithSettings(*context, request, show); };
  };
  return {
      PrometheusRoute("/api/v1/metadata",
                      [context](const HttpRequest& request) { return ShowMetadata(*context, request); }),
      PrometheusRoute("/api/v1/targets", ShowTargets),
      PrometheusRoute("/api/v1/targets/metadata", ShowTargetMetadata),
      PrometheusRoute("/api/v1/scrape_pools",
                      [](const HttpRequest&) { return DataResponse({{"scrapePools", json::array()}}); }),
      PrometheusRoute("/api/v1/alertmanagers", with_settings(ShowAlertmanagers)),
      PrometheusRoute("/api/v1/features", [context](const HttpRequest&) { return ShowFeatures(*context); }),
      PrometheusRoute("/api/v1/notifications", [](const HttpRequest&) { return DataResponse(json::array()); }),
      {.methods = "GET",
       .path = "/version",
       .role = Role::kRead,
       .handle = [](const HttpRequest&) { return TextResponse(BuildJson().dump() + "\n"); }},
      PrometheusRoute("/api/v1/status/buildinfo", [](const HttpRequest&) { return ShowBuild(); }),
      PrometheusRoute("/api/v1/status/config", with_settings(ShowConfig)),
      PrometheusRoute("/api/v1/status/flags", with_settings(ShowFlags)),
      PrometheusRoute("/api/v1/status/runtimeinfo", with_settings(ShowRuntime)),
      PrometheusRoute("/api/v1/status/tsdb",
                      [context](const HttpRequest& request) { return ShowTsdb(*context, request); }),
      PrometheusRoute("/api/v1/status/walreplay",
                      [](const HttpRequest&) { return DataResponse({{"min", 0}, {"max", 0}, {"current", 0}}); }),
  };
}

}  // namespace pipewarden::agent
