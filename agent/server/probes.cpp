// /api/pipewarden/v1/probes: what the probes say, and run one now.
#include <nlohmann/json.hpp>

#include "agent/server/faces.h"
#include "agent/server/own_api.h"

namespace pipewarden::agent {
namespace {

using nlohmann::json;

json ProbeJson(const ProbeView& probe) {
  json object{{"name", probe.name},
              {"kind", probe.kind},
              {"component", probe.component},
              {"target", probe.target},
              {"state", probe.state},
              {"success", probe.success},
              {"message", probe.message},
              {"duration_seconds", core::ToSeconds(probe.duration)},
              {"interval_seconds", core::ToSeconds(probe.interval)}};
  SetTime(object, "since", probe.since);
  SetTime(object, "last_run", probe.last_run);
  json values = json::object();
  for (const auto& [name, value] : probe.values) values[name] = value;
  object["values"] = std::move(values);
  return object;
}

HttpResponse ShowOne(const ServerContext& context, const HttpRequest& request) {
  auto probes = context.probes(request.deadline);
  if (!probes) return ErrorResponse(Envelope::kPrometheus, probes.error());
  const std::string name = request.Capture("name");
  for (const ProbeView& probe : *probes) {
    if (probe.name == name) return DataResponse(ProbeJson(probe));
  }
  return ErrorResponse(Envelope::kPrometheus, 404, "there is no probe '" + name + "'");
}

}  // namespace

Routes ProbeRoutes(std::shared_ptr<const ServerContext> context) {
  return {
      {.methods = "GET",
       .path = "/api/pipewarden/v1/probes",
       .role = Role::kRead,
       .envelope = Envelope::kPrometheus,
       .handle =
           [context](const HttpRequest& request) {
             if (!context->probes) return AbsentResponse("probes");
             auto probes = context->probes(request.deadline);
             if (!probes) return ErrorResponse(Envelope::kPrometheus, probes.error());
             json list = json::array();
             for (const ProbeView& probe : *probes) list.push_back(ProbeJson(probe));
             return DataResponse(list);
           }},
      {.methods = "GET",
       .path = "/api/pipewarden/v1/probes/{name}",
       .role = Role::kRead,
       .envelope = Envelope::kPrometheus,
       .handle =
           [context](const HttpRequest& request) {
             return context->probes ? ShowOne(*context, request) : AbsentResponse("probes");
           }},
      {.methods = "POST",
       .path = "/api/pipewarden/v1/probes/{name}/run",
       .role = Role::kOperate,
       .mutates = true,
       .max_body_bytes = 4096,
       .deadline = std::chrono::seconds(60),
       .envelope = Envelope::kPrometheus,
       .handle =
           [context](const HttpRequest& request) {
             if (!context->run_probe) return AbsentResponse("probes");
             auto probe = context->run_probe(request.Capture("name"), request.deadline);
             return probe ? DataResponse(ProbeJson(*probe)) : ErrorResponse(Envelope::kPrometheus, probe.error());
           }},
  };
}

}  // namespace pipewarden::agent
