// /api/v1/rules, alerts: the rules, and what they say, as Prometheus shows them.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <tuple>

#include "agent/server/faces.h"
#include "agent/server/json_text.h"
#include "agent/server/own_api.h"
#include "agent/server/query.h"
#include "core/text/escape.h"
#include "core/text/go_float.h"
#include "core/time/civil_time.h"
#include "rules/snapshot.h"

namespace pipewarden::agent {
namespace {

using nlohmann::json;

// "1e+00" "NaN" "+Inf", as alerts' values are written.
std::string ValueText(double value) { return core::FormatGoFloat(value, 'e', -1); }

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
    object["labels"] = PairsJson(rule.labels);
    return object;
  }
  object["labels"] = PairsJson(rule.labels);
  object["annotations"] = PairsJson(rule.annotations);
  object["duration"] = rule.for_seconds;
  object["keepFiringFor"] = rule.keep_firing_seconds;
  object["state"] = StateText(rule.state);
  object["alerts"] = with_alerts ? json::array() : json(nullptr);
  if (!with_alerts) return object;
  for (const rules::AlertView& alert : rule.alerts) object["alerts"].push_back(AlertJson(alert));
  return object;
}

// Never null.
std::shared_ptr<const rules::RulesSnapshot> Snapshot(const ServerContext& context) {
  return context.rules ? context.rules() : std::make_shared<const rules::RulesSnapshot>();
}

// The groups by file and name, as Prometheus lists them.
std::vector<std::shared_ptr<const rules::RuleGroupView>> SortedGroups(const ServerContext& context) {
  const auto snapshot = Snapshot(context);
  std::vector<std::shared_ptr<const rules::RuleGroupView>> groups(snapshot->groups.begin(), snapshot->groups.end());
  std::ranges::sort(groups, {}, [](const auto& group) { return std::tie(group->file, group->name); });
  return groups;
}

bool Wanted(const std::vector<std::string>& names, const std::string& name) {
  return names.empty() || std::ranges::find(names, name) != names.end();
}

// strconv.ParseBool.
core::Result<bool> ParseGoBool(const std::string& text) {
  for (const char* yes : {"1", "t", "T", "TRUE", "true", "True"})
    if (text == yes) return true;
  for (const char* no : {"0", "f", "F", "FALSE", "false", "False"})
    if (text == no) return false;
  return core::Fail(core::ErrorCode::kInvalid, "error converting exclude_alerts: strconv.ParseBool: parsing " +
                                                   core::JsonString(text) + ": invalid syntax");
}

// What /rules is asked for.
struct RulesQuery {
  std::string type;
  std::vector<std::string> names, groups, files;
  std::vector<std::vector<core::Matcher>> matchers{};
  bool with_alerts = true;
  std::size_t group_limit = 0;  // 0: all
  std::string next_token{};

  bool Wants(const rules::RuleView& rule) const {
    if (!type.empty() && rule.alerting != (type == "alert")) return false;
    if (!Wanted(names, rule.name)) return false;
    if (matchers.empty()) return true;
    core::Labels labels;
    for (const auto& [name, value] : rule.labels) labels.Set(name, value);
    return std::ranges::any_of(matchers, [&](const auto& all) {
      return std::ranges::all_of(all, [&](const core::Matcher& one) { return one.Matches(labels); });
    });
  }
};

core::Result<RulesQuery> ReadRulesQuery(const HttpRequest& request) {
  RulesQuery query{.type = request.Param("type").value_or(""),
                   .names = request.Params("rule_name[]"),
                   .groups = request.Params("rule_group[]"),
                   .files = request.Params("file[]")};
  std::ranges::transform(query.type, query.type.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (!query.type.empty() && query.type != "alert" && query.type != "record")
    return core::Fail(InvalidParam("type", "not supported value " + core::JsonString(query.type)));
  auto matchers = MatchParams(request);
  if (!matchers) return core::Fail(matchers.error());
  query.matchers = std::move(*matchers);
  if (const auto text = request.Param("exclude_alerts"); text && !text->empty()) {
    const auto exclude = ParseGoBool(*text);
    if (!exclude) return core::Fail(InvalidParam("exclude_alerts", exclude.error().message));
    query.with_alerts = !*exclude;
  }
  query.next_token = request.Param("group_next_token").value_or("");
  if (const auto text = request.Param("group_limit"); text && !text->empty()) {
    const auto limit = ParseApiInt(*text, "ParseInt");
    if (!limit)
      return core::Fail(
          InvalidParam("group_limit", "group_limit needs to be a valid number: " + limit.error().message));
    if (*limit <= 0) return core::Fail(InvalidParam("group_limit", "group_limit needs to be greater than 0"));
    query.group_limit = static_cast<std::size_t>(*limit);
  } else if (!query.next_token.empty()) {
    return core::Fail(
        InvalidParam("group_next_token", "group_limit needs to be present in order to paginate over the groups"));
  }
  return query;
}

// Names a group in answers that come in pages.
std::string TokenOf(const rules::RuleGroupView& group) {
  return fmt::format("{:016x}", core::Labels{{"file", group.file}, {"name", group.name}}.Fingerprint());
}

HttpResponse ShowRules(const ServerContext& context, const HttpRequest& request) {
  const auto query = ReadRulesQuery(request);
  if (!query) return ErrorResponse(Envelope::kPrometheus, 400, query.error().message);
  json list = json::array();
  json data = json::object();
  bool skipping = !query->next_token.empty();
  for (const auto& shared : SortedGroups(context)) {
    const rules::RuleGroupView& group = *shared;
    if (skipping && TokenOf(group) != query->next_token) continue;
    skipping = false;
    if (!Wanted(query->groups, group.name) || !Wanted(query->files, group.file)) continue;
    json rows = json::array();
    for (const rules::RuleView& rule : group.rules)
      if (query->Wants(rule)) rows.push_back(RuleJson(rule, query->with_alerts));
    if (rows.empty()) continue;
    if (query->group_limit > 0 && list.size() == query->group_limit) {
      data["groupNextToken"] = TokenOf(group);
      break;
    }
    list.push_back({{"name", group.name},
                    {"file", group.file},
                    {"rules", std::move(rows)},
                    {"interval", group.interval_seconds},
                    {"limit", group.limit},
                    {"evaluationTime", group.evaluation_seconds},
                    {"lastEvaluation", TimeText(group.last_evaluation)}});
  }
  if (skipping)
    return ErrorResponse(Envelope::kPrometheus, 400,
                         InvalidParam("group_next_token",
                                      "invalid group_next_token '" + query->next_token + "'. were rule groups changed?")
                             .message);
  data["groups"] = std::move(list);
  return DataResponse(data);
}

HttpResponse ShowAlerts(const ServerContext& context) {
  json list = json::array();
  for (const auto& group : SortedGroups(context)) {
    for (const rules::RuleView& rule : group->rules) {
      for (const rules::AlertView& alert : rule.alerts) list.push_back(AlertJson(alert));
    }
  }
  return DataResponse({{"alerts", std::move(list)}});
}

}  // namespace

Routes RuleRoutes(std::shared_ptr<const ServerContext> context) {
  return {
      PrometheusRoute("/api/v1/rules", [context](const HttpRequest& request) { return ShowRules(*context, request); }),
      PrometheusRoute("/api/v1/alerts", [context](const HttpRequest&) { return ShowAlerts(*context); }),
  };
}

}  // namespace pipewarden::agent
