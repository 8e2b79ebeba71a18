// /api/pipewarden/v1/pipelines: the pipelines, their runs and logs, and run one now.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "agent/server/faces.h"
#include "agent/server/own_api.h"

namespace pipewarden::agent {
namespace {

using core::ErrorCode;
using core::Fail;
using nlohmann::json;

void SetTimes(json& object, core::WallTime started, core::WallTime ended) {
  SetTime(object, "started", started);
  SetTime(object, "ended", ended);
  if (started != core::WallTime{} && ended != core::WallTime{}) {
    object["duration_seconds"] = core::ToSeconds(ended - started);
  }
}

json RunJson(const RunView& run) {
  json object{{"id", run.id},       {"pipeline", run.pipeline}, {"cause", run.cause},
              {"state", run.state}, {"error", run.error},       {"steps", json::array()}};
  SetTime(object, "slot", run.slot);
  SetTimes(object, run.started, run.ended);
  for (const StepView& step : run.steps) {
    json row{{"name", step.name},
             {"state", step.state},
             {"attempts", step.attempts},
             {"exit_code", step.exit_code},
             {"error", step.error}};
    SetTimes(row, step.started, step.ended);
    object["steps"].push_back(std::move(row));
  }
  return object;
}

json PipelineJson(const PipelineView& pipeline) {
  json object{
      {"name", pipeline.name}, {"schedule", pipeline.schedule}, {"once", pipeline.once}, {"steps", pipeline.steps}};
  SetTime(object, "next_run", pipeline.next_run);
  if (pipeline.last_run) object["last_run"] = RunJson(*pipeline.last_run);
  object["active_runs"] = json::array();
  for (const RunView& run : pipeline.active_runs) object["active_runs"].push_back(RunJson(run));
  return object;
}

// {"env": {"MODE": "initial_load"}, "again": true}, both optional; an empty body is {}.
core::Result<RunPipelineRequest> ReadRunRequest(const HttpRequest& request) {
  RunPipelineRequest asked{.pipeline = request.Capture("name"), .env = {}};
  if (request.body.empty()) return asked;
  const json body = json::parse(request.body, nullptr, false);
  if (!body.is_object()) return Fail(ErrorCode::kInvalid, "the body is no JSON object");
  for (const auto& [key, value] : body.items()) {
    if (key == "again" && value.is_boolean()) {
      asked.again = value.get<bool>();
    } else if (key == "env" && value.is_object()) {
      for (const auto& [name, text] : value.items()) {
        if (!text.is_string()) return Fail(ErrorCode::kInvalid, "the value of env '" + name + "' is no string");
        const std::string content = text.get<std::string>();
        if (name.empty() || name.find_first_of(std::string_view("=\0", 2)) != std::string::npos ||
            content.find('\0') != std::string::npos) {
          return Fail(ErrorCode::kInvalid, "env '" + name + "' cannot be an environment variable");
        }
        asked.env[name] = content;
      }
    } else {
      return Fail(ErrorCode::kInvalid, "unknown key '" + key +
                                           "', or a value of another type: the body is {\"env\": "
                                           "{NAME: TEXT}, \"again\": BOOLEAN}");
    }
  }
  return asked;
}

// Streams a file from its begin to what is its end now.
HttpResponse FileResponse(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (descriptor < 0) return ErrorResponse(Envelope::kPrometheus, 404, "the log is not there any more");
  const std::shared_ptr<const int> file(new int(descriptor), [](const int* owned) {
    close(*owned);
    delete owned;
  });
  HttpResponse response;
  response.stream = [file](const BodyWriter& write) {
    std::array<char, 65536> buffer{};
    while (true) {
      const ssize_t got = read(*file, buffer.data(), buffer.size());
      if (got <= 0 || !write({buffer.data(), static_cast<std::size_t>(got)})) return;
    }
  };
  return response;
}

HttpResponse ShowLog(const ServerContext& context, const HttpRequest& request) {
  LogRequest asked{.pipeline = request.Capture("name"), .step = request.Param("step").value_or("")};
  auto attempt = NumberParam(request, "attempt", 0, 0, 1'000'000);
  if (!attempt) return ErrorResponse(Envelope::kPrometheus, attempt.error());
  asked.attempt = *attempt;
  const std::string run = request.Param("run").value_or("");
  const auto [end, error] = std::from_chars(run.data(), run.data() + run.size(), asked.run);
  if (!run.empty() && (error != std::errc() || end != run.data() + run.size() || asked.run < 0)) {
    return ErrorResponse(Envelope::kPrometheus, 400, "the parameter 'run' is a run's number");
  }
  auto path = context.log_path(std::move(asked), request.deadline);
  return path ? FileResponse(*path) : ErrorResponse(Envelope::kPrometheus, path.error());
}

}  // namespace

Routes PipelineRoutes(std::shared_ptr<const ServerContext> context) {
  return {
      {.methods = "GET",
       .path = "/api/pipewarden/v1/pipelines",
       .role = Role::kRead,
       .envelope = Envelope::kPrometheus,
       .handle =
           [context](const HttpRequest& request) {
             if (!context->pipelines) return AbsentResponse("pipelines");
             auto pipelines = context->pipelines(request.deadline);
             if (!pipelines) return ErrorResponse(Envelope::kPrometheus, pipelines.error());
             json list = json::array();
             for (const PipelineView& pipeline : *pipelines) list.push_back(PipelineJson(pipeline));
             return DataResponse(list);
           }},
      {.methods = "GET",
       .path = "/api/pipewarden/v1/pipelines/{name}/runs",
       .role = Role::kRead,
       .envelope = Envelope::kPrometheus,
       .handle =
           [context](const HttpRequest& request) {
             if (!context->runs) return AbsentResponse("pipelines");
             auto limit = NumberParam(request, "limit", 20, 1, 1000);
             if (!limit) return ErrorResponse(Envelope::kPrometheus, limit.error());
             auto runs = context->runs(request.Capture("name"), *limit, request.deadline);
             if (!runs) return ErrorResponse(Envelope::kPrometheus, runs.error());
             json list = json::array();
             for (const RunView& run : *runs) list.push_back(RunJson(run));
             return DataResponse(list);
           }},
      {.methods = "GET",
       .path = "/api/pipewarden/v1/pipelines/{name}/logs",
       .role = Role::kRead,
       .deadline = std::chrono::seconds(60),
       .envelope = Envelope::kPrometheus,
       .handle =
           [context](const HttpRequest& request) {
             return context->log_path ? ShowLog(*context, request) : AbsentResponse("pipelines");
           }},
      {.methods = "POST",
       .path = "/api/pipewarden/v1/pipelines/{name}/run",
       .role = Role::kOperate,
       .mutates = true,
       .max_body_bytes = 256U << 10U,
       .deadline = std::chrono::seconds(20),
       .envelope = Envelope::kPrometheus,
       .handle =
           [context](const HttpRequest& request) {
             if (!context->run_pipeline) return AbsentResponse("pipelines");
             auto asked = ReadRunRequest(request);
             if (!asked) return ErrorResponse(Envelope::kPrometheus, asked.error());
             auto id = context->run_pipeline(std::move(*asked), request.deadline);
             return id ? DataResponse(json{{"id", *id}}) : ErrorResponse(Envelope::kPrometheus, id.error());
           }},
  };
}

}  // namespace pipewarden::agent
