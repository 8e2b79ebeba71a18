// What a run keeps of its configuration.
#include <nlohmann/json.hpp>

#include "agent/pipelines/pipeline.h"

namespace pipewarden::agent {
namespace {

using nlohmann::json;

json EnvToJson(const EnvMap& env) {
  json out = json::array();
  for (const auto& [name, value] : env) out.push_back({name, value});
  return out;
}

EnvMap EnvFromJson(const json& in) {
  EnvMap env;
  for (const json& pair : in) env.emplace_back(pair.at(0).get<std::string>(), pair.at(1).get<std::string>());
  return env;
}

json StepToJson(const StepConfig& step) {
  return {{"name", step.name},
          {"argv", step.argv},
          {"after", step.after},
          {"env", EnvToJson(step.env)},
          {"timeout_ns", step.timeout.count()},
          {"grace_ns", step.grace.count()},
          {"retries",
           {{"count", step.retries.count},
            {"delay_ns", step.retries.delay.count()},
            {"backoff", step.retries.backoff},
            {"max_delay_ns", step.retries.max_delay.count()},
            {"exit_codes", step.retries.exit_codes}}},
          {"cwd", step.cwd},
          {"requires", step.needs},
          {"requires_timeout_ns", step.needs_timeout.count()},
          {"on_lost", static_cast<int>(step.on_lost)},
          {"keep_background", step.keep_background},
          {"output_max", step.output_max}};
}

core::Duration DurationOf(const json& in, const char* key) { return core::Duration(in.at(key).get<std::int64_t>()); }

StepConfig StepFromJson(const json& in) {
  StepConfig step;
  step.name = in.at("name");
  step.argv = in.at("argv").get<std::vector<std::string>>();
  step.after = in.at("after").get<std::vector<std::string>>();
  step.env = EnvFromJson(in.at("env"));
  step.timeout = DurationOf(in, "timeout_ns");
  step.grace = DurationOf(in, "grace_ns");
  const json& retries = in.at("retries");
  step.retries.count = retries.at("count");
  step.retries.delay = DurationOf(retries, "delay_ns");
  step.retries.backoff = retries.at("backoff");
  step.retries.max_delay = DurationOf(retries, "max_delay_ns");
  step.retries.exit_codes = retries.at("exit_codes").get<std::vector<int>>();
  step.cwd = in.at("cwd");
  step.needs = in.at("requires").get<std::vector<std::string>>();
  step.needs_timeout = DurationOf(in, "requires_timeout_ns");
  step.on_lost = static_cast<OnLost>(in.at("on_lost").get<int>());
  step.keep_background = in.at("keep_background");
  step.output_max = in.at("output_max");
  return step;
}

}  // namespace

std::string PipelineToJson(const PipelineConfig& config) {
  json steps = json::array();
  for (const StepConfig& step : config.steps) steps.push_back(StepToJson(step));
  json secret_files =
      json::array();  // the paths alone; values given in the configuration are taken from it when needed
  for (const SecretVariable& secret : config.secrets)
    if (!secret.file.empty()) secret_files.push_back({secret.name, secret.file});
  const json out = {{"name", config.name},
                    {"timezone", config.timezone},
                    {"env", EnvToJson(config.env)},
                    {"params", EnvToJson(config.params)},
                    {"secret_files", secret_files},
                    {"inherit_env", config.inherit_env},
                    {"max_duration_ns", config.sla.max_duration.count()},
                    {"steps", steps}};
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

core::Result<PipelineConfig> PipelineFromJson(std::string_view text) {
  try {
    const json in = json::parse(text);
    PipelineConfig config;
    config.name = in.at("name");
    config.timezone = in.at("timezone");
    config.env = EnvFromJson(in.at("env"));
    config.params = EnvFromJson(in.at("params"));
    for (const json& pair : in.at("secret_files"))
      config.secrets.push_back({.name = pair.at(0), .value = core::Secret(), .file = pair.at(1)});
    config.inherit_env = in.at("inherit_env").get<std::vector<std::string>>();
    config.sla.max_duration = DurationOf(in, "max_duration_ns");
    for (const json& step : in.at("steps")) config.steps.push_back(StepFromJson(step));
    return config;
  } catch (const json::exception& error) {
    return core::Fail(core::ErrorCode::kCorrupt,
                      std::string("a stored configuration does not read back: ") + error.what());
  }
}

}  // namespace pipewarden::agent
