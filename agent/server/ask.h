// How a thread of the web server asks the loop: posts a question, waits for its answer until a deadline. What the
// question captures must outlive the loop's work on it, which may go on after the deadline: capture owners, not
// references to the asker's stack. There is always an answer: an exception becomes kInternal, and where the work is
// cancelled, or never begins because the agent ends, it is kUnavailable.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/async/exceptions.h"
#include "core/async/loop.h"
#include "core/async/mutex.h"
#include "core/async/task_group.h"
#include "core/result.h"

namespace pipewarden::agent {

// Where an answer is put by one thread and waited for by another, by real time. The first one counts.
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

namespace internal {

// Goes with the work; when it dies without an answer, the asker is told.
template <class T>
class Answerer {
 public:
  explicit Answerer(std::shared_ptr<Answer<T>> answer) : answer_(std::move(answer)) {}
  Answerer(Answerer&&) noexcept = default;
  Answerer& operator=(Answerer&&) = delete;
  ~Answerer() {
    if (answer_) answer_->Put(core::Fail(core::ErrorCode::kUnavailable, "no answer: the agent is ending"));
  }
  void Put(core::Result<T> value) const { answer_->Put(std::move(value)); }

 private:
  std::shared_ptr<Answer<T>> answer_;
};

template <class T, class F>
core::Task<void> AnswerBy(Answerer<T> answerer, F start) {
  core::Result<T> result = core::Fail(core::ErrorCode::kInternal, "");
  try {
    result = co_await start();
  } catch (...) {
    result = core::Fail(core::CaughtError());
  }
  answerer.Put(std::move(result));
}

}  // namespace internal

// Runs `question` (which gives Result<T>) on the loop.
template <class T, class F>
core::Result<T> AskLoop(core::Loop& loop, core::MonoTime deadline, F question) {
  auto answer = std::make_shared<Answer<T>>();
  loop.Post([answerer = internal::Answerer<T>(answer), question = std::move(question)]() mutable {
    try {
      answerer.Put(question());
    } catch (...) {
      answerer.Put(core::Fail(core::CaughtError()));
    }
  });
  return answer->Wait(deadline - loop.clock().Monotonic());
}

// Runs a coroutine of the loop: `start` (a function object that lives with the coroutine) gives a Task<Result<T>>.
template <class T, class F>
core::Result<T> AskTask(core::Loop& loop, core::TaskGroup& group, std::string name, core::MonoTime deadline, F start) {
  auto answer = std::make_shared<Answer<T>>();
  loop.Post(
      [answerer = internal::Answerer<T>(answer), &group, name = std::move(name), start = std::move(start)]() mutable {
        group.Spawn(std::move(name), internal::AnswerBy<T>(std::move(answerer), std::move(start)));
      });
  return answer->Wait(deadline - loop.clock().Monotonic());
}

}  // namespace pipewarden::agent
