#include "agent/pipelines/pipelines.h"

#include <algorithm>
#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <filesystem>
#include <utility>

#include "agent/pipelines/executors/list.h"
#include "agent/pipelines/pipelines_impl.h"
#include "agent/step/protocol.h"
#include "core/model/labels.h"
#include "core/store/file_operations.h"

namespace pipewarden::agent {

using core::ErrorCode;
using core::Fail;
using core::Result;
using core::Task;
using core::WallTime;

Wakeup::Wakeup(core::Loop& loop) : loop_(loop), timer_(loop.executor(), boost::asio::steady_timer::time_point::max()) {}

void Wakeup::Notify() {
  notified_ = true;
  timer_.cancel();
}

Task<void> Wakeup::WaitForTimer() {
  try {
    co_await timer_.async_wait(boost::asio::use_awaitable);
  } catch (const boost::system::system_error&) {
    if (!notified_) throw;  // not Notify: the waiter itself is cancelled
  }
}

Task<void> Wakeup::Wait(std::optional<WallTime> until) {
  using namespace boost::asio::experimental::awaitable_operators;  // NOLINT: the operators live there
  if (!notified_) {
    if (!until) {
      co_await WaitForTimer();
    } else {
      try {
        co_await (WaitForTimer() || loop_.SleepUntil(*until));
      } catch (const boost::asio::multiple_exceptions&) {  // both were cancelled, and so are we
        throw boost::system::system_error(boost::asio::error::operation_aborted);
      }
    }
  }
  notified_ = false;
}

namespace {

StepStatus StatusOf(const Run& run, const StepRun& step) {
  StepStatus status;
  status.name = run.ConfigOf(step).name;
  status.state = step.state;
  status.attempts = step.attempt;
  status.started = step.started;
  status.ended = step.ended;
  status.duration = step.duration;
  status.exit_code = step.exit_code;
  status.error = step.error;
  status.retry_at = step.retry_at;
  return status;
}

// Plays the stored attempts on the run's steps; gives those that had not ended.
std::map<std::size_t, StoredAttempt> Replay(Run& run, const std::vector<StoredAttempt>& attempts) {
  std::map<std::size_t, StoredAttempt> open;
  for (const StoredAttempt& stored : attempts) {
    StepRun* step = run.Find(stored.step);
    if (step == nullptr) continue;
    step->attempt = std::max(step->attempt, stored.attempt);
    if (stored.state == AttemptState::kEnded || stored.state == AttemptState::kLost)
      OnAttemptEnd(run, *step, stored.end);
    else
      open[static_cast<std::size_t>(step - run.steps.data())] = stored;
  }
  return open;
}

// Variables that make another command of a step's: who may start a run may not choose what runs.
bool ChangesWhatRuns(std::string_view name) {
  constexpr std::string_view kNames[] = {
      "BASH_ENV", "BASHOPTS",  "ENV",           "GCONV_PATH",        "GLIBC_TUNABLES",
      "IFS",      "PATH",      "NODE_OPTIONS",  "JAVA_TOOL_OPTIONS", "PROMPT_COMMAND",
      "PS4",      "SHELLOPTS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS"};
  constexpr std::string_view kBegins[] = {"LD_", "PERL", "PYTHON", "RUBY"};
  return std::ranges::find(kNames, name) != std::end(kNames) ||
         std::ranges::any_of(kBegins, [&](std::string_view begin) { return name.starts_with(begin); });
}

RunStatus StatusOfStored(StoredRun stored) {
  Replay(*stored.run, stored.attempts);
  if (IsFinal(stored.run->state)) {
    for (const auto& [name, state] : stored.step_states)
      if (StepRun* step = stored.run->Find(name)) {
        step->state = ParseStepState(state).value_or(step->state);
        step->error = stored.step_errors[name];
        step->retry_at.reset();
      }
  }
  return StatusOf(*stored.run);
}

}  // namespace

RunStatus StatusOf(const Run& run) {
  RunStatus status;
  status.id = run.id;
  status.pipeline = run.config->name;
  status.cause = run.cause;
  status.state = run.state;
  status.slot = run.slot;
  status.created = run.created;
  status.started = run.started;
  status.ended = run.ended;
  status.error = run.error;
  for (const StepRun& step : run.steps) status.steps.push_back(StatusOf(run, step));
  return status;
}

Pipelines::Impl::Impl(core::Loop& loop_, core::Logger logger_, std::shared_ptr<prometheus::Registry> registry,
                      PipelinesOptions options_)
    : loop(loop_),
      logger(std::move(logger_)),
      options(std::move(options_)),
      metrics(std::move(registry)),
      executor(options.executor),
      agenda_changed(loop_),
      tasks(loop_) {
  if (!executor) executor = kLocalExecutor.make({.loop = &loop, .logger = logger, .step_binary = options.step_binary});
}

std::string Pipelines::Impl::AttemptFolder(RunId run, const std::string& step, int attempt) const {
  return RunFolder(run) + "/" + step + "." + std::to_string(attempt);
}

Task<Result<void>> Pipelines::Impl::Open() {
  const auto made = co_await loop.Blocking([this]() -> Result<void> {
    if (auto folder = core::MakePrivateFolder(options.data_dir + "/runs"); !folder) return folder;
    options.data_dir = std::filesystem::absolute(options.data_dir).string();
    if (!options.executor && !std::filesystem::exists(options.step_binary))
      return Fail(ErrorCode::kNotFound, "pipewarden-step is not at " + options.step_binary +
                                            ": no step could run (install it beside pipewarden)");
    return {};
  });
  if (!made) co_return Fail(made.error());
  auto opened = co_await RunStore::Open(loop, logger, options.data_dir + "/runs.db");
  if (!opened) co_return Fail(opened.error().Within("open the database of runs"));
  store = std::move(*opened);
  Result<void> restored = co_await Restore();
  if (!restored) co_return Fail(restored.error().Within("read the database of runs"));
  tasks.Spawn("schedules", WatchSchedules());
  tasks.Spawn("old runs", KeepHouse());
  tasks.Spawn("stray folders", RemoveStrays());
  co_return restored;
}

Task<Result<void>> Pipelines::Impl::Restore() {
  auto marks = co_await store->Watermarks();
  if (!marks) co_return Fail(marks.error());
  stored_marks = std::move(*marks);
  auto lasts = co_await store->LastRuns();
  if (!lasts) co_return Fail(lasts.error());
  for (RunStore::Last& last : *lasts) {
    const std::string name = last.run.run->config->name;
    const std::shared_ptr<Run> run = last.run.run;
    Restored& told = stored_runs[name];
    told.last = StatusOfStored(std::move(last.run));  // plays the attempts on the run
    told.run = run;
    told.successes = std::move(last.successes);
  }
  auto durations = co_await store->SuccessfulDurations(RunMetrics::kUsualRuns);
  if (!durations) co_return Fail(durations.error());
  for (auto& [name, some] : *durations) stored_runs[name].durations = std::move(some);
  auto unfinished = co_await store->Unfinished();
  if (!unfinished) co_return Fail(unfinished.error());
  for (StoredRun& stored : *unfinished) RestoreRun(std::move(stored));
  Result<void> done;
  co_return done;
}

// What the database tells of a pipeline's runs becomes its status and metrics, once: when the pipeline turns out to be
// configured, or to have a run that goes on. Series of all others would stay for ever.
void Pipelines::Impl::TakeRestored(const std::string& name, Entry& entry) {
  const auto found = stored_runs.find(name);
  if (found == stored_runs.end()) return;
  const Restored& told = found->second;
  if (told.run) {
    entry.last_run = told.last;
    metrics.RestoreRun(*told.run);
  }
  for (const auto& [step, ended] : told.successes) {
    metrics.RestoreSuccess(name, step, ended);
    if (step.empty()) entry.last_success = ended;
  }
  if (!told.durations.empty()) metrics.RestoreDurations(name, told.durations);
  stored_runs.erase(found);
}

// A run of the agent before us goes on, with what is stored of it; its pipeline need not be configured any more.
void Pipelines::Impl::RestoreRun(StoredRun stored) {
  const std::shared_ptr<Run> run = stored.run;
  const std::string& name = run->config->name;
  auto [it, fresh] = entries.try_emplace(name);
  if (fresh) {
    it->second.config = run->config;
    it->second.removed = true;  // until Apply says otherwise
    TakeRestored(name, it->second);
  }
  const std::map<std::size_t, StoredAttempt> open = Replay(*run, stored.attempts);
  auto active = std::make_shared<ActiveRun>(loop, run);
  active->to_adopt = open;
  runs[run->id] = active;
  if (run->state == RunState::kRunning || !stored.attempts.empty()) {
    run->state = RunState::kRunning;
    if (run->started == WallTime{}) run->started = run->created;  // killed before the start was stored
    it->second.active.push_back(active);
    tasks.Spawn("run " + std::to_string(run->id), Drive(active));
  } else {
    it->second.queue.push_back(active);
  }
}

void Pipelines::Impl::Apply(std::vector<PipelineConfig> configs) {
  std::set<std::string> named;
  for (const PipelineConfig& config : configs) named.insert(config.name);
  for (auto it = entries.begin(); it != entries.end();) {
    auto& [name, entry] = *it;
    if (named.contains(name) || (entry.removed && !(entry.active.empty() && entry.queue.empty()))) {
      ++it;
      continue;
    }
    if (entry.next) agenda.erase({*entry.next, name});
    entry.next.reset();
    const bool idle = entry.active.empty() && entry.queue.empty();
    if (!entry.removed) {
      if (idle)  // else its metrics go with the last run
        RemoveMetrics(name, *entry.config);
      else
        TellNoSchedule(name);
      tasks.Spawn("forget a schedule", [](Impl* self, std::string pipeline) -> Task<void> {
        co_await self->store->DropWatermark(pipeline);
      }(this, name));
    }
    entry.removed = true;
    const std::string gone = name;
    ++it;
    if (idle) entries.erase(gone);
    Publish(gone);
  }
  for (PipelineConfig& config : configs) ApplyOne(std::move(config));
  std::vector<std::string> waiting;  // queued runs of the agent before us
  for (const auto& [name, entry] : entries)
    if (!entry.queue.empty()) waiting.push_back(name);
  for (const std::string& name : waiting) StartNext(name);
  agenda_changed.Notify();
}

void Pipelines::Impl::RemoveMetrics(const std::string& name, const PipelineConfig& config) {
  for (const StepConfig& step : config.steps) metrics.Remove(name, step.name);
  metrics.Remove(name, "");
}

// Metrics of steps that are not configured any more go when no run under way has the step: its end would bring them
// back.
void Pipelines::Impl::RemoveOldSteps(const Entry& entry, const PipelineConfig& before) {
  for (const StepConfig& step : before.steps) {
    const auto in = [&](const PipelineConfig& config) {
      return std::ranges::find(config.steps, step.name, &StepConfig::name) != config.steps.end();
    };
    if (!in(*entry.config) &&
        std::ranges::none_of(entry.active, [&](const ActiveRunPtr& active) { return in(*active->run->config); }))
      metrics.Remove(before.name, step.name);
  }
}

// Nobody judges a pipeline that is removed while a run of it goes on: what was promised is no more.
void Pipelines::Impl::TellNoSchedule(const std::string& name) {
  metrics.SetNextSlot(name, std::nullopt);
  metrics.SetDeadline(name, std::nullopt);
  metrics.SetOutstanding(name, false);
  metrics.SetLate(name, false);
  entries.at(name).late = false;
  for (const char* promise : {"start_within", "finish_by", "max_duration"})
    metrics.SetBroken(name, promise, std::nullopt);
}

void Pipelines::Impl::ApplyOne(PipelineConfig config) {
  const std::string name = config.name;
  auto schedule = Schedule::Make(config);
  if (!schedule) {
    logger.Error("a pipeline's schedule cannot be kept", {{"pipeline", name}, {"error", schedule.error().message}});
    schedule = Schedule();
  }
  Entry& entry = entries[name];
  const bool fresh = !entry.config || entry.removed;
  if (!fresh && entry.config->identity == config.identity && entry.schedule.text() == schedule->text()) return;
  const std::shared_ptr<const PipelineConfig> before =
      std::exchange(entry.config, std::make_shared<const PipelineConfig>(std::move(config)));
  entry.removed = false;
  if (before) RemoveOldSteps(entry, *before);
  metrics.Add(*entry.config);
  if (fresh) {
    if (const auto mark = stored_marks.find(name); mark != stored_marks.end()) entry.mark = mark->second;
    stored_marks.erase(name);
    TakeRestored(name, entry);
  }
  entry.schedule = std::move(*schedule);
  if (entry.mark.slot == WallTime{} || entry.mark.schedule != entry.schedule.text()) {
    // New or edited: it begins now, what would have been before is not made up.
    entry.mark.slot = std::max(entry.mark.slot, loop.clock().Now());
    entry.mark.schedule = entry.schedule.text();
    tasks.Spawn("store a schedule", PutWatermark(name));
  }
  metrics.SetPaused(name, entry.mark.paused);
  PlanNext(name, entry);
  Publish(name);
}

Task<Result<RunId>> Pipelines::Impl::RunNow(RunRequest request) {
  const auto find = [&]() -> Entry* {
    const auto it = entries.find(request.pipeline);
    return it == entries.end() || it->second.removed ? nullptr : &it->second;
  };
  if (find() == nullptr) {
    std::vector<std::string_view> names;
    for (const auto& [name, entry] : entries) names.push_back(name);
    co_return Fail(ErrorCode::kNotFound,
                   "there is no pipeline '" + request.pipeline + "'" + core::DidYouMean(request.pipeline, names));
  }
  for (const auto& [name, value] : request.env)
    if (!core::IsValidLabelName(name) || name.starts_with("PIPEWARDEN_") || value.find('\0') != std::string::npos)
      co_return Fail(ErrorCode::kInvalid, "'" + name +
                                              "' cannot be set: names of variables are letters, digits and _, and "
                                              "those with PIPEWARDEN_ are the agent's");
  for (const auto& [name, value] : request.env)
    if (ChangesWhatRuns(name))
      co_return Fail(ErrorCode::kInvalid, "'" + name +
                                              "' cannot be set for a run by hand: it tells a shell, an interpreter or "
                                              "the loader what to run (set it in the pipeline's env)");
  for (const std::string& step : request.steps)
    if (std::ranges::none_of(find()->config->steps, [&](const StepConfig& config) { return config.name == step; }))
      co_return Fail(ErrorCode::kNotFound, "pipeline '" + request.pipeline + "' has no step '" + step + "'");
  if (find()->config->once && !request.again) {
    if (!find()->active.empty() || !find()->queue.empty())
      co_return Fail(ErrorCode::kLimit, "pipeline '" + request.pipeline + "' runs once, and a run is under way");
    const auto succeeded = co_await store->HasSucceeded(request.pipeline);
    NoteStore();
    if (!succeeded) co_return Fail(succeeded.error().Within("the database of runs"));
    if (*succeeded)
      co_return Fail(ErrorCode::kLimit,
                     "pipeline '" + request.pipeline + "' runs once and has succeeded (say --again to run it again)");
  }
  if (find() == nullptr || stopping)
    co_return Fail(ErrorCode::kUnavailable, "the pipeline is being removed, or the agent stops");
  const WallTime slot = request.slot.value_or(std::chrono::floor<std::chrono::seconds>(loop.clock().Now()));
  std::shared_ptr<Run> run = NewRun(*find(), Cause::kManual, slot);
  run->env = std::move(request.env);
  run->only = std::move(request.steps);
  const auto ids = co_await store->Create({run}, std::nullopt);
  NoteStore();
  if (!ids) co_return Fail(ids.error().Within("store the run"));
  run->id = ids->at(0);
  if (!entries.contains(request.pipeline)) co_return Fail(ErrorCode::kNotFound, "the pipeline was removed meanwhile");
  Admit(run);
  co_return run->id;
}

Task<Result<void>> Pipelines::Impl::Cancel(RunId id) {
  if (!runs.contains(id)) co_return Fail(ErrorCode::kNotFound, "run " + std::to_string(id) + " is not under way");
  Result<void> stored = co_await store->RequestCancel(id);
  NoteStore();
  if (!stored) co_return Fail(stored.error().Within("store the cancel"));
  const auto it = runs.find(id);
  if (it == runs.end()) co_return stored;  // it has ended meanwhile
  const ActiveRunPtr active = it->second;
  active->run->cancel_requested = true;
  for (const auto& [index, running] : active->running) running->Cancel();
  Entry& entry = entries.at(active->run->config->name);
  if (const auto queued = std::ranges::find(entry.queue, active); queued != entry.queue.end()) {
    entry.queue.erase(queued);  // it begins, and ends at once
    entry.active.push_back(active);
    tasks.Spawn("cancel a run", Drive(active));
  }
  active->changed.Notify();
  co_return stored;
}

Task<Result<void>> Pipelines::Impl::SetPaused(std::string pipeline, bool paused) {
  const auto it = entries.find(pipeline);
  if (it == entries.end() || it->second.removed)
    co_return Fail(ErrorCode::kNotFound, "there is no pipeline '" + pipeline + "'");
  Watermark mark = it->second.mark;
  mark.paused = paused;
  if (!paused) mark.slot = std::max(mark.slot, loop.clock().Now());  // what passed meanwhile is not made up
  Result<void> put = co_await store->PutWatermark(pipeline, mark);
  NoteStore();
  if (!put) co_return Fail(put.error().Within("store the pause"));
  const auto again = entries.find(pipeline);
  if (again == entries.end()) co_return put;
  again->second.mark.paused = paused;
  again->second.mark.slot = std::max(again->second.mark.slot, mark.slot);
  metrics.SetPaused(pipeline, paused);
  PlanNext(pipeline, again->second);
  Publish(pipeline);
  co_return put;
}

Task<Result<std::vector<RunStatus>>> Pipelines::Impl::History(std::string pipeline, std::size_t limit) {
  auto stored = co_await store->History(pipeline, limit);
  if (!stored) co_return Fail(stored.error().Within("read the history"));
  if (stored->empty() && !entries.contains(pipeline))
    co_return Fail(ErrorCode::kNotFound, "there is no pipeline '" + pipeline + "'");
  std::vector<RunStatus> history;
  for (StoredRun& run : *stored) {
    const auto live = runs.find(run.run->id);
    history.push_back(live != runs.end() ? StatusOf(*live->second->run) : StatusOfStored(std::move(run)));
  }
  co_return history;
}

void Pipelines::Impl::Publish(const std::string& pipeline) {
  const auto it = entries.find(pipeline);
  std::shared_ptr<PipelineStatus> status;
  if (it != entries.end()) {
    const Entry& entry = it->second;
    status = std::make_shared<PipelineStatus>();
    status->name = pipeline;
    status->schedule = entry.config->ScheduleText();
    status->timezone = entry.config->timezone.empty() ? "UTC" : entry.config->timezone;
    for (const StepConfig& step : entry.config->steps) status->steps.push_back(step.name);
    status->paused = entry.mark.paused;
    status->once = entry.config->once;
    status->late = entry.late;
    status->next_slot = entry.next;
    status->last_run = entry.last_run;
    for (const ActiveRunPtr& active : entry.active) status->active_runs.push_back(StatusOf(*active->run));
    for (const ActiveRunPtr& active : entry.queue) status->active_runs.push_back(StatusOf(*active->run));
  }
  const core::MutexLock lock(mutex);
  if (status)
    published[pipeline] = std::move(status);
  else
    published.erase(pipeline);
}

Task<void> Pipelines::Impl::RemoveFolders(std::vector<RunId> gone) {
  co_await loop.Blocking([&] {
    std::error_code ignored;
    for (const RunId id : gone) std::filesystem::remove_all(RunFolder(id), ignored);
  });
}

// Folders of runs that the database does not know: removed from it by hand, or set aside with it.
Task<void> Pipelines::Impl::RemoveStrays() {
  const std::vector<RunId> there = co_await loop.Blocking([this] {
    std::vector<RunId> ids;
    std::error_code error;
    for (const auto& folder : std::filesystem::directory_iterator(options.data_dir + "/runs", error))
      if (const RunId id = std::strtoll(folder.path().filename().c_str(), nullptr, 10); id > 0) ids.push_back(id);
    return ids;
  });
  const auto missing = co_await store->Missing(there);
  if (!missing || missing->empty()) co_return;
  logger.Info("folders of runs that are not in the database are removed", {{"runs", std::to_string(missing->size())}});
  co_await RemoveFolders(*missing);
}

Task<void> Pipelines::Impl::Stop() {
  stopping = true;
  tasks.Cancel();
  co_await tasks.Join();
  if (store) co_await store->Close();
}

Pipelines::Pipelines(core::Loop& loop, core::Logger logger, std::shared_ptr<prometheus::Registry> registry,
                     PipelinesOptions options)
    : impl_(std::make_unique<Impl>(loop, std::move(logger), std::move(registry), std::move(options))) {}
Pipelines::~Pipelines() = default;

Task<Result<void>> Pipelines::Open() { return impl_->Open(); }
void Pipelines::Apply(std::vector<PipelineConfig> configs) { impl_->Apply(std::move(configs)); }
Task<Result<RunId>> Pipelines::RunNow(RunRequest request) { return impl_->RunNow(std::move(request)); }
Task<Result<void>> Pipelines::Cancel(RunId run) { return impl_->Cancel(run); }
Task<Result<void>> Pipelines::SetPaused(std::string pipeline, bool paused) {
  return impl_->SetPaused(std::move(pipeline), paused);
}
Task<Result<std::vector<RunStatus>>> Pipelines::History(std::string pipeline, std::size_t limit) {
  return impl_->History(std::move(pipeline), limit);
}
Task<void> Pipelines::Stop() { return impl_->Stop(); }

std::shared_ptr<const std::vector<PipelineStatus>> Pipelines::Snapshot() const {
  auto all = std::make_shared<std::vector<PipelineStatus>>();
  const core::MutexLock lock(impl_->mutex);
  for (const auto& [name, status] : impl_->published) all->push_back(*status);
  return all;
}

Result<std::string> Pipelines::LogPath(RunId run, const std::string& step, int attempt) const {
  std::string there;
  int newest = 0;
  std::error_code error;
  for (const auto& folder : std::filesystem::directory_iterator(impl_->RunFolder(run), error)) {
    const std::string name = folder.path().filename().string();
    const std::size_t dot = name.rfind('.');
    if (dot == std::string::npos) continue;
    there += (there.empty() ? "" : ", ") + name.substr(0, dot) + " (attempt " + name.substr(dot + 1) + ")";
    if (name.substr(0, dot) == step) newest = std::max(newest, std::atoi(name.c_str() + dot + 1));
  }
  if (there.empty())
    return Fail(ErrorCode::kNotFound,
                "run " + std::to_string(run) + " has no output (it was never there, or is too old)");
  // A step that is not in the listing is no part of a path: it comes from a request.
  const std::string path = impl_->AttemptFolder(run, step, attempt > 0 ? attempt : newest) + "/" + step::kOutputFile;
  if (newest == 0 || !std::filesystem::exists(path, error))
    return Fail(ErrorCode::kNotFound,
                "run " + std::to_string(run) + " has no such output of step '" + step + "'; there is: " + there);
  return path;
}

}  // namespace pipewarden::agent
