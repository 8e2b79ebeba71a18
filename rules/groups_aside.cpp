#include "rules/groups_aside.h"

#include <pthread.h>

#include "core/async/exceptions.h"

namespace pipewarden::rules {

GroupsAside::~GroupsAside() {
  cancelled_ = true;
  {
    const core::MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  for (std::thread& thread : threads_) thread.join();
}

void GroupsAside::Start(RuleGroup* group, Work work) {
  groups_.insert(group);
  bool more = false;
  {
    const core::MutexLock lock(mutex_);
    waiting_.emplace_back(group, std::move(work));
    more = idle_ < waiting_.size() && threads_.size() < kThreads;
    changed_.NotifyAll();
  }
  if (!more) return;
  threads_.emplace_back([this] { Run(); });
  pthread_setname_np(threads_.back().native_handle(), "slow rules");
}

std::vector<GroupsAside::Finished> GroupsAside::Collect() {
  std::vector<Finished> finished;
  {
    const core::MutexLock lock(mutex_);
    finished.swap(finished_);
  }
  for (const Finished& one : finished) groups_.erase(one.group);
  return finished;
}

std::vector<GroupsAside::Finished> GroupsAside::Cancel() {
  if (groups_.empty()) return {};
  cancelled_ = true;
  {
    const core::MutexLock lock(mutex_);
    while (finished_.size() < groups_.size()) changed_.Wait(mutex_);
  }
  cancelled_ = false;
  return Collect();
}

RuleGroup::Outcome GroupsAside::RunOne(Work& work) const {
  try {
    return work();
  } catch (...) {
    core::Fatal(logger_, "a slow rule group", std::current_exception());
  }
}

void GroupsAside::Run() {
  mutex_.Lock();
  for (;;) {
    ++idle_;
    while (waiting_.empty() && !stopping_) changed_.Wait(mutex_);
    --idle_;
    if (stopping_) break;
    auto [group, work] = std::move(waiting_.front());
    waiting_.pop_front();
    mutex_.Unlock();
    RuleGroup::Outcome outcome = RunOne(work);
    mutex_.Lock();
    finished_.push_back({group, std::move(outcome)});
    changed_.NotifyAll();
    on_finished_();  // under the mutex: who has seen the end may destroy what is called here
  }
  mutex_.Unlock();
}

}  // namespace pipewarden::rules
