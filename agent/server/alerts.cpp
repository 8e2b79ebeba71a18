// /api/pipewarden/v1/alerts, /inbox and /receivers/{name}/test: the alerts as the alertmanager has them, what the
// built-in inbox kept, and a sample through a receiver.
#include <nlohmann/json.hpp>

#include "agent/server/faces.h"
#include "agent/server/own_api.h"

namespace pipewarden::agent {
namespace {

using nlohmann::json;

json AlertJson(const AlertView& view) {
  json object{{"labels", LabelsJson(view.alert.labels)},
              {"annotations", LabelsJson(view.alert.annotations)},
              {"state", view.state},
              {"suppressed_by", view.suppressed_by},
              {"silenced_by", view.silenced_by},
              {"inhibited_by", view.inhibited_by},
              {"receivers", view.receivers},
              {"generator_url", view.alert.generator_url}};
  SetTime(object, "starts_at", view.alert.starts_at);
  SetTime(object, "ends_at", view.alert.ends_at);
  SetTime(object, "updated_at", view.alert.updated_at);
  return object;
}

json InboxJson(const InboxView& entry) {
  json object{{"id", entry.id},         {"receiver", entry.receiver},
              {"status", entry.status}, {"subject", entry.subject},
              {"text", entry.text},     {"group_labels", LabelsJson(entry.group_labels)},
              {"firing", entry.firing}, {"resolved", entry.resolved}};
  SetTime(object, "at", entry.at);
  return object;
}

}  // namespace

Routes AlertRoutes(std::shared_ptr<const ServerContext> context) {
  return {
      {.methods = "GET",
       .path = "/api/pipewarden/v1/alerts",
       .role = Role::kRead,
       .envelope = Envelope::kPrometheus,
       .handle =
           [context](const HttpRequest& request) {
             if (!context->alerts) return AbsentResponse("alerts: it hands them over to another Alertmanager");
             auto alerts = context->alerts(request.deadline);
             if (!alerts) return ErrorResponse(Envelope::kPrometheus, alerts.error());
             json list = json::array();
             for (const AlertView& alert : *alerts) list.push_back(AlertJson(alert));
             return DataResponse(list);
           }},
      {.methods = "GET",
       .path = "/api/pipewarden/v1/inbox",
       .role = Role::kRead,
       .envelope = Envelope::kPrometheus,
       .handle =
           [context](const HttpRequest& request) {
             if (!context->inbox) return AbsentResponse("inbox");
             auto limit = NumberParam(request, "limit", 100, 1, 1000);
             if (!limit) return ErrorResponse(Envelope::kPrometheus, limit.error());
             auto entries = context->inbox(*limit, request.deadline);
             if (!entries) return ErrorResponse(Envelope::kPrometheus, entries.error());
             json list = json::array();
             for (const InboxView& entry : *entries) list.push_back(InboxJson(entry));
             return DataResponse(list);
           }},
      {.methods = "POST",
       .path = "/api/pipewarden/v1/receivers/{name}/test",
       .role = Role::kOperate,
       .mutates = true,
       .max_body_bytes = 1024,
       .deadline = std::chrono::seconds(60),
       .envelope = Envelope::kPrometheus,
       .handle =
           [context](const HttpRequest& request) {
             if (!context->test_receiver) return AbsentResponse("receivers");
             auto outcomes = context->test_receiver(request.Capture("name"), request.deadline);
             if (!outcomes) return ErrorResponse(Envelope::kPrometheus, outcomes.error());
             json list = json::array();
             for (const ReceiverTestView& outcome : *outcomes)
               list.push_back({{"integration", outcome.integration}, {"ok", outcome.ok}, {"error", outcome.error}});
             return DataResponse(list);
           }},
  };
}

}  // namespace pipewarden::agent
