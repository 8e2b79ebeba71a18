#include "agent/failure_notes.h"

#include <algorithm>
#include <fstream>
#include <optional>

#include "core/text/utf8.h"

namespace pipewarden::agent {
namespace {

struct Failure {
  RunId run = 0;
  const StepStatus* step = nullptr;
  int attempt = 0;
  std::vector<std::string> others{};  // steps of the run that failed too
};

// The number of the step's last attempt that failed; 0 where none did.
int FailedAttempt(const StepStatus& step) {
  switch (step.state) {
    case StepState::kFailed:
    case StepState::kLost:
    case StepState::kRetrying:
      return step.attempts;
    case StepState::kStarting:
    case StepState::kRunning:
      return step.attempts - 1;
    default:
      return 0;
  }
}

std::optional<Failure> FindFailure(const RunStatus& run, std::string_view step) {
  Failure found{.run = run.id};
  for (const StepStatus& one : run.steps) {
    if (FailedAttempt(one) <= 0 || (!step.empty() && one.name != step)) continue;
    if (found.step != nullptr) {
      found.others.push_back(one.name);
      continue;
    }
    found.step = &one;
    found.attempt = FailedAttempt(one);
  }
  if (found.step == nullptr) return std::nullopt;
  return found;
}

std::optional<Failure> FindFailure(const PipelineStatus& pipeline, std::string_view step) {
  if (pipeline.last_run && pipeline.last_run->state == RunState::kFailed)
    if (auto found = FindFailure(*pipeline.last_run, step)) return found;
  for (const RunStatus& run : pipeline.active_runs)
    if (auto found = FindFailure(run, step)) return found;
  return std::nullopt;
}

void AddNotes(core::Alert& alert, const Failure& failure, const FindOutput& find_output) {
  const auto add = [&](const char* name, std::string value) {
    if (!value.empty() && alert.annotations.Get(name).empty()) alert.annotations.Set(name, std::move(value));
  };
  std::string step = failure.step->name;
  for (const std::string& other : failure.others) step += (step == failure.step->name ? ", and also " : ", ") + other;
  add("run", std::to_string(failure.run));
  add("step", std::move(step));
  add("attempt", std::to_string(failure.attempt));
  add("error", failure.step->error);
  if (const auto path = find_output(failure.run, failure.step->name, failure.attempt)) add("output", LastLines(*path));
}

}  // namespace

std::string LastLines(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return {};
  const auto size = static_cast<std::int64_t>(file.tellg());
  const std::int64_t begin = std::max<std::int64_t>(0, size - static_cast<std::int64_t>(kOutputBytes));
  std::string text(static_cast<std::size_t>(std::max<std::int64_t>(0, size - begin)), '\0');
  file.seekg(begin);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  while (text.ends_with('\n')) text.pop_back();
  std::size_t lines = 1;
  std::size_t from = text.size();
  for (; from > 0; --from)
    if (text[from - 1] == '\n' && lines++ == kOutputLines) break;
  // A line that does not begin here is cut; its rest is shown only where there is no other.
  if (from == 0 && begin > 0)
    if (const std::size_t next = text.find('\n'); next != std::string::npos) from = next + 1;
  return core::ToValidUtf8(std::string_view(text).substr(from));
}

void AddFailureNotes(std::vector<core::Alert>& alerts, const std::vector<PipelineStatus>& pipelines,
                     const FindOutput& find_output, core::WallTime now) {
  for (core::Alert& alert : alerts) {
    const std::string_view name = alert.labels.Get("pipeline");
    if (name.empty() || alert.ResolvedAt(now)) continue;
    const auto pipeline = std::ranges::find(pipelines, name, &PipelineStatus::name);
    if (pipeline == pipelines.end()) continue;
    if (const auto failure = FindFailure(*pipeline, alert.labels.Get("step"))) AddNotes(alert, *failure, find_output);
  }
}

}  // namespace pipewarden::agent
