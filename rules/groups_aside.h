// Threads for rule groups whose evaluation takes long, so that it delays neither the tick nor other groups. A thread is
// made when it is first needed; there are few, so that slow groups cannot eat the machine: where all are taken, a slow
// group waits for the others.
//
// All calls are the owner's, from one thread; work runs on the threads here.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "core/async/mutex.h"
#include "core/logging.h"
#include "rules/rule_group.h"

namespace pipewarden::rules {

class GroupsAside {
 public:
  using Work = std::move_only_function<RuleGroup::Outcome()>;
  struct Finished {
    RuleGroup* group = nullptr;
    RuleGroup::Outcome outcome;
  };

  // `on_finished` is called on a thread here when a group has come to its end; Collect has it as soon as the call has
  // returned, and Cancel does not return before. It calls nothing here. What work throws ends the process.
  GroupsAside(core::Logger logger, std::function<void()> on_finished)
      : logger_(std::move(logger)), on_finished_(std::move(on_finished)) {}
  ~GroupsAside();
  GroupsAside(const GroupsAside&) = delete;
  GroupsAside& operator=(const GroupsAside&) = delete;

  // The group is the work's until Collect or Cancel has returned it.
  void Start(RuleGroup* group, Work work) EXCLUDES(mutex_);
  bool Has(const RuleGroup* group) const { return groups_.contains(group); }
  std::vector<Finished> Collect() EXCLUDES(mutex_);
  // Ends all work as soon as it looks at cancelled(), and returns what came of it.
  std::vector<Finished> Cancel() EXCLUDES(mutex_);
  const std::atomic<bool>& cancelled() const { return cancelled_; }

 private:
  static constexpr std::size_t kThreads = 4;

  void Run() EXCLUDES(mutex_);
  RuleGroup::Outcome RunOne(Work& work) const;

  const core::Logger logger_;
  const std::function<void()> on_finished_;
  std::set<const RuleGroup*> groups_;  // the owner's
  std::vector<std::thread> threads_;   // the owner's
  std::atomic<bool> cancelled_{false};

  core::Mutex mutex_;
  core::CondVar changed_;
  std::deque<std::pair<RuleGroup*, Work>> waiting_ GUARDED_BY(mutex_);
  std::vector<Finished> finished_ GUARDED_BY(mutex_);
  std::size_t idle_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
};

}  // namespace pipewarden::rules
