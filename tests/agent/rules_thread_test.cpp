#include "agent/rules_thread.h"

#include <boost/test/unit_test.hpp>
#include <stdexcept>

#include "core/async/exceptions.h"
#include "tests/support/fatal.h"
#include "tests/support/run.h"

namespace pipewarden::agent {
namespace {

struct Fixture : test::RealLoop {
  RulesThread thread{loop};
};

core::Task<void> RunThem(RulesThread& thread, int& ran) {
  co_await thread.Run([&ran] { ++ran; });
  co_await thread.Run([&ran] { ++ran; });
}

BOOST_AUTO_TEST_SUITE(rules_thread)

BOOST_FIXTURE_TEST_CASE(work_runs_there_in_order, Fixture) {
  int ran = 0;
  Run(RunThem(thread, ran));
  BOOST_TEST(ran == 2);
}

BOOST_AUTO_TEST_CASE(work_that_throws_ends_the_process) {
  const auto ending = test::RunToItsEnd([] {
    Fixture fixture;
    fixture.thread.Post([] { throw std::runtime_error("thrown by a test"); });
    fixture.thread.Stop();
  });
  BOOST_TEST(ending.exit_code == core::kFatalExitCode);
  BOOST_TEST(ending.said.find("where=\"the rules thread\"") != std::string::npos, ending.said);
}

BOOST_FIXTURE_TEST_CASE(what_is_queued_is_finished_by_stop_and_nothing_more_is_taken, Fixture) {
  int ran = 0;
  BOOST_TEST(thread.Post([&ran] { ++ran; }));
  thread.Stop();
  BOOST_TEST(ran == 1);
  BOOST_TEST(!thread.Post([&ran] { ++ran; }));
  Run(RunThem(thread, ran));  // comes back all the same
  BOOST_TEST(ran == 1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::agent
