// Steps on this machine, each held by a pipewarden-step of its own (agent/step/protocol.h): that process waits at the
// gate, runs the step, and outlives the agent. A start costs one posix_spawn of a static binary (0.4 ms of CPU) and the
// files of the attempt's folder; all of it happens in the pool. The end is heard by a pidfd, also from a holder that an
// agent before us has started.
#include <fcntl.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>

#include "agent/pipelines/executors/list.h"
#include "agent/step/protocol.h"
#include "core/async/child_process.h"
#include "core/read_file.h"
#include "core/store/file_operations.h"
#include "core/time/duration.h"

namespace pipewarden::agent {
namespace {

namespace asio = boost::asio;
using core::Fail;
using core::Result;
using core::SystemError;
using core::Task;

// How often a lock is tried whose holder cannot be waited for (another pid namespace).
constexpr core::Duration kLockPoll = std::chrono::milliseconds(200);

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

int PidfdOpen(pid_t pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

// A holder as it was started or found.
struct Holder {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;
  Descriptor pidfd;
  // The gate's ends. The agent keeps the reading one as well, so that opening the gate of a dead holder is no SIGPIPE.
  Descriptor gate, gate_in;
  bool is_child = false;
};

std::string HandleOf(const Holder& holder) {
  return std::to_string(holder.pid) + " " + std::to_string(holder.start_ticks) + " " + step::BootId();
}

Result<void> WriteFile(const std::string& path, const std::string& text) {
  const Descriptor file(open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
  if (!file) return Fail(SystemError("create " + path, errno));
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t written = write(file.get(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return Fail(SystemError("write " + path, errno));
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

// "" where there is none; an error where it cannot be told (no descriptors, a disk that fails): then nobody may take
// the step for one that never started.
Result<std::string> ReadIfThere(const std::string& path) {
  Result<std::string> text = core::ReadFile(path);
  if (!text && text.error().code == core::ErrorCode::kNotFound) return "";
  return text;
}

step::Spec SpecOf(const AttemptSpec& attempt) {
  using std::chrono::ceil;
  using std::chrono::milliseconds;
  step::Spec spec;
  spec.argv = attempt.argv;
  spec.env = attempt.env;
  spec.cwd = attempt.cwd;
  spec.secrets = attempt.secrets;
  spec.timeout_ms = ceil<milliseconds>(attempt.timeout).count();
  spec.grace_ms = ceil<milliseconds>(attempt.grace).count();
  spec.output_max = static_cast<std::uint64_t>(attempt.output_max);
  spec.keep_background = attempt.keep_background;
  return spec;
}

// In the pool.
Result<Holder> Spawn(const std::string& binary, const AttemptSpec& attempt) {
  std::error_code error;
  std::filesystem::remove_all(attempt.folder, error);  // of the same attempt, which never ran
  if (auto made = core::MakePrivateFolder(attempt.folder); !made) return Fail(made.error());
  if (auto written = WriteFile(attempt.folder + "/" + step::kSpecFile, step::EncodeSpec(SpecOf(attempt))); !written)
    return Fail(written.error());

  const std::string lock_path = attempt.folder + "/" + step::kLockFile;
  const Descriptor lock(open(lock_path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  if (!lock || flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return Fail(SystemError("lock " + lock_path, errno));
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return Fail(SystemError("make a pipe", errno));
  Holder holder;
  holder.gate_in = Descriptor(ends[0]);
  holder.gate = Descriptor(ends[1]);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, holder.gate_in.get(), step::kGateFd);
  posix_spawn_file_actions_adddup2(&actions, lock.get(), step::kLockFd);
  posix_spawn_file_actions_addclosefrom_np(&actions, step::kLockFd + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::string program = binary, verb = "run", folder = attempt.folder;
  char* const argv[] = {program.data(), verb.data(), folder.data(), nullptr};
  char* const env[] = {nullptr};
  const int code = posix_spawn(&holder.pid, binary.c_str(), &actions, &attributes, argv, env);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (code != 0) return Fail(SystemError("start " + binary, code));

  core::RestoreDescriptorLimit(holder.pid);  // it waits at the gate: the step gets the limit the agent was given
  holder.is_child = true;
  holder.start_ticks = step::StartTicks(holder.pid);
  holder.pidfd = Descriptor(PidfdOpen(holder.pid));  // our child, not yet waited for: the pid is its own
  if (!holder.pidfd) return Fail(SystemError("pidfd_open", errno));
  return holder;
}

// Where it cannot be told it counts as held: it is asked again.
bool LockIsHeld(const std::string& folder) {
  const Descriptor lock(open((folder + "/" + step::kLockFile).c_str(), O_RDWR | O_CLOEXEC));
  if (!lock) return errno != ENOENT;
  return flock(lock.get(), LOCK_EX | LOCK_NB) != 0;
}

// In the pool. A holder without a pid where none can be waited for.
Holder Find(const std::string& folder, const std::string& handle) {
  Holder holder;
  if (!LockIsHeld(folder)) return holder;
  unsigned long long ticks = 0;
  char boot[64] = "";
  if (std::sscanf(handle.c_str(), "%d %llu %63s", &holder.pid, &ticks, boot) != 3 || step::BootId() != boot)
    return Holder{};
  holder.start_ticks = ticks;
  holder.pidfd = Descriptor(PidfdOpen(holder.pid));
  if (!holder.pidfd || step::StartTicks(holder.pid) != ticks) return Holder{};
  return holder;
}

// The group of a step whose holder has died: killed where it is still the one that was started.
void KillOrphans(const step::Started& started) {
  if (started.boot_id != step::BootId()) return;
  const std::uint64_t ticks = step::StartTicks(started.pid);
  if (ticks == started.start_ticks) kill(started.pid, SIGKILL);
  // The leader's number is not given anew while its group has members; a new process of that number would have a later
  // start and be no leader of this group.
  if (ticks == started.start_ticks || ticks == 0) kill(-started.pid, SIGKILL);
}

std::string Describe(const step::Ended& ended, const core::Duration timeout) {
  if (ended.reason == "exec") return "could not start: " + ended.message;
  std::string text;
  if (ended.signal != 0) {
    const char* name = sigabbrev_np(ended.signal);
    text = "killed by SIG" + (name != nullptr ? std::string(name) : std::to_string(ended.signal));
  } else if (ended.exit_code != 0 || ended.reason.empty()) {
    text = "exit code " + std::to_string(ended.exit_code);
  }
  const std::string also = text.empty() ? "" : " (" + text + ")";
  if (ended.reason == "timeout")
    return "timed out" + (timeout > core::Duration::zero() ? " after " + core::FormatDuration(timeout) : "") + also;
  if (ended.reason == "cancelled") return "cancelled" + also;
  return text;
}

core::WallTime FromNs(std::int64_t ns) { return core::WallTime{core::Duration{ns}}; }

// In the pool, once the lock is free: what the folder says. An error where it cannot be read now.
Result<AttemptEnd> ReadEnd(const std::string& folder, core::WallTime now, core::Duration timeout) {
  const Result<std::string> started_text = ReadIfThere(folder + "/" + step::kStartedFile);
  const Result<std::string> not_started_text = ReadIfThere(folder + "/" + step::kNotStartedFile);
  const Result<std::string> ended_text = ReadIfThere(folder + "/" + step::kEndedFile);
  for (const auto* text : {&started_text, &not_started_text, &ended_text})
    if (!*text) return Fail(text->error());
  AttemptEnd end;
  step::Started started;
  if (!step::DecodeStarted(*started_text, started)) {
    end.kind = AttemptEnd::Kind::kNotStarted;
    end.ended = now;
    if (!step::DecodeNotStarted(*not_started_text, end.message)) end.message = "its holder died at the gate";
    return end;
  }
  end.started = FromNs(started.wall_ns);
  step::Ended ended;
  if (!step::DecodeEnded(*ended_text, ended)) {
    KillOrphans(started);
    end.kind = AttemptEnd::Kind::kLost;
    end.ended = now;
    end.message = started.boot_id == step::BootId() ? "lost: the process that held it was killed"
                                                    : "lost: the machine was restarted";
    return end;
  }
  end.kind = AttemptEnd::Kind::kExited;
  end.exit_code = ended.exit_code;
  end.signal = ended.signal;
  end.reason = ended.reason;
  end.message = Describe(ended, timeout);
  end.ended = FromNs(ended.wall_ns);
  end.duration = core::Duration(ended.duration_ns);
  end.cpu_seconds = static_cast<double>(ended.cpu_user_us + ended.cpu_system_us) / 1e6;
  end.max_rss_bytes = ended.max_rss_kb * 1024;
  return end;
}

class LocalAttempt final : public RunningAttempt {
 public:
  LocalAttempt(core::Loop& loop, std::string folder, core::Duration timeout, Holder holder)
      : loop_(loop), folder_(std::move(folder)), timeout_(timeout), holder_(std::move(holder)) {}

  std::string handle() const override { return HandleOf(holder_); }

  Result<void> Go() override {
    // Where the holder has died, Wait() tells that nothing started.
    if (write(holder_.gate.get(), &step::kGo, 1) != 1) return Fail(SystemError("open the gate", errno));
    holder_.gate = Descriptor();
    holder_.gate_in = Descriptor();
    return {};
  }

  Task<AttemptEnd> Wait() override {
    if (holder_.pidfd) {
      const auto hold = loop_.HoldTime();  // a jumping clock stands still while a real process runs
      asio::posix::stream_descriptor exited(loop_.executor(), fcntl(holder_.pidfd.get(), F_DUPFD_CLOEXEC, 0));
      co_await exited.async_wait(asio::posix::descriptor_base::wait_read, asio::use_awaitable);
      if (holder_.is_child) {
        siginfo_t info{};
        waitid(P_PIDFD, static_cast<id_t>(holder_.pidfd.get()), &info, WEXITED | WNOHANG);
        holder_.is_child = false;
      }
    }
    const core::WallTime now = loop_.clock().Now();
    for (;;) {
      const bool held = co_await loop_.Blocking([this] { return LockIsHeld(folder_); });
      if (!held) break;
      co_await loop_.Sleep(kLockPoll);
    }
    std::string complaint;
    for (;;) {
      auto end = co_await loop_.Blocking([this, now] { return ReadEnd(folder_, now, timeout_); });
      if (end) co_return std::move(*end);
      if (std::exchange(complaint, end.error().message) != end.error().message)
        loop_.logger().Error("how a step ended cannot be read; it is tried again", {{"error", end.error().message}});
      co_await loop_.Sleep(kLockPoll);
    }
  }

  void Cancel() override {
    if (holder_.pidfd) syscall(SYS_pidfd_send_signal, holder_.pidfd.get(), SIGTERM, nullptr, 0);
  }

 private:
  core::Loop& loop_;
  std::string folder_;
  core::Duration timeout_;
  Holder holder_;
};

class LocalExecutor final : public Executor {
 public:
  explicit LocalExecutor(const ExecutorOptions& options) : loop_(*options.loop), binary_(options.step_binary) {}

  Task<Result<std::unique_ptr<RunningAttempt>>> Start(AttemptSpec spec) override {
    auto holder = co_await loop_.Blocking([&] { return Spawn(binary_, spec); });
    if (!holder) co_return Fail(holder.error());
    co_return std::make_unique<LocalAttempt>(loop_, spec.folder, spec.timeout, std::move(*holder));
  }

  Task<Result<std::unique_ptr<RunningAttempt>>> Adopt(std::string folder, std::string handle) override {
    Holder holder = co_await loop_.Blocking([&] { return Find(folder, handle); });
    co_return std::make_unique<LocalAttempt>(loop_, folder, core::Duration::zero(), std::move(holder));
  }

 private:
  core::Loop& loop_;
  std::string binary_;
};

std::unique_ptr<Executor> MakeLocal(const ExecutorOptions& options) { return std::make_unique<LocalExecutor>(options); }

}  // namespace

const ExecutorKind kLocalExecutor = {
    .name = "local", .summary = "A process on this machine, held by pipewarden-step", .make = MakeLocal};

}  // namespace pipewarden::agent
