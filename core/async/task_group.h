// A TaskGroup owns coroutines: it spawns them, cancels them, and is joined before it dies, so that none outlives what
// it uses. Loop thread only. An exception that leaves a task, other than by its cancellation, is our own error, and
// whatever the task was there for would silently be missing: it ends the process with the task's name
// (core/async/exceptions.h). What may fail alone catches it before: CaughtError().
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "core/async/loop.h"

namespace pipewarden::core {

class TaskGroup {
 public:
  explicit TaskGroup(Loop& loop);
  ~TaskGroup();  // cancelled and empty by then, or the loop has stopped for good; anything else aborts
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // Called on the loop's thread it runs at once up to its first wait, before Spawn returns. After Cancel() nothing
  // starts any more.
  void Spawn(std::string name, Task<void> task);
  // As Spawn, and gives a handle by which this one task is cancelled.
  using TaskId = std::uint64_t;
  TaskId SpawnCancellable(std::string name, Task<void> task);
  void Cancel(TaskId id);  // an ended one: nothing happens

  void Cancel();      // asks all to end; they unwind at their next wait
  Task<void> Join();  // until none is left
  std::size_t size() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace pipewarden::core
