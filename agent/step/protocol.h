// What pipewarden (the agent) and pipewarden-step (the holder of one running step) say to each other: an attempt's
// folder and the files in it. Version 1.
//
//   spec         the agent writes it before it starts the holder: what to run. The holder removes it once read,
//                because it holds secrets.
//   lock         the agent takes flock(LOCK_EX) on it and hands that very descriptor to the holder, which keeps it
//                and passes it to nobody: whoever gets the lock later knows that the holder is dead. No gap, no pid
//                to trust.
//   not_started  the holder saw the gate closed (or could not prepare): the step has never run and never will
//   started      fsynced before the step's exec: its pid, start time and the machine's boot id
//   ended        fsynced after the step's exit: exit code or signal, times, why it was ended
//   output       stdout and stderr, head and tail kept within the bound, secrets masked
//
// The holder is started as `pipewarden-step run FOLDER` with the gate on descriptor 0 and the lock on descriptor 3. The
// go byte 'g' on the gate starts the step; end of file before it means that the agent is gone, and nothing starts.
// After the go byte the holder needs nothing from the agent. SIGTERM asks the holder to end the step.
//
//   lock free, no `started`            never ran (the exec comes after the fsync of `started`): safe to start anew
//   lock free, `started`, no `ended`   lost: the holder or the machine died; the step may have done its work or not
//   lock held                          runs, or waits at the gate
//
// Files are text: the first line names the protocol and its version, the last line is `end`; a file without it is as if
// it were not there. A reader takes every version up to its own, and skips keys that it does not know in result files.
// Nothing here needs more than libc and the standard library's strings; safe from any thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pipewarden::agent::step {

inline constexpr int kProtocolVersion = 1;

inline constexpr char kSpecFile[] = "spec";
inline constexpr char kLockFile[] = "lock";
inline constexpr char kNotStartedFile[] = "not_started";
inline constexpr char kStartedFile[] = "started";
inline constexpr char kEndedFile[] = "ended";
inline constexpr char kOutputFile[] = "output";

inline constexpr int kGateFd = 0;
inline constexpr int kLockFd = 3;
inline constexpr char kGo = 'g';

struct Spec {
  std::vector<std::string> argv = {};     // at least one; argv[0] without a slash is looked up in the PATH of `env`
  std::vector<std::string> env = {};      // NAME=value, the whole environment
  std::string cwd = {};                   // "" is /
  std::uint64_t output_max = 1U << 20U;   // bytes of the output file, at least 1024
  std::vector<std::string> secrets = {};  // masked in the output; empty ones are skipped
  std::int64_t timeout_ms = 0;            // 0: none. Counted by the monotonic clock, which stands still in suspend
  std::int64_t grace_ms = 10'000;         // between SIGTERM and SIGKILL
  std::int64_t drain_ms = 2'000;          // what comes after the step's exit is read for at most so long
  bool keep_background = false;           // processes that the step leaves behind are not ended
  bool operator==(const Spec&) const = default;
};

struct Started {
  pid_t pid = 0;                  // the step; also its process group and session
  std::uint64_t start_ticks = 0;  // field 22 of /proc/PID/stat: with pid and boot id it names one process for ever
  std::string boot_id = {};
  std::int64_t wall_ns = 0;
  bool operator==(const Started&) const = default;
};

struct Ended {
  int exit_code = 0;  // where signal is 0
  int signal = 0;
  std::string reason = {};   // "": by itself; "timeout", "cancelled": ended by the holder; "exec": it could not be run
  std::string message = {};  // for "exec": what failed and why
  std::int64_t wall_ns = 0;
  std::int64_t duration_ns = 0;  // by the monotonic clock
  std::int64_t cpu_user_us = 0, cpu_system_us = 0;
  std::int64_t max_rss_kb = 0;
  bool operator==(const Ended&) const = default;
};

std::string EncodeSpec(const Spec& spec);
// False with `error` where the text is no spec, is cut short, or is of a newer version.
bool DecodeSpec(std::string_view text, Spec& spec, std::string& error);

std::string EncodeStarted(const Started& started);
std::string EncodeEnded(const Ended& ended);
std::string EncodeNotStarted(std::string_view reason);
// False where the file is not whole or not of a known version.
bool DecodeStarted(std::string_view text, Started& started);
bool DecodeEnded(std::string_view text, Ended& ended);
bool DecodeNotStarted(std::string_view text, std::string& reason);

// Field 22 of /proc/PID/stat; 0 where there is no such process.
std::uint64_t StartTicks(pid_t pid);
// This boot's id, "" where /proc does not tell.
std::string BootId();

}  // namespace pipewarden::agent::step
