#include "core/async/child_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio.hpp>
#include <csignal>
#include <cstring>
#include <optional>

#include "core/time/duration.h"

namespace pipewarden::core {
namespace asio = boost::asio;
namespace {

// The soft descriptor limit before RaiseDescriptorLimit; 0 where it was not raised.
rlim_t original_descriptor_limit = 0;

// While one lives, the soft limit is the original one, so that the child inherits it. Not done where so many
// descriptors are open that another thread could then fail to open one; the child is given its limit after the start
// instead.
class LoweredDescriptorLimit {
 public:
  LoweredDescriptorLimit() {
    if (original_descriptor_limit == 0) return;
    const int lowest_free = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (lowest_free >= 0) close(lowest_free);
    if (lowest_free < 0 || static_cast<rlim_t>(lowest_free) + 100 > original_descriptor_limit) return;
    if (getrlimit(RLIMIT_NOFILE, &raised_) != 0) return;
    const rlimit low{original_descriptor_limit, raised_.rlim_max};
    lowered_ = setrlimit(RLIMIT_NOFILE, &low) == 0;
  }
  ~LoweredDescriptorLimit() {
    if (lowered_) setrlimit(RLIMIT_NOFILE, &raised_);
  }
  LoweredDescriptorLimit(const LoweredDescriptorLimit&) = delete;
  LoweredDescriptorLimit& operator=(const LoweredDescriptorLimit&) = delete;

  void ApplyTo(pid_t child) const {
    if (!lowered_) RestoreDescriptorLimit(child);
  }

 private:
  rlimit raised_{};
  bool lowered_ = false;
};

// What posix_spawn takes, freed at the end of the start, with the descriptors opened for it.
class SpawnPlan {
 public:
  SpawnPlan() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    for (const int fd : copies_) close(fd);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  void SetAttributes() {
    sigset_t all;
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  }

  // 0, 1, 2 from their sources, `inherit` under their own numbers, nothing else.
  bool SetDescriptors(const ProcessSpec& spec) {
    const std::array<int, 3> sources = {spec.stdin_fd, spec.stdout_fd, spec.stderr_fd};
    for (int target = 0; target < 3; ++target) {
      int source = sources.at(static_cast<std::size_t>(target));
      if (source < 0) {
        posix_spawn_file_actions_addopen(&actions, target, "/dev/null", target == 0 ? O_RDONLY : O_WRONLY, 0);
        continue;
      }
      if (source < 3 && source != target) {  // would be overwritten by the actions before: work on a copy
        source = fcntl(source, F_DUPFD_CLOEXEC, 3);
        if (source < 0) return false;
        copies_.push_back(source);
      }
      posix_spawn_file_actions_adddup2(&actions, source, target);
    }
    std::vector<int> inherit = spec.inherit;
    std::ranges::sort(inherit);
    int next = 3;
    for (const int fd : inherit) {
      for (; next < fd; ++next) posix_spawn_file_actions_addclose(&actions, next);
      posix_spawn_file_actions_adddup2(&actions, fd, fd);  // glibc clears close-on-exec then
      next = fd + 1;
    }
    posix_spawn_file_actions_addclosefrom_np(&actions, next);
    return true;
  }

  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};

 private:
  std::vector<int> copies_;
};

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (const std::string& text : strings) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

bool IsExecutableFile(const std::string& path) {
  struct stat info{};
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && access(path.c_str(), X_OK) == 0;
}

// The file to run: argv[0] itself, or where PATH has it.
Result<std::string> FindExecutable(const ProcessSpec& spec) {
  const std::string& name = spec.argv.front();
  if (name.find('/') != std::string::npos) return name;
  std::string path;
  if (const char* own = getenv("PATH")) path = own;  // NOLINT(concurrency-mt-unsafe): nothing sets the environment
  for (const std::string& entry : spec.env)
    if (entry.starts_with("PATH=")) path = entry.substr(5);
  if (path.empty()) path = "/usr/local/bin:/usr/bin:/bin";
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find(':', begin), path.size());
    std::string candidate = path.substr(begin, end - begin);
    candidate = (candidate.empty() ? "." : candidate) + "/" + name;
    if (IsExecutableFile(candidate)) return candidate;
    begin = end + 1;
  }
  return Fail(ErrorCode::kNotFound, "'" + name + "' is not in PATH (" + path + "): give its full path, or install it");
}

Error SpawnError(const std::string& file, int number) {
  Error error = SystemError("start " + file, number);
  if (number == EAGAIN || number == ENOMEM) {
    error.code = ErrorCode::kLimit;
  } else if (number == ENOENT && IsExecutableFile(file)) {
    error.message += " (the interpreter in its #! line, or its loader, is missing)";
  } else if (number == ENOEXEC) {
    error.code = ErrorCode::kInvalid;
  }
  return error;
}

Result<void> CheckSpec(const ProcessSpec& spec) {
  if (spec.argv.empty() || spec.argv.front().empty()) return Fail(ErrorCode::kInvalid, "no command given");
  for (const std::string& argument : spec.argv)
    if (argument.find('\0') != std::string::npos) return Fail(ErrorCode::kInvalid, "an argument holds a zero byte");
  if (spec.cwd.empty()) return {};
  struct stat info{};
  if (stat(spec.cwd.c_str(), &info) != 0 || !S_ISDIR(info.st_mode) || access(spec.cwd.c_str(), X_OK) != 0)
    return Fail(ErrorCode::kInvalid,
                "working directory " + spec.cwd + " is not there, no directory, or not accessible");
  return {};
}

Result<pid_t> StartProcess(const ProcessSpec& spec) {
  if (auto checked = CheckSpec(spec); !checked) return Fail(checked.error());
  const auto file = FindExecutable(spec);
  if (!file) return Fail(file.error());
  SpawnPlan plan;
  plan.SetAttributes();
  if (!plan.SetDescriptors(spec)) return Fail(SystemError("duplicate a descriptor for " + *file, errno));
  if (!spec.cwd.empty()) posix_spawn_file_actions_addchdir_np(&plan.actions, spec.cwd.c_str());

  const std::vector<char*> env = Pointers(spec.env);
  pid_t pid = 0;
  const LoweredDescriptorLimit limit;
  int failed =
      posix_spawn(&pid, file->c_str(), &plan.actions, &plan.attributes, Pointers(spec.argv).data(), env.data());
  if (failed == ENOEXEC) {
    std::vector<std::string> shell = {"/bin/sh", *file};
    shell.insert(shell.end(), spec.argv.begin() + 1, spec.argv.end());
    failed = posix_spawn(&pid, "/bin/sh", &plan.actions, &plan.attributes, Pointers(shell).data(), env.data());
  }
  if (failed != 0) return Fail(SpawnError(*file, failed));
  limit.ApplyTo(pid);
  return pid;
}

std::string SignalName(int signal) {
  const char* name = sigabbrev_np(signal);
  return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(signal);
}

}  // namespace

std::string ExitStatus::ToString() const {
  return signal != 0 ? "killed by " + SignalName(signal) : "exit code " + std::to_string(code);
}

struct ChildProcess::State : std::enable_shared_from_this<ChildProcess::State> {
  State(Loop& loop_, pid_t pid_, int pidfd) : loop(loop_), pid(pid_), watch(loop_.executor(), pidfd) {}

  Loop& loop;
  const pid_t pid;
  asio::posix::stream_descriptor watch;  // the pidfd: readable when the process has ended
  std::optional<ExitStatus> status;
  bool sweep_group = false;  // what the group still holds when its leader has ended is killed
  std::vector<asio::steady_timer*> waiters;

  void Watch() {
    watch.async_wait(asio::posix::descriptor_base::wait_read, [self = shared_from_this()](boost::system::error_code e) {
      if (!e) self->Reap();
    });
  }

  void Reap() {
    siginfo_t info{};
    if (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0) {
      Watch();  // not yet
      return;
    }
    // While the leader is a zombie its number is nobody else's, so that the group is surely ours.
    if (sweep_group) kill(-pid, SIGKILL);
    info = {};
    waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG);
    status = ExitStatus{};
    (info.si_code == CLD_EXITED ? status->code : status->signal) = info.si_status;
    watch.close();
    for (asio::steady_timer* waiter : waiters) waiter->cancel();
  }
};

Result<ChildProcess> ChildProcess::Spawn(Loop& loop, const ProcessSpec& spec) {
  const auto pid = StartProcess(spec);
  if (!pid) return Fail(pid.error());
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, *pid, 0U));
  if (pidfd < 0) {
    const int number = errno;
    kill(-*pid, SIGKILL);
    waitpid(*pid, nullptr, 0);
    return Fail(SystemError("watch process " + std::to_string(*pid), number));
  }
  fcntl(pidfd, F_SETFD, FD_CLOEXEC);
  auto state = std::make_shared<State>(loop, *pid, pidfd);
  state->Watch();
  return ChildProcess(std::move(state));
}

ChildProcess::ChildProcess(std::shared_ptr<State> state) : state_(std::move(state)) {}
ChildProcess::ChildProcess(ChildProcess&&) noexcept = default;

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}

ChildProcess::~ChildProcess() {
  if (state_ != nullptr && running()) {
    state_->sweep_group = true;
    SignalGroup(SIGKILL);
  }
}

pid_t ChildProcess::pid() const { return state_->pid; }
bool ChildProcess::running() const { return !state_->status.has_value(); }

void ChildProcess::SignalGroup(int signal) const {
  if (running()) kill(-state_->pid, signal);
}

Task<ExitStatus> ChildProcess::Wait() {
  auto state = state_;
  if (!state->status) {
    asio::steady_timer ended(state->loop.executor(), asio::steady_timer::time_point::max());
    state->waiters.push_back(&ended);
    auto [error] = co_await ended.async_wait(asio::as_tuple(asio::use_awaitable));
    std::erase(state->waiters, &ended);
    if (!state->status) throw boost::system::system_error(error);  // cancelled
  }
  co_return *state->status;
}

namespace {
Task<Result<ExitStatus>> WaitResult(ChildProcess& child) {
  Result<ExitStatus> status = co_await child.Wait();
  co_return status;
}
}  // namespace

void ChildProcess::SweepGroup() { state_->sweep_group = true; }

void ChildProcess::RequestEnd() {
  SweepGroup();
  SignalGroup(SIGTERM);
  SignalGroup(SIGCONT);
}

Task<ExitStatus> ChildProcess::Terminate(Duration grace) {
  RequestEnd();
  const auto ended = co_await WithTimeout(state_->loop, grace, WaitResult(*this));
  if (!ended) SignalGroup(SIGKILL);
  co_return co_await Wait();
}

std::string LastLine(std::string_view output, std::size_t max_bytes) {
  while (!output.empty()) {
    const std::size_t end = output.find_last_not_of("\r\n\t ");
    if (end == std::string_view::npos) return "";
    output = output.substr(0, end + 1);
    const std::size_t newline = output.find_last_of("\r\n");
    const std::string_view raw = newline == std::string_view::npos ? output : output.substr(newline + 1);
    std::string line;
    for (const char c : raw)
      if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) line += c;
    const std::size_t first = line.find_first_not_of(' ');
    if (first != std::string::npos) {
      line.erase(0, first);
      if (line.size() <= max_bytes) return line;
      std::size_t cut = max_bytes;  // not within a UTF-8 sequence
      while (cut > 0 && (static_cast<unsigned char>(line[cut]) & 0xC0U) == 0x80U) --cut;
      return line.substr(0, cut) + "...";
    }
    output = output.substr(0, newline == std::string_view::npos ? 0 : newline);
  }
  return "";
}

namespace {

// Reads the child's output as it comes, by callbacks, so that the waiting coroutine waits for one thing only.
class OutputReader : public std::enable_shared_from_this<OutputReader> {
 public:
  OutputReader(Loop& loop, int fd, std::size_t max_bytes) : pipe_(loop.executor(), fd), max_bytes_(max_bytes) {}

  void Start() {
    pipe_.async_read_some(asio::buffer(buffer_),
                          [self = shared_from_this()](boost::system::error_code e, std::size_t n) {
                            if (e || !self->pipe_.is_open()) return;
                            self->Keep(n);
                            self->Start();
                          });
  }

  // Takes what the pipe holds now and closes it. A grandchild that goes on writing gets no more than four buffers'
  // worth.
  void Finish() {
    if (!pipe_.is_open()) return;
    boost::system::error_code error;
    pipe_.cancel(error);
    pipe_.non_blocking(true, error);
    for (int reads = 0; reads < 4 && !error; ++reads) {
      const std::size_t size = pipe_.read_some(asio::buffer(buffer_), error);
      if (!error) Keep(size);
    }
    pipe_.close(error);
  }

  std::string Take(bool& truncated) {
    if (output_.size() > max_bytes_) {
      output_.erase(0, output_.size() - max_bytes_);
      truncated_ = true;
    }
    truncated = truncated_;
    return std::move(output_);
  }

 private:
  void Keep(std::size_t size) {
    output_.append(buffer_.data(), size);
    if (output_.size() <= 2 * max_bytes_ + buffer_.size()) return;
    output_.erase(0, output_.size() - max_bytes_);
    truncated_ = true;
  }

  asio::posix::stream_descriptor pipe_;
  std::size_t max_bytes_;
  std::string output_;
  bool truncated_ = false;
  std::array<char, 16384> buffer_{};
};

// Ends the reading also when the waiting coroutine is cancelled.
struct FinishAtEnd {
  std::shared_ptr<OutputReader> reader;
  ~FinishAtEnd() { reader->Finish(); }
};

}  // namespace

Task<Result<CommandOutput>> RunCommand(Loop& loop, ProcessSpec spec, Duration timeout, std::size_t max_output) {
  const Loop::Busy hold = loop.HoldTime();
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    Result<CommandOutput> failed = Fail(SystemError("open a pipe", errno));
    co_return failed;
  }
  auto reader = std::make_shared<OutputReader>(loop, ends[0], max_output);
  const FinishAtEnd finish{reader};
  spec.stdout_fd = spec.stderr_fd = ends[1];
  auto child = ChildProcess::Spawn(loop, spec);
  close(ends[1]);
  if (!child) {
    Result<CommandOutput> failed = Fail(child.error());
    co_return failed;
  }
  child->SweepGroup();
  reader->Start();

  // Real time, whatever the loop's clock: the child knows no other. The handlers share what they use, because one that
  // is due already runs even when this frame has gone.
  struct Watched {
    ChildProcess child;
    bool timed_out = false;
  };
  auto watched = std::make_shared<Watched>(std::move(*child));
  asio::steady_timer deadline(loop.executor(), timeout);
  deadline.async_wait([watched](boost::system::error_code error) {
    if (error || !watched->child.running()) return;
    watched->timed_out = true;
    watched->child.RequestEnd();
  });
  asio::steady_timer last_deadline(loop.executor(), timeout + std::chrono::seconds(2));
  last_deadline.async_wait([watched](boost::system::error_code error) {
    if (!error) watched->child.SignalGroup(SIGKILL);
  });
  CommandOutput output;
  output.status = co_await watched->child.Wait();
  reader->Finish();
  output.output = reader->Take(output.truncated);
  Result<CommandOutput> result = std::move(output);
  if (watched->timed_out) {
    const std::string line = LastLine(result->output);
    result = Fail(ErrorCode::kTimeout, "timed out after " + FormatDuration(timeout) +
                                           (line.empty() ? ", without output" : "; its last output: " + line));
  }
  co_return result;
}

Result<void> RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return Fail(SystemError("read the descriptor limit", errno));
  if (limit.rlim_cur >= limit.rlim_max) return {};
  const rlim_t original = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return Fail(SystemError("raise the descriptor limit", errno));
  if (original_descriptor_limit == 0) original_descriptor_limit = original;
  return {};
}

void RestoreDescriptorLimit(pid_t child) {
  rlimit limit{};
  if (original_descriptor_limit == 0 || prlimit(child, RLIMIT_NOFILE, nullptr, &limit) != 0) return;
  limit.rlim_cur = original_descriptor_limit;
  prlimit(child, RLIMIT_NOFILE, &limit, nullptr);
}

}  // namespace pipewarden::core
