// Child processes by posix_spawn (never fork: with 500 MB resident it drops to 70 starts a second), waited for by
// pidfd_open(2) on the loop, ended by SIGTERM to the process group, then SIGKILL. Loop thread only.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/async/loop.h"
#include "core/result.h"

namespace pipewarden::core {

struct ProcessSpec {
  // argv[0] without a slash is looked up in the PATH of `env`, or the agent's own where `env` has none. A script
  // without a #! line runs by /bin/sh, as from a shell or cron.
  std::vector<std::string> argv;
  std::vector<std::string> env;  // NAME=value, the whole environment
  std::string cwd;               // "" is the agent's
  // Descriptors that become 0, 1, 2 of the child; -1 is /dev/null. `inherit` are passed on under their own numbers
  // (they must be above 2); all others are closed in the child. They stay the caller's.
  int stdin_fd = -1, stdout_fd = -1, stderr_fd = -1;
  std::vector<int> inherit;
};

struct ExitStatus {
  int code = 0;    // exit code, where signal is 0
  int signal = 0;  // the signal that ended it
  bool Succeeded() const { return code == 0 && signal == 0; }
  std::string ToString() const;  // "exit code 3", "killed by SIGKILL"
};

class ChildProcess {
 public:
  // The child leads a process group of its own. kNotFound, kDenied, kLimit (no processes left), kInvalid (cwd, argv).
  // The agent's raised descriptor limit is put back and blocked signals and SIGPIPE are reset in the child.
  static Result<ChildProcess> Spawn(Loop& loop, const ProcessSpec& spec);
  ChildProcess(ChildProcess&&) noexcept;
  ChildProcess& operator=(ChildProcess&&) noexcept;
  ~ChildProcess();  // a child that still runs is killed (SIGKILL to its group), and reaped when it has gone

  pid_t pid() const;
  bool running() const;
  void SignalGroup(int signal) const;  // nothing once the child has ended: its number may be another's
  // Until the child has ended; any number may wait. Cancellable; then the child runs on.
  Task<ExitStatus> Wait();
  // What the group still holds when the child has ended gets SIGKILL then.
  void SweepGroup();
  // SIGTERM (and SIGCONT) to the group; what is left when the child has ended is swept.
  void RequestEnd();
  // RequestEnd, and SIGKILL to the group after `grace`. Cancellable: that SIGKILL is then not sent.
  Task<ExitStatus> Terminate(Duration grace);

 private:
  struct State;
  explicit ChildProcess(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

struct CommandOutput {
  ExitStatus status;
  std::string output;      // stdout and stderr together, as they came; the last `max_output` bytes of it
  bool truncated = false;  // there was more before
};

// The last line of an output that is not blank, without control characters, at most `max_bytes` long: for messages.
std::string LastLine(std::string_view output, std::size_t max_bytes = 200);

// Runs a command to its end: at most `timeout` (then Terminate(2s) and kTimeout, the message with the output's last
// line), at most `max_output` bytes kept, the rest read and dropped. The end is the process' exit, not end of file: a
// grandchild that holds the output open delays nothing, and is killed then with all else of the group. `spec`'s stdout
// and stderr are replaced. Cancelled, the group is killed. A command runs in real time: a jumping clock stands still
// meanwhile, and `timeout` is real.
Task<Result<CommandOutput>> RunCommand(Loop& loop, ProcessSpec spec, Duration timeout, std::size_t max_output);

// The soft descriptor limit is raised to the hard one for the agent; children get the old one back (see Spawn).
Result<void> RaiseDescriptorLimit();
// Puts the old limit back in a child that was started otherwise and has not begun yet.
void RestoreDescriptorLimit(pid_t child);

}  // namespace pipewarden::core
