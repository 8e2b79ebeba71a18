// Drives the real pipewarden-step as the agent does: folder, lock, gate.
#include "agent/step/protocol.h"

#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "agent/step/protocol.h"

namespace pipewarden::agent::step {
namespace {

using namespace std::chrono_literals;

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

bool Alive(pid_t pid) { return kill(pid, 0) == 0; }

// Polls a condition that another process brings about; the deadline is for a failing test only.
template <class F>
bool Eventually(F condition) {
  for (int i = 0; i < 2000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(5ms);
  }
  return false;
}

struct Attempt {
  std::filesystem::path folder;
  pid_t pid = 0;
  int gate = -1;

  Attempt() {
    char name[] = "/tmp/pipewarden-step-test-XXXXXX";
    folder = mkdtemp(name);
  }
  ~Attempt() {
    if (gate >= 0) close(gate);
    if (pid > 0) {
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
    }
    std::filesystem::remove_all(folder);
  }

  void Spawn(const Spec& spec) {
    std::ofstream(folder / kSpecFile) << EncodeSpec(spec);
    const int lock = open((folder / kLockFile).c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    BOOST_REQUIRE(flock(lock, LOCK_EX | LOCK_NB) == 0);
    int pipe_fds[2];
    BOOST_REQUIRE(pipe2(pipe_fds, O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe_fds[0], kGateFd);
    posix_spawn_file_actions_adddup2(&actions, lock, kLockFd);
    const std::string binary = PIPEWARDEN_BINARY_DIR "/pipewarden-step";
    const std::string name = folder.string();
    char* const argv[] = {const_cast<char*>(binary.c_str()), const_cast<char*>("run"), const_cast<char*>(name.c_str()),
                          nullptr};
    BOOST_REQUIRE(posix_spawn(&pid, binary.c_str(), &actions, nullptr, argv, environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    close(pipe_fds[0]);
    close(lock);
    gate = pipe_fds[1];
  }
  void Go() { BOOST_REQUIRE(write(gate, &kGo, 1) == 1); }
  int Wait() {
    int status = 0;
    BOOST_REQUIRE(waitpid(pid, &status, 0) == pid);
    pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  Ended Run(const Spec& spec) {
    Spawn(spec);
    Go();
    BOOST_TEST(Wait() == 0);
    return ReadEnded();
  }
  Ended ReadEnded() const {
    Ended ended;
    BOOST_REQUIRE(DecodeEnded(ReadFile(folder / kEndedFile), ended));
    return ended;
  }
  Started ReadStarted() const {
    Started started;
    BOOST_REQUIRE(DecodeStarted(ReadFile(folder / kStartedFile), started));
    return started;
  }
  std::string Output() const { return ReadFile(folder / kOutputFile); }
  bool LockIsFree() const {
    const int fd = open((folder / kLockFile).c_str(), O_RDWR | O_CLOEXEC);
    const bool free = flock(fd, LOCK_EX | LOCK_NB) == 0;
    close(fd);
    return free;
  }
};

Spec Shell(std::string script) {
  return {.argv = {"sh", "-c", std::move(script)}, .env = {"PATH=/usr/bin:/bin"}, .cwd = "/tmp"};
}

BOOST_FIXTURE_TEST_SUITE(step_holder, Attempt)

BOOST_AUTO_TEST_CASE(a_step_runs_and_its_end_is_told) {
  const Ended ended = Run(Shell("echo out; echo err >&2; pwd; exit 3"));
  BOOST_TEST(ended.exit_code == 3);
  BOOST_TEST(ended.signal == 0);
  BOOST_TEST(ended.reason == "");
  BOOST_TEST(ended.duration_ns > 0);
  BOOST_TEST(Output() == "out\nerr\n/tmp\n");
  const Started started = ReadStarted();
  BOOST_TEST(started.boot_id == BootId());
  BOOST_TEST(started.start_ticks > 0U);
  BOOST_TEST(started.wall_ns <= ended.wall_ns);
  BOOST_TEST(!std::filesystem::exists(folder / kSpecFile));
  BOOST_TEST(LockIsFree());
}

BOOST_AUTO_TEST_CASE(a_closed_gate_starts_nothing) {
  Spawn(Shell("touch ran"));
  BOOST_TEST(!LockIsFree());
  close(gate);
  gate = -1;
  BOOST_TEST(Wait() == 0);
  std::string reason;
  BOOST_TEST(DecodeNotStarted(ReadFile(folder / kNotStartedFile), reason));
  BOOST_TEST(!std::filesystem::exists(folder / kStartedFile));
  BOOST_TEST(LockIsFree());
}

BOOST_AUTO_TEST_CASE(the_agent_may_go_after_the_go_byte) {
  Spawn(Shell("sleep 0.1; echo done"));
  Go();
  close(gate);
  gate = -1;
  BOOST_TEST(Wait() == 0);
  BOOST_TEST(ReadEnded().exit_code == 0);
  BOOST_TEST(Output() == "done\n");
}

BOOST_AUTO_TEST_CASE(a_bad_spec_is_told_and_nothing_starts) {
  Spawn({.argv = {}});
  BOOST_TEST(Wait() == 1);
  std::string reason;
  BOOST_TEST(DecodeNotStarted(ReadFile(folder / kNotStartedFile), reason));
  BOOST_TEST(reason == "the spec names no command");
}

BOOST_AUTO_TEST_CASE(a_command_that_is_not_there) {
  const Ended ended = Run({.argv = {"no-such-command"}, .env = {"PATH=/usr/bin"}});
  BOOST_TEST(ended.exit_code == 127);
  BOOST_TEST(ended.reason == "exec");
  BOOST_TEST(ended.message == "run no-such-command: No such file or directory");
}

BOOST_AUTO_TEST_CASE(a_working_directory_that_is_not_there) {
  Spec spec = Shell("true");
  spec.cwd = "/no/such/folder";
  const Ended ended = Run(spec);
  BOOST_TEST(ended.reason == "exec");
  BOOST_TEST(ended.message == "change to the working directory /no/such/folder: No such file or directory");
}

BOOST_AUTO_TEST_CASE(a_killed_step_tells_its_signal) {
  const Ended ended = Run(Shell("kill -9 $$"));
  BOOST_TEST(ended.signal == SIGKILL);
  BOOST_TEST(ended.reason == "");
}

BOOST_AUTO_TEST_CASE(a_timeout_asks_first) {
  Spec spec = Shell("trap 'echo asked; exit 7' TERM; while :; do sleep 0.02; done");
  spec.timeout_ms = 500;  // for the shell to set its trap, also where the machine is busy
  const Ended ended = Run(spec);
  BOOST_TEST(ended.reason == "timeout");
  BOOST_TEST(ended.exit_code == 7);
  BOOST_TEST(Output().ends_with("asked\n"));  // the shell may say "Terminated" of its own sleep before
}

BOOST_AUTO_TEST_CASE(a_timeout_kills_after_the_grace) {
  Spec spec = Shell("trap '' TERM; while :; do sleep 0.02; done");
  spec.timeout_ms = 500;
  spec.grace_ms = 50;
  const Ended ended = Run(spec);
  BOOST_TEST(ended.reason == "timeout");
  BOOST_TEST(ended.signal == SIGKILL);
}

BOOST_AUTO_TEST_CASE(sigterm_to_the_holder_cancels) {
  Spawn(Shell("echo ready; exec sleep 100"));
  Go();
  BOOST_TEST(Eventually([&] { return Output() == "ready\n"; }));
  kill(pid, SIGTERM);
  BOOST_TEST(Wait() == 0);
  BOOST_TEST(ReadEnded().reason == "cancelled");
  BOOST_TEST(ReadEnded().signal == SIGTERM);
}

BOOST_AUTO_TEST_CASE(the_step_is_over_when_its_process_exits) {
  // A background process holds the output open; it is ended with the step.
  const auto begin = std::chrono::steady_clock::now();
  const Ended ended = Run(Shell("sleep 100 & echo $!"));
  BOOST_TEST((std::chrono::steady_clock::now() - begin < 2s));
  BOOST_TEST(ended.exit_code == 0);
  BOOST_TEST(!Alive(std::stoi(Output())));
}

BOOST_AUTO_TEST_CASE(grandchildren_that_fled_to_a_session_of_their_own_are_ended) {
  Spec spec = Shell("setsid sh -c 'trap \"\" TERM; echo $$; while :; do sleep 0.05; done' & sleep 0.2");
  spec.drain_ms = 100;
  Run(spec);
  BOOST_TEST(!Alive(std::stoi(Output())));
}

BOOST_AUTO_TEST_CASE(what_shall_stay_in_the_background_stays) {
  Spec spec = Shell("setsid sleep 100 >/dev/null 2>&1 & echo $!");
  spec.keep_background = true;
  Run(spec);
  const pid_t background = std::stoi(Output());
  BOOST_TEST(Alive(background));
  kill(background, SIGKILL);
}

BOOST_AUTO_TEST_CASE(a_killed_holder_takes_its_step_along) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);  // so that the orphan's end can be seen here, whoever is PID 1
  Spawn(Shell("exec sleep 100"));
  Go();
  BOOST_TEST(Eventually([&] { return std::filesystem::exists(folder / kStartedFile); }));
  const pid_t step = ReadStarted().pid;
  kill(pid, SIGKILL);
  Wait();
  BOOST_TEST(waitpid(step, nullptr, 0) == step);
  BOOST_TEST(LockIsFree());
  BOOST_TEST(!std::filesystem::exists(folder / kEndedFile));
  prctl(PR_SET_CHILD_SUBREAPER, 0);
}

BOOST_AUTO_TEST_CASE(secrets_do_not_reach_the_file) {
  Spec spec = Shell("printf 'pw=hun'; sleep 0.05; printf 'ter2 end\\n'");
  spec.secrets = {"hunter2"};
  Run(spec);
  BOOST_TEST(Output() == "pw=<secret> end\n");
}

BOOST_AUTO_TEST_CASE(a_flood_of_output_is_bounded) {
  Spec spec = Shell("head -c 3000000 /dev/zero | tr '\\0' 'x'; echo; echo last");
  spec.output_max = 65536;
  const Ended ended = Run(spec);
  BOOST_TEST(ended.exit_code == 0);
  BOOST_TEST(Output().size() <= 65536U);
  BOOST_TEST(Output().ends_with("x\nlast\n"));
}

BOOST_AUTO_TEST_CASE(the_step_gets_no_descriptor_and_no_environment_of_ours) {
  Spec spec = Shell(
      "ls /proc/self/fd | tr '\\n' ' '; env | grep -v -e ^PWD= -e ^_= -e ^SHLVL=; grep SigIgn /proc/self/status | tail "
      "-c 8");
  spec.env.push_back("ONLY=this");
  Run(spec);
  // ls itself opens 3; the last seven digits of SigIgn are the signals 1 to 28.
  BOOST_TEST(Output() == "0 1 2 3 PATH=/usr/bin:/bin\nONLY=this\n0000000\n");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::agent::step
