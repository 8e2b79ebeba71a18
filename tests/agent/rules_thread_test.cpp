#include "agent/rules_thread.h"

#include <boost/test/unit_test.hpp>
#include <stdexcept>

#include "tests/support/run.h"

namespace pipewarden::agent {
namespace {

struct Fixture : test::RealLoop {
  RulesThread thread{loop};
};

core::Task<void> RunThem(RulesThread& thread, int& ran) {
  co_await thread.Run([&ran] { ++ran; });
  co_await thread.Run([] { throw std::runtime_error("thrown by a test"); });
  co_await thread.Run([&ran] { ++ran; });
}

BOOST_FIXTURE_TEST_SUITE(rules_thread, Fixture)

BOOST_AUTO_TEST_CASE(work_that_throws_ends_alone) {
  int ran = 0;
  Run(RunThem(thread, ran));
  BOOST_TEST(ran == 2);
}

BOOST_AUTO_TEST_CASE(what_is_queued_is_finished_by_stop_and_nothing_more_is_taken) {
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
