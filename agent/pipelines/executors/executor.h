// Where a step's attempt runs. An executor starts an attempt behind a gate: nothing of it happens until Go(), and where
// the agent dies before Go(), nothing ever will. One kind is one file and one line in list.h. Loop thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/async/loop.h"
#include "core/result.h"
#include "core/time/clock.h"

namespace pipewarden::agent {

using RunId = std::int64_t;

struct AttemptSpec {
  RunId run = 0;
  std::string pipeline;
  std::string step;
  int attempt = 1;
  std::string folder;  // of this attempt alone; the executor makes it
  std::vector<std::string> argv;
  std::vector<std::string> env;
  std::string cwd;
  std::vector<std::string> secrets;  // masked in the output
  core::Duration timeout{}, grace{};
  std::int64_t output_max = 0;
  bool keep_background = false;
};

// How an attempt came out.
struct AttemptEnd {
  enum class Kind {
    kExited,      // it ran; code, signal and reason tell how it ended
    kNotStarted,  // it has never run and never will: the same attempt may be made anew
    kLost,        // it was started, and nobody knows how it ended
  };
  Kind kind = Kind::kLost;
  int exit_code = 0;
  int signal = 0;
  std::string reason;   // "", "timeout", "cancelled", "exec"
  std::string message;  // for people: "exit code 3", "killed by SIGKILL after its timeout", …
  core::WallTime started{}, ended{};
  core::Duration duration{};
  double cpu_seconds = 0;
  std::int64_t max_rss_bytes = 0;

  bool Succeeded() const { return kind == Kind::kExited && exit_code == 0 && signal == 0 && reason.empty(); }
};

class RunningAttempt {
 public:
  // One that was not let go never runs. One that was goes on without the agent.
  virtual ~RunningAttempt() = default;
  // What is stored so that a later agent finds it again (with the attempt's folder).
  virtual std::string handle() const = 0;
  virtual core::Result<void> Go() = 0;
  virtual core::Task<AttemptEnd> Wait() = 0;  // cancellable: the attempt goes on
  virtual void Cancel() = 0;                  // asks it to end; Wait tells when it has
};

class Executor {
 public:
  virtual ~Executor() = default;
  virtual core::Task<core::Result<std::unique_ptr<RunningAttempt>>> Start(AttemptSpec spec) = 0;
  // An attempt that an agent before us has started, by its folder and handle ("" where it died before storing one).
  // What became of it, Wait() tells.
  virtual core::Task<core::Result<std::unique_ptr<RunningAttempt>>> Adopt(std::string folder, std::string handle) = 0;
};

struct ExecutorOptions {
  core::Loop* loop = nullptr;
  core::Logger logger;
  std::string step_binary;  // pipewarden-step
};

struct ExecutorKind {
  std::string_view name;
  std::string_view summary;
  std::unique_ptr<Executor> (*make)(const ExecutorOptions& options);
};

}  // namespace pipewarden::agent
