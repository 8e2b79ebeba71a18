#include "core/async/exceptions.h"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <stdexcept>

#include "core/async/task_group.h"
#include "tests/support/fatal.h"

namespace pipewarden::core {
namespace {

using namespace std::chrono_literals;

[[noreturn]] void Throw() { throw std::runtime_error("thrown by a test"); }

Task<void> Forever(Loop& loop) {
  for (;;) {
    co_await loop.Sleep(1h);
    Throw();
  }
}

Task<void> AbortedUnasked(Loop& loop) {
  co_await loop.Sleep(1h);
  throw boost::system::system_error(boost::asio::error::operation_aborted);
}

struct FatalCase {
  const char* where;
  void (*run)(Loop& loop, TaskGroup& group);
};
std::ostream& operator<<(std::ostream& out, const FatalCase& c) { return out << c.where; }

const FatalCase kFatal[] = {
    {"task 'schedules'", [](Loop& loop, TaskGroup& group) { group.Spawn("schedules", Forever(loop)); }},
    {"task 'aborted'", [](Loop& loop, TaskGroup& group) { group.Spawn("aborted", AbortedUnasked(loop)); }},
    {"exceptions_test.cpp:", [](Loop& loop, TaskGroup&) { loop.Post([] { Throw(); }); }},
    {"a handler of the loop", [](Loop& loop, TaskGroup&) { boost::asio::post(loop.executor(), [] { Throw(); }); }},
};

BOOST_AUTO_TEST_SUITE(exceptions)

BOOST_DATA_TEST_CASE(what_nobody_catches_ends_the_process_and_says_where, boost::unit_test::data::make(kFatal), c) {
  const auto ending = test::RunToItsEnd([&] {
    JumpingClock clock;
    Loop loop(clock, Logger(LogLevel::kError, LogFormat::kLogfmt), 1);
    TaskGroup group(loop);
    c.run(loop, group);
    loop.Advance(2h);
  });
  BOOST_TEST(ending.exit_code == kFatalExitCode);
  BOOST_TEST(ending.said.find("internal error: the process ends") != std::string::npos, ending.said);
  BOOST_TEST(ending.said.find(c.where) != std::string::npos, ending.said);
}

BOOST_AUTO_TEST_CASE(what_is_caught_is_an_error_unless_it_is_a_cancellation) {
  try {
    Throw();
  } catch (...) {
    BOOST_TEST(CaughtError().message == "internal error: thrown by a test");
  }
  const auto cancelled = [] {
    try {
      throw boost::system::system_error(boost::asio::error::operation_aborted);
    } catch (...) {
      (void)CaughtError();
    }
  };
  BOOST_CHECK_THROW(cancelled(), boost::system::system_error);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::core
