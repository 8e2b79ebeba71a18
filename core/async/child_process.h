// Child processes by posix_spawn (never fork: with 500 MB resident it drops to 70 starts a second), waited for by pidfd
// on the loop, ended by SIGTERM to the process group, then SIGKILL. Loop thread only.
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/async/loop.h"
#include "core/result.h"

namespace pipewarden::core {

struct ProcessSpec {
  std::vector<std::string> argv;  // argv[0] is looked up in PATH unless it holds a slash
  std::vector<std::string> env;   // NAME=value, the whole environment
  std::string cwd;                // "" is the agent's
  // Descriptors that become 0, 1, 2 of the child; -1 is /dev/null. `inherit` are passed on under their own numbers
  // (they must be above 2); all others are closed in the child.
  int stdin_fd = -1, stdout_fd = -1, stderr_fd = -1;
  std::vector<int> inherit;
};

struct ExitStatus {
  int code = 0;      // exit code, where signal is 0
  int signal = 0;    // the signal that ended it
  bool Succeeded() const { return code == 0 && signal == 0; }
  std::string ToString() const;  // "exit code 3", "killed by SIGKILL"
};

class ChildProcess {
 public:
  // The child leads a process group of its own. kNotFound, kDenied, kLimit (no processes left), kInvalid (cwd).
  // The agent's raised descriptor limit is put back and blocked signals and SIGPIPE are reset in the child.
  static Result<ChildProcess> Spawn(Loop& loop, const ProcessSpec& spec);
  ChildProcess(ChildProcess&&) noexcept;
  ChildProcess& operator=(ChildProcess&&) noexcept;
  ~ChildProcess();  // a child not waited for is killed (SIGKILL to its group) and reaped

  pid_t pid() const;
  void SignalGroup(int signal) const;
  Task<ExitStatus> Wait();                      // cancellable; then the child runs on
  Task<ExitStatus> Terminate(Duration grace);   // SIGTERM (and SIGCONT) to the group, SIGKILL after `grace`

 private:
  struct State;
  explicit ChildProcess(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

struct CommandOutput {
  ExitStatus status;
  std::string output;  // stdout and stderr together, as they came
  bool truncated = false;
};

// Runs a command to its end: at most `timeout` (then Terminate(2s) and kTimeout, the message with the output's last
// line), at most `max_output` bytes kept, the rest read and dropped. The end is the process' exit, not end of file.
Task<Result<CommandOutput>> RunCommand(Loop& loop, ProcessSpec spec, Duration timeout, std::size_t max_output);

// The soft descriptor limit is raised to the hard one for the agent; children get the old one back (see Spawn).
Result<void> RaiseDescriptorLimit();

}  // namespace pipewarden::core
