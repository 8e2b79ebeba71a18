#include <sys/stat.h>

#include <boost/test/data/test_case.hpp>

#include "core/async/child_process.h"
#include "tests/exporters/probe_fixture.h"
#include "tests/support/temp_folder.h"

namespace pipewarden::exporters {
namespace {

using test::TempFolder;

struct ProcessFixture : ProbeFixture {
  TempFolder dir;
  std::string proc = dir.path() + "/proc";

  ProcessFixture() { dir.Write("proc/stat", "cpu 1 2 3\nbtime 1600000000\n"); }

  // A frozen process: started `start` seconds after the boot (ticks of 1/100 s).
  void AddProcess(int pid, const std::string& command, char state = 'S', long start = 1000) const {
    const std::string folder = "proc/" + std::to_string(pid) + "/";
    std::string cmdline = command;
    std::ranges::replace(cmdline, ' ', '\0');
    dir.Write(folder + "cmdline", cmdline + '\0');
    dir.Write(folder + "stat", std::to_string(pid) + " (a) S b) " + state +
                                   " 1 1 1 0 -1 4194304 100 0 0 0 150 50 0 0 20 0 3 0 " + std::to_string(start * 100) +
                                   " 1000000 256 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0\n");
    dir.Write(folder + "limits",
              "Limit Soft Hard\nMax open files            100                  4096                 files\n");
    dir.Write(folder + "fd/0", "");
    dir.Write(folder + "fd/1", "");
  }
  void SetTime(const std::string& path, long seconds) const {
    const timespec times[2] = {{seconds, 0}, {seconds, 0}};
    BOOST_REQUIRE(utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
  }
  ProbeResult Process(const std::string& options) { return Probe("process", "proc_path: " + proc + ", " + options); }
};

BOOST_FIXTURE_TEST_SUITE(probe_process, ProcessFixture)

BOOST_AUTO_TEST_CASE(a_process_by_its_pid_file_is_measured) {
  AddProcess(123, "java SparkSubmit ingest");
  const ProbeResult result = Process("pid_file: " + dir.Write("p.pid", "123\n"));
  BOOST_TEST(result.success, result.error);
  BOOST_TEST(result.message == "process 123 is alive");
  BOOST_TEST(*Value(result, "probe_process_count") == 1);
  BOOST_TEST(*Value(result, "probe_process_cpu_seconds") == 2);
  BOOST_TEST(*Value(result, "probe_process_threads") == 3);
  BOOST_TEST(*Value(result, "probe_process_resident_memory_bytes") ==
             256.0 * static_cast<double>(sysconf(_SC_PAGESIZE)));
  BOOST_TEST(*Value(result, "probe_process_oldest_start_timestamp_seconds") == 1600001000);
  BOOST_TEST(*Value(result, "probe_process_open_fds") == 2);
  BOOST_TEST(*Value(result, "probe_process_worst_fd_ratio") == 0.02);
}

BOOST_AUTO_TEST_CASE(a_pid_file_left_behind_is_a_death) {
  const std::string file = dir.Write("p.pid", "123");
  const ProbeResult gone = Process("when_absent: healthy, pid_file: " + file);
  BOOST_TEST(gone.error == "process 123 of " + file + " is gone, and has left its pid file");
  BOOST_TEST(*Value(gone, "probe_process_count") == 0);
  AddProcess(123, "java", 'Z');
  BOOST_TEST(!Process("pid_file: " + file).success);
  AddProcess(123, "java", 'S');
  SetTime(file, 1600000500);  // the process started 500 s later
  BOOST_TEST(Process("pid_file: " + file).error ==
             "process 123 of " + file + " is gone: the number is another process' now");
  dir.Write("p.pid", "none\n");
  BOOST_TEST(Process("pid_file: " + file).error == file + " holds no process number");
}

BOOST_AUTO_TEST_CASE(no_pid_file_is_a_clean_exit_where_that_is_said) {
  const std::string file = dir.path() + "/absent.pid";
  BOOST_TEST(Process("pid_file: " + file).error == "no pid file " + file);
  BOOST_TEST(Process("when_absent: healthy, pid_file: " + file).success);
}

BOOST_AUTO_TEST_CASE(an_exit_code_file_decides_for_a_process_that_is_gone) {
  const std::string pid_file = dir.Write("p.pid", "123");
  const std::string code_file = dir.Write("p.exit", "3\n");
  const std::string options = "pid_file: " + pid_file + ", exit_code_file: " + code_file;
  const ProbeResult failed = Process(options);
  BOOST_TEST(failed.error == "it ended with exit code 3 (" + code_file + ")");
  BOOST_TEST(*Value(failed, "probe_process_exit_code") == 3);
  dir.Write("p.exit", "0\n");
  BOOST_TEST(Process(options).success);
  SetTime(code_file, 1600000000);  // of the run before
  BOOST_TEST(!Process(options).success);
  AddProcess(123, "java");
  BOOST_TEST(Process(options).success);
}

struct Case {
  const char* options;
  std::string_view error;
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.options; }
const Case kCases[] = {
    {"match: SparkSubmit", ""},
    {"match: SparkSubmit, min_count: 2", ""},
    {"match: SparkSubmit, min_count: 3", "2 processes match 'SparkSubmit', at least 3 wanted"},
    {"match: SparkSubmit, max_count: 1", "2 processes match 'SparkSubmit', at most 1 wanted"},
    {"match: 'SparkSubmit.*process$'", ""},
    {"match: load.py", "no process matches 'load.py'"},
    {"match: load.py, when_absent: healthy", ""},
    {"match: load.py, min_count: 0, max_count: 0", ""},
    {"match: sleeper", "no process matches 'sleeper'"},
};
BOOST_DATA_TEST_CASE(processes_are_found_by_command_line, boost::unit_test::data::make(kCases), c) {
  AddProcess(10, "java -cp x SparkSubmit ingest");
  AddProcess(11, "java -cp x SparkSubmit process");
  AddProcess(12, "sleeper", 'Z');
  BOOST_TEST(Process(c.options).error == c.error);
}

BOOST_AUTO_TEST_CASE(a_real_process_is_found_both_ways) {
  core::ProcessSpec spec;
  spec.argv = {"sleep", "86399.25"};
  const auto child = core::ChildProcess::Spawn(loop, spec);
  BOOST_REQUIRE(child);
  const std::string file = dir.Write("real.pid", std::to_string(child->pid()) + "\n");
  const ProbeResult by_file = Probe("process", "pid_file: " + file);
  BOOST_TEST(by_file.success, by_file.error);
  const ProbeResult by_match = Probe("process", "match: '^sleep 86399.25$'");
  BOOST_TEST(by_match.success, by_match.error);
  BOOST_TEST(*Value(by_match, "probe_process_open_fds") == 3);
}

BOOST_AUTO_TEST_CASE(one_way_to_find_it_is_needed) {
  for (const char* options : {"", ", pid_file: /x, match: y"}) {
    std::vector<std::string> errors;
    ReadProbeText("[{name: p, kind: process" + std::string(options) + "}]", errors);
    BOOST_REQUIRE(errors.size() == 1U);
    BOOST_TEST(errors[0].find("give one of them") != std::string::npos, errors[0]);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::exporters
