// The list of executors against the folder, and the local executor with real processes.
#include "agent/pipelines/executors/list.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "agent/step/protocol.h"
#include "core/async/child_process.h"
#include "core/async/task_group.h"

namespace pipewarden::agent {
namespace {

using namespace std::chrono_literals;
using core::Result;
using core::Task;

struct Fixture {
  core::JumpingClock clock;
  core::Loop loop{clock, core::Logger(core::LogLevel::kError, core::LogFormat::kLogfmt), 2};
  std::filesystem::path folder;
  std::unique_ptr<Executor> executor = Make(PIPEWARDEN_BINARY_DIR "/pipewarden-step");

  Fixture() {
    char name[] = "/tmp/pipewarden-executor-XXXXXX";
    folder = mkdtemp(name);
  }
  ~Fixture() { std::filesystem::remove_all(folder); }

  std::unique_ptr<Executor> Make(const std::string& binary) {
    return kLocalExecutor.make({.loop = &loop, .logger = loop.logger(), .step_binary = binary});
  }
  AttemptSpec Shell(const std::string& script) const {
    AttemptSpec spec;
    spec.step = "a";
    spec.folder = (folder / "1" / "a.1").string();
    spec.argv = {"sh", "-c", script};
    spec.env = {"PATH=/usr/bin:/bin"};
    spec.cwd = "/tmp";
    spec.grace = 10s;
    spec.output_max = 4096;
    return spec;
  }
  template <class T>
  static Task<void> Keep(Task<T> task, std::optional<T>& result) {
    result.emplace(co_await std::move(task));
  }
  template <class T>
  T Await(Task<T> task) {
    core::TaskGroup group(loop);
    std::optional<T> result;
    group.Spawn("test", Keep(std::move(task), result));
    loop.RunReady();
    BOOST_REQUIRE(result.has_value());
    return std::move(*result);
  }
  std::string Output() const {
    std::ifstream in(folder / "1" / "a.1" / "output");
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }
  AttemptEnd Run(AttemptSpec spec) {
    auto attempt = Await(executor->Start(std::move(spec)));
    BOOST_REQUIRE(attempt.has_value());
    BOOST_TEST((*attempt)->Go().has_value());
    return Await((*attempt)->Wait());
  }
};

BOOST_FIXTURE_TEST_SUITE(executors, Fixture)

BOOST_AUTO_TEST_CASE(each_file_of_the_folder_is_in_the_list) {
  std::set<std::string> files, listed;
  for (const auto& file : std::filesystem::directory_iterator(PIPEWARDEN_SOURCE_DIR "/agent/pipelines/executors"))
    if (file.path().extension() == ".cpp") files.insert(file.path().stem().string());
  for (const ExecutorKind* kind : kExecutorKinds) listed.emplace(kind->name);
  BOOST_TEST(files == listed, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_step_runs_and_ends) {
  const AttemptEnd end = Run(Shell("echo hello; exit 3"));
  BOOST_TEST((end.kind == AttemptEnd::Kind::kExited));
  BOOST_TEST(end.exit_code == 3);
  BOOST_TEST(end.message == "exit code 3");
  BOOST_TEST(!end.Succeeded());
  BOOST_TEST((end.started <= end.ended));
  BOOST_TEST(end.max_rss_bytes > 0);
  BOOST_TEST(Output() == "hello\n");
  BOOST_TEST(Run(Shell("true")).Succeeded());
}

BOOST_AUTO_TEST_CASE(ends_are_told_in_words) {
  AttemptSpec slow = Shell("exec sleep 100");
  slow.timeout = 50ms;
  BOOST_TEST(Run(slow).message == "timed out after 50ms (killed by SIGTERM)");
  BOOST_TEST(Run(Shell("kill -9 $$")).message == "killed by SIGKILL");
  AttemptSpec none = Shell("");
  none.argv = {"/no/such/program"};
  BOOST_TEST(Run(none).message == "could not start: run /no/such/program: No such file or directory");
}

BOOST_AUTO_TEST_CASE(a_step_gets_the_descriptor_limit_that_the_agent_was_given) {
  rlimit before{};
  BOOST_REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  BOOST_TEST(core::RaiseDescriptorLimit().has_value());
  Run(Shell("ulimit -Sn"));
  const std::string limit = before.rlim_cur == RLIM_INFINITY ? "unlimited" : std::to_string(before.rlim_cur);
  BOOST_TEST(Output() == limit + "\n");
  setrlimit(RLIMIT_NOFILE, &before);
}

BOOST_AUTO_TEST_CASE(one_that_is_not_let_go_never_runs) {
  std::string handle;
  {
    auto attempt = Await(executor->Start(Shell("touch ran")));
    BOOST_REQUIRE(attempt.has_value());
    handle = (*attempt)->handle();
  }
  auto again = Await(executor->Adopt((folder / "1" / "a.1").string(), handle));
  const AttemptEnd end = Await((*again)->Wait());
  BOOST_TEST((end.kind == AttemptEnd::Kind::kNotStarted));
  BOOST_TEST(Run(Shell("echo second")).Succeeded());  // the same attempt, made anew
  while (waitpid(-1, nullptr, WNOHANG) > 0) {
  }
}

BOOST_AUTO_TEST_CASE(a_cancelled_one_ends) {
  auto attempt = Await(executor->Start(Shell("exec sleep 100")));
  BOOST_TEST((*attempt)->Go().has_value());
  (*attempt)->Cancel();
  const AttemptEnd end = Await((*attempt)->Wait());
  // The holder may hear it before it has started the step.
  BOOST_TEST(((end.kind == AttemptEnd::Kind::kNotStarted) || end.message.starts_with("cancelled")), end.message);
}

BOOST_AUTO_TEST_CASE(a_running_one_is_adopted) {
  std::string handle;
  const std::string fifo = (folder / "fifo").string();
  mkfifo(fifo.c_str(), 0600);
  {
    auto attempt = Await(executor->Start(Shell("read line < " + fifo + "; echo $line; exit 7")));
    BOOST_TEST((*attempt)->Go().has_value());
    handle = (*attempt)->handle();
  }
  auto adopted = Await(Make("")->Adopt((folder / "1" / "a.1").string(), handle));
  BOOST_REQUIRE(adopted.has_value());
  std::ofstream(fifo) << "from afar\n";
  const AttemptEnd end = Await((*adopted)->Wait());
  BOOST_TEST(end.exit_code == 7);
  BOOST_TEST(Output() == "from afar\n");
  // Adopted once more, after its end: the same is told.
  auto late = Await(Make("")->Adopt((folder / "1" / "a.1").string(), handle));
  BOOST_TEST(Await((*late)->Wait()).exit_code == 7);
  while (waitpid(-1, nullptr, WNOHANG) > 0) {
  }
}

BOOST_AUTO_TEST_CASE(one_whose_holder_was_killed_is_lost) {
  auto attempt = Await(executor->Start(Shell("echo on; exec sleep 100")));
  BOOST_TEST((*attempt)->Go().has_value());
  while (Output() != "on\n") usleep(1000);
  kill(std::stoi((*attempt)->handle()), SIGKILL);
  const AttemptEnd end = Await((*attempt)->Wait());
  BOOST_TEST((end.kind == AttemptEnd::Kind::kLost));
  BOOST_TEST(end.message == "lost: the process that held it was killed");
}

BOOST_AUTO_TEST_CASE(a_binary_that_is_not_there) {
  const auto attempt = Await(Make("/no/such/pipewarden-step")->Start(Shell("true")));
  BOOST_TEST(attempt.error().message == "start /no/such/pipewarden-step: No such file or directory");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::agent
