#include "agent/status.h"

#include <fmt/format.h>

#include "agent/server/alertmanager_api.h"
#include "agent/server/ask.h"

namespace pipewarden::agent {
namespace {

using core::MonoTime;
using core::Result;

std::string ProbeState(const exporters::ProbeStatus& status) {
  if (!status.up) return "unknown";
  return *status.up ? "healthy" : "unhealthy";
}

ProbeView View(const exporters::ProbeStatus& status) {
  ProbeView view{.name = status.name, .kind = status.kind, .component = status.component};
  view.state = ProbeState(status);
  view.message = status.message;
  view.since = status.last_change.value_or(core::WallTime{});
  view.interval = status.interval;
  for (const exporters::ProbeRun& run : status.history) view.history.push_back(run.success);
  if (!status.history.empty()) {
    const exporters::ProbeRun& last = status.history.back();
    view.success = last.success;
    view.last_run = last.time;
    view.duration = last.duration;
  }
  return view;
}

StepView View(const StepStatus& status) {
  return {.name = status.name,
          .state = std::string(StepStateName(status.state)),
          .attempts = status.attempts,
          .exit_code = status.exit_code,
          .started = status.started,
          .ended = status.ended,
          .error = status.error};
}

RunView View(const RunStatus& status) {
  RunView view{.id = status.id,
               .pipeline = status.pipeline,
               .cause = std::string(CauseName(status.cause)),
               .state = std::string(RunStateName(status.state)),
               .slot = status.slot,
               .started = status.started,
               .ended = status.ended,
               .error = status.error};
  for (const StepStatus& step : status.steps) view.steps.push_back(View(step));
  return view;
}

PipelineView View(const PipelineStatus& status) {
  PipelineView view{.name = status.name,
                    .schedule = status.schedule,
                    .once = status.once,
                    .next_run = status.next_slot.value_or(core::WallTime{}),
                    .steps = status.steps};
  if (status.last_run) view.last_run = View(*status.last_run);
  for (const RunStatus& run : status.active_runs) view.active_runs.push_back(View(run));
  return view;
}

FreshnessView View(const exporters::FreshnessStatus& status) {
  FreshnessView view{.name = status.name, .source = status.source, .state = "unknown"};
  if (status.last_update || status.due) view.state = status.due ? "late" : "fresh";
  view.age = status.age.value_or(core::Duration{});
  view.due = status.next_expected.value_or(core::WallTime{});
  view.message = !status.error.empty() ? status.error : !status.reason.empty() ? status.reason : status.what;
  return view;
}

AlertView View(const alertmanager::AlertView& alert) {
  AlertView view{.alert = *alert.alert,
                 .state = std::string(alertmanager::AlertStateText(alert.state)),
                 .silenced_by = alert.silenced_by,
                 .receivers = alert.receivers};
  if (alert.suppressed_by) view.suppressed_by = alertmanager::DownText(*alert.suppressed_by);
  for (const std::uint64_t fingerprint : alert.inhibited_by)
    view.inhibited_by.push_back(fmt::format("{:016x}", fingerprint));
  return view;
}

InboxView View(const alertmanager::InboxEntry& entry) {
  InboxView view{.id = static_cast<std::int64_t>(entry.id),
                 .at = entry.at,
                 .receiver = entry.receiver,
                 .status = entry.resolved ? "resolved" : "firing",
                 .subject = entry.title,
                 .group_labels = entry.group_labels};
  for (const alertmanager::InboxAlert& alert : entry.alerts) {
    (alert.ends_at == core::WallTime{} ? view.firing : view.resolved) += 1;
    for (const core::LabelView annotation : alert.annotations)
      view.text += std::string(annotation.name) + ": " + std::string(annotation.value) + "\n";
  }
  return view;
}

template <class From>
auto Views(const std::vector<From>& all) {
  std::vector<decltype(View(all.front()))> views;
  views.reserve(all.size());
  for (const From& one : all) views.push_back(View(one));
  return views;
}

core::Task<Result<ProbeView>> RunProbe(exporters::ProbeRunner& probes, std::string name) {
  auto outcome = co_await probes.RunOnce(name);
  Result<ProbeView> view;
  if (!outcome) {
    view = core::Fail(outcome.error());
    co_return view;
  }
  for (const exporters::ProbeStatus& status : probes.Status())
    if (status.name == name) *view = View(status);
  view->success = outcome->result.success;
  view->message = outcome->result.success ? outcome->result.message : outcome->result.error;
  view->duration = outcome->duration;
  for (const exporters::ProbeValue& value : outcome->result.values) {
    const core::Labels labels{std::vector<core::Label>(value.labels)};
    view->values.emplace_back(std::string(value.metric) + (labels.empty() ? "" : labels.ToString()), value.value);
  }
  co_return view;
}

core::Task<Result<std::vector<RunView>>> History(Pipelines& pipelines, std::string name, int limit) {
  auto runs = co_await pipelines.History(std::move(name), static_cast<std::size_t>(limit));
  Result<std::vector<RunView>> views;
  if (runs)
    views = Views(*runs);
  else
    views = core::Fail(runs.error());
  co_return views;
}

core::Task<Result<std::int64_t>> RunPipeline(Pipelines& pipelines, RunPipelineRequest request) {
  RunRequest wanted{.pipeline = std::move(request.pipeline), .env = {}, .again = request.again};
  for (auto& [name, value] : request.env) wanted.env.emplace_back(name, value);
  auto id = co_await pipelines.RunNow(std::move(wanted));
  Result<std::int64_t> result;
  if (id)
    result = *id;
  else
    result = core::Fail(id.error());
  co_return result;
}

core::Task<Result<std::vector<ReceiverTestView>>> TestReceiver(alertmanager::Alertmanager& alertmanager,
                                                               std::string receiver) {
  auto outcomes = co_await alertmanager.TestReceiver(std::move(receiver));
  Result<std::vector<ReceiverTestView>> views;
  if (!outcomes) {
    views = core::Fail(outcomes.error());
    co_return views;
  }
  for (alertmanager::SampleOutcome& outcome : *outcomes)
    views->push_back({std::move(outcome.integration), outcome.ok, std::move(outcome.error)});
  co_return views;
}

// The output of an attempt; run 0 is the pipeline's last, of its steps the last that was tried where none is named.
Result<std::string> FindLog(const Pipelines& pipelines, const LogRequest& request) {
  RunId run = request.run;
  std::string step = request.step;
  for (const PipelineStatus& pipeline : *pipelines.Snapshot()) {
    if (pipeline.name != request.pipeline) continue;
    const RunStatus* newest = nullptr;
    if (!pipeline.active_runs.empty())
      newest = &pipeline.active_runs.front();
    else if (pipeline.last_run)
      newest = &*pipeline.last_run;
    if (newest == nullptr) break;
    if (run == 0) run = newest->id;
    if (!step.empty() || run != newest->id) break;
    for (const StepStatus& status : newest->steps)
      if (status.attempts > 0) step = status.name;
  }
  if (run == 0) return core::Fail(core::ErrorCode::kNotFound, "pipeline '" + request.pipeline + "' has no runs");
  return pipelines.LogPath(run, step, request.attempt);
}

}  // namespace

void FillAlerting(ServerContext& context, core::Loop& loop, core::TaskGroup& tasks,
                  alertmanager::Alertmanager& alertmanager) {
  context.loop = &loop;
  context.alertmanager = &alertmanager;
  context.alerts = [&loop, &alertmanager](MonoTime deadline) -> Result<std::vector<AlertView>> {
    auto alerts = CollectAlerts(loop, alertmanager, {}, deadline);
    if (!alerts) return core::Fail(alerts.error());
    return Views(*alerts);
  };
  context.test_receiver = [&](std::string receiver, MonoTime deadline) {
    return AskTask<std::vector<ReceiverTestView>>(
        loop, tasks, "test of receiver " + receiver, deadline,
        [&alertmanager, receiver] { return TestReceiver(alertmanager, receiver); });
  };
  context.inbox = [&loop, &alertmanager](int limit, MonoTime deadline) {
    return AskLoop<std::vector<InboxView>>(
        loop, deadline, [&alertmanager, limit] { return Views(alertmanager.Inbox(static_cast<std::size_t>(limit))); });
  };
}

void FillStatus(ServerContext& context, StatusSources s) {
  context.probes = [s](MonoTime) -> Result<std::vector<ProbeView>> { return Views(s.probes.Status()); };
  context.run_probe = [s](std::string name, MonoTime deadline) {
    return AskTask<ProbeView>(s.loop, s.tasks, "probe " + name, deadline,
                              [s, name] { return RunProbe(s.probes, name); });
  };
  context.pipelines = [s](MonoTime) -> Result<std::vector<PipelineView>> { return Views(*s.pipelines.Snapshot()); };
  context.runs = [s](std::string pipeline, int limit, MonoTime deadline) {
    return AskTask<std::vector<RunView>>(s.loop, s.tasks, "history", deadline,
                                         [s, pipeline, limit] { return History(s.pipelines, pipeline, limit); });
  };
  context.run_pipeline = [s](RunPipelineRequest request, MonoTime deadline) {
    return AskTask<std::int64_t>(s.loop, s.tasks, "run " + request.pipeline, deadline,
                                 [s, request] { return RunPipeline(s.pipelines, request); });
  };
  context.log_path = [s](LogRequest request, MonoTime) { return FindLog(s.pipelines, request); };
  context.freshness = [s](MonoTime) -> Result<std::vector<FreshnessView>> { return Views(s.freshness.Status()); };
  context.rules = [s] { return s.rules.Snapshot(); };
}

}  // namespace pipewarden::agent
