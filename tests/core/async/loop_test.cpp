#include "core/async/loop.h"

#include <boost/test/unit_test.hpp>
#include <stdexcept>
#include <thread>
#include <vector>

#include "core/async/task_group.h"

namespace pipewarden::core {
namespace {

using namespace std::chrono_literals;

struct Fixture {
  JumpingClock clock;
  Loop loop{clock, Logger(LogLevel::kError, LogFormat::kLogfmt), 2};
  std::vector<std::string> said;
};

Task<void> Say(Loop& loop, Duration after, std::string word, std::vector<std::string>& said) {
  co_await loop.Sleep(after);
  said.push_back(std::move(word));
}

BOOST_FIXTURE_TEST_SUITE(loop, Fixture)

BOOST_AUTO_TEST_CASE(timers_run_in_order_of_their_due_time) {
  TaskGroup group(loop);
  group.Spawn("late", Say(loop, 2h, "late", said));
  group.Spawn("early", Say(loop, 1h, "early", said));
  const MonoTime start = clock.Monotonic();
  loop.Advance(90min);
  BOOST_TEST(said == std::vector<std::string>{"early"});
  BOOST_TEST((clock.Monotonic() - start == 90min));
  loop.Advance(30min);
  BOOST_TEST(said.size() == 2U);
  BOOST_TEST(group.size() == 0U);
}

BOOST_AUTO_TEST_CASE(cancel_ends_a_sleeper) {
  TaskGroup group(loop);
  group.Spawn("never", Say(loop, 1h, "never", said));
  loop.RunReady();
  group.Cancel();
  loop.RunReady();
  BOOST_TEST(group.size() == 0U);
  loop.Advance(2h);
  BOOST_TEST(said.empty());
}

Task<Result<int>> Slow(Loop& loop) {
  co_await loop.Sleep(10s);
  Result<int> result = 7;
  co_return result;
}

Task<void> Await(Loop& loop, Duration limit, Result<int>& result) {
  result = co_await WithTimeout<int>(loop, limit, Slow(loop));
}

BOOST_AUTO_TEST_CASE(a_deadline_cancels_and_says_so) {
  TaskGroup group(loop);
  Result<int> short_one = 0;
  Result<int> long_one = 0;
  group.Spawn("short", Await(loop, 5s, short_one));
  group.Spawn("long", Await(loop, 15s, long_one));
  loop.Advance(20s);
  BOOST_TEST((short_one.error().code == ErrorCode::kTimeout));
  BOOST_TEST(short_one.error().message == "timed out after 5s");
  BOOST_TEST(long_one.value() == 7);
}

// Cancelled from outside, a guarded task unwinds: nobody may take it for one that was too slow.
BOOST_AUTO_TEST_CASE(a_cancelled_deadline_is_no_timeout) {
  TaskGroup group(loop);
  Result<int> result = 0;
  group.Spawn("guarded", Await(loop, 5s, result));
  loop.Advance(1s);
  group.Cancel();
  loop.RunReady();
  BOOST_TEST(group.size() == 0U);
  BOOST_TEST(result.value() == 0);
}

Task<void> Block(Loop& loop, std::vector<std::string>& said) {
  const auto thread = co_await loop.Blocking([] { return std::this_thread::get_id(); });
  said.push_back(thread == std::this_thread::get_id() ? "loop" : "pool");
  co_await loop.Sleep(1s);
  said.push_back("after");
}

BOOST_AUTO_TEST_CASE(time_waits_for_the_pool) {
  TaskGroup group(loop);
  group.Spawn("block", Block(loop, said));
  loop.Advance(1s);
  BOOST_TEST(said == (std::vector<std::string>{"pool", "after"}), boost::test_tools::per_element());
}

Task<void> Work(Loop& loop, std::vector<std::string>& said) {
  co_await loop.Blocking([] { std::this_thread::yield(); });
  said.push_back("whole");
}

BOOST_AUTO_TEST_CASE(cancelled_pool_work_still_comes_back) {
  TaskGroup group(loop);
  group.Spawn("work", Work(loop, said));
  group.Cancel();
  loop.RunReady();
  BOOST_TEST(group.size() == 0U);
}

BOOST_AUTO_TEST_CASE(what_another_thread_posts_runs_in_order) {
  std::thread other([&] {
    loop.Post([&] { said.push_back("first"); });
    loop.Post([&] { said.push_back("second"); });
    loop.Post([&] { loop.Stop(); });
  });
  loop.Run();
  other.join();
  BOOST_TEST(said == (std::vector<std::string>{"first", "second"}), boost::test_tools::per_element());
}

Task<Result<int>> Throw() {
  throw std::runtime_error("thrown by a test");
  co_return 1;
}

Task<void> AwaitThrown(Loop& loop, std::vector<std::string>& said) {
  try {
    co_await WithTimeout<int>(loop, 1h, Throw());
  } catch (const std::runtime_error& error) {
    said.push_back(error.what());
  }
}

BOOST_AUTO_TEST_CASE(what_a_task_with_a_deadline_throws_comes_through_at_once) {
  TaskGroup group(loop);
  group.Spawn("throws", AwaitThrown(loop, said));
  loop.RunReady();
  BOOST_TEST(said == std::vector<std::string>{"thrown by a test"});
}

BOOST_AUTO_TEST_CASE(a_race_that_is_cancelled_unwinds_quietly) {
  TaskGroup group(loop);
  Result<int> result = 0;
  group.Spawn("slow", Await(loop, 5s, result));
  loop.RunReady();
  group.Cancel();
  loop.RunReady();
  BOOST_TEST(group.size() == 0U);
}

Task<void> SleepWall(Loop& loop, WallTime until, std::vector<std::string>& said) {
  co_await loop.SleepUntil(until);
  said.push_back("woken");
}

BOOST_AUTO_TEST_CASE(a_wall_clock_wait_follows_the_wall_clock) {
  TaskGroup group(loop);
  group.Spawn("wall", SleepWall(loop, clock.Now() + 1h, said));
  loop.Advance(30min);
  clock.StepWall(-1h);
  loop.Advance(45min);
  BOOST_TEST(said.empty());
  loop.Advance(45min);
  BOOST_TEST(said.size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::core
