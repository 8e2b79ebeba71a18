#include "agent/pipelines/run_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>
#include <vector>

namespace pipewarden::agent {
namespace {

using core::WallTime;
using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Labels;

double Seconds(WallTime time) { return time == WallTime{} ? 0 : core::ToSeconds(time.time_since_epoch()); }

Labels Of(const std::string& pipeline, const std::string& step = "") {
  Labels labels{{"pipeline", pipeline}};
  if (!step.empty()) labels["step"] = step;
  return labels;
}

Labels WithStatus(Labels labels, std::string_view status) {
  labels["status"] = std::string(status);
  return labels;
}

constexpr std::string_view kRunStatuses[] = {"succeeded", "failed", "cancelled", "skipped"};
constexpr std::string_view kAttemptStatuses[] = {"succeeded", "failed", "timeout", "lost", "cancelled"};

constexpr std::string_view kPromises[] = {"start_within", "finish_by", "max_duration"};
constexpr std::pair<std::string_view, double> kPercentiles[] = {{"50", 0.5}, {"95", 0.95}};

Labels WithPercentile(Labels labels, std::string_view percentile) {
  labels["percentile"] = std::string(percentile);
  return labels;
}

// The smallest value that at least this share of all is not above.
double Quantile(const std::deque<double>& values, double share) {
  std::vector<double> sorted(values.begin(), values.end());
  std::ranges::sort(sorted);
  return sorted[static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size()))) - 1];
}

std::string_view AttemptStatus(const AttemptEnd& end) {
  if (end.Succeeded()) return "succeeded";
  if (end.kind == AttemptEnd::Kind::kLost) return "lost";
  if (end.reason == "timeout" || end.reason == "cancelled") return end.reason;
  return "failed";
}

}  // namespace

struct RunMetrics::State {
  explicit State(std::shared_ptr<prometheus::Registry> registry_) : registry(std::move(registry_)) {}

  Family<Gauge>& NewGauge(const char* name, const char* help) {
    return BuildGauge().Name(name).Help(help).Register(*registry);
  }
  Family<Counter>& NewCounter(const char* name, const char* help) {
    return BuildCounter().Name(name).Help(help).Register(*registry);
  }

  std::shared_ptr<prometheus::Registry> registry;
  Family<Gauge>& last_status =
      NewGauge("pipewarden_pipeline_run_last_status", "1 where the last that ended succeeded, else 0.");
  Family<Gauge>& last_start =
      NewGauge("pipewarden_pipeline_run_last_start_timestamp_seconds", "When the last one started; 0: never.");
  Family<Gauge>& last_end =
      NewGauge("pipewarden_pipeline_run_last_end_timestamp_seconds", "When the last one ended; 0: never.");
  Family<Gauge>& last_success = NewGauge("pipewarden_pipeline_run_last_success_timestamp_seconds",
                                         "When the last one that succeeded ended; 0: never.");
  Family<Gauge>& duration =
      NewGauge("pipewarden_pipeline_run_duration_seconds", "Duration of the last one that ended.");
  Family<Gauge>& running = NewGauge("pipewarden_pipeline_run_running", "How many are under way.");
  Family<Gauge>& queued = NewGauge("pipewarden_pipeline_run_queued", "Runs that wait for their turn.");
  Family<Gauge>& lateness =
      NewGauge("pipewarden_pipeline_run_last_lateness_seconds", "Start after its slot, of the last scheduled run.");
  Family<Gauge>& late =
      NewGauge("pipewarden_pipeline_run_late", "1 where a promise of the pipeline's sla is broken right now.");
  Family<Gauge>& broken =
      NewGauge("pipewarden_pipeline_run_promise_broken",
               "1 where this promise of the sla (start_within, finish_by, max_duration) is broken.");
  Family<Gauge>& outstanding =
      NewGauge("pipewarden_pipeline_run_outstanding",
               "1 where `sla: finish_by` is promised and no run of the newest slot succeeded.");
  Family<Gauge>& usual = NewGauge("pipewarden_pipeline_run_usual_duration_seconds",
                                  "Quantiles of the duration of the last (at most 50) whole runs that succeeded.");
  Family<Gauge>& usual_runs =
      NewGauge("pipewarden_pipeline_run_usual_runs", "How many runs the usual duration is made of.");
  Family<Gauge>& deadline = NewGauge("pipewarden_pipeline_run_deadline_timestamp_seconds",
                                     "By when the newest slot's run is to be finished; 0: not promised.");
  Family<Gauge>& next_slot =
      NewGauge("pipewarden_pipeline_next_slot_timestamp_seconds", "When the schedule fires next; 0: never.");
  Family<Gauge>& paused = NewGauge("pipewarden_pipeline_paused", "1 while the schedule is paused.");
  Family<Gauge>& store_up =
      NewGauge("pipewarden_pipeline_store_up", "0 where the database of runs cannot commit: no step starts.");
  Family<Counter>& runs = NewCounter("pipewarden_pipeline_run_total", "Runs that ended.");
  Family<Counter>& attempts = NewCounter("pipewarden_pipeline_run_attempts_total", "Attempts of steps that ended.");
  Family<Counter>& missed =
      NewCounter("pipewarden_pipeline_slots_missed_total", "Slots that passed unrun while the agent was down.");
  std::map<std::string, std::deque<double>> durations;  // by pipeline, the oldest first
};

RunMetrics::RunMetrics(std::shared_ptr<prometheus::Registry> registry)
    : state_(std::make_unique<State>(std::move(registry))) {
  SetStoreUp(true);
}
RunMetrics::~RunMetrics() = default;

void RunMetrics::Add(const PipelineConfig& config) {
  State& s = *state_;
  std::vector<std::string> scopes{""};
  for (const StepConfig& step : config.steps) scopes.push_back(step.name);
  for (const std::string& scope : scopes) {
    const Labels labels = Of(config.name, scope);
    for (Family<Gauge>* family : {&s.last_start, &s.last_end, &s.last_success, &s.running}) family->Add(labels);
    if (!scope.empty())
      for (const std::string_view status : kAttemptStatuses) s.attempts.Add(WithStatus(labels, status));
  }
  const Labels labels = Of(config.name);
  for (Family<Gauge>* family :
       {&s.queued, &s.late, &s.outstanding, &s.usual_runs, &s.deadline, &s.next_slot, &s.paused})
    family->Add(labels);
  for (const std::string_view status : kRunStatuses) s.runs.Add(WithStatus(labels, status));
  s.missed.Add(labels);
}

void RunMetrics::Remove(const std::string& pipeline, const std::string& step) {
  State& s = *state_;
  const Labels labels = Of(pipeline, step);
  for (Family<Gauge>* family : {&s.last_status, &s.last_start, &s.last_end, &s.last_success, &s.duration, &s.running})
    if (family->Has(labels)) family->Remove(&family->Add(labels));
  if (!step.empty()) {
    for (const std::string_view status : kAttemptStatuses)
      s.attempts.Remove(&s.attempts.Add(WithStatus(labels, status)));
    return;
  }
  for (Family<Gauge>* family :
       {&s.queued, &s.lateness, &s.late, &s.outstanding, &s.usual_runs, &s.deadline, &s.next_slot, &s.paused})
    if (family->Has(labels)) family->Remove(&family->Add(labels));
  for (const std::string_view promise : kPromises) SetBroken(pipeline, promise, std::nullopt);
  for (const auto& [text, quantile] : kPercentiles)
    if (const Labels own = WithPercentile(labels, text); s.usual.Has(own)) s.usual.Remove(&s.usual.Add(own));
  s.durations.erase(pipeline);
  for (const std::string_view status : kRunStatuses) s.runs.Remove(&s.runs.Add(WithStatus(labels, status)));
  s.missed.Remove(&s.missed.Add(labels));
}

void RunMetrics::RestoreRun(const Run& run) {
  State& s = *state_;
  const Labels labels = Of(run.config->name);
  s.last_status.Add(labels).Set(run.state == RunState::kSucceeded ? 1 : 0);
  s.last_start.Add(labels).Set(Seconds(run.started));
  s.last_end.Add(labels).Set(Seconds(run.ended));
  if (run.started != WallTime{}) s.duration.Add(labels).Set(core::ToSeconds(run.ended - run.started));
  for (const StepRun& step : run.steps) StepEnded(run, step);
}

void RunMetrics::RestoreSuccess(const std::string& pipeline, const std::string& step, WallTime ended) {
  Gauge& gauge = state_->last_success.Add(Of(pipeline, step));
  if (Seconds(ended) > gauge.Value()) gauge.Set(Seconds(ended));
}

void RunMetrics::RestoreDurations(const std::string& pipeline, const std::vector<core::Duration>& oldest_first) {
  for (const core::Duration duration : oldest_first) AddDuration(pipeline, duration);
  TellUsual(pipeline);
}

void RunMetrics::AddDuration(const std::string& pipeline, core::Duration duration) {
  std::deque<double>& all = state_->durations[pipeline];
  all.push_back(core::ToSeconds(duration));
  if (all.size() > kUsualRuns) all.pop_front();
}

void RunMetrics::TellUsual(const std::string& pipeline) {
  const std::deque<double>& all = state_->durations[pipeline];
  state_->usual_runs.Add(Of(pipeline)).Set(static_cast<double>(all.size()));
  if (all.empty()) return;
  for (const auto& [text, share] : kPercentiles)
    state_->usual.Add(WithPercentile(Of(pipeline), text)).Set(Quantile(all, share));
}

void RunMetrics::RunStarted(const Run& run) {
  State& s = *state_;
  const Labels labels = Of(run.config->name);
  s.running.Add(labels).Increment();
  s.last_start.Add(labels).Set(Seconds(run.started));
  if (run.cause == Cause::kSchedule) s.lateness.Add(labels).Set(core::ToSeconds(run.started - run.slot));
}

void RunMetrics::RunEnded(const Run& run) {
  State& s = *state_;
  const Labels labels = Of(run.config->name);
  s.running.Add(labels).Decrement();
  s.last_status.Add(labels).Set(run.state == RunState::kSucceeded ? 1 : 0);
  s.last_end.Add(labels).Set(Seconds(run.ended));
  s.duration.Add(labels).Set(core::ToSeconds(run.ended - run.started));
  if (run.state == RunState::kSucceeded && run.only.empty()) {
    s.last_success.Add(labels).Set(Seconds(run.ended));
    AddDuration(run.config->name, run.ended - run.started);
    TellUsual(run.config->name);
  }
  s.runs.Add(WithStatus(labels, RunStateName(run.state))).Increment();
}

void RunMetrics::RunSkipped(const Run& run) {
  state_->runs.Add(WithStatus(Of(run.config->name), RunStateName(run.state))).Increment();
}

void RunMetrics::AttemptStarted(const Run& run, const std::string& step, WallTime now) {
  const Labels labels = Of(run.config->name, step);
  state_->running.Add(labels).Increment();
  state_->last_start.Add(labels).Set(Seconds(now));
}

void RunMetrics::AttemptEnded(const Run& run, const std::string& step, const AttemptEnd& end) {
  const Labels labels = Of(run.config->name, step);
  state_->running.Add(labels).Decrement();
  if (end.kind != AttemptEnd::Kind::kNotStarted)
    state_->attempts.Add(WithStatus(labels, AttemptStatus(end))).Increment();
}

void RunMetrics::StepEnded(const Run& run, const StepRun& step) {
  if (step.started == WallTime{} || !IsFinal(step.state)) return;  // it never ran: nothing of it is the last
  State& s = *state_;
  const Labels labels = Of(run.config->name, run.ConfigOf(step).name);
  s.last_status.Add(labels).Set(step.state == StepState::kSucceeded ? 1 : 0);
  s.last_start.Add(labels).Set(Seconds(step.started));
  s.last_end.Add(labels).Set(Seconds(step.ended));
  s.duration.Add(labels).Set(core::ToSeconds(step.duration));
  if (step.state == StepState::kSucceeded) s.last_success.Add(labels).Set(Seconds(step.ended));
}

void RunMetrics::SetQueued(const std::string& pipeline, std::size_t runs) {
  state_->queued.Add(Of(pipeline)).Set(static_cast<double>(runs));
}
void RunMetrics::SetNextSlot(const std::string& pipeline, std::optional<WallTime> slot) {
  state_->next_slot.Add(Of(pipeline)).Set(slot ? Seconds(*slot) : 0);
}
void RunMetrics::SetPaused(const std::string& pipeline, bool paused) {
  state_->paused.Add(Of(pipeline)).Set(paused ? 1 : 0);
}
void RunMetrics::SetLate(const std::string& pipeline, bool late) { state_->late.Add(Of(pipeline)).Set(late ? 1 : 0); }
void RunMetrics::SetBroken(const std::string& pipeline, std::string_view promise, std::optional<bool> broken) {
  Labels labels = Of(pipeline);
  labels["promise"] = std::string(promise);
  Family<Gauge>& family = state_->broken;
  if (broken)
    family.Add(labels).Set(*broken ? 1 : 0);
  else if (family.Has(labels))
    family.Remove(&family.Add(labels));
}
void RunMetrics::SetOutstanding(const std::string& pipeline, bool outstanding) {
  state_->outstanding.Add(Of(pipeline)).Set(outstanding ? 1 : 0);
}
void RunMetrics::SetDeadline(const std::string& pipeline, std::optional<WallTime> deadline) {
  state_->deadline.Add(Of(pipeline)).Set(deadline ? Seconds(*deadline) : 0);
}
void RunMetrics::AddMissed(const std::string& pipeline, std::int64_t slots) {
  if (slots > 0) state_->missed.Add(Of(pipeline)).Increment(static_cast<double>(slots));
}
void RunMetrics::SetStoreUp(bool up) { state_->store_up.Add({}).Set(up ? 1 : 0); }

}  // namespace pipewarden::agent
