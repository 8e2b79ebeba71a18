#include "agent/step/protocol.h"

#include <unistd.h>

#include <boost/test/unit_test.hpp>

namespace pipewarden::agent::step {
namespace {

BOOST_AUTO_TEST_SUITE(step_protocol)

Spec FullSpec() {
  return {.argv = {"sh", "-c", "echo 'a\nb'"},
          .env = {"A=1", "EMPTY=", "LINES=x\ny 3:z\n"},
          .cwd = "/var/lib/some where",
          .output_max = 4096,
          .secrets = {"hunter2", "two\nlines"},
          .timeout_ms = 1500,
          .grace_ms = 20,
          .drain_ms = 7,
          .keep_background = true};
}

BOOST_AUTO_TEST_CASE(a_spec_comes_back_as_it_was) {
  Spec read;
  std::string error;
  BOOST_TEST(DecodeSpec(EncodeSpec(FullSpec()), read, error));
  BOOST_TEST((read == FullSpec()));
}

BOOST_AUTO_TEST_CASE(a_spec_cut_anywhere_is_refused) {
  const std::string whole = EncodeSpec(FullSpec());
  Spec read;
  std::string error;
  for (std::size_t size = 0; size < whole.size(); ++size)
    BOOST_TEST(!DecodeSpec(std::string_view(whole).substr(0, size), read, error));
}

BOOST_AUTO_TEST_CASE(what_a_spec_asks_for_and_we_do_not_know_is_refused_by_name) {
  Spec read;
  std::string error;
  BOOST_TEST(!DecodeSpec("pipewarden-step 1\narg 4:true\nnamespace 3:own\nend\n", read, error));
  BOOST_TEST(error.find("'namespace'") != std::string::npos);
  BOOST_TEST(!DecodeSpec("pipewarden-step 2\narg 4:true\nend\n", read, error));
  BOOST_TEST(!DecodeSpec("pipewarden-step 1\nend\n", read, error));
}

BOOST_AUTO_TEST_CASE(results_come_back_as_they_were) {
  const Started started{
      .pid = 4711, .start_ticks = 123456789, .boot_id = "b-o-o-t", .wall_ns = 1'700'000'000'123'456'789};
  Started read_started;
  BOOST_TEST(DecodeStarted(EncodeStarted(started), read_started));
  BOOST_TEST((read_started == started));
  const Ended ended{.exit_code = 3,
                    .signal = 9,
                    .reason = "timeout",
                    .message = "why",
                    .wall_ns = 5,
                    .duration_ns = 6,
                    .cpu_user_us = 7,
                    .cpu_system_us = 8,
                    .max_rss_kb = 9};
  Ended read_ended;
  BOOST_TEST(DecodeEnded(EncodeEnded(ended), read_ended));
  BOOST_TEST((read_ended == ended));
  std::string reason;
  BOOST_TEST(DecodeNotStarted(EncodeNotStarted("two\nlines"), reason));
  BOOST_TEST(reason == "two lines");
}

BOOST_AUTO_TEST_CASE(a_result_that_is_not_whole_is_none) {
  const std::string whole = EncodeEnded({.exit_code = 3});
  Ended read;
  for (std::size_t size = 0; size < whole.size(); ++size)
    BOOST_TEST(!DecodeEnded(std::string_view(whole).substr(0, size), read));
  // A key of a later protocol of the same version's line format is skipped.
  BOOST_TEST(DecodeEnded("pipewarden-step 1\nexit_code 4\nio_bytes 99\nend\n", read));
  BOOST_TEST(read.exit_code == 4);
}

BOOST_AUTO_TEST_CASE(a_process_is_named_by_its_start) {
  BOOST_TEST(StartTicks(getpid()) > 0U);
  BOOST_TEST(StartTicks(0) == 0U);
  BOOST_TEST(BootId().size() == 36U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::agent::step
