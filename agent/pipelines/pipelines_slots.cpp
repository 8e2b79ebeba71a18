// When runs are made: the agenda of next slots, what becomes of slots that are due, promises that are broken.
#include <boost/asio.hpp>

#include "agent/pipelines/pipelines_impl.h"

namespace pipewarden::agent {

using core::Task;
using core::WallTime;
using namespace std::chrono_literals;

namespace {
constexpr std::size_t kMaxQueued = 1000;  // runs of one pipeline that wait for their turn
}

// Sleeps until the earliest next slot (or a promise that breaks) and fires what is due.
Task<void> Pipelines::Impl::WatchSchedules() {
  for (;;) {
    const WallTime now = loop.clock().Now();
    while (!agenda.empty() && agenda.begin()->first <= now) {
      const std::string name = agenda.begin()->second;
      agenda.erase(agenda.begin());
      Entry& entry = entries.at(name);
      entry.next.reset();
      entry.firing = true;
      tasks.Spawn("slots of " + name, Fire(name));
    }
    std::optional<WallTime> wake = JudgeLateness(now);
    if (!agenda.empty() && (!wake || agenda.begin()->first < *wake)) wake = agenda.begin()->first;
    co_await agenda_changed.Wait(wake);
  }
}

// Puts the pipeline's next slot into the agenda. A slot at or before the watermark never fires again, whatever the
// clock.
void Pipelines::Impl::PlanNext(const std::string& name, Entry& entry) {
  if (entry.next) agenda.erase({*entry.next, name});
  entry.next.reset();
  if (!entry.removed && !entry.mark.paused) {
    entry.next = entry.schedule.Next(entry.mark.slot);
    metrics.SetNextSlot(name, entry.next);
    if (entry.next && !entry.firing) agenda.emplace(*entry.next, name);
    if (entry.firing) entry.next.reset();
  } else if (!entry.removed) {
    metrics.SetNextSlot(name, std::nullopt);
  }
  agenda_changed.Notify();
}

Task<void> Pipelines::Impl::Fire(std::string name) {
  // However long the database takes to commit: what was due in time stays due, it was not missed.
  const WallTime due_at = loop.clock().Now();
  for (;;) {
    const bool done = co_await FireOnce(name, due_at);
    if (done) break;
    co_await loop.Sleep(kStoreRetry);
  }
  const auto it = entries.find(name);
  if (it == entries.end()) co_return;
  it->second.firing = false;
  PlanNext(name, it->second);
  Publish(name);
}

// Stores the runs of all slots that are due together with the new watermark. False: not stored, try again.
Task<bool> Pipelines::Impl::FireOnce(std::string name, WallTime due_at) {
  if (!entries.contains(name)) co_return true;
  if (entries.at(name).config->once) {
    const auto succeeded = co_await store->HasSucceeded(name);
    NoteStore();
    if (!succeeded) co_return false;
    if (*succeeded) {  // its slots pass
      const auto it = entries.find(name);
      if (it != entries.end()) it->second.mark.slot = std::max(it->second.mark.slot, loop.clock().Now());
      co_return true;
    }
  }
  const auto it = entries.find(name);
  if (it == entries.end() || it->second.removed || it->second.mark.paused) co_return true;
  const std::string schedule = it->second.schedule.text();
  const DueSlots due = SlotsDue(it->second.schedule, *it->second.config, it->second.mark.slot, due_at);
  if (!due.watermark) co_return true;
  const std::vector<std::shared_ptr<Run>> made = MakeSlotRuns(it->second, due);
  const auto ids =
      co_await store->Create(std::vector<std::shared_ptr<const Run>>(made.begin(), made.end()), due.watermark);
  NoteStore();
  if (!ids) co_return false;

  const auto again = entries.find(name);
  if (again == entries.end()) co_return true;
  Entry& entry = again->second;
  if (entry.schedule.text() == schedule) entry.mark.slot = std::max(entry.mark.slot, *due.watermark);
  metrics.AddMissed(name, due.missed);
  if (due.missed > 0) {
    logger.Warn("slots passed while the agent was down and do not run",
                {{"pipeline", name}, {"slots", std::to_string(due.missed)}, {"see", "catch_up"}});
    if (made.empty()) co_await PutWatermark(name);
  }
  for (std::size_t i = 0; i < made.size(); ++i) {
    if ((*ids)[i] == 0) continue;  // its slot has a run already
    made[i]->id = (*ids)[i];
    if (made[i]->state == RunState::kSkipped) {
      logger.Warn("a slot is skipped", {{"pipeline", name},
                                        {"run", std::to_string(made[i]->id)},
                                        {"slot", core::FormatRfc3339(made[i]->slot)},
                                        {"why", made[i]->error}});
      metrics.RunSkipped(*made[i]);
    } else {
      Admit(made[i]);
    }
  }
  co_return true;
}

std::shared_ptr<Run> Pipelines::Impl::NewRun(const Entry& entry, Cause cause, WallTime slot) const {
  auto run = std::make_shared<Run>();
  run->config = entry.config;
  run->cause = cause;
  run->slot = slot;
  run->interval_start = entry.schedule.IntervalStart(slot);
  run->created = loop.clock().Now();
  return run;
}

std::vector<std::shared_ptr<Run>> Pipelines::Impl::MakeSlotRuns(const Entry& entry, const DueSlots& due) {
  std::vector<std::shared_ptr<Run>> made;
  for (const WallTime slot : due.caught) made.push_back(NewRun(entry, Cause::kCatchUp, slot));
  std::size_t waiting = entry.active.size() + entry.queue.size() + made.size();
  for (const WallTime slot : due.live) {
    auto run = NewRun(entry, Cause::kSchedule, slot);
    const bool skip = entry.config->overlap == Overlap::kSkip && waiting > 0;
    if (skip || waiting >= kMaxQueued) {
      run->state = RunState::kSkipped;
      run->ended = run->created;
      run->error = skip ? "the run before is still under way (overlap: skip)" : "too many runs wait already";
    } else if (entry.config->overlap == Overlap::kReplace) {
      for (const ActiveRunPtr& active : entry.active)
        tasks.Spawn("replace a run",
                    [](Impl* self, RunId id) -> Task<void> { co_await self->Cancel(id); }(this, active->run->id));
      for (const ActiveRunPtr& active : entry.queue)
        tasks.Spawn("replace a run",
                    [](Impl* self, RunId id) -> Task<void> { co_await self->Cancel(id); }(this, active->run->id));
    }
    if (run->state != RunState::kSkipped) ++waiting;
    made.push_back(std::move(run));
  }
  return made;
}

// Judges the promises of all pipelines that make some; the next time at which one may break.
std::optional<WallTime> Pipelines::Impl::JudgeLateness(WallTime now) {
  std::optional<WallTime> next;
  for (auto& [name, entry] : entries) {
    const SlaConfig& sla = entry.config->sla;
    if (entry.removed) continue;
    std::optional<WallTime> deadline;
    bool outstanding = false;
    std::optional<bool> start_broken, finish_broken, duration_broken;  // nothing: not promised
    if (sla.start_within > 0s) start_broken = false;
    if (sla.finish_by) finish_broken = false;
    if (sla.max_duration > 0s) duration_broken = false;
    const auto judge = [&](WallTime at, std::optional<bool>& broken) {
      if (now >= at)
        broken = true;
      else if (!next || at < *next)
        next = at;
    };
    // The newest slot, unless the schedule is paused or began (its watermark then lies after the slot) later.
    std::optional<WallTime> slot = entry.schedule.Previous(now + 1ns);
    if (slot && (entry.mark.paused || entry.mark.slot > *slot)) slot.reset();
    if (sla.finish_by && slot) {
      deadline = entry.schedule.TimeOfDayAfter(*slot, *sla.finish_by);
      outstanding = entry.last_success < *slot;
      if (outstanding) judge(*deadline, finish_broken);
    }
    if (sla.start_within > 0s && slot) {
      bool started = entry.last_run && entry.last_run->slot >= *slot && entry.last_run->started != WallTime{};
      for (const ActiveRunPtr& active : entry.active)
        started = started || (active->run->slot >= *slot && active->run->started != WallTime{});
      if (!started) judge(*slot + sla.start_within, start_broken);
    }
    if (sla.max_duration > 0s)
      for (const ActiveRunPtr& active : entry.active)
        if (active->run->started != WallTime{}) judge(active->run->started + sla.max_duration, duration_broken);
    metrics.SetDeadline(name, deadline);
    metrics.SetOutstanding(name, outstanding);
    metrics.SetBroken(name, "start_within", start_broken);
    metrics.SetBroken(name, "finish_by", finish_broken);
    metrics.SetBroken(name, "max_duration", duration_broken);
    const bool late = start_broken.value_or(false) || finish_broken.value_or(false) || duration_broken.value_or(false);
    if (late == entry.late) continue;
    entry.late = late;
    metrics.SetLate(name, late);
    if (late) logger.Warn("a pipeline is late", {{"pipeline", name}});
    Publish(name);
  }
  return next;
}

Task<void> Pipelines::Impl::PutWatermark(std::string name) {
  for (;;) {
    const auto it = entries.find(name);
    if (it == entries.end() || it->second.removed) co_return;
    const auto put = co_await store->PutWatermark(name, it->second.mark);
    NoteStore();
    if (put) co_return;
    co_await loop.Sleep(kStoreRetry);
  }
}

// What grows old: runs beyond their age, each hour.
Task<void> Pipelines::Impl::KeepHouse() {
  for (;;) {
    co_await loop.Sleep(1h);
    std::vector<std::string> names;
    for (const auto& [name, entry] : entries) names.push_back(name);
    for (const std::string& name : names) co_await Prune(name);
  }
}

}  // namespace pipewarden::agent
