// How runs go: who is next, which steps start, the life of an attempt.
#include <boost/asio.hpp>

#include "agent/pipelines/pipelines_impl.h"
#include "core/async/aside.h"
#include "core/time/duration.h"

namespace pipewarden::agent {

using core::Result;
using core::Task;
using core::WallTime;
using namespace std::chrono_literals;

namespace {

// An attempt that could not be prepared though the agent lives (no space, no processes) is tried anew so often.
constexpr int kPrepareTries = 3;
constexpr core::Duration kPrepareRetry = 5s;
constexpr core::Duration kSecretsPatience = 30s;  // with files of secrets

std::string Show(core::Duration duration) {
  if (duration >= 1min) return core::FormatDuration(std::chrono::floor<std::chrono::seconds>(duration));
  return core::FormatDuration(std::chrono::floor<std::chrono::milliseconds>(duration));
}

AttemptEnd NeverRan(WallTime now, std::string reason, std::string message) {
  AttemptEnd end;
  end.kind = AttemptEnd::Kind::kExited;
  end.exit_code = -1;
  end.reason = std::move(reason);
  end.message = std::move(message);
  end.started = now;
  end.ended = now;
  return end;
}

}  // namespace

// A stored run begins now, or waits for its turn. Runs that came by hand wait behind others as caught-up slots do.
void Pipelines::Impl::Admit(std::shared_ptr<Run> run) {
  run->steps = run->steps.empty() ? MakeSteps(*run->config, run->only) : run->steps;
  const std::string name = run->config->name;
  auto active = std::make_shared<ActiveRun>(loop, std::move(run));
  runs[active->run->id] = active;
  entries.at(name).queue.push_back(std::move(active));
  StartNext(name);
}

void Pipelines::Impl::StartNext(const std::string& pipeline) {
  Entry& entry = entries.at(pipeline);
  while (!stopping && !entry.queue.empty() && (entry.active.empty() || entry.config->overlap == Overlap::kAllow)) {
    ActiveRunPtr next = std::move(entry.queue.front());
    entry.queue.pop_front();
    entry.active.push_back(next);
    tasks.Spawn("run " + std::to_string(next->run->id), Drive(next));
  }
  metrics.SetQueued(pipeline, entry.queue.size());
  Publish(pipeline);
}

Task<void> Pipelines::Impl::Drive(ActiveRunPtr active) {
  const std::shared_ptr<Run> run = active->run;
  const bool adopted = run->state == RunState::kRunning;
  if (!adopted) {
    run->state = RunState::kRunning;
    run->started = loop.clock().Now();
  }
  metrics.RunStarted(*run);
  logger.Info(adopted ? "run adopted" : "run started", {{"pipeline", run->config->name},
                                                        {"run", std::to_string(run->id)},
                                                        {"cause", std::string(CauseName(run->cause))},
                                                        {"slot", core::FormatRfc3339(run->slot)}});
  // Not waited for: the first attempt's commit is the same transaction or a later one.
  if (!adopted) tasks.Spawn("store a run", StoreRun(run));
  std::vector<std::size_t> to_adopt;  // the attempts take themselves out of the map as they begin
  for (const auto& [index, stored] : active->to_adopt) to_adopt.push_back(index);
  for (const std::size_t index : to_adopt) run->steps[index].state = StepState::kStarting;
  for (const std::size_t index : to_adopt) tasks.Spawn("adopt a step", RunAttempt(active, index));
  for (;;) {
    const Decision decision =
        Decide(*run, loop.clock().Now(), [this](const std::string& name) { return IsHealthy(name); });
    for (const std::size_t index : decision.start) {
      run->steps[index].state = StepState::kStarting;
      ++run->steps[index].attempt;
      tasks.Spawn("step", RunAttempt(active, index));
    }
    Publish(run->config->name);
    if (decision.finished) break;
    agenda_changed.Notify();  // lateness may have changed
    co_await active->changed.Wait(decision.look_at);
  }
  run->ended = loop.clock().Now();
  co_await StoreRun(run);
  EndRun(active);
  co_await Prune(run->config->name);
}

void Pipelines::Impl::EndRun(const ActiveRunPtr& active) {
  const Run& run = *active->run;
  const std::string& name = run.config->name;
  metrics.RunEnded(run);
  const auto level = run.state == RunState::kFailed ? &core::Logger::Error : &core::Logger::Info;
  (logger.*level)("run ended", {{"pipeline", name},
                                {"run", std::to_string(run.id)},
                                {"state", std::string(RunStateName(run.state))},
                                {"duration", Show(run.ended - run.started)},
                                {"error", run.error}});
  runs.erase(run.id);
  Entry& entry = entries.at(name);
  std::erase(entry.active, active);
  entry.last_run = StatusOf(run);
  if (run.state == RunState::kSucceeded && run.only.empty()) entry.last_success = run.ended;
  agenda_changed.Notify();
  StartNext(name);
  RemoveOldSteps(entry, *run.config);
  if (entry.removed && entry.active.empty() && entry.queue.empty()) {
    RemoveMetrics(name, *entry.config);
    entries.erase(name);
    Publish(name);
  }
}

// One attempt of a step from its intent to its stored end.
Task<void> Pipelines::Impl::RunAttempt(ActiveRunPtr active, std::size_t index) {
  const std::shared_ptr<Run> run = active->run;
  StepRun& step = run->steps[index];
  const StepConfig& config = run->ConfigOf(step);
  StoredAttempt stored;
  std::unique_ptr<RunningAttempt> running;
  AttemptEnd end;
  const auto to_adopt = active->to_adopt.find(index);
  const bool adopted = to_adopt != active->to_adopt.end();
  if (adopted) {
    stored = to_adopt->second;
    active->to_adopt.erase(to_adopt);
    auto found = co_await executor->Adopt(AttemptFolder(run->id, config.name, stored.attempt), stored.handle);
    if (found)
      running = std::move(*found);
    else
      end = NeverRan(loop.clock().Now(), "adopt", found.error().message);
    if (step.started == WallTime{}) step.started = stored.intended;
  } else {
    stored.run = run->id;
    stored.step = config.name;
    stored.attempt = step.attempt;
    end = co_await BeginAttempt(active, index, stored, running);
  }

  if (running) {
    struct Listed {  // for Cancel, until this coroutine is over or unwound
      ActiveRun& active;
      std::size_t index;
      ~Listed() { active.running.erase(index); }
    } listed{*active, index};
    active->running[index] = running.get();
    if (run->cancel_requested) running->Cancel();
    step.state = StepState::kRunning;
    if (!adopted) step.started = loop.clock().Now();
    step.ended = WallTime{};
    step.error.clear();
    metrics.AttemptStarted(*run, config.name, step.started);
    logger.Info(adopted ? "step adopted" : "step started", {{"pipeline", run->config->name},
                                                            {"run", std::to_string(run->id)},
                                                            {"step", config.name},
                                                            {"attempt", std::to_string(stored.attempt)}});
    Publish(run->config->name);
    end = co_await running->Wait();
    metrics.AttemptEnded(*run, config.name, end);
  }

  const bool ran = end.kind != AttemptEnd::Kind::kNotStarted;
  if (ran) {
    stored.state = end.kind == AttemptEnd::Kind::kLost ? AttemptState::kLost : AttemptState::kEnded;
    stored.end = end;
    co_await StoreAttempt(stored);
  } else if (!adopted) {
    logger.Warn("a step could not be prepared, it is tried anew", {{"pipeline", run->config->name},
                                                                   {"run", std::to_string(run->id)},
                                                                   {"step", config.name},
                                                                   {"why", end.message}});
    co_await loop.Sleep(kPrepareRetry);
  }
  OnAttemptEnd(*run, step, end);
  metrics.StepEnded(*run, step);
  if (ran) {
    const auto level = end.Succeeded() ? &core::Logger::Info : &core::Logger::Warn;
    (logger.*level)("step ended", {{"pipeline", run->config->name},
                                   {"run", std::to_string(run->id)},
                                   {"step", config.name},
                                   {"attempt", std::to_string(stored.attempt)},
                                   {"state", std::string(StepStateName(step.state))},
                                   {"duration", Show(end.duration)},
                                   {"how", end.message}});
  }
  active->changed.Notify();
}

// Brings an attempt to its start: intended (stored), its holder at the gate, spawned (stored), the gate opened. Where
// it cannot be begun, `running` stays empty and the answer tells why. Nothing starts that is not stored: where the
// database does not commit, it waits here.
Task<AttemptEnd> Pipelines::Impl::BeginAttempt(ActiveRunPtr active, std::size_t index, StoredAttempt& stored,
                                               std::unique_ptr<RunningAttempt>& running) {
  const std::shared_ptr<Run> run = active->run;
  const StepConfig& config = run->ConfigOf(run->steps[index]);
  for (int tries = 1;;) {
    if (run->cancel_requested) co_return NeverRan(loop.clock().Now(), "cancelled", "cancelled before it started");
    auto spec = co_await MakeSpec(run, config, stored.attempt);
    if (!spec) co_return NeverRan(loop.clock().Now(), "exec", "could not start: " + spec.error().message);
    stored.state = AttemptState::kIntended;
    stored.handle.clear();
    stored.intended = loop.clock().Now();
    const auto intended = co_await store->PutAttempt(stored);
    NoteStore();
    if (!intended) {
      co_await loop.Sleep(kStoreRetry);
      continue;
    }
    auto holder = co_await executor->Start(std::move(*spec));
    if (!holder) {
      if (tries++ >= kPrepareTries)
        co_return NeverRan(loop.clock().Now(), "exec", "could not start: " + holder.error().message);
      logger.Warn("a step could not be started, it is tried anew",
                  {{"pipeline", run->config->name}, {"step", config.name}, {"error", holder.error().message}});
      co_await loop.Sleep(kPrepareRetry);
      continue;
    }
    stored.state = AttemptState::kSpawned;
    stored.handle = (*holder)->handle();
    const auto spawned = co_await store->PutAttempt(stored);
    NoteStore();
    if (!spawned) {
      holder->reset();  // the gate closes: nothing has started
      co_await loop.Sleep(kStoreRetry);
      continue;
    }
    if (run->cancel_requested) continue;
    if (auto gone = (*holder)->Go(); !gone) {
      // The holder has died at the gate; Wait() tells so.
      logger.Warn("a step's gate could not be opened", {{"step", config.name}, {"error", gone.error().message}});
    }
    running = std::move(*holder);
    co_return AttemptEnd{};
  }
}

Task<Result<AttemptSpec>> Pipelines::Impl::MakeSpec(std::shared_ptr<Run> run, const StepConfig& step, int attempt) {
  // Secrets given by value are not stored with a run: they are those of the configuration as it is now.
  std::vector<SecretVariable> secrets = run->config->secrets;
  std::erase_if(secrets, [](const SecretVariable& secret) { return secret.file.empty(); });
  const auto entry = entries.find(run->config->name);
  if (entry != entries.end())
    for (const SecretVariable& secret : entry->second.config->secrets)
      if (secret.file.empty()) secrets.push_back(secret);
  const StepConfig* config = &step;  // the run keeps it
  core::Aside aside;                 // a secret's file may be anywhere
  auto environment = co_await aside.Run(loop, kSecretsPatience, [run, config, attempt, secrets] {
    return BuildEnvironment(*run, *config, attempt, secrets);
  });
  if (!environment) co_return core::Fail(environment.error());
  AttemptSpec spec;
  spec.run = run->id;
  spec.pipeline = run->config->name;
  spec.step = config->name;
  spec.attempt = attempt;
  spec.folder = AttemptFolder(run->id, config->name, attempt);
  spec.argv = config->argv;
  spec.env = std::move(environment->variables);
  spec.secrets = std::move(environment->secrets);
  spec.cwd = config->cwd;
  spec.timeout = config->timeout;
  spec.grace = config->grace;
  spec.output_max = config->output_max;
  spec.keep_background = config->keep_background;
  co_return spec;
}

Task<void> Pipelines::Impl::StoreRun(std::shared_ptr<Run> run) {
  for (;;) {
    const auto updated = co_await store->Update(*run);
    NoteStore();
    if (updated) co_return;
    co_await loop.Sleep(kStoreRetry);
  }
}

Task<void> Pipelines::Impl::StoreAttempt(StoredAttempt attempt) {
  for (;;) {
    const auto put = co_await store->PutAttempt(attempt);
    NoteStore();
    if (put) co_return;
    co_await loop.Sleep(kStoreRetry);
  }
}

void Pipelines::Impl::NoteStore() { metrics.SetStoreUp(store->healthy()); }

Task<void> Pipelines::Impl::Prune(std::string pipeline) {
  const auto it = entries.find(pipeline);
  if (it == entries.end()) co_return;
  const std::shared_ptr<const PipelineConfig> config = it->second.config;
  const auto removed = co_await store->Prune(pipeline, config->keep_runs, loop.clock().Now() - config->keep_for);
  if (removed && !removed->empty()) co_await RemoveFolders(*removed);
}

}  // namespace pipewarden::agent
