#include <boost/test/data/test_case.hpp>

#include "tests/exporters/probe_fixture.h"
#include "tests/support/temp_folder.h"

namespace pipewarden::exporters {
namespace {

using namespace std::chrono_literals;

struct Case {
  const char* name;
  const char* options;
  bool success;
  std::string_view says;  // message or error
  std::optional<double> exit_code;
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

const Case kCases[] = {
    {"healthy", "command: 'echo checking; echo all well'", true, "all well", 0},
    {"unhealthy", "command: 'echo 3 of 4 nodes; exit 1'", false, "exit code 1: 3 of 4 nodes", 1},
    {"other code", "command: [sh, -c, 'exit 42']", false, "exit code 42, without output", 42},
    {"signal", "command: 'kill -9 $$'", false, "killed by SIGKILL, without output", 137},
    {"stderr counts", "command: 'echo broken >&2; exit 1'", false, "exit code 1: broken", 1},
    {"environment", "command: 'echo $MODE $HOME $SECRET', env: {MODE: fast, HOME: /nowhere}", true, "fast /nowhere", 0},
    {"cwd", "command: pwd, cwd: /usr/bin", true, "/usr/bin", 0},
    {"absent", "command: /no/such/check", false, "start /no/such/check: No such file or directory", std::nullopt},
    {"only the end is kept", "command: 'seq 1 100000', max_output: 256", true, "100000", 0},
};

BOOST_FIXTURE_TEST_SUITE(probe_exec, ProbeFixture)

BOOST_DATA_TEST_CASE(the_exit_code_decides_and_the_last_line_speaks, boost::unit_test::data::make(kCases), c) {
  setenv("SECRET", "leaked", 1);  // the agent's environment is not the check's
  const ProbeResult result = Probe("exec", c.options);
  BOOST_TEST(result.success == c.success);
  BOOST_TEST((result.success ? result.message : result.error) == c.says);
  BOOST_TEST((Value(result, "probe_exec_exit_code") == c.exit_code));
}

BOOST_AUTO_TEST_CASE(existing_scripts_run_unchanged) {
  const test::TempFolder dir;
  const std::string script =
      dir.Write("api.healthcheck.sh", "#!/bin/bash\nset -euo pipefail\ntest -e \"$0\" && exit 0\nexit 1\n", 0755);
  BOOST_TEST(Probe("exec", "command: " + script).success);
}

BOOST_AUTO_TEST_CASE(a_hanging_check_times_out) {
  const ProbeResult result = Probe("exec", "command: 'echo waiting for the lock; sleep 60'", 300ms);
  BOOST_TEST(result.error == "timed out after 300ms; its last output: waiting for the lock");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::exporters
