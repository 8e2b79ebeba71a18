// Groups alerts by route and labels and says when each group is due. Alertmanager's rhythm: the first flush comes
// group_wait after the group began (at once where its first alert is older than that, as after a restart), then one
// every group_interval from the first on, whatever the sending takes; who comes between waits for the next. A flush
// that is still under way at the next tick is followed by one right after it.
//
// All groups share one timer. Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "alertmanager/notification.h"
#include "alertmanager/route.h"
#include "core/async/loop.h"
#include "core/async/task_group.h"

namespace pipewarden::alertmanager {

struct Group {
  std::uint64_t id = 0;
  std::shared_ptr<const RouteTree> tree;
  const Route* route = nullptr;
  core::Labels labels;
  std::string key;  // the group key, as notified
  std::unordered_map<std::uint64_t, AlertPtr> alerts;
  core::MonoTime due{};   // the next flush
  core::MonoTime wake{};  // when the timer looks at it: `due`, or sooner to remove it while it is empty
  core::MonoTime empty_since{};
  bool has_flushed = false;
  bool flushing = false;
  bool tick_missed = false;  // a tick came while it was flushing
  bool detached = false;     // its route has gone by a reload
  // Keys of the notification log whose last delivery failed; what never gets through is counted as given up.
  std::set<std::string, std::less<>> undelivered;
};

// One telling of one group: what goes through the notification pipeline.
struct Flush {
  std::shared_ptr<Group> group;
  std::shared_ptr<const RouteTree> tree;  // of the time of the flush
  const Route* route = nullptr;
  struct Item {
    std::uint64_t fingerprint;
    AlertPtr alert;
  };
  std::vector<Item> alerts;  // in Alertmanager's order; resolved ones are those with an end at or before `tick`
  core::WallTime tick{};
  core::MonoTime deadline{};
  int open = 0;  // integrations that have not ended yet
  bool failed = false;
};

class Dispatcher {
 public:
  // `flush` runs the pipeline and calls Done() once, then or later.
  Dispatcher(core::Loop& loop, core::TaskGroup& tasks, std::function<void(std::shared_ptr<Flush>)> flush);

  // A new route tree: groups whose route has not changed keep their rhythm. The caller inserts all alerts again, in as
  // many turns as it likes, meanwhile nothing is flushed; then it calls AdoptSome() until that is false.
  void Apply(std::shared_ptr<const RouteTree> tree);
  // Looks at `count` of the groups that no alert has come for, which may rest a while for their rhythm. False: that was
  // all, the groups go on.
  bool AdoptSome(std::size_t count);
  void Insert(std::uint64_t fingerprint, const AlertPtr& alert);
  // The flush has ended. Where all went well, its resolved alerts leave the group unless they were updated meanwhile.
  void Done(const Flush& flush);
  void Stop() { stopped_ = true; }

  // The group of these labels below a route of the tree in force; null: there is none.
  const Group* Find(const Route& route, const core::Labels& labels) const;
  std::size_t group_count() const { return groups_.size(); }

 private:
  struct GroupId {
    const Route* route;
    core::Labels labels;
    bool operator==(const GroupId&) const = default;
  };
  struct GroupIdHash {
    std::size_t operator()(const GroupId& id) const { return std::hash<const void*>{}(id.route) ^ id.labels.Hash(); }
  };
  using Groups = std::unordered_map<GroupId, std::shared_ptr<Group>, GroupIdHash>;

  void InsertInto(const Route& route, std::uint64_t fingerprint, const AlertPtr& alert);
  std::shared_ptr<Group> MakeGroup(const Route& route, const core::Labels& labels);
  std::shared_ptr<Group> FindOld(const Route& route, const core::Labels& labels);
  void Adopt(const std::shared_ptr<Group>& group, const Route& route);
  void Schedule(const std::shared_ptr<Group>& group, core::MonoTime wake);
  void Unschedule(Group& group);
  void Arm();
  core::Task<void> Run(core::MonoTime due);
  void Tick(const std::shared_ptr<Group>& group);
  void StartFlush(const std::shared_ptr<Group>& group);
  void Remove(Group& group);

  core::Loop& loop_;
  core::TaskGroup& tasks_;
  std::function<void(std::shared_ptr<Flush>)> flush_;
  std::shared_ptr<const RouteTree> tree_;
  Groups groups_;
  // While `resting_`: the groups of the tree before, and which of its routes a route of this one has been, and the
  // other way round.
  bool resting_ = false;
  std::shared_ptr<const RouteTree> old_tree_;
  Groups old_groups_;
  std::unordered_map<const Route*, const Route*> old_route_;
  std::unordered_map<const Route*, const Route*> new_route_;
  std::map<std::pair<core::MonoTime, std::uint64_t>, std::shared_ptr<Group>> timers_;
  std::uint64_t next_id_ = 1;
  core::TaskGroup::TaskId timer_task_ = 0;
  core::MonoTime armed_{};
  bool running_ = false;
  bool stopped_ = false;
};

}  // namespace pipewarden::alertmanager
