// How a thread of the web server asks the loop: posts a question, waits for its answer until a deadline. What the
// question captures must outlive the loop's work on it, which may go on after the deadline: capture owners, not
// references to the asker's stack.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/async/loop.h"
#include "core/async/mutex.h"
#include "core/async/task_group.h"
#include "core/result.h"

namespace pipewarden::agent {

// Where an answer is put by one thread and waited for by another, by real time.
template <class T>
class Answer {
 public:
  void Put(core::Result<T> value) {
    const core::MutexLock lock(mutex_);
    if (!value_) value_.emplace(std::move(value));
    changed_.NotifyAll();
  }
  core::Result<T> Wait(core::Duration limit) {
    const core::MutexLock lock(mutex_);
    const auto until = std::chrono::steady_clock::now() + limit;
    while (!value_) {
      const auto left = until - std::chrono::steady_clock::now();
      if (left <= core::Duration::zero() || !changed_.WaitFor(mutex_, left)) break;
    }
    if (value_) return std::move(*value_);
    return core::Fail(core::ErrorCode::kTimeout, "the agent is busy: no answer in time. Try again.");
  }

 private:
  core::Mutex mutex_;
  core::CondVar changed_;
  std::optional<core::Result<T>> value_ GUARDED_BY(mutex_);
};

// Runs `question` (which gives Result<T>) on the loop.
template <class T, class F>
core::Result<T> AskLoop(core::Loop& loop, core::MonoTime deadline, F question) {
  auto answer = std::make_shared<Answer<T>>();
  loop.Post([answer, question = std::move(question)]() mutable { answer->Put(question()); });
  return answer->Wait(deadline - loop.clock().Monotonic());
}

namespace internal {
template <class T, class F>
core::Task<void> AnswerBy(std::shared_ptr<Answer<T>> answer, F start) {
  answer->Put(co_await start());
}
}  // namespace internal

// Runs a coroutine of the loop: `start` (a function object that lives with the coroutine) gives a Task<Result<T>>.
template <class T, class F>
core::Result<T> AskTask(core::Loop& loop, core::TaskGroup& group, std::string name, core::MonoTime deadline, F start) {
  auto answer = std::make_shared<Answer<T>>();
  loop.Post([answer, &group, name = std::move(name), start = std::move(start)]() mutable {
    group.Spawn(std::move(name), internal::AnswerBy<T>(answer, std::move(start)));
  });
  return answer->Wait(deadline - loop.clock().Monotonic());
}

}  // namespace pipewarden::agent
