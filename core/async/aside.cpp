#include "core/async/aside.h"

#include <pthread.h>

#include <atomic>
#include <boost/asio.hpp>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "core/async/mutex.h"
#include "core/time/duration.h"

namespace pipewarden::core {
namespace asio = boost::asio;
namespace {

constexpr int kMaxThreads = 256;  // of one loop
constexpr std::chrono::seconds kLinger{1};

}  // namespace

// The loop's thread alone looks at it, but for `failure`, which is written before the end is posted.
struct Aside::Call {
  bool ended = false;
  std::exception_ptr failure;
  std::vector<asio::steady_timer*> waiters;
};

struct Aside::Job {
  std::function<void()> work;
  std::shared_ptr<Call> call;
  std::shared_ptr<std::atomic<int>> threads;  // that work, of the loop
};

struct Aside::State {
  Mutex mutex;
  CondVar changed;
  Loop* loop GUARDED_BY(mutex) = nullptr;  // to be told of an end; null once the owner has gone
  bool lingers GUARDED_BY(mutex) = false;  // the thread of the call before waits for another
  std::optional<Job> next GUARDED_BY(mutex);
  std::shared_ptr<Call> last;  // loop thread

  static void Work(std::shared_ptr<State> state, Job job);
};

// A thread's whole life. Polls come some times a second, and a new thread each would cost more than they do.
void Aside::State::Work(std::shared_ptr<State> state, Job job) {
  pthread_setname_np(pthread_self(), "aside");
  for (;;) {
    try {
      job.work();
    } catch (...) {
      job.call->failure = std::current_exception();
    }
    job.work = nullptr;
    --*job.threads;
    // The lock keeps the loop alive until it has been told.
    const MutexLock lock(state->mutex);
    if (state->loop == nullptr) return;
    state->loop->Post([call = std::move(job.call)] {
      call->ended = true;
      for (asio::steady_timer* waiter : call->waiters) waiter->cancel();
    });
    state->lingers = true;
    const auto until = std::chrono::steady_clock::now() + kLinger;
    while (!state->next && state->loop != nullptr && std::chrono::steady_clock::now() < until)
      state->changed.WaitFor(state->mutex, until - std::chrono::steady_clock::now());
    state->lingers = false;
    if (!state->next) return;
    job = std::move(*state->next);
    state->next.reset();
  }
}

Aside::Aside() : state_(std::make_shared<State>()) {}

Aside::~Aside() {
  const MutexLock lock(state_->mutex);
  state_->loop = nullptr;
  state_->changed.NotifyAll();
}

// False where the time has passed first.
Task<bool> Aside::Ended(Loop& loop, std::shared_ptr<Call> call, MonoTime until) {
  if (call->ended) co_return true;
  asio::steady_timer timer(loop.executor(), until);
  struct Listed {  // until this coroutine is over, or its frame is destroyed
    Call& call;
    asio::steady_timer* timer;
    ~Listed() { std::erase(call.waiters, timer); }
  } listed{*call, &timer};
  call->waiters.push_back(&timer);
  auto [error] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  const auto cancelled = co_await asio::this_coro::cancellation_state;
  if (cancelled.cancelled() != asio::cancellation_type::none) throw boost::system::system_error(error);
  co_return call->ended;
}

Task<Result<void>> Aside::RunImpl(Loop& loop, Duration limit, std::function<void()> work) {
  const Loop::Busy hold = loop.HoldTime();  // a jumping clock stands still while anyone waits here
  const auto state = state_;
  const MonoTime until = std::chrono::steady_clock::now() + limit;
  Result<void> result = Fail(ErrorCode::kTimeout, "no answer within " + FormatDuration(limit));
  while (state->last != nullptr && !state->last->ended)
    if (!co_await Ended(loop, state->last, until)) co_return result;

  const std::shared_ptr<std::atomic<int>> threads = loop.threads_aside();
  if (*threads >= kMaxThreads) {
    result = Fail(ErrorCode::kUnavailable, "too many calls hang already");
    co_return result;
  }
  const auto call = std::make_shared<Call>();
  std::optional<Job> job(Job{std::move(work), call, threads});
  ++*threads;
  {
    const MutexLock lock(state->mutex);
    state->loop = &loop;
    if (state->lingers) {
      state->next = std::exchange(job, std::nullopt);
      state->changed.NotifyAll();
    }
  }
  try {
    if (job) std::thread(&State::Work, state, std::move(*job)).detach();
  } catch (const std::system_error& error) {
    --*threads;
    result = Fail(ErrorCode::kUnavailable, std::string("no thread could be started: ") + error.what());
    co_return result;
  }
  state->last = call;
  if (!co_await Ended(loop, call, until)) co_return result;
  if (call->failure) std::rethrow_exception(call->failure);
  result = {};
  co_return result;
}

}  // namespace pipewarden::core
