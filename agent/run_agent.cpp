// The process around the agent: signals, supervisor, exit code.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <cstdio>
#include <iostream>

#include "agent/commands/command.h"
#include "agent/supervisor.h"
#include "agent/wiring.h"
#include "core/async/child_process.h"
#include "core/async/task_group.h"

namespace pipewarden::agent {
namespace {

namespace asio = boost::asio;

struct Process {
  Agent& agent;
  const core::Logger& logger;
  core::TaskGroup tasks;
  int exit_code = kExitWell;
};

core::Task<void> PingWatchdog(core::Loop& loop, core::Duration interval) {
  for (;;) {
    NotifyWatchdog();
    co_await loop.Sleep(interval);
  }
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
    co_await process.agent.Stop();  // what had started already
    loop.Stop();
    co_return;
  }
  for (const std::string& url : process.agent.Urls()) process.logger.Info("ready", {{"url", url}});
  NotifyReady();
  if (const auto interval = WatchdogInterval()) process.tasks.Spawn("watchdog", PingWatchdog(loop, *interval));
  for (;;) {
    auto [error, number] = co_await signals.async_wait(asio::as_tuple(asio::use_awaitable));
    if (error || number != SIGHUP) break;
    if (const auto reloaded = co_await process.agent.Reload(); !reloaded)
      process.logger.Error("reload failed, the old configuration goes on", {{"error", reloaded.error().message}});
  }
  process.logger.Info("ending");
  NotifyStopping();
  co_await process.agent.Stop();
  process.tasks.Cancel();
  co_await process.tasks.Join();
  loop.Stop();
}

}  // namespace

int RunAgent(const AgentOptions& options, const core::Logger& logger) {
  std::signal(SIGPIPE, SIG_IGN);
  if (const auto raised = core::RaiseDescriptorLimit(); !raised)
    logger.Warn("the descriptor limit stays as it is", {{"error", raised.error().message}});
  core::SystemClock clock;
  Agent agent(options, clock, logger);
  Process process{agent, logger, core::TaskGroup(agent.loop())};
  core::TaskGroup main(agent.loop());
  main.Spawn("main", Main(process));
  agent.loop().Run();
  return process.exit_code;
}

}  // namespace pipewarden::agent
