// /api/v1/rules, alerts, metadata, status/…: what Prometheus' clients (Grafana, promtool) ask beside queries.
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>

#include "agent/server/faces.h"
#include "agent/server/own_api.h"
#include "core/time/civil_time.h"
#include "core/version.h"
#include "rules/snapshot.h"

namespace pipewarden::agent {
namespace {

using nlohmann::json;

// "1e+00", as alerts' values are written.
std::string ValueText(double value) {
  char buffer[40];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  return {buffer, end};
}

std::string TimeText(core::TimestampMs ms) {
  return ms == 0 ? "0001-01-01T00:00:00Z" : core::FormatRfc3339(core::FromMs(ms));
}

json PairsJson(const std::vector<std::pair<std::string, std::string>>& pairs) {
  json object = json::object();
  for (const auto& [name, value] : pairs) object[name] = value;
  return object;
}

std::string_view StateText(rules::AlertState state) {
  switch (state) {
    case rules::AlertState::kFiring:
      return "firing";
    case rules::AlertState::kPending:
      return "pending";
    case rules::AlertState::kInactive:
      break;
  }
  return "inactive";
}

json AlertJson(const rules::AlertView& alert) {
  json object{{"labels", LabelsJson(alert.labels)},
              {"annotations", LabelsJson(alert.annotations)},
              {"state", StateText(alert.state)},
              {"activeAt", TimeText(alert.active_at)},
              {"value", ValueText(alert.value)}};
  if (alert.keep_firing_since != 0) object["keepFiringSince"] = TimeText(alert.keep_firing_since);
  return object;
}

json RuleJson(const rules::RuleView& rule, bool with_alerts) {
  json object{{"name", rule.name},
              {"query", rule.query},
              {"health", rule.health},
              {"evaluationTime", rule.evaluation_seconds},
              {"lastEvaluation", TimeText(rule.last_evaluation)},
              {"type", rule.alerting ? "alerting" : "recording"}};
  if (!rule.last_error.empty()) object["lastError"] = rule.last_error;
  if (!rule.alerting) {
    if (!rule.labels.empty()) object["labels"] = PairsJson(rule.labels);
    return object;
  }
  object["labels"] = PairsJson(rule.labels);
  object["annotations"] = PairsJson(rule.annotations);
  object["duration"] = rule.for_seconds;
  object["keepFiringFor"] = rule.keep_firing_seconds;
  object["state"] = StateText(rule.state);
  object["alerts"] = json::array();
  for (const rules::AlertView& alert : rule.alerts) {
    if (with_alerts) object["alerts"].push_back(AlertJson(alert));
  }
  return object;
}

// Never null.
std::shared_ptr<const rules::RulesSnapshot> Snapshot(const ServerContext& context) {
  return context.rules ? context.rules() : std::make_shared<const rules::RulesSnapshot>();
}

bool Wanted(const std::vector<std::string>& names, const std::string& name) {
  return names.empty() || std::ranges::find(names, name) != names.end();
}

HttpResponse ShowRules(const ServerContext& context, const HttpRequest& request) {
  const std::string type = request.Param("type").value_or("");
  if (!type.empty() && type != "alert" && type != "record") {
    return ErrorResponse(Envelope::kPrometheus, 400, "not supported value \"" + type + "\"");
  }
  const auto names = request.Params("rule_name[]");
  const auto groups = request.Params("rule_group[]");
  const auto files = request.Params("file[]");
  const bool with_alerts = request.Param("exclude_alerts").value_or("") != "true";
  json list = json::array();
  for (const auto& shared : Snapshot(context)->groups) {
    const rules::RuleGroupView& group = *shared;
    if (!Wanted(groups, group.name) || !Wanted(files, group.file)) continue;
    json rows = json::array();
    for (const rules::RuleView& rule : group.rules) {
      const bool of_type = type.empty() || rule.alerting == (type == "alert");
      if (of_type && Wanted(names, rule.name)) rows.push_back(RuleJson(rule, with_alerts));
    }
    if (rows.empty() && (!names.empty() || !type.empty())) continue;
    list.push_back({{"name", group.name},
                    {"file", group.file},
                    {"rules", std::move(rows)},
                    {"interval", group.interval_seconds},
                    {"limit", group.limit},
                    {"evaluationTime", group.evaluation_seconds},
                    {"lastEvaluation", TimeText(group.last_evaluation)}});
  }
  return DataResponse({{"groups", std::move(list)}});
}

HttpResponse ShowAlerts(const ServerContext& context) {
  json list = json::array();
  for (const auto& group : Snapshot(context)->groups) {
    for (const rules::RuleView& rule : group->rules) {
      for (const rules::AlertView& alert : rule.alerts) list.push_back(AlertJson(alert));
    }
  }
  return DataResponse({{"alerts", std::move(list)}});
}

class FamilyCollector final : public core::SampleVisitor {
 public:
  void OnFamily(const core::MetricFamily& family) override { families.try_emplace(family.name, family); }
  void OnSample(const core::Series&, double) override {}
  std::map<std::string, core::MetricFamily> families;
};

HttpResponse ShowMetadata(const ServerContext& context, const HttpRequest& request) {
  FamilyCollector collector;
  for (const auto& source : context.sources()) source->Visit(collector);
  const std::string metric = request.Param("metric").value_or("");
  auto limit = NumberParam(request, "limit", -1, -1, 1'000'000);
  if (!limit) return ErrorResponse(Envelope::kPrometheus, limit.error());
  json object = json::object();
  for (const auto& [name, family] : collector.families) {
    if (!metric.empty() && name != metric) continue;
    if (*limit >= 0 && object.size() >= static_cast<std::size_t>(*limit)) break;
    object[name] =
        json::array({{{"type", core::MetricTypeName(family.type)}, {"help", family.help}, {"unit", family.unit}}});
  }
  return DataResponse(object);
}

Route Row(std::string_view methods, std::string_view path, std::function<HttpResponse(const HttpRequest&)> handle) {
  return {.methods = methods,
          .path = path,
          .role = Role::kRead,
          .max_body_bytes = 64U << 10U,
          .envelope = Envelope::kPrometheus,
          .handle = std::move(handle)};
}

}  // namespace

Routes StatusRoutes(std::shared_ptr<const ServerContext> context) {
  return {
      Row("GET", "/api/v1/rules", [context](const HttpRequest& request) { return ShowRules(*context, request); }),
      Row("GET", "/api/v1/alerts", [context](const HttpRequest&) { return ShowAlerts(*context); }),
      Row("GET", "/api/v1/metadata", [context](const HttpRequest& request) { return ShowMetadata(*context, request); }),
      Row("GET POST", "/api/v1/query_exemplars", [](const HttpRequest&) { return DataResponse(json::array()); }),
      Row("GET", "/api/v1/targets",
          [](const HttpRequest&) {
            return DataResponse({{"activeTargets", json::array()}, {"droppedTargets", json::array()}});
          }),
      Row("GET", "/api/v1/status/buildinfo",
          [](const HttpRequest&) {
            return DataResponse({{"version", core::kVersion},
                                 {"revision", ""},
                                 {"branch", ""},
                                 {"buildUser", ""},
                                 {"buildDate", ""},
                                 {"goVersion", ""},
                                 {"application", "pipewarden"}});
          }),
      Row("GET", "/api/v1/status/runtimeinfo",
          [context](const HttpRequest&) {
            return DataResponse({{"startTime", TimeText(core::ToMs(context->started))}});
          }),
      Row("GET", "/api/v1/status/flags", [](const HttpRequest&) { return DataResponse(json::object()); }),
  };
}

}  // namespace pipewarden::agent
