#include "core/async/task_group.h"

#include <boost/asio.hpp>
#include <cstdlib>
#include <map>

#include "core/async/exceptions.h"

namespace pipewarden::core {
namespace asio = boost::asio;

struct TaskGroup::State {
  explicit State(Loop& loop_) : loop(loop_) {}

  struct Entry {
    std::string name;
    asio::cancellation_signal signal;
    bool cancelled = false;
  };

  Loop& loop;
  bool cancelled = false;
  TaskId next = 1;
  std::map<TaskId, Entry> tasks;
  std::vector<asio::steady_timer*> joiners;

  void End(TaskId id, const std::exception_ptr& failure);
};

void TaskGroup::State::End(TaskId id, const std::exception_ptr& failure) {
  const Entry& entry = tasks.at(id);
  if (failure && !(entry.cancelled && IsCancellation(failure)))
    Fatal(loop.logger(), "task '" + entry.name + "'", failure);
  tasks.erase(id);
  if (tasks.empty())
    for (asio::steady_timer* joiner : joiners) joiner->cancel();
}

TaskGroup::TaskGroup(Loop& loop) : state_(std::make_shared<State>(loop)) {}

TaskGroup::~TaskGroup() {
  if (!state_->tasks.empty() && !state_->cancelled) {
    state_->loop.logger().Error("a task group dies with tasks running", {{"task", state_->tasks.begin()->second.name}});
    std::abort();
  }
}

void TaskGroup::Spawn(std::string name, Task<void> task) { SpawnCancellable(std::move(name), std::move(task)); }

TaskGroup::TaskId TaskGroup::SpawnCancellable(std::string name, Task<void> task) {
  if (state_->cancelled) return 0;
  const TaskId id = state_->next++;
  State::Entry& entry = state_->tasks[id];
  entry.name = std::move(name);
  asio::co_spawn(state_->loop.executor(), std::move(task),
                 asio::bind_cancellation_slot(entry.signal.slot(), [state = state_, id](std::exception_ptr failure) {
                   state->End(id, failure);
                 }));
  return id;
}

void TaskGroup::Cancel(TaskId id) {
  if (const auto entry = state_->tasks.find(id); entry != state_->tasks.end()) entry->second.cancelled = true;
  // Posted: the task may be the one that asks, and must not be unwound under its own feet.
  asio::post(state_->loop.executor(), [state = state_, id] {
    const auto entry = state->tasks.find(id);
    if (entry != state->tasks.end()) entry->second.signal.emit(asio::cancellation_type::terminal);
  });
}

void TaskGroup::Cancel() {
  state_->cancelled = true;
  for (const auto& [id, entry] : state_->tasks) Cancel(id);
}

Task<void> TaskGroup::Join() {
  auto state = state_;
  while (!state->tasks.empty()) {
    asio::steady_timer ended(state->loop.executor(), asio::steady_timer::time_point::max());
    state->joiners.push_back(&ended);
    co_await ended.async_wait(asio::as_tuple(asio::use_awaitable));
    std::erase(state->joiners, &ended);
  }
}

std::size_t TaskGroup::size() const { return state_->tasks.size(); }

}  // namespace pipewarden::core
