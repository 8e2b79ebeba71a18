// The kind `exec`: runs a command, such as a healthcheck script that is there already. Exit code 0 is healthy, any
// other unhealthy; the last line of its output is the message. At the timeout the whole process group gets SIGTERM, two
// seconds later SIGKILL. A run costs a process.
#include <cstdlib>

#include "core/async/child_process.h"
#include "core/text/utf8.h"
#include "exporters/probes/list.h"

namespace pipewarden::exporters {
namespace {

using core::MetricType;
using core::OptionType;

constexpr core::Option kOptions[] = {
    {.name = "command",
     .type = OptionType::kStringList,
     .required = true,
     .help = "The command and its arguments, [./check.sh, --fast], or one string, which /bin/sh runs."},
    {.name = "cwd", .type = OptionType::kPath, .help = "The folder it runs in; by default the agent's."},
    {.name = "env",
     .type = OptionType::kStringMap,
     .help = "Environment variables. Of the agent's own it sees PATH, HOME, USER, LANG and TZ, unless set here."},
    {.name = "max_output",
     .type = OptionType::kBytes,
     .default_text = "64KiB",
     .min = 256,
     .max = 16e6,
     .help = "How much of the end of its output is kept; it may write more."},
};
const core::OptionTable kTables[] = {kOptions};

constexpr ProbeMetric kMetrics[] = {
    {"probe_exec_exit_code", MetricType::kGauge, "",
     "The command's exit code; 128 and the signal where one ended it. Absent where it did not run to its end."},
};

class ExecProbe final : public Probe {
 public:
  ExecProbe(core::ProcessSpec spec, std::size_t max_output) : spec_(std::move(spec)), max_output_(max_output) {}

  core::Task<ProbeResult> Run(ProbeContext context) override {
    ProbeResult result;
    const auto output = co_await core::RunCommand(context.loop, spec_, context.timeout, max_output_);
    if (!output) {
      result.error = output.error().message;
      co_return result;
    }
    const core::ExitStatus& status = output->status;
    result.values.push_back(
        {"probe_exec_exit_code", static_cast<double>(status.signal != 0 ? 128 + status.signal : status.code)});
    result.success = status.Succeeded();
    const std::string line = core::ToValidUtf8(core::LastLine(output->output));
    (result.success ? result.message : result.error) = line;
    if (!result.success) result.error = status.ToString() + (line.empty() ? ", without output" : ": " + line);
    co_return result;
  }

 private:
  core::ProcessSpec spec_;
  std::size_t max_output_;
};

std::unique_ptr<Probe> Make(const core::Options& options, core::ConfigErrors& errors) {
  core::ProcessSpec spec;
  spec.argv = options.List("command");
  if (options.Given("command") && (spec.argv.empty() || spec.argv.front().empty()))
    errors.Add(options.Where("command"), "`command` is empty");
  // One plain word starts the file itself, so that a missing one is told as such and not by the shell.
  if (spec.argv.size() == 1 && spec.argv[0].find_first_of(" \t\n|&;<>()$`\\\"'*?[]#~=%!{}") != std::string::npos)
    spec.argv = {"/bin/sh", "-c", spec.argv[0]};
  spec.cwd = options.Text("cwd");
  for (const char* name : {"PATH", "HOME", "USER", "LANG", "TZ"})
    if (const char* value = std::getenv(name))
      spec.env.push_back(std::string(name) + "=" + value);  // NOLINT: read only
  for (const auto& [name, value] : options.Map("env")) {
    std::erase_if(spec.env, [&](const std::string& entry) { return entry.starts_with(name + "="); });
    if (name.empty() || name.find('=') != std::string::npos) {
      errors.Add(options.Where("env"), "'" + name + "' is no name of an environment variable");
    } else {
      spec.env.push_back(name + "=" + value);
    }
  }
  return std::make_unique<ExecProbe>(std::move(spec), static_cast<std::size_t>(options.Bytes("max_output")));
}

}  // namespace

const ProbeKind kExecProbe{.name = "exec",
                           .summary = "Runs a command: exit code 0 is healthy, any other is not.",
                           .options = kTables,
                           .metrics = kMetrics,
                           .make = &Make};

}  // namespace pipewarden::exporters
