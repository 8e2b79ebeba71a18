#include "agent/pipelines/environment.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>

#include "core/time/civil_time.h"

namespace pipewarden::agent {
namespace {

using core::Result;

constexpr const char* kInherited[] = {"PATH", "HOME",   "USER",     "LOGNAME", "SHELL",
                                      "LANG", "LC_ALL", "LC_CTYPE", "TZ",      "TMPDIR"};
constexpr std::string_view kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::size_t kMinGuessedSecret =
    6;  // shorter values of variables that only sound secret would garble the output

bool SoundsSecret(std::string name) {
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  for (const char* word : {"PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY", "APIKEY"})
    if (name.find(word) != std::string::npos) return true;
  return false;
}

Result<std::string> Render(const std::string& name, const std::string& text) {
  if (text.find("{{") == std::string::npos) return text;
  return core::Fail(core::ErrorCode::kInvalid, "variable " + name + " is a template, and templates are not there yet");
}

Result<std::string> ReadSecret(const std::string& path) {
  std::ifstream in(path);
  std::string text(65536, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.gcount() <= 0)
    return core::Fail(
        core::ErrorCode::kDenied,
        "the secret file " + path + " cannot be read, or is empty (is it there, and readable for the agent's user?)");
  text.resize(static_cast<std::size_t>(in.gcount()));
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  return text;
}

}  // namespace

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
  for (const EnvMap* map : {&run.config->env, &step.env}) {
    for (const auto& [name, text] : *map) {
      Result<std::string> value = Render(name, text);
      if (!value) return core::Fail(value.error());
      env[name] = std::move(*value);
    }
  }
  for (const SecretVariable& secret : secrets) {
    std::string value = secret.value.Reveal();
    if (!secret.file.empty()) {
      Result<std::string> read = ReadSecret(secret.file);
      if (!read) return core::Fail(read.error());
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
