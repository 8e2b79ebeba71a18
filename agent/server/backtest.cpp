// POST /api/pipewarden/v1/rules/backtest {"name": …, "file": TEXT, "since_seconds": N}: a rule file replayed over what
// the storage holds, with the alert_options that the configuration has for a file of that name. One at a time; it works
// on the server's thread, over read views, so that nothing else waits for it.
#include <algorithm>
#include <atomic>
#include <nlohmann/json.hpp>

#include "agent/server/faces.h"
#include "agent/server/own_api.h"
#include "core/time/duration.h"
#include "rules/backtest.h"

namespace pipewarden::agent {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxEvents = 10'000;

json EventJson(const rules::BacktestEvent& event) {
  json object{{"time", static_cast<double>(event.time) / 1000}, {"group", event.group}};
  if (!event.error.empty()) {
    object["error"] = event.error;
    return object;
  }
  object["state"] = event.firing ? "firing" : "resolved";
  object["labels"] = LabelsJson(event.labels);
  if (!event.firing) object["after_seconds"] = static_cast<double>(event.time - event.since) / 1000;
  return object;
}

HttpResponse Backtest(const ServerContext& context, const HttpRequest& request) {
  const json body = json::parse(request.body, nullptr, false);
  const auto text = [&](const char* name) { return body[name].get<std::string>(); };
  if (!body.is_object() || !body.contains("file") || !body["file"].is_string() || !body.contains("name") ||
      !body["name"].is_string() || !body.contains("since_seconds") || !body["since_seconds"].is_number_unsigned())
    return ErrorResponse(
        Envelope::kPrometheus, 400,
        "the body must be {\"name\": \"rules.yml\", \"file\": \"groups: …\", \"since_seconds\": 604800}");
  rules::BacktestOptions options;
  options.parse.experimental_functions = context.experimental_functions;
  core::ConfigErrors errors;
  rules::RuleFile file = rules::ParseRuleFile(text("file"), text("name"), errors, options.parse);
  if (!errors.empty()) return ErrorResponse(Envelope::kPrometheus, errors.ToError());
  if (context.settings) {
    const auto settings = context.settings(request.deadline);
    if (!settings) return ErrorResponse(Envelope::kPrometheus, settings.error());
    options.external_labels = settings->external_labels;
    if (settings->rules != nullptr) rules::CopyAlertOptions(*settings->rules, file, options.parse);
    if (const auto interval = core::ParseDuration(settings->evaluation_interval)) options.default_interval = *interval;
  }
  options.to = core::ToMs(context.clock->Now());
  const auto since = std::min<std::uint64_t>(body["since_seconds"].get<std::uint64_t>(), 10ULL * 366 * 86400);
  options.from = options.to - static_cast<core::TimestampMs>(since) * 1000;
  options.deadline = request.deadline;
  json events = json::array();
  bool whole = true;
  const auto summary = rules::RunBacktest(file, *context.storage, *context.engine, *context.clock, options,
                                          [&](const rules::BacktestEvent& event) {
                                            whole = events.size() < kMaxEvents;
                                            if (whole) events.push_back(EventJson(event));
                                            return whole;
                                          });
  if (!summary) return ErrorResponse(Envelope::kPrometheus, summary.error());
  return DataResponse({{"events", std::move(events)},
                       {"truncated", !whole},
                       {"evaluations", summary->evaluations},
                       {"firings", summary->firings},
                       {"still_firing", summary->still_firing}});
}

}  // namespace

Routes BacktestRoutes(std::shared_ptr<const ServerContext> context) {
  if (context->engine == nullptr || context->storage == nullptr) return {};
  auto busy = std::make_shared<std::atomic<bool>>(false);
  return {{.methods = "POST",
           .path = "/api/pipewarden/v1/rules/backtest",
           .role = Role::kOperate,
           .mutates = true,  // it changes nothing, and takes a core for minutes
           .max_body_bytes = 4U << 20U,
           .deadline = std::chrono::minutes(10),
           .envelope = Envelope::kPrometheus,
           .handle = [context, busy](const HttpRequest& request) {
             if (busy->exchange(true))
               return ErrorResponse(Envelope::kPrometheus, 503, "a backtest is under way; try again when it has ended");
             struct Release {
               std::atomic<bool>& flag;
               ~Release() { flag = false; }
             } const release{*busy};
             return Backtest(*context, request);
           }}};
}

}  // namespace pipewarden::agent
