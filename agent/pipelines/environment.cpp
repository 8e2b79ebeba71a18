#include "agent/pipelines/environment.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "core/read_file.h"
#include "core/template/template.h"
#include "core/time/civil_time.h"

namespace pipewarden::agent {
namespace {

using core::Result;
using core::Value;

constexpr const char* kInherited[] = {"PATH", "HOME",   "USER",     "LOGNAME", "SHELL",
                                      "LANG", "LC_ALL", "LC_CTYPE", "TZ",      "TMPDIR"};
constexpr std::string_view kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::size_t kMaxValue = 128U << 10U;  // what the kernel takes of one variable (MAX_ARG_STRLEN)
constexpr std::size_t kMinGuessedSecret =
    6;  // shorter values of variables that only sound secret would garble the output

bool SoundsSecret(std::string name) {
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  for (const char* word : {"PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY", "APIKEY"})
    if (name.find(word) != std::string::npos) return true;
  return false;
}

// What templates may call beside Go's built-ins and the methods of time.Time (.Slot.AddDate, .Slot.Unix, …).
std::shared_ptr<const core::FunctionTable> Functions() {
  using core::Param;
  core::FunctionTable table;
  // {{ .IntervalStart | date "2006-01-02" }}
  table["date"] = {.params = {Param::kString, Param::kTime},
                   .variadic = false,
                   .call = [](std::span<const Value> args) -> Result<Value> {
                     return Value::String(core::FormatGoTime(args[1].time(), args[0].string()));
                   }};
  // {{ .Slot | tz "UTC" | date "2006-01-02" }}
  table["tz"] = {.params = {Param::kString, Param::kTime},
                 .variadic = false,
                 .call = [](std::span<const Value> args) -> Result<Value> {
                   auto zone = core::TimeZone::Find(args[0].string());
                   if (!zone) return core::Fail(zone.error());
                   core::ZonedTime time = args[1].time();
                   time.zone = std::move(*zone);
                   return Value::Time(std::move(time));
                 }};
  // {{ .Slot | addDays -1 | date "2006-01-02" }}: the same time of day, so many days of the calendar later.
  table["addDays"] = {.params = {Param::kInt, Param::kTime},
                      .variadic = false,
                      .call = [](std::span<const Value> args) -> Result<Value> {
                        core::ZonedTime time = args[1].time();
                        core::CivilTime civil = time.Civil();
                        civil.day += static_cast<int>(args[0].integer());
                        time.seconds = time.zone.ToUtc(core::CivilSeconds(civil)).earlier;
                        return Value::Time(std::move(time));
                      }};
  return std::make_shared<const core::FunctionTable>(std::move(table));
}

// What templates see.
Value DataOf(const Run& run, const StepConfig& step, int attempt) {
  const core::TimeZone zone = core::TimeZone::Find(run.config->timezone).value_or(core::TimeZone());
  const auto time = [&](core::WallTime at) { return Value::Time(core::ZonedTime::From(at, zone)); };
  core::ValueMap params;
  for (const auto& [name, value] : run.config->params) params.entries[name] = Value::String(value);
  return Value::Struct({{{"Pipeline", Value::String(run.config->name)},
                         {"Step", Value::String(step.name)},
                         {"RunID", Value::Int(run.id)},
                         {"Attempt", Value::Int(attempt)},
                         {"Slot", time(run.slot)},
                         {"IntervalStart", time(run.interval_start)},
                         {"IntervalEnd", time(run.slot)},
                         {"Params", Value::Map(std::move(params))}}});
}

Result<std::string> Render(const std::string& name, const std::string& text, const Value& data) {
  if (text.find("{{") == std::string::npos) return text;
  auto parsed = core::Template::Parse(name, text, Functions());
  if (!parsed) return core::Fail(parsed.error());
  return parsed->Execute(data, {.max_output_bytes = kMaxValue});
}

}  // namespace

Result<void> CheckTemplate(const std::string& name, const std::string& text, const PipelineConfig& config) {
  Run run;
  run.config = std::make_shared<const PipelineConfig>(config);
  run.id = 1;
  run.slot = core::WallTime{std::chrono::hours(24 * 366)};
  run.interval_start = run.slot - std::chrono::hours(24);
  const auto rendered = Render(name, text, DataOf(run, StepConfig(), 1));
  if (!rendered) return core::Fail(rendered.error());
  return {};
}

Result<StepEnvironment> BuildEnvironment(const Run& run, const StepConfig& step, int attempt,
                                         const std::vector<SecretVariable>& secrets) {
  std::map<std::string, std::string> env;
  StepEnvironment out;
  env["PATH"] = kDefaultPath;
  const auto inherit = [&](const std::string& name) {
    if (const char* value = std::getenv(name.c_str())) env[name] = value;
  };
  for (const char* name : kInherited) inherit(name);
  for (const std::string& name : run.config->inherit_env) inherit(name);

  const std::string slot = core::FormatRfc3339(run.slot);
  env["EVENT_DATE"] = core::FormatRfc3339(run.slot - std::chrono::hours(24)).substr(0, 10);
  const Value data = DataOf(run, step, attempt);
  for (const EnvMap* map : {&run.config->env, &step.env}) {
    for (const auto& [name, text] : *map) {
      Result<std::string> value = Render(name, text, data);
      if (!value) return core::Fail(value.error());
      env[name] = std::move(*value);
    }
  }
  for (const SecretVariable& secret : secrets) {
    std::string value = secret.value.Reveal();
    if (!secret.file.empty()) {
      Result<std::string> read = core::ReadSecretFile(secret.file);
      if (!read || read->empty())
        return core::Fail(core::ErrorCode::kDenied, "the secret file " + secret.file + " cannot be used: " +
                                                        (read ? "it is empty" : read.error().message) +
                                                        " (is it there, and readable for the agent's user?)");
      value = std::move(*read);
    }
    out.secrets.push_back(value);
    env[secret.name] = std::move(value);
  }
  for (const auto& [name, value] : run.env) env[name] = value;
  for (const auto& [name, value] : env)
    if (SoundsSecret(name) && value.size() >= kMinGuessedSecret) out.secrets.push_back(value);

  env["PIPEWARDEN_PIPELINE"] = run.config->name;
  env["PIPEWARDEN_STEP"] = step.name;
  env["PIPEWARDEN_RUN_ID"] = std::to_string(run.id);
  env["PIPEWARDEN_ATTEMPT"] = std::to_string(attempt);
  env["PIPEWARDEN_SLOT"] = slot;
  env["PIPEWARDEN_INTERVAL_START"] = core::FormatRfc3339(run.interval_start);
  env["PIPEWARDEN_INTERVAL_END"] = slot;
  for (const auto& [name, value] : env) out.variables.push_back(name + "=" + value);
  return out;
}

}  // namespace pipewarden::agent
