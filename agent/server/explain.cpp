// /api/pipewarden/v1/alerts/{fingerprint}/explain, /api/pipewarden/v1/notifications and the page of one alert: why it
// fires, what became of it, who was told, what was answered, and what comes next.
#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "agent/server/ask.h"
#include "agent/server/faces.h"
#include "agent/server/html.h"
#include "agent/server/own_api.h"
#include "alertmanager/alertmanager.h"
#include "core/text/go_float.h"
#include "core/time/civil_time.h"
#include "core/time/duration.h"
#include "rules/snapshot.h"

namespace pipewarden::agent {
namespace {

using alertmanager::AlertExplanation;
using alertmanager::HistoryEntry;
using nlohmann::json;
using Context = std::shared_ptr<const ServerContext>;

// The rule that raised the alert, as it was last judged.
struct RuleOf {
  std::shared_ptr<const rules::RuleGroupView> group;
  const rules::RuleView* rule = nullptr;
  const rules::AlertView* alert = nullptr;
};

// External labels are added to what a rule raises, therefore an alert has at least its rule's labels.
std::optional<RuleOf> FindRule(const Context& context, const core::Labels& labels) {
  const auto snapshot = context->rules ? context->rules() : nullptr;
  std::optional<RuleOf> best;
  for (std::size_t i = 0; snapshot != nullptr && i < snapshot->groups.size(); ++i)
    for (const rules::RuleView& rule : snapshot->groups[i]->rules)
      for (const rules::AlertView& alert : rule.alerts) {
        const bool same = std::ranges::all_of(
            alert.labels, [&](core::LabelView label) { return labels.Get(label.name) == label.value; });
        if (same && (!best || best->alert->labels.size() < alert.labels.size()))
          best = RuleOf{snapshot->groups[i], &rule, &alert};
      }
  return best;
}

std::string RuleWords(const RuleOf& of) {
  std::string words = "Rule '" + of.rule->name + "' of group '" + of.group->name + "' in " + of.group->file +
                      " says so: " + of.rule->query + " yields " + core::FormatGoFloat(of.alert->value, 'g', -1) +
                      ", and has held since " + core::FormatRfc3339(core::FromMs(of.alert->active_at / 1000 * 1000));
  if (of.rule->for_seconds > 0)
    words +=
        " (for: " + core::FormatDuration(std::chrono::milliseconds(std::int64_t(of.rule->for_seconds * 1000))) + ")";
  if (of.alert->keep_firing_since != 0)
    words += "; it has cleared at " + core::FormatRfc3339(core::FromMs(of.alert->keep_firing_since / 1000 * 1000)) +
             ", and keep_firing_for holds it";
  return words + ".";
}

std::optional<std::uint64_t> ParseFingerprint(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size() || text.size() > 16) return std::nullopt;
  return value;
}

struct Explained {
  AlertExplanation of;
  std::optional<RuleOf> rule;
};

core::Result<Explained> Explain(const Context& context, const HttpRequest& request) {
  const std::string text = request.Capture("fingerprint");
  const auto fingerprint = ParseFingerprint(text);
  if (!fingerprint)
    return core::Fail(core::ErrorCode::kInvalid,
                      "'" + text + "' is no fingerprint: it has up to 16 hexadecimal digits (pipewarden alert list)");
  using Asked = std::optional<AlertExplanation>;
  auto asked = AskLoop<Asked>(*context->loop, request.deadline, [context, fingerprint]() -> core::Result<Asked> {
    return context->alertmanager->Explain(*fingerprint);
  });
  if (!asked) return core::Fail(asked.error());
  if (!*asked)
    return core::Fail(core::ErrorCode::kNotFound,
                      "no alert has the fingerprint " + text + ", and no notification of one is remembered");
  Explained explained{.of = std::move(**asked), .rule = {}};
  if (const auto& alert = explained.of.alert; alert != nullptr) {
    explained.rule = FindRule(context, alert->labels);
    auto& words = explained.of.words;
    if (explained.rule)
      words.insert(words.begin() + 1, RuleWords(*explained.rule));
    else if (!alert->generator_url.empty())
      words.insert(words.begin() + 1, "No rule here raises it now; its source is " + alert->generator_url + " .");
  }
  return explained;
}

json Fingerprints(const std::vector<std::uint64_t>& list) {
  json out = json::array();
  for (const std::uint64_t one : list) out.push_back(alertmanager::FingerprintText(one));
  return out;
}

json HistoryJson(const HistoryEntry& entry) {
  json object{{"id", entry.id},
              {"took_seconds", core::ToSeconds(entry.took)},
              {"receiver", entry.receiver},
              {"integration", entry.integration},
              {"group_key", entry.group_key},
              {"title", entry.title},
              {"reason", alertmanager::NotifyReasonText(entry.reason)},
              {"result", alertmanager::NotifyResultText(entry.result)},
              {"attempts", entry.attempts},
              {"error", entry.error},
              {"firing", entry.firing_count},
              {"resolved", entry.resolved_count},
              {"firing_alerts", Fingerprints(entry.firing)},
              {"resolved_alerts", Fingerprints(entry.resolved)}};
  SetTime(object, "at", entry.at);
  return object;
}

json RouteJson(const alertmanager::RouteExplanation& route) {
  json object{{"receiver", route.receiver},
              {"route", route.route},
              {"path", route.path},
              {"group_key", route.group_key},
              {"group_labels", LabelsJson(route.group_labels)},
              {"muted_by", route.muted_by},
              {"grouped", route.grouped},
              {"flushed", route.flushed},
              {"integrations", json::array()}};
  SetTime(object, "next_tick", route.next_tick);
  for (const auto& one : route.integrations) {
    json integration{{"name", one.name},
                     {"told_firing", one.told_firing},
                     {"told_resolved", one.told_resolved},
                     {"in_flight", one.in_flight},
                     {"undelivered", one.undelivered}};
    SetTime(integration, "told_at", one.told_at);
    SetTime(integration, "repeat_at", one.repeat_at);
    object["integrations"].push_back(std::move(integration));
  }
  return object;
}

json ExplainJson(const Explained& explained) {
  const AlertExplanation& of = explained.of;
  json object{{"fingerprint", alertmanager::FingerprintText(of.fingerprint)}, {"words", of.words}};
  if (of.alert != nullptr) {
    object["labels"] = LabelsJson(of.alert->labels);
    object["annotations"] = LabelsJson(of.alert->annotations);
    SetTime(object, "starts_at", of.alert->starts_at);
    SetTime(object, "ends_at", of.alert->ends_at);
  }
  if (const auto& rule = explained.rule) {
    object["rule"] = {{"name", rule->rule->name},
                      {"group", rule->group->name},
                      {"file", rule->group->file},
                      {"query", rule->rule->query},
                      {"for_seconds", rule->rule->for_seconds},
                      {"value", core::FormatGoFloat(rule->alert->value, 'g', -1)}};
    SetTime(object["rule"], "active_at", core::FromMs(rule->alert->active_at));
  }
  if (of.suppressed_by) object["suppressed_by"] = alertmanager::DownText(*of.suppressed_by);
  object["silenced_by"] = json::array();
  for (const auto& silence : of.silences) object["silenced_by"].push_back(silence.id);
  object["inhibited_by"] = json::array();
  for (const auto& [fingerprint, alert] : of.inhibitors)
    object["inhibited_by"].push_back(alertmanager::FingerprintText(fingerprint));
  object["routes"] = json::array();
  for (const auto& route : of.routes) object["routes"].push_back(RouteJson(route));
  object["notifications"] = json::array();
  for (const HistoryEntry& entry : of.history) object["notifications"].push_back(HistoryJson(entry));
  return object;
}

std::string ExplainPage(const Explained& explained) {
  const AlertExplanation& of = explained.of;
  const std::string name =
      of.alert == nullptr ? alertmanager::FingerprintText(of.fingerprint) : std::string(of.alert->Name());
  std::string body = "<h1>" + Html(name) + "</h1>";
  if (of.alert != nullptr) {
    body += "<p>";
    for (const core::LabelView label : of.alert->labels)
      body += "<span class=\"label\">" + Html(label.name) + "=" + Html(label.value) + "</span>";
    body += "</p>";
  }
  body += "<section><h2>What became of it</h2><ol>";
  for (const std::string& sentence : of.words) body += "<li>" + Html(sentence) + "</li>";
  body += "</ol></section>";
  if (of.alert != nullptr && !of.alert->annotations.empty()) {
    body += "<section><h2>What it says</h2><dl>";
    for (const core::LabelView annotation : of.alert->annotations)
      body += "<dt>" + Html(annotation.name) + "</dt><dd><pre>" + Html(annotation.value) + "</pre></dd>";
    body += "</dl></section>";
  }
  return Page(name, body + "<p><a href=\"/\">Overview</a></p>");
}

HttpResponse GetExplain(const Context& context, const HttpRequest& request) {
  const auto explained = Explain(context, request);
  if (!explained) return ErrorResponse(Envelope::kPrometheus, explained.error());
  return DataResponse(ExplainJson(*explained));
}

HttpResponse GetPage(const Context& context, const HttpRequest& request) {
  const auto explained = Explain(context, request);
  if (!explained) return ErrorResponse(Envelope::kHtml, explained.error());
  return HtmlResponse(ExplainPage(*explained));
}

HttpResponse GetHistory(const Context& context, const HttpRequest& request) {
  const auto limit = NumberParam(request, "limit", 100, 1, 1000);
  if (!limit) return ErrorResponse(Envelope::kPrometheus, limit.error());
  using Entries = std::vector<HistoryEntry>;
  auto entries = AskLoop<Entries>(*context->loop, request.deadline, [context, limit]() -> core::Result<Entries> {
    return context->alertmanager->NotificationHistory(static_cast<std::size_t>(*limit));
  });
  if (!entries) return ErrorResponse(Envelope::kPrometheus, entries.error());
  json list = json::array();
  for (const HistoryEntry& entry : *entries) list.push_back(HistoryJson(entry));
  return DataResponse(list);
}

Route Row(std::string_view path, Envelope envelope, const Context& context,
          HttpResponse (*handle)(const Context&, const HttpRequest&)) {
  return {.methods = "GET",
          .path = path,
          .role = Role::kRead,
          .envelope = envelope,
          .handle = [context, handle](const HttpRequest& request) { return handle(context, request); }};
}

}  // namespace

Routes ExplainRoutes(std::shared_ptr<const ServerContext> context) {
  if (context->alertmanager == nullptr) return {};
  return {Row("/api/pipewarden/v1/alerts/{fingerprint}/explain", Envelope::kPrometheus, context, GetExplain),
          Row("/api/pipewarden/v1/notifications", Envelope::kPrometheus, context, GetHistory),
          Row("/alerts/{fingerprint}", Envelope::kHtml, context, GetPage)};
}

}  // namespace pipewarden::agent
