// The loop: one thread that owns what waits and decides. Coroutines (boost::asio::awaitable) run on it; what would
// block or burn goes to a small pool by Blocking(), what may hang for good to core/async/aside.h. With a JumpingClock
// the loop keeps the timers itself and time moves only by Advance(), when loop and pool have nothing left to do, so
// that tests and simulations never sleep.
//
// Coroutine rules: parameters by value; no capturing lambda coroutines; every wait has a deadline (Sleep is one); spawn
// by a TaskGroup only. A cancelled coroutine unwinds by boost::system::system_error(operation_aborted), which the
// TaskGroup swallows. Any other exception that reaches the loop ends the process (core/async/exceptions.h).
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>

#include "core/logging.h"
#include "core/result.h"
#include "core/time/clock.h"

namespace pipewarden::core {

template <class T>
using Task = boost::asio::awaitable<T>;

class Loop {
 public:
  // `pool_threads` are for Blocking(); at least 1. The clock outlives the loop (JumpingClock& where it jumps).
  Loop(Clock& clock, Logger logger, std::size_t pool_threads = 4);
  ~Loop();  // waits for the work of the pool
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  boost::asio::any_io_executor executor() const;
  Clock& clock() const;
  const Logger& logger() const;

  // Runs until Stop(); the calling thread becomes the loop's.
  void Run();
  void Stop();  // safe from any thread
  // Jumping clock only: runs everything that is due now, then jumps from timer to timer until `by` has passed. Returns
  // when loop and pool are idle. Call it from the thread that would call Run().
  void Advance(Duration by);
  // Jumping clock only: what is due now, and nothing more.
  void RunReady() { Advance(Duration::zero()); }
  // Something outside that the jumping clock must wait for (a worker thread with a batch): while any is held, Advance
  // waits instead of jumping. Safe from any thread.
  class Busy;
  [[nodiscard]] Busy HoldTime();

  // Any thread: runs it on the loop, in order of posting. It must not throw; `where` is for the message if it does.
  void Post(std::move_only_function<void()> work, std::source_location where = std::source_location::current());

  // Loop thread. Both return at once for a time that has passed; cancellable.
  Task<void> Sleep(Duration duration);
  Task<void> SleepUntil(MonoTime time);
  // The same, but a cancellation is the answer false and no exception: for what is cancelled each time all goes well,
  // because an exception costs more than what it guards. The caller must not go on as if the time had come.
  Task<bool> WaitUntil(MonoTime time);
  // Wall time: a step of the system's clock or a suspend makes it look again, so it is never late by the step.
  Task<void> SleepUntil(WallTime time);

  // Runs `work` in the pool and resumes on the loop with its result. For what ends by itself, such as a commit of our
  // own state; what may hang goes to an Aside. Not cancellable: the coroutine resumes after the work even when
  // cancelled, so that nothing outlives what it uses. An exception of the work is rethrown here.
  template <class F>
  Task<std::invoke_result_t<F>> Blocking(F work);

  // Longest turn (one handler) since the last call, for loop_stall_seconds; then starts anew. Any thread.
  Duration TakeLongestTurn();
  // How many threads of Asides have not come back. It may outlive the loop, as those threads do.
  const std::shared_ptr<std::atomic<int>>& threads_aside() const;

 private:
  struct State;
  Task<void> BlockingImpl(std::move_only_function<void()> work);
  std::unique_ptr<State> state_;
  friend class Busy;
};

class Loop::Busy {
 public:
  explicit Busy(Loop& loop);
  Busy(Busy&& other) noexcept;
  Busy& operator=(Busy&&) = delete;
  ~Busy();

 private:
  Loop* loop_;
};

template <class F>
Task<std::invoke_result_t<F>> Loop::Blocking(F work) {
  using T = std::invoke_result_t<F>;
  if constexpr (std::is_void_v<T>) {
    co_await BlockingImpl([&work] { work(); });
  } else {
    std::optional<T> result;
    co_await BlockingImpl([&] { result.emplace(work()); });
    co_return std::move(*result);
  }
}

// Awaits `task`, at most for `limit`; then it is cancelled and the answer is kTimeout ("timed out after 5s"). What the
// task throws is thrown here.
template <class T>
Task<Result<T>> WithTimeout(Loop& loop, Duration limit, Task<Result<T>> task);

}  // namespace pipewarden::core

#include "core/async/with_timeout.h"  // IWYU pragma: keep
