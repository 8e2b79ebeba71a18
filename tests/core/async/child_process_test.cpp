#include "core/async/child_process.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "tests/support/run.h"
#include "tests/support/temp_folder.h"

namespace pipewarden::core {
namespace {

using namespace std::chrono_literals;
using test::TempFolder;

struct Fixture : test::RealLoop {
  Result<CommandOutput> Shell(std::string script, Duration timeout = 10s, std::size_t max_output = 65536) {
    ProcessSpec spec;
    spec.argv = {"/bin/sh", "-c", std::move(script)};
    spec.env = {"PATH=/usr/bin:/bin", "GREETING=hello"};
    return Run(RunCommand(loop, spec, timeout, max_output));
  }
};

bool ProcessIsThere(pid_t pid) { return kill(pid, 0) == 0; }

// Waits for the process to go; it may be a zombie of init's for a moment.
bool Gone(pid_t pid) {
  for (int i = 0; i < 500; ++i) {
    if (!ProcessIsThere(pid)) return true;
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string text((std::istreambuf_iterator<char>(stat)), {});
    if (text.find(") Z ") != std::string::npos) return true;
    usleep(10'000);
  }
  return false;
}

BOOST_FIXTURE_TEST_SUITE(child_process, Fixture)

BOOST_AUTO_TEST_CASE(output_and_exit_code_come_back) {
  const auto result = Shell("echo out; echo err >&2; echo $GREETING; exit 3");
  BOOST_REQUIRE(result);
  BOOST_TEST(result->output == "out\nerr\nhello\n");
  BOOST_TEST(result->status.code == 3);
  BOOST_TEST(result->status.ToString() == "exit code 3");
  BOOST_TEST(!result->truncated);
}

BOOST_AUTO_TEST_CASE(a_signal_is_told_by_name) {
  const auto result = Shell("kill -KILL $$");
  BOOST_REQUIRE(result);
  BOOST_TEST(!result->status.Succeeded());
  BOOST_TEST(result->status.ToString() == "killed by SIGKILL");
}

BOOST_AUTO_TEST_CASE(standard_input_is_empty) {
  const auto result = Shell("cat; echo end");
  BOOST_REQUIRE(result);
  BOOST_TEST(result->output == "end\n");
}

BOOST_AUTO_TEST_CASE(only_the_end_of_a_long_output_is_kept) {
  const auto result = Shell("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done", 20s, 1000);
  BOOST_REQUIRE(result);
  BOOST_TEST(result->truncated);
  BOOST_TEST(result->output.size() == 1000U);
  BOOST_TEST(result->output.ends_with("line 19999\n"));
}

BOOST_AUTO_TEST_CASE(a_timeout_ends_the_whole_group_and_shows_the_last_line) {
  const TempFolder dir;
  const auto result =
      Shell("sh -c 'trap \"\" TERM; echo $$ > " + dir.path() + "/pid; echo stuck here; sleep 100' & wait", 500ms);
  BOOST_REQUIRE(!result);
  BOOST_TEST((result.error().code == ErrorCode::kTimeout));
  BOOST_TEST(result.error().message == "timed out after 500ms; its last output: stuck here");
  pid_t pid = 0;
  std::ifstream(dir.path() + "/pid") >> pid;
  BOOST_REQUIRE(pid > 0);
  BOOST_TEST(Gone(pid));  // it ignores SIGTERM, and is killed when its leader has gone
}

BOOST_AUTO_TEST_CASE(a_command_that_ignores_sigterm_is_killed) {
  const auto start = std::chrono::steady_clock::now();
  const auto result = Shell("trap '' TERM; while :; do sleep 0.1; done", 200ms);
  BOOST_REQUIRE(!result);
  BOOST_TEST((result.error().code == ErrorCode::kTimeout));
  const auto took = std::chrono::steady_clock::now() - start;
  BOOST_TEST((took >= 2s && took < 8s));
}

BOOST_AUTO_TEST_CASE(a_grandchild_that_holds_the_output_open_delays_nothing_and_is_killed) {
  const auto start = std::chrono::steady_clock::now();
  const auto result = Shell("sleep 300 & echo $!; exit 0");
  BOOST_REQUIRE(result);
  BOOST_TEST(result->status.Succeeded());
  BOOST_TEST((std::chrono::steady_clock::now() - start < 10s));
  BOOST_TEST(Gone(static_cast<pid_t>(std::stol(result->output))));
}

BOOST_AUTO_TEST_CASE(descriptors_are_closed_in_the_child_but_for_inherited_ones) {
  const int leak = open("/dev/null", O_RDONLY);  // without close-on-exec
  const int wanted = open("/dev/zero", O_RDONLY | O_CLOEXEC);
  ProcessSpec spec;
  spec.argv = {"ls", "-l", "/proc/self/fd"};
  spec.inherit = {wanted};
  const auto result = Run(RunCommand(loop, spec, 10s, 65536));
  BOOST_REQUIRE(result);
  BOOST_TEST(result->output.find(" " + std::to_string(wanted) + " -> /dev/zero") != std::string::npos);
  BOOST_TEST(result->output.find(" " + std::to_string(leak) + " -> /dev/null") == std::string::npos);
  BOOST_TEST(std::ranges::count(result->output, '\n') == 6);  // "total", 0, 1, 2, the wanted one, ls' own
  close(leak);
  close(wanted);
}

BOOST_AUTO_TEST_CASE(signals_masks_and_group_are_reset) {
  struct sigaction ignore{};
  struct sigaction before{};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGUSR1, &ignore, &before);
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR2);
  sigset_t mask;
  pthread_sigmask(SIG_BLOCK, &blocked, &mask);
  const auto result = Shell("grep -E 'Sig(Blk|Ign)' /proc/self/status; ps -o pid=,pgid= -p $$ | tr -s ' '");
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  sigaction(SIGUSR1, &before, nullptr);
  BOOST_REQUIRE(result);
  BOOST_TEST(result->output.find("SigBlk:\t0000000000000000") != std::string::npos);
  const std::size_t ignored = result->output.find("SigIgn:\t");
  BOOST_REQUIRE(ignored != std::string::npos);
  BOOST_TEST((std::stoull(result->output.substr(ignored + 8), nullptr, 16) & 0x7fffffffU) ==
             0U);  // 32, 33: glibc's own
  std::istringstream last(LastLine(result->output));
  long pid = 0;
  long group = 1;
  last >> pid >> group;
  BOOST_TEST(pid == group);
}

struct BadSpec {
  const char* name;
  std::vector<std::string> argv;
  std::string cwd;
  ErrorCode code;
  std::string_view says;
};
std::ostream& operator<<(std::ostream& out, const BadSpec& bad) { return out << bad.name; }

const BadSpec kBadSpecs[] = {
    {"empty", {}, "", ErrorCode::kInvalid, "no command given"},
    {"absent", {"/no/such/file"}, "", ErrorCode::kNotFound, "start /no/such/file: No such file"},
    {"not in path", {"no-such-command"}, "", ErrorCode::kNotFound, "'no-such-command' is not in PATH (/usr/bin:/bin)"},
    {"directory", {"/tmp"}, "", ErrorCode::kDenied, "start /tmp: Permission denied"},
    {"cwd", {"/bin/true"}, "/no/such/folder", ErrorCode::kInvalid, "working directory /no/such/folder"},
};

BOOST_DATA_TEST_CASE(what_cannot_start_says_why, boost::unit_test::data::make(kBadSpecs), bad) {
  ProcessSpec spec;
  spec.argv = bad.argv;
  spec.cwd = bad.cwd;
  spec.env = {"PATH=/usr/bin:/bin"};
  const auto result = Run(RunCommand(loop, spec, 10s, 1000));
  BOOST_REQUIRE(!result);
  BOOST_TEST((result.error().code == bad.code));
  BOOST_TEST(result.error().message.find(bad.says) != std::string::npos, result.error().message);
}

BOOST_AUTO_TEST_CASE(scripts_without_an_interpreter_line_run_by_sh) {
  const TempFolder dir;
  ProcessSpec spec;
  spec.argv = {dir.Write("check", "echo \"args: $1 $2\"; pwd\n", 0755), "a", "b c"};
  spec.cwd = "/";
  const auto result = Run(RunCommand(loop, spec, 10s, 1000));
  BOOST_REQUIRE(result);
  BOOST_TEST(result->output == "args: a b c\n/\n");
  spec.argv = {dir.Write("lost", "#!/no/such/interpreter\n", 0755)};
  const auto lost = Run(RunCommand(loop, spec, 10s, 1000));
  BOOST_REQUIRE(!lost);
  BOOST_TEST(lost.error().message.find("the interpreter in its #! line") != std::string::npos, lost.error().message);
}

BOOST_AUTO_TEST_CASE(children_get_the_descriptor_limit_the_agent_started_with) {
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  if (before.rlim_cur == before.rlim_max) {
    const rlimit lower{before.rlim_max / 2, before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &lower);
    before = lower;
  }
  BOOST_REQUIRE(RaiseDescriptorLimit());
  rlimit raised{};
  getrlimit(RLIMIT_NOFILE, &raised);
  BOOST_TEST(raised.rlim_cur == raised.rlim_max);
  const auto result = Shell("ulimit -n");
  BOOST_REQUIRE(result);
  BOOST_TEST(result->output == std::to_string(before.rlim_cur) + "\n");
  getrlimit(RLIMIT_NOFILE, &raised);
  BOOST_TEST(raised.rlim_cur == raised.rlim_max);
}

Task<ExitStatus> StartAndTerminate(Loop& loop, std::string script, Duration grace) {
  ProcessSpec spec;
  spec.argv = {"/bin/sh", "-c", std::move(script)};
  auto child = ChildProcess::Spawn(loop, spec);
  BOOST_REQUIRE(child);
  co_await loop.Sleep(100ms);
  const ExitStatus status = co_await child->Terminate(grace);
  BOOST_TEST(!child->running());
  co_return status;
}

BOOST_AUTO_TEST_CASE(terminate_asks_first_and_then_kills) {
  BOOST_TEST(Run(StartAndTerminate(loop, "trap 'exit 7' TERM; while :; do sleep 0.01; done", 5s)).code == 7);
  BOOST_TEST(Run(StartAndTerminate(loop, "trap '' TERM; while :; do sleep 0.01; done", 100ms)).signal == SIGKILL);
  BOOST_TEST(Run(StartAndTerminate(loop, "exit 4", 5s)).code == 4);
}

BOOST_AUTO_TEST_CASE(a_child_dies_with_its_owner) {
  pid_t pid = 0;
  {
    ProcessSpec spec;
    spec.argv = {"sleep", "100"};
    const auto child = ChildProcess::Spawn(loop, spec);
    BOOST_REQUIRE(child);
    pid = child->pid();
  }
  BOOST_TEST(Gone(pid));
}

BOOST_AUTO_TEST_CASE(cancelling_a_command_kills_it) {
  JumpingClock jumping;
  Loop other(jumping, Logger(LogLevel::kError, LogFormat::kLogfmt), 1);
  const TempFolder dir;
  TaskGroup group(loop);
  ProcessSpec spec;
  spec.argv = {"/bin/sh", "-c", "echo $$ > " + dir.path() + "/pid; exec sleep 100"};
  struct Helper {
    static Task<void> Command(Loop& loop, ProcessSpec spec) {
      [[maybe_unused]] const auto ignored = co_await RunCommand(loop, spec, 1h, 100);
    }
    static Task<void> CancelSoon(Loop& loop, TaskGroup& group) {
      co_await loop.Sleep(200ms);
      group.Cancel();
      co_await group.Join();
    }
  };
  group.Spawn("command", Helper::Command(loop, spec));
  Run(Helper::CancelSoon(loop, group));
  BOOST_TEST(group.size() == 0U);
  pid_t pid = 0;
  std::ifstream(dir.path() + "/pid") >> pid;
  BOOST_REQUIRE(pid > 0);
  BOOST_TEST(Gone(pid));
}

BOOST_AUTO_TEST_CASE(last_line_is_fit_for_a_message) {
  BOOST_TEST(LastLine("a\nb\n\n  \r\n") == "b");
  BOOST_TEST(LastLine("  \x1b[31mred\x1b[0m ") == "[31mred[0m");
  BOOST_TEST(LastLine("") == "");
  BOOST_TEST(LastLine("\n\n") == "");
  BOOST_TEST(LastLine("abcdef", 3) == "abc...");
  BOOST_TEST(LastLine("a\xc3\xa4", 2) == "a...");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::core
