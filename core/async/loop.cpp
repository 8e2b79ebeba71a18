#include "core/async/loop.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio.hpp>
#include <map>
#include <set>

#include "core/async/exceptions.h"
#include "core/async/mutex.h"

namespace pipewarden::core {
namespace asio = boost::asio;

struct Loop::State {
  State(Clock& clock_, Logger logger_, std::size_t threads)
      : clock(clock_), logger(std::move(logger_)), pool(threads) {}

  Clock& clock;
  Logger logger;
  asio::io_context io{1};
  asio::thread_pool pool;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work;
  std::atomic<Duration::rep> longest_turn{0};

  // Jumping clock: waiting timers by due time. Their Asio timers never expire by themselves; they are cancelled when
  // due.
  std::multimap<MonoTime, asio::steady_timer*> timers;
  // Wall-clock sleepers, woken to look again when the system's clock is set.
  std::set<asio::steady_timer*> wall_sleepers;

  std::atomic<int> busy{0};
  const std::shared_ptr<std::atomic<int>> threads_aside = std::make_shared<std::atomic<int>>(0);
  Mutex idle_mutex;
  CondVar idle;

  void WatchClockSteps();
  void ReadClockSteps(std::shared_ptr<asio::posix::stream_descriptor> fd);
  std::size_t Turn(std::size_t (asio::io_context::*run)());
  std::size_t RunTurns();
  void NoteTurn(Duration took);
};

namespace {

// CPU time of this thread: what a turn took where the time before it was spent asleep.
Duration ThreadCpuTime() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

// A timer on the real-time clock far in the future, which the kernel cancels when that clock is set (timerfd_create(2),
// TFD_TIMER_CANCEL_ON_SET): the one way to hear of clock steps and of waking from suspend.
void Loop::State::WatchClockSteps() {
  const int fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
  if (fd < 0) return;
  ReadClockSteps(std::make_shared<asio::posix::stream_descriptor>(io, fd));
}

void Loop::State::ReadClockSteps(std::shared_ptr<asio::posix::stream_descriptor> fd) {
  itimerspec far{};
  far.it_value.tv_sec = std::numeric_limits<std::int32_t>::max();
  timerfd_settime(fd->native_handle(), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, nullptr);
  fd->async_wait(asio::posix::descriptor_base::wait_read, [this, fd](boost::system::error_code error) {
    if (error) return;
    std::uint64_t expirations = 0;
    [[maybe_unused]] const ssize_t ignored = ::read(fd->native_handle(), &expirations, sizeof expirations);
    for (asio::steady_timer* timer : wall_sleepers) timer->cancel();
    ReadClockSteps(fd);
  });
}

// Runs one handler, or none.
std::size_t Loop::State::Turn(std::size_t (asio::io_context::*run)()) {
  try {
    return (io.*run)();
  } catch (...) {
    Fatal(logger, "a handler of the loop", std::current_exception());
  }
}

// Runs what is ready, one handler at a time so that the longest can be told.
std::size_t Loop::State::RunTurns() {
  std::size_t turns = 0;
  for (;;) {
    const auto start = std::chrono::steady_clock::now();
    if (Turn(&asio::io_context::poll_one) == 0) return turns;
    NoteTurn(std::chrono::steady_clock::now() - start);
    ++turns;
  }
}

void Loop::State::NoteTurn(Duration took) {
  if (took.count() > longest_turn.load(std::memory_order_relaxed)) longest_turn = took.count();
}

Loop::Loop(Clock& clock, Logger logger, std::size_t pool_threads)
    : state_(std::make_unique<State>(clock, std::move(logger), pool_threads)) {
  state_->work.emplace(state_->io.get_executor());
  if (!clock.jumps()) state_->WatchClockSteps();
}

Loop::~Loop() {
  state_->pool.join();
  state_->work.reset();
}

asio::any_io_executor Loop::executor() const { return state_->io.get_executor(); }
Clock& Loop::clock() const { return state_->clock; }
const Logger& Loop::logger() const { return state_->logger; }
const std::shared_ptr<std::atomic<int>>& Loop::threads_aside() const { return state_->threads_aside; }

void Loop::Run() {
  while (!state_->io.stopped()) {
    state_->RunTurns();
    if (state_->io.stopped()) break;
    const Duration before = ThreadCpuTime();
    state_->Turn(&asio::io_context::run_one);  // sleeps until something is ready, and runs it
    state_->NoteTurn(ThreadCpuTime() - before);
  }
  state_->io.restart();  // so that Run may be called again
}

void Loop::Stop() { state_->io.stop(); }

void Loop::Advance(Duration by) {
  State& s = *state_;
  auto& clock = dynamic_cast<JumpingClock&>(s.clock);
  const MonoTime end = clock.Monotonic() + by;
  for (;;) {
    // Quiet means: nothing ready here, nothing under way in the pool or held outside.
    for (;;) {
      s.RunTurns();
      MutexLock lock(s.idle_mutex);
      if (s.busy.load() == 0) break;
      s.idle.WaitFor(s.idle_mutex, std::chrono::milliseconds(1));  // what a child process or socket brings is polled
    }
    if (s.RunTurns() > 0) continue;
    if (s.timers.empty() || s.timers.begin()->first > end) break;
    const auto due = s.timers.begin();
    if (due->first > clock.Monotonic()) clock.Jump(due->first - clock.Monotonic());
    asio::steady_timer* timer = due->second;
    s.timers.erase(due);
    timer->cancel();
  }
  if (end > clock.Monotonic()) clock.Jump(end - clock.Monotonic());
}

void Loop::Post(std::move_only_function<void()> work, std::source_location where) {
  // Asio's post takes move-only handlers; HoldTime keeps a jumping clock still until the work has run.
  asio::post(state_->io, [this, hold = HoldTime(), work = std::move(work), where]() mutable {
    try {
      work();
    } catch (...) {
      Fatal(state_->logger, std::string("posted at ") + where.file_name() + ":" + std::to_string(where.line()),
            std::current_exception());
    }
  });
}

Task<void> Loop::Sleep(Duration duration) { return SleepUntil(state_->clock.Monotonic() + duration); }

Task<void> Loop::SleepUntil(MonoTime time) {
  if (!co_await WaitUntil(time)) throw boost::system::system_error(asio::error::operation_aborted);
}

Task<bool> Loop::WaitUntil(MonoTime time) {
  State& s = *state_;
  if (time <= s.clock.Monotonic()) {
    co_await asio::post(s.io, asio::use_awaitable);
    co_return true;
  }
  asio::steady_timer timer(s.io);
  if (!s.clock.jumps()) {
    timer.expires_at(time);
    auto [error] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    co_return !error;
  }
  timer.expires_at(asio::steady_timer::time_point::max());
  const auto entry = s.timers.emplace(time, &timer);
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  if (s.clock.Monotonic() >= time) co_return true;  // due: Advance has taken the entry out
  s.timers.erase(entry);
  co_return false;
}

Task<void> Loop::SleepUntil(WallTime time) {
  State& s = *state_;
  while (s.clock.Now() < time) {
    const Duration left = time - s.clock.Now();
    if (s.clock.jumps()) {
      co_await SleepUntil(s.clock.Monotonic() + left);
      continue;
    }
    asio::steady_timer timer(s.io, left);
    s.wall_sleepers.insert(&timer);
    auto [error] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    s.wall_sleepers.erase(&timer);
    const auto cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() != asio::cancellation_type::none) throw boost::system::system_error(error);
  }
}

Task<void> Loop::BlockingImpl(std::move_only_function<void()> work) {
  State& s = *state_;
  std::exception_ptr failure;
  // The pool's end is awaited even when this coroutine is cancelled, because the work uses the caller's frame: this
  // operation has no cancellation handler, and the cancellation shows at the coroutine's next wait.
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
      [&](auto handler) {
        auto resume = std::make_shared<decltype(handler)>(std::move(handler));
        asio::post(s.pool, [&failure, &work, &s, resume, hold = HoldTime()]() mutable {
          try {
            work();
          } catch (...) {
            failure = std::current_exception();
          }
          asio::post(s.io, [resume, hold = std::move(hold)]() mutable { (*resume)(); });
        });
      },
      asio::use_awaitable);
  if (failure) std::rethrow_exception(failure);
}

Duration Loop::TakeLongestTurn() { return Duration(state_->longest_turn.exchange(0)); }

Loop::Busy Loop::HoldTime() { return Busy(*this); }
Loop::Busy::Busy(Loop& loop) : loop_(&loop) { ++loop_->state_->busy; }
Loop::Busy::Busy(Busy&& other) noexcept : loop_(std::exchange(other.loop_, nullptr)) {}
Loop::Busy::~Busy() {
  if (loop_ == nullptr) return;
  MutexLock lock(loop_->state_->idle_mutex);
  if (--loop_->state_->busy == 0) loop_->state_->idle.NotifyAll();
}

}  // namespace pipewarden::core
