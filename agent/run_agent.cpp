// The process around the agent: signals, supervisor, exit code.
#include <malloc.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <stdexcept>

#include "agent/commands/command.h"
#include "agent/supervisor.h"
#include "agent/wiring.h"
#include "core/async/child_process.h"
#include "core/async/exceptions.h"
#include "core/async/task_group.h"
#include "core/time/duration.h"

namespace pipewarden::agent {
namespace {

namespace asio = boost::asio;

constexpr core::Duration kEndWithin = std::chrono::seconds(25);

struct Process {
  Agent& agent;
  const core::Logger& logger;
  core::TaskGroup tasks{agent.loop()};
  core::TaskGroup reloads{agent.loop()};
  int exit_code = kExitWell;
};

core::Task<void> PingWatchdog(core::Loop& loop, core::Duration interval) {
  for (;;) {
    NotifyWatchdog();
    co_await loop.Sleep(interval);
  }
}

core::Task<void> Reload(Process& process) {
  if (const auto reloaded = co_await process.agent.Reload(); !reloaded)
    process.logger.Error("reload failed, the old configuration goes on", {{"error", reloaded.error().message}});
}

// Whatever hangs, the end comes before the supervisor's SIGKILL (the unit's TimeoutStopSec is 30s). Not in order then,
// but all that is stored is made for a kill.
core::Task<void> EndAnyway(Process& process) {
  co_await process.agent.loop().Sleep(kEndWithin);
  core::Fatal(process.logger, "ending in order",
              std::make_exception_ptr(std::runtime_error("it took longer than " + core::FormatDuration(kEndWithin))));
}

core::Task<void> End(Process& process) {
  process.tasks.Spawn("end", EndAnyway(process));
  process.reloads.Cancel();
  co_await process.reloads.Join();
  co_await process.agent.Stop();
  process.tasks.Cancel();
  co_await process.tasks.Join();
  process.agent.loop().Stop();
}

core::Task<void> Main(Process& process) {
  core::Loop& loop = process.agent.loop();
  // Before anything starts, so that no signal is lost meanwhile.
  asio::signal_set signals(loop.executor(), SIGTERM, SIGINT, SIGHUP);
  const auto started = co_await process.agent.Start();
  if (!started) {
    // A bad configuration goes to people as it is, a line for each mistake; anything else to the log.
    if (started.error().code == core::ErrorCode::kInvalid) {
      std::cerr << started.error().message << "\n";
    } else {
      process.logger.Error("cannot start", {{"error", started.error().message}});
    }
    process.exit_code = started.error().code == core::ErrorCode::kInvalid ? kExitUsage : kExitFailed;
    co_return co_await End(process);  // what had started already
  }
  for (const std::string& url : process.agent.Urls()) process.logger.Info("ready", {{"url", url}});
  NotifyReady();
  if (const auto interval = WatchdogInterval()) process.tasks.Spawn("watchdog", PingWatchdog(loop, *interval));
  for (;;) {
    auto [error, number] = co_await signals.async_wait(asio::as_tuple(asio::use_awaitable));
    if (error || number != SIGHUP) break;
    // One under way and one that waits for it: what is asked for meanwhile is covered by that one.
    if (process.reloads.size() < 2) process.reloads.Spawn("reload", Reload(process));
  }
  process.logger.Info("ending");
  NotifyStopping();
  co_await End(process);
}

// glibc gives each thread that allocates an arena of its own, up to eight a core, and each keeps what a large request
// left behind; and with every large block that is freed it takes larger ones from the arenas, which they fragment.
// Measured with 13,000 series that came by remote write: 126 MB more than idle without this, 7 MB with it.
void UseLittleMemory() {
  ::mallopt(M_ARENA_MAX, 2);
  ::mallopt(M_MMAP_THRESHOLD, 64 << 10);
  ::mallopt(M_TRIM_THRESHOLD, 128 << 10);
}

}  // namespace

int RunAgent(const AgentOptions& options, const core::Logger& logger) {
  UseLittleMemory();
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a limit of files is told by the write that meets it, as a full disk
  if (const auto raised = core::RaiseDescriptorLimit(); !raised)
    logger.Warn("the descriptor limit stays as it is", {{"error", raised.error().message}});
  core::SystemClock clock;
  Agent agent(options, clock, logger);
  Process process{.agent = agent, .logger = logger};
  core::TaskGroup main(agent.loop());
  main.Spawn("main", Main(process));
  agent.loop().Run();
  if (*agent.loop().threads_aside() > 0) {  // all is in order, but they could touch what is taken down from here on
    logger.Warn("calls to file systems or name servers hang; the process ends without them");
    logger.Flush();
    std::_Exit(process.exit_code);
  }
  return process.exit_code;
}

}  // namespace pipewarden::agent
