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

// Calls `same(before, now)` for each route that is the same in both trees: its place is part of it.
template <class Same>
void ForEachSame(const Route& before, const Route& now, const Same& same) {
  if (SameRoute(before, now)) same(before, now);
  for (std::size_t i = 0; i < std::min(before.children.size(), now.children.size()); ++i)
    ForEachSame(before.children[i], now.children[i], same);
}

}  // namespace

Dispatcher::Dispatcher(core::Loop& loop, core::TaskGroup& tasks, std::function<void(std::shared_ptr<Flush>)> flush)
    : loop_(loop), tasks_(tasks), flush_(std::move(flush)) {}

void Dispatcher::Apply(std::shared_ptr<const RouteTree> tree) {
  while (resting_) AdoptSome(old_groups_.size());  // of an Apply that was not yet through
  resting_ = true;
  old_tree_ = std::exchange(tree_, std::move(tree));
  old_groups_ = std::exchange(groups_, {});
  if (old_tree_ == nullptr) return;
  ForEachSame(old_tree_->root(), tree_->root(), [this](const Route& before, const Route& now) {
    old_route_[&now] = &before;
    new_route_[&before] = &now;
  });
}

std::shared_ptr<Group> Dispatcher::FindOld(const Route& route, const core::Labels& labels) {
  const auto before = old_route_.find(&route);
  const auto at = before == old_route_.end() ? old_groups_.end() : old_groups_.find(GroupId{before->second, labels});
  if (at == old_groups_.end()) return nullptr;
  const std::shared_ptr<Group> group = at->second;
  old_groups_.erase(at);
  return group;
}

void Dispatcher::Adopt(const std::shared_ptr<Group>& group, const Route& route) {
  group->alerts.clear();
  group->tree = tree_;
  group->route = &route;
  group->empty_since = loop_.clock().Monotonic();
  groups_.emplace(GroupId{&route, group->labels}, group);
  // No alert may come for it any more: then it is looked at, found empty, and removed.
  Schedule(group, std::min(group->due, group->empty_since + kKeepEmpty));
}

bool Dispatcher::AdoptSome(std::size_t count) {
  for (; count > 0 && !old_groups_.empty(); --count) {
    const std::shared_ptr<Group> group = old_groups_.begin()->second;
    old_groups_.erase(old_groups_.begin());
    const auto route = new_route_.find(group->route);
    if (route != new_route_.end() && route->second->GroupLabels(group->labels) == group->labels) {
      Adopt(group, *route->second);
    } else {
      Unschedule(*group);
      group->alerts.clear();
      group->detached = true;
    }
  }
  if (!old_groups_.empty()) return true;
  resting_ = false;
  old_tree_ = nullptr;
  old_route_.clear();
  new_route_.clear();
  Arm();
  return false;
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
    if (const auto old = FindOld(route, id.labels)) {
      Adopt(old, route);
      at = groups_.find(id);
    } else {
      auto group = MakeGroup(route, id.labels);
      at = groups_.emplace(std::move(id), std::move(group)).first;
    }
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
  if (running_ || stopped_ || resting_ || timers_.empty()) return;
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
  while (!stopped_ && !resting_ && !timers_.empty() && timers_.begin()->first.first <= loop_.clock().Monotonic()) {
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
    if (!resting_) return StartFlush(flush.group);
    group.due = now;
    Schedule(flush.group, now);
  }
}

const Group* Dispatcher::Find(const Route& route, const core::Labels& labels) const {
  const auto at = groups_.find(GroupId{&route, labels});
  return at == groups_.end() ? nullptr : at->second.get();
}

void Dispatcher::Remove(Group& group) { groups_.erase(GroupId{group.route, group.labels}); }

}  // namespace pipewarden::alertmanager
