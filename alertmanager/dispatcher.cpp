#include "alertmanager/dispatcher.h"

#include <algorithm>

namespace pipewarden::alertmanager {
namespace {

using namespace std::chrono_literals;

// An empty group is remembered for so long (Alertmanager's maintenance), so that an alert that flaps keeps its rhythm.
constexpr core::Duration kKeepEmpty = 30s;
constexpr core::Duration kMinDeadline = 10s;
// For how long groups are flushed in one turn of the loop (real time: a jumping clock stands still meanwhile).
constexpr auto kTurn = 1ms;

bool SameRoute(const Route& a, const Route& b) {
  return a.id == b.id && a.key == b.key && a.config->receiver == b.config->receiver &&
         a.config->group_wait == b.config->group_wait && a.config->group_interval == b.config->group_interval;
}

const Route* FindSame(const Route& route, const Route& wanted) {
  if (SameRoute(route, wanted)) return &route;
  for (const Route& child : route.children)
    if (const Route* found = FindSame(child, wanted); found != nullptr) return found;
  return nullptr;
}

}  // namespace

Dispatcher::Dispatcher(core::Loop& loop, core::TaskGroup& tasks, std::function<void(std::shared_ptr<Flush>)> flush)
    : loop_(loop), tasks_(tasks), flush_(std::move(flush)) {}

void Dispatcher::Apply(std::shared_ptr<const RouteTree> tree) {
  tree_ = std::move(tree);
  Groups old = std::exchange(groups_, {});
  std::unordered_map<const Route*, const Route*> routes;
  for (auto& [id, group] : old) {
    Unschedule(*group);
    group->alerts.clear();
    const auto [at, fresh] = routes.try_emplace(group->route, nullptr);
    if (fresh) at->second = FindSame(tree_->root(), *group->route);
    const Route* route = at->second;
    if (route == nullptr || route->GroupLabels(group->labels) != group->labels) {
      group->detached = true;
      continue;
    }
    group->tree = tree_;
    group->route = route;
    group->empty_since = loop_.clock().Monotonic();
    groups_.emplace(GroupId{route, group->labels}, group);
    // No alert may come for it any more: then it is looked at, found empty, and removed.
    Schedule(group, std::min(group->due, group->empty_since + kKeepEmpty));
  }
}

void Dispatcher::Insert(std::uint64_t fingerprint, const AlertPtr& alert) {
  for (const Route* route : tree_->Match(alert->labels)) InsertInto(*route, fingerprint, alert);
}

std::shared_ptr<Group> Dispatcher::MakeGroup(const Route& route, const core::Labels& labels) {
  auto group = std::make_shared<Group>();
  group->id = next_id_++;
  group->tree = tree_;
  group->route = &route;
  group->labels = labels;
  group->key = route.GroupKey(labels);
  group->due = loop_.clock().Monotonic() + route.config->group_wait;
  return group;
}

void Dispatcher::InsertInto(const Route& route, std::uint64_t fingerprint, const AlertPtr& alert) {
  GroupId id{&route, route.GroupLabels(alert->labels)};
  auto at = groups_.find(id);
  if (at == groups_.end()) {
    auto group = MakeGroup(route, id.labels);
    at = groups_.emplace(std::move(id), std::move(group)).first;
  }
  const std::shared_ptr<Group>& group = at->second;
  group->alerts[fingerprint] = alert;
  if (!group->has_flushed && alert->starts_at + route.config->group_wait < loop_.clock().Now())
    group->due = std::min(group->due, loop_.clock().Monotonic());
  if (group->wake != group->due) Schedule(group, group->due);
}

void Dispatcher::Schedule(const std::shared_ptr<Group>& group, core::MonoTime wake) {
  Unschedule(*group);
  group->wake = wake;
  timers_.emplace(std::pair{wake, group->id}, group);
  Arm();
}

void Dispatcher::Unschedule(Group& group) {
  timers_.erase({group.wake, group.id});
  group.wake = {};
}

void Dispatcher::Arm() {
  if (running_ || stopped_ || timers_.empty()) return;
  const core::MonoTime due = timers_.begin()->first.first;
  if (timer_task_ != 0 && armed_ <= due) return;
  if (timer_task_ != 0) tasks_.Cancel(timer_task_);
  armed_ = due;
  timer_task_ = tasks_.SpawnCancellable("alertmanager groups", Run(due));
}

core::Task<void> Dispatcher::Run(core::MonoTime due) {
  co_await loop_.SleepUntil(due);
  running_ = true;
  auto turn = std::chrono::steady_clock::now();
  while (!stopped_ && !timers_.empty() && timers_.begin()->first.first <= loop_.clock().Monotonic()) {
    const std::shared_ptr<Group> group = timers_.begin()->second;
    Unschedule(*group);
    Tick(group);
    if (std::chrono::steady_clock::now() - turn > kTurn) {
      co_await loop_.Sleep(core::Duration::zero());
      turn = std::chrono::steady_clock::now();
    }
  }
  running_ = false;
  timer_task_ = 0;
  Arm();
}

void Dispatcher::Tick(const std::shared_ptr<Group>& group) {
  const core::MonoTime now = loop_.clock().Monotonic();
  if (group->alerts.empty() && !group->flushing && now >= group->empty_since + kKeepEmpty) return Remove(*group);
  if (now >= group->due) {
    // The cadence is kept from the planned times, not from when the loop came to it, unless it is a whole interval
    // late.
    group->due += group->route->config->group_interval;
    if (group->due <= now) group->due = now + group->route->config->group_interval;
    group->has_flushed = true;
    if (group->flushing)
      group->tick_missed = true;
    else if (!group->alerts.empty())
      StartFlush(group);
  }
  if (group->detached || group->wake != core::MonoTime{}) return;  // scheduled by the flush's end already
  Schedule(group, group->alerts.empty() ? std::min(group->due, group->empty_since + kKeepEmpty) : group->due);
}

void Dispatcher::StartFlush(const std::shared_ptr<Group>& group) {
  auto flush = std::make_shared<Flush>();
  flush->group = group;
  flush->tree = group->tree;
  flush->route = group->route;
  flush->tick = loop_.clock().Now();
  flush->deadline = loop_.clock().Monotonic() + std::max(group->route->config->group_interval, kMinDeadline);
  flush->alerts.reserve(group->alerts.size());
  for (const auto& [fingerprint, alert] : group->alerts) flush->alerts.push_back({fingerprint, alert});
  std::ranges::sort(flush->alerts,
                    [](const Flush::Item& a, const Flush::Item& b) { return AlertBefore(*a.alert, *b.alert); });
  group->flushing = true;
  flush_(std::move(flush));
}

void Dispatcher::Done(const Flush& flush) {
  Group& group = *flush.group;
  group.flushing = false;
  if (!flush.failed) {
    for (const auto& [fingerprint, alert] : flush.alerts) {
      if (!alert->ResolvedAt(flush.tick)) continue;
      const auto at = group.alerts.find(fingerprint);
      if (at != group.alerts.end() && at->second->updated_at == alert->updated_at) group.alerts.erase(at);
    }
  }
  if (group.detached || stopped_) return;
  const core::MonoTime now = loop_.clock().Monotonic();
  if (group.alerts.empty()) {
    group.tick_missed = false;
    group.empty_since = now;
    Schedule(flush.group, std::min(group.due, now + kKeepEmpty));
  } else if (std::exchange(group.tick_missed, false)) {
    StartFlush(flush.group);
  }
}

const Group* Dispatcher::Find(const Route& route, const core::Labels& labels) const {
  const auto at = groups_.find(GroupId{&route, labels});
  return at == groups_.end() ? nullptr : at->second.get();
}

void Dispatcher::Remove(Group& group) { groups_.erase(GroupId{group.route, group.labels}); }

}  // namespace pipewarden::alertmanager
