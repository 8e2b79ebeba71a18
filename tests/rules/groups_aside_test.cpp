#include "rules/groups_aside.h"

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <future>
#include <semaphore>
#include <stdexcept>
#include <thread>

#include "core/async/exceptions.h"
#include "tests/support/fatal.h"

namespace pipewarden::rules {
namespace {

BOOST_AUTO_TEST_SUITE(groups_aside)

// Never looked into here.
RuleGroup* Group() {
  static RuleGroup group({}, "r.yml", std::chrono::seconds(15));
  return &group;
}

const core::Logger kLogger(core::LogLevel::kError, core::LogFormat::kLogfmt);

BOOST_AUTO_TEST_CASE(cancel_ends_what_is_under_way) {
  std::binary_semaphore begun(0);
  GroupsAside aside(kLogger, [] {});
  aside.Start(Group(), [&] {
    begun.release();
    while (!aside.cancelled()) std::this_thread::yield();
    RuleGroup::Outcome outcome;
    outcome.unfinished = true;
    return outcome;
  });
  BOOST_REQUIRE(begun.try_acquire_for(std::chrono::seconds(60)));
  const auto cancelled = aside.Cancel();
  BOOST_REQUIRE(cancelled.size() == 1U);
  BOOST_TEST(cancelled[0].outcome.unfinished);
  BOOST_TEST(!aside.Has(Group()));
  BOOST_TEST(!aside.cancelled());
}

BOOST_AUTO_TEST_CASE(nothing_is_told_after_cancel) {
  std::binary_semaphore told(0);
  std::binary_semaphore go_on(0);
  GroupsAside aside(kLogger, [&] {
    told.release();
    BOOST_CHECK(go_on.try_acquire_for(std::chrono::seconds(60)));
  });
  aside.Start(Group(), [] { return RuleGroup::Outcome{}; });
  BOOST_REQUIRE(told.try_acquire_for(std::chrono::seconds(60)));
  auto cancelled = std::async(std::launch::async, [&] { return aside.Cancel().size(); });
  BOOST_TEST((cancelled.wait_for(std::chrono::milliseconds(50)) == std::future_status::timeout));
  go_on.release();
  BOOST_TEST(cancelled.get() == 1U);
}

BOOST_AUTO_TEST_CASE(work_that_throws_ends_the_process) {
  const auto ending = test::RunToItsEnd([] {
    GroupsAside aside(kLogger, [] {});
    aside.Start(Group(), []() -> RuleGroup::Outcome { throw std::runtime_error("thrown by a test"); });
    aside.Cancel();
  });
  BOOST_TEST(ending.exit_code == core::kFatalExitCode);
  BOOST_TEST(ending.said.find("where=\"a slow rule group\"") != std::string::npos, ending.said);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::rules
