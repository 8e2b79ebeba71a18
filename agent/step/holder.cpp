// Order of things, and why it is safe to die between any two of them:
//   1. read the spec, make the files (their blocks are taken now, so that a full disk is met before the step, not
//   after)
//   2. wait at the gate
//   3. fork; the child waits on a pipe before its exec
//   4. `started` is written and fsynced, then the child may exec: a step never runs without `started` on disk
//   5. the child exits: `ended` is written and fsynced at once, before anything else
//   6. what is still in the pipe is read for two seconds at most, processes left behind are ended
// The child has PR_SET_PDEATHSIG: where the holder is killed, the step does not run on with nobody to tell its end. All
// descendants that lose their parent come to the holder (PR_SET_CHILD_SUBREAPER), whatever session they have fled to.
#include "agent/step/holder.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "agent/step/output.h"
#include "agent/step/protocol.h"

namespace pipewarden::agent::step {
namespace {

constexpr std::int64_t kNever = INT64_MAX;
constexpr std::int64_t kMaxCleanUpMs = 5'000;  // for processes that do not die of SIGKILL (stuck in the kernel)
constexpr std::size_t kReadBlock = 16U << 10U;

std::int64_t NowNs(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}
std::int64_t MonoMs() { return NowNs(CLOCK_MONOTONIC) / 1'000'000; }

std::string ErrorText(const char* doing, const std::string& what, int number) {
  return std::string(doing) + (what.empty() ? "" : " ") + what + ": " + strerror(number);
}

bool WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

// A result file: made in time under another name, filled with spaces, so that writing it later takes no new block.
class ResultFile {
 public:
  bool Make(int folder, const char* name) {
    folder_ = folder;
    name_ = name;
    temporary_ = "." + name_;
    fd_ = openat(folder, temporary_.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    return fd_ >= 0 && WriteAll(fd_, std::string(1024, ' '));
  }
  // Durable when it returns true.
  bool Publish(std::string_view text) {
    return pwrite(fd_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()) &&
           ftruncate(fd_, static_cast<off_t>(text.size())) == 0 && fsync(fd_) == 0 &&
           renameat(folder_, temporary_.c_str(), folder_, name_.c_str()) == 0 && fsync(folder_) == 0;
  }
  void Discard() const { unlinkat(folder_, temporary_.c_str(), 0); }

 private:
  int folder_ = -1;
  int fd_ = -1;
  std::string name_, temporary_;
};

// What the child tells the holder when it cannot exec.
struct ExecFailure {
  int stage = 0;  // 1 chdir, 2 exec
  int number = 0;
};

class Holder {
 public:
  explicit Holder(const char* folder) : folder_name_(folder) {}
  int Run();

 private:
  bool Prepare();
  int NotStarted(const std::string& why);
  bool WaitAtGate() const;
  bool Start();
  [[noreturn]] void BecomeStep(int go_fd, int failure_fd, int output_fd);
  void ReadExecFailure();
  void Loop();
  std::int64_t NextDeadline() const;
  void OnDeadline(std::int64_t now);
  void OnSignals();
  void OnOutput();
  void Reap();
  void OnStepExit(int status, const rusage& usage);
  void EndStep(const char* reason);
  void KillChildren(int signal) const;
  void CloseOutput();

  const char* folder_name_;
  Spec spec_;
  std::string problem_;
  int folder_ = -1;
  int signals_ = -1;
  int output_pipe_ = -1;
  int output_file_ = -1;
  int exec_failure_ = -1;
  sigset_t old_mask_{};
  ResultFile started_file_, ended_file_;
  Started started_;
  Ended ended_;
  std::int64_t started_mono_ns_ = 0;

  bool running_ = false;  // the step has not exited
  bool children_ = true;  // something of ours may still live
  std::int64_t timeout_at_ = kNever;
  std::int64_t kill_at_ = kNever;      // after a SIGTERM to the step
  std::int64_t drain_until_ = kNever;  // after the step's exit
  std::int64_t give_up_at_ = kNever;   // on children that do not die
  Masker masker_{{}};
  BoundedFile* output_ = nullptr;
};

int Holder::Run() {
  if (!Prepare()) return NotStarted(problem_);
  if (!WaitAtGate()) {
    NotStarted("the agent closed the gate before the start");
    return 0;
  }
  BoundedFile output(output_file_, spec_.output_max);
  output_ = &output;
  masker_ = Masker(spec_.secrets);
  if (!Start()) return NotStarted(problem_);
  Loop();
  return 0;
}

int Holder::NotStarted(const std::string& why) {
  if (folder_ < 0) return 1;
  ResultFile file;
  // No fsync is needed for the meaning (no `started` says the same), Publish makes it whole at once.
  if (file.Make(folder_, kNotStartedFile)) file.Publish(EncodeNotStarted(why));
  started_file_.Discard();
  ended_file_.Discard();
  return 1;
}

bool Holder::Prepare() {
  folder_ = open(folder_name_, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_ < 0) return false;
  fcntl(kLockFd, F_SETFD, FD_CLOEXEC);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  setsid();  // fails where the agent has made us a group leader; a group of our own is what counts
  for (const int ignored : {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTSTP, SIGTTOU, SIGTTIN}) signal(ignored, SIG_IGN);
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGCHLD);
  sigaddset(&mask, SIGTERM);
  sigprocmask(SIG_SETMASK, &mask, &old_mask_);
  signals_ = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);

  const int spec_fd = openat(folder_, kSpecFile, O_RDONLY | O_CLOEXEC);
  std::string text;
  char block[4096];
  for (ssize_t got = 0; spec_fd >= 0 && (got = read(spec_fd, block, sizeof block)) > 0;)
    text.append(block, static_cast<std::size_t>(got));
  if (spec_fd >= 0) close(spec_fd);
  if (!DecodeSpec(text, spec_, problem_)) return false;
  std::fill(text.begin(), text.end(), '\0');
  unlinkat(folder_, kSpecFile, 0);

  output_file_ = openat(folder_, kOutputFile, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
  if (output_file_ < 0 || !started_file_.Make(folder_, kStartedFile) || !ended_file_.Make(folder_, kEndedFile)) {
    problem_ = ErrorText("write into", folder_name_, errno) + ". Is the disk full?";
    return false;
  }
  if (chdir("/") != 0) {
    problem_ = ErrorText("chdir", "/", errno);
    return false;
  }
  return true;
}

bool Holder::WaitAtGate() const {
  pollfd polled[2] = {{kGateFd, POLLIN, 0}, {signals_, POLLIN, 0}};
  for (;;) {
    if (poll(polled, 2, -1) < 0) continue;
    if (polled[1].revents != 0) {
      signalfd_siginfo info{};
      if (read(signals_, &info, sizeof info) == sizeof info && info.ssi_signo == SIGTERM) return false;
    }
    if (polled[0].revents == 0) continue;
    char byte = 0;
    const ssize_t got = read(kGateFd, &byte, 1);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    return got == 1 && byte == kGo;
  }
}

bool Holder::Start() {
  int go[2], failure[2], output[2];
  if (pipe2(go, O_CLOEXEC) != 0 || pipe2(failure, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0) {
    problem_ = ErrorText("pipe", "", errno);
    return false;
  }
  const pid_t pid = fork();
  if (pid < 0) {
    problem_ = ErrorText("fork", "", errno);
    return false;
  }
  if (pid == 0) {
    close(go[1]);
    BecomeStep(go[0], failure[1], output[1]);
  }
  close(go[0]);
  close(failure[1]);
  close(output[1]);
  output_pipe_ = output[0];
  fcntl(output_pipe_, F_SETFL, O_NONBLOCK);

  started_.pid = pid;
  started_.start_ticks = StartTicks(pid);
  started_.boot_id = BootId();
  started_.wall_ns = NowNs(CLOCK_REALTIME);
  if (!started_file_.Publish(EncodeStarted(started_))) {
    problem_ = ErrorText("write", kStartedFile, errno);
    unlinkat(folder_, kStartedFile, 0);  // it may stand there, not yet durable
    close(go[1]);                        // the child reads end of file and exits
    waitpid(pid, nullptr, 0);
    return false;
  }
  running_ = true;
  started_mono_ns_ = NowNs(CLOCK_MONOTONIC);
  if (spec_.timeout_ms > 0) timeout_at_ = MonoMs() + spec_.timeout_ms;
  const bool told = write(go[1], &kGo, 1) == 1;  // fails where the child is gone already
  close(go[1]);
  if (!told) kill(pid, SIGKILL);
  exec_failure_ = failure[0];
  return true;
}

// In the child. Nothing here returns.
void Holder::BecomeStep(int go_fd, int failure_fd, int output_fd) {
  const pid_t holder = getppid();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != holder) _exit(127);  // it died before the line above
  setsid();
  char go = 0;
  ssize_t got = 0;
  while ((got = read(go_fd, &go, 1)) < 0 && errno == EINTR) {
  }
  if (got != 1) _exit(127);

  const int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  dup2(null_fd, 0);
  dup2(output_fd, 1);
  dup2(output_fd, 2);
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);

  ExecFailure failure{1, 0};
  if (spec_.cwd.empty() || chdir(spec_.cwd.c_str()) == 0) {
    std::vector<char*> argv, env;
    for (std::string& argument : spec_.argv) argv.push_back(argument.data());
    for (std::string& variable : spec_.env) env.push_back(variable.data());
    argv.push_back(nullptr);
    env.push_back(nullptr);
    environ = env.data();  // execvp looks argv[0] up in its PATH
    execvp(argv[0], argv.data());
    failure.stage = 2;
  }
  failure.number = errno;
  [[maybe_unused]] const ssize_t ignored = write(failure_fd, &failure, sizeof failure);
  _exit(failure.number == ENOENT ? 127 : 126);
}

// After the step's exit, so that it does not block: end of file where the exec worked.
void Holder::ReadExecFailure() {
  ExecFailure failure;
  if (read(exec_failure_, &failure, sizeof failure) != sizeof failure) return;
  ended_.reason = "exec";
  ended_.message = failure.stage == 1 ? ErrorText("change to the working directory", spec_.cwd, failure.number)
                                      : ErrorText("run", spec_.argv[0], failure.number);
}

void Holder::Loop() {
  while (running_ || children_ || output_pipe_ >= 0) {
    const std::int64_t now = MonoMs();
    OnDeadline(now);
    if (!running_ && !children_ && output_pipe_ < 0) break;
    const std::int64_t deadline = NextDeadline();
    const int wait = deadline == kNever ? -1 : static_cast<int>(std::clamp<std::int64_t>(deadline - now, 0, 3'600'000));
    pollfd polled[2] = {{signals_, POLLIN, 0}, {output_pipe_, POLLIN, 0}};
    if (poll(polled, output_pipe_ >= 0 ? 2 : 1, wait) < 0) continue;
    if (polled[1].revents != 0 && output_pipe_ >= 0) OnOutput();
    if (polled[0].revents != 0) OnSignals();
  }
  if (output_->lost_bytes() > 0)
    output_->Write("\n[pipewarden: " + std::to_string(output_->lost_bytes()) + " bytes could not be written]\n");
}

std::int64_t Holder::NextDeadline() const { return std::min({timeout_at_, kill_at_, drain_until_, give_up_at_}); }

void Holder::OnDeadline(std::int64_t now) {
  if (now >= timeout_at_) {
    timeout_at_ = kNever;
    EndStep("timeout");
  }
  if (now >= kill_at_) {
    kill_at_ = kNever;
    if (running_) {
      kill(-started_.pid, SIGKILL);
      kill(started_.pid, SIGKILL);
    }
  }
  if (now >= drain_until_) {
    drain_until_ = kNever;
    CloseOutput();
    if (children_ && !spec_.keep_background) {
      give_up_at_ = now + kMaxCleanUpMs;
      kill_at_ = kNever;
      KillChildren(SIGKILL);
      Reap();
    }
  }
  if (now >= give_up_at_) {
    give_up_at_ = kNever;
    children_ = false;
  }
}

void Holder::OnSignals() {
  signalfd_siginfo info{};
  bool child = false;
  while (read(signals_, &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGTERM) EndStep("cancelled");
    if (info.ssi_signo == SIGCHLD) child = true;
  }
  if (child) Reap();
}

void Holder::EndStep(const char* reason) {
  if (!running_ || kill_at_ != kNever || !ended_.reason.empty()) return;
  ended_.reason = reason;
  kill(-started_.pid, SIGTERM);
  kill(-started_.pid, SIGCONT);  // a stopped one would not see it
  kill_at_ = MonoMs() + spec_.grace_ms;
}

void Holder::OnOutput() {
  char block[kReadBlock];
  const ssize_t got = read(output_pipe_, block, sizeof block);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    CloseOutput();
    return;
  }
  std::string safe;
  masker_.Feed({block, static_cast<std::size_t>(got)}, safe);
  output_->Write(safe);
}

void Holder::CloseOutput() {
  if (output_pipe_ < 0) return;
  close(output_pipe_);
  output_pipe_ = -1;
  std::string rest;
  masker_.Flush(rest);
  output_->Write(rest);
}

void Holder::Reap() {
  for (;;) {
    int status = 0;
    rusage usage{};
    const pid_t pid = wait4(-1, &status, WNOHANG, &usage);
    if (pid == started_.pid) {
      OnStepExit(status, usage);
    } else if (pid < 0 && errno == ECHILD) {
      children_ = false;
      return;
    } else if (pid <= 0) {
      if (give_up_at_ != kNever) KillChildren(SIGKILL);  // those that came to us since
      return;
    }
  }
}

void Holder::OnStepExit(int status, const rusage& usage) {
  running_ = false;
  ReadExecFailure();
  ended_.wall_ns = NowNs(CLOCK_REALTIME);
  ended_.duration_ns = NowNs(CLOCK_MONOTONIC) - started_mono_ns_;
  ended_.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  ended_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  ended_.cpu_user_us = static_cast<std::int64_t>(usage.ru_utime.tv_sec) * 1'000'000 + usage.ru_utime.tv_usec;
  ended_.cpu_system_us = static_cast<std::int64_t>(usage.ru_stime.tv_sec) * 1'000'000 + usage.ru_stime.tv_usec;
  ended_.max_rss_kb = usage.ru_maxrss;
  if (!ended_file_.Publish(EncodeEnded(ended_)))
    output_->Write("\n[pipewarden: how the step ended could not be written: " + std::string(strerror(errno)) + "]\n");
  timeout_at_ = kNever;
  kill_at_ = kNever;
  drain_until_ = MonoMs() + spec_.drain_ms;
  if (spec_.keep_background) {
    children_ = false;
  } else {
    kill(-started_.pid, SIGTERM);
    KillChildren(SIGTERM);
    kill(-started_.pid, SIGCONT);
  }
}

// All direct children of ours, in whatever session: those of the step that have lost their parent. Killing them brings
// us theirs.
void Holder::KillChildren(int signal_number) const {
  DIR* processes = opendir("/proc");
  if (processes == nullptr) return;
  const pid_t self = getpid();
  while (const dirent* entry = readdir(processes)) {
    const pid_t pid = static_cast<pid_t>(strtol(entry->d_name, nullptr, 10));
    if (pid <= 0) continue;
    char path[64], stat[512];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    const ssize_t got = read(fd, stat, sizeof stat - 1);
    close(fd);
    if (got <= 0) continue;
    stat[got] = '\0';
    const char* after_name = strrchr(stat, ')');
    int parent = 0;
    char state = 0;
    if (after_name == nullptr || sscanf(after_name + 1, " %c %d", &state, &parent) != 2) continue;
    if (parent == self && state != 'Z') kill(pid, signal_number);
  }
  closedir(processes);
}

}  // namespace

int HoldStep(const char* folder) { return Holder(folder).Run(); }

}  // namespace pipewarden::agent::step
