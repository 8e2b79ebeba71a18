#include "agent/pipelines/run.h"

#include <algorithm>

#include "core/time/duration.h"

namespace pipewarden::agent {
namespace {

constexpr std::string_view kRunStates[] = {"queued", "running", "succeeded", "failed", "cancelled", "skipped"};
constexpr std::string_view kStepStates[] = {"waiting", "starting", "running",         "retrying", "succeeded",
                                            "failed",  "lost",     "upstream_failed", "cancelled"};
constexpr std::string_view kCauses[] = {"schedule", "catch_up", "manual"};

template <class T, std::size_t N>
std::optional<T> Parse(const std::string_view (&words)[N], std::string_view text) {
  const auto* found = std::find(words, words + N, text);
  if (found == words + N) return std::nullopt;
  return static_cast<T>(found - words);
}

// How often a step that waits for its components looks again.
constexpr core::Duration kNeedsPoll = std::chrono::seconds(1);

constexpr int kMaxLost = 3;

void Earlier(std::optional<core::WallTime>& at, core::WallTime other) {
  if (!at || other < *at) at = other;
}

// What stands before the step: everything succeeded, something is not done yet, or something never will be.
enum class Upstream { kDone, kOpen, kFailed };
Upstream UpstreamOf(Run& run, const StepRun& step, std::string& blame) {
  Upstream worst = Upstream::kDone;
  for (const std::string& name : run.ConfigOf(step).after) {
    const StepRun* before = run.Find(name);
    if (before == nullptr || before->state == StepState::kSucceeded) continue;  // not part of this run
    if (IsFinal(before->state)) {
      blame = name;
      return Upstream::kFailed;
    }
    worst = Upstream::kOpen;
  }
  return worst;
}

void Conclude(Run& run, Decision& decision) {
  decision.finished = true;
  run.state = run.cancel_requested ? RunState::kCancelled : RunState::kSucceeded;
  for (const StepRun& step : run.steps) {
    if (step.state != StepState::kFailed && step.state != StepState::kLost) continue;
    if (!run.cancel_requested) run.state = RunState::kFailed;
    if (run.error.empty()) run.error = "step '" + run.ConfigOf(step).name + "': " + step.error;
  }
  const bool all_well =
      std::ranges::all_of(run.steps, [](const StepRun& s) { return s.state == StepState::kSucceeded; });
  if (all_well) run.state = RunState::kSucceeded;  // a cancel that came too late
}

}  // namespace

std::string_view RunStateName(RunState state) { return kRunStates[static_cast<int>(state)]; }
std::string_view StepStateName(StepState state) { return kStepStates[static_cast<int>(state)]; }
std::string_view CauseName(Cause cause) { return kCauses[static_cast<int>(cause)]; }
std::optional<RunState> ParseRunState(std::string_view text) { return Parse<RunState>(kRunStates, text); }
std::optional<StepState> ParseStepState(std::string_view text) { return Parse<StepState>(kStepStates, text); }
std::optional<Cause> ParseCause(std::string_view text) { return Parse<Cause>(kCauses, text); }

bool IsFinal(RunState state) { return state != RunState::kQueued && state != RunState::kRunning; }
bool IsFinal(StepState state) { return state >= StepState::kSucceeded; }

StepRun* Run::Find(std::string_view name) {
  for (StepRun& step : steps)
    if (config->steps[step.config].name == name) return &step;
  return nullptr;
}

std::vector<StepRun> MakeSteps(const PipelineConfig& config, const std::vector<std::string>& only) {
  std::vector<StepRun> steps;
  for (std::size_t i = 0; i < config.steps.size(); ++i)
    if (only.empty() || std::ranges::find(only, config.steps[i].name) != only.end()) {
      steps.emplace_back();
      steps.back().config = i;
    }
  return steps;
}

Decision Decide(Run& run, core::WallTime now, const std::function<bool(const std::string&)>& healthy) {
  Decision decision;
  for (std::size_t i = 0; i < run.steps.size(); ++i) {  // in an order in which upstream steps come first
    StepRun& step = run.steps[i];
    if (IsFinal(step.state) || step.state == StepState::kStarting || step.state == StepState::kRunning) continue;
    if (run.cancel_requested) {
      step.state = StepState::kCancelled;
      continue;
    }
    std::string blame;
    const Upstream upstream = UpstreamOf(run, step, blame);
    if (upstream == Upstream::kFailed) {
      step.state = StepState::kUpstreamFailed;
      step.error = "'" + blame + "' did not succeed";
      continue;
    }
    if (upstream == Upstream::kOpen) continue;
    if (step.state == StepState::kRetrying && step.retry_at && now < *step.retry_at) {
      Earlier(decision.look_at, *step.retry_at);
      continue;
    }
    const StepConfig& config = run.ConfigOf(step);
    const auto sick = std::ranges::find_if(config.needs, [&](const std::string& name) { return !healthy(name); });
    if (sick != config.needs.end()) {
      if (!step.needs_since) step.needs_since = now;
      if (now - *step.needs_since >= config.needs_timeout) {
        step.state = StepState::kFailed;
        step.error = "component '" + *sick + "' was not healthy within " + core::FormatDuration(config.needs_timeout);
        continue;
      }
      step.error = "waits for component '" + *sick + "'";
      Earlier(decision.look_at, std::min(now + kNeedsPoll, *step.needs_since + config.needs_timeout));
      continue;
    }
    step.needs_since.reset();
    decision.start.push_back(i);
  }
  if (std::ranges::all_of(run.steps, [](const StepRun& s) { return IsFinal(s.state); })) Conclude(run, decision);
  return decision;
}

bool OnAttemptEnd(Run& run, StepRun& step, const AttemptEnd& end) {
  const StepConfig& config = run.ConfigOf(step);
  step.retry_at.reset();
  if (end.kind == AttemptEnd::Kind::kNotStarted) {
    step.state = StepState::kWaiting;
    if (step.failures > 0) {
      step.state = StepState::kRetrying;
      step.retry_at = end.ended;
    }
    --step.attempt;
    return false;
  }
  step.started = end.started;
  step.ended = end.ended;
  step.duration = end.duration;
  step.exit_code = end.exit_code;
  if (end.Succeeded()) {
    step.state = StepState::kSucceeded;
    step.error.clear();
    return true;
  }
  step.error = end.message;
  ++step.failures;
  const bool lost = end.kind == AttemptEnd::Kind::kLost;
  const auto& codes = config.retries.exit_codes;
  const bool code_retried =
      codes.empty() || (end.signal == 0 && std::ranges::find(codes, end.exit_code) != codes.end());
  // A step that takes its machine down must not do so for ever.
  const bool may_retry =
      lost ? config.on_lost == OnLost::kRetry && step.failures <= std::max(config.retries.count, kMaxLost)
           : step.failures <= config.retries.count && code_retried;
  if (run.cancel_requested || end.reason == "cancelled") {
    step.state = StepState::kCancelled;
  } else if (may_retry) {
    step.state = StepState::kRetrying;
    step.retry_at = end.ended + (lost ? core::Duration::zero() : config.retries.DelayAfter(step.failures));
  } else {
    step.state = lost ? StepState::kLost : StepState::kFailed;
  }
  return true;
}

}  // namespace pipewarden::agent
