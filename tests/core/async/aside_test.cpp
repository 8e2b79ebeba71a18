#include "core/async/aside.h"

#include <boost/test/unit_test.hpp>
#include <future>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

#include "core/async/task_group.h"

namespace pipewarden::core {
namespace {

using namespace std::chrono_literals;

using Numbers = std::vector<Result<int>>;

// Each hangs until `free` is set, as a call to a file server that is gone.
Task<void> Hang(Loop& loop, Aside& aside, Duration limit, std::shared_future<void> free, Numbers& said) {
  said.push_back(co_await aside.Run(loop, limit, [free]() -> Result<int> {
    free.wait();
    return 7;
  }));
}

Task<void> Commit(Loop& loop, Numbers& said) {
  const int number = co_await loop.Blocking([] { return 1; });
  said.push_back(number);
}

struct Fixture {
  JumpingClock clock;
  std::optional<Loop> loop{std::in_place, clock, Logger(LogLevel::kError, LogFormat::kLogfmt), 1};
  std::shared_ptr<std::atomic<int>> threads = loop->threads_aside();
  std::promise<void> promise;
  std::shared_future<void> free = promise.get_future().share();
  Numbers said;

  ~Fixture() {
    while (*threads > 0) std::this_thread::yield();  // so that none reaches into the next test
  }
};

BOOST_FIXTURE_TEST_SUITE(aside, Fixture)

BOOST_AUTO_TEST_CASE(the_answer_comes_back_on_the_loop) {
  Aside aside;
  TaskGroup group(*loop);
  promise.set_value();
  group.Spawn("ask", Hang(*loop, aside, 1h, free, said));
  group.Spawn("ask", Hang(*loop, aside, 1h, free, said));
  loop->RunReady();
  BOOST_REQUIRE(said.size() == 2U);
  BOOST_TEST(said[0].value() == 7);
  BOOST_TEST(said[1].value() == 7);
}

Task<void> WhichThread(Loop& loop, Aside& aside, std::vector<std::thread::id>& threads) {
  for (int i = 0; i < 3; ++i) {
    const auto id =
        co_await aside.Run(loop, 1h, []() -> Result<std::thread::id> { return std::this_thread::get_id(); });
    threads.push_back(*id);
  }
}

BOOST_AUTO_TEST_CASE(who_polls_keeps_its_thread) {
  Aside aside;
  TaskGroup group(*loop);
  std::vector<std::thread::id> ids;
  group.Spawn("poll", WhichThread(*loop, aside, ids));
  loop->RunReady();
  BOOST_REQUIRE(ids.size() == 3U);
  BOOST_TEST((ids[0] == ids[1] && ids[1] == ids[2]));
}

BOOST_AUTO_TEST_CASE(what_hangs_holds_up_neither_commits_nor_others_and_comes_back) {
  Aside aside;
  Aside other;
  TaskGroup group(*loop);
  for (int i = 0; i < 8; ++i) group.Spawn("hang", Hang(*loop, aside, 10ms, free, said));
  group.Spawn("commit", Commit(*loop, said));
  loop->RunReady();
  BOOST_REQUIRE(said.size() == 9U);
  BOOST_TEST(said[0].value() == 1);
  for (int i = 1; i < 9; ++i) BOOST_TEST(said[static_cast<std::size_t>(i)].error().message == "no answer within 10ms");
  BOOST_TEST(*threads == 1);  // those that wait for the first have none
  std::promise<void> at_once;
  at_once.set_value();
  group.Spawn("other", Hang(*loop, other, 1h, at_once.get_future().share(), said));
  loop->RunReady();
  BOOST_TEST(said.back().value() == 7);
  promise.set_value();
  group.Spawn("again", Hang(*loop, aside, 1h, free, said));
  loop->RunReady();
  BOOST_TEST(said.size() == 11U);
  BOOST_TEST(said.back().value() == 7);
}

BOOST_AUTO_TEST_CASE(a_cancelled_wait_ends_at_once_and_the_loop_does_not_wait_for_the_thread) {
  std::optional<Aside> aside(std::in_place);
  {
    TaskGroup group(*loop);
    group.Spawn("hang", Hang(*loop, *aside, 1h, free, said));
    loop->Post([&group] { group.Cancel(); });
    loop->RunReady();
    BOOST_TEST(group.size() == 0U);
  }
  BOOST_TEST(said.empty());
  BOOST_TEST(*threads == 1);
  aside.reset();
  loop.reset();
  promise.set_value();
}

Task<void> Catch(Loop& loop, Aside& aside, std::string& caught) {
  try {
    co_await aside.Run(loop, 1h, []() -> Result<int> { throw std::runtime_error("thrown by a test"); });
  } catch (const std::runtime_error& error) {
    caught = error.what();
  }
}

BOOST_AUTO_TEST_CASE(an_exception_of_the_work_is_rethrown) {
  Aside aside;
  TaskGroup group(*loop);
  std::string caught;
  group.Spawn("throws", Catch(*loop, aside, caught));
  loop->RunReady();
  BOOST_TEST(caught == "thrown by a test");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::core
