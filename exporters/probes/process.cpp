// The kind `process`: processes by a pid file or by their command line. Healthy while alive; for batch jobs such as a
// Spark driver also after a clean exit.
//
// How an exit is told without being the parent: a job that ends well removes its pid file, or its wrapper writes the
// exit code to a file. A pid file that names a process which is gone, a zombie, or another one (a reused number: it
// started after the file was written) means that it died. Reads /proc in the pool, about 10 us a process on the machine
// for a match.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <re2/re2.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cmath>
#include <fstream>
#include <sstream>

#include "core/async/aside.h"
#include "core/model/matcher.h"
#include "exporters/probes/list.h"

namespace pipewarden::exporters {
namespace {

using core::MetricType;
using core::OptionType;

constexpr std::string_view kAbsentChoices[] = {"unhealthy", "healthy"};

constexpr core::Option kOptions[] = {
    {.name = "pid_file", .type = OptionType::kPath, .help = "File that holds the process' number. This or `match`."},
    {.name = "match",
     .type = OptionType::kRegex,
     .help = "Regular expression over the command line (arguments joined by spaces), such as 'SparkSubmit .*ingest'."},
    {.name = "min_count",
     .type = OptionType::kInt,
     .default_text = "1",
     .min = 0,
     .help = "With `match`: at least so many."},
    {.name = "max_count", .type = OptionType::kInt, .min = 0, .help = "With `match`: at most so many."},
    {.name = "when_absent",
     .type = OptionType::kEnum,
     .default_text = "unhealthy",
     .choices = kAbsentChoices,
     .help = "What it means that there is no pid file, or no process that matches: `healthy` for a batch job that has "
             "ended cleanly. A pid file of a process that is gone is unhealthy always."},
    {.name = "exit_code_file",
     .type = OptionType::kPath,
     .help =
         "File to which the job's wrapper writes the exit code (`cmd; echo $? > file`). Once the process is gone, 0 "
         "there is healthy and anything else is not. It counts where it is newer than the pid file."},
    {.name = "proc_path",
     .type = OptionType::kPath,
     .default_text = "/proc",
     .help = "Where the proc filesystem is mounted."},
};
const core::OptionTable kTables[] = {kOptions};

constexpr ProbeMetric kMetrics[] = {
    {"probe_process_count", MetricType::kGauge, "", "Processes that were found alive."},
    {"probe_process_exit_code", MetricType::kGauge, "",
     "What the exit code file says; absent while the process lives."},
    {"probe_process_cpu_seconds", MetricType::kGauge, "seconds", "CPU time of the processes alive, user and system."},
    {"probe_process_resident_memory_bytes", MetricType::kGauge, "bytes", "Their resident memory."},
    {"probe_process_threads", MetricType::kGauge, "", "Their threads."},
    {"probe_process_open_fds", MetricType::kGauge, "", "Their open descriptors, where they may be read."},
    {"probe_process_worst_fd_ratio", MetricType::kGauge, "ratio",
     "Open descriptors by their limit, the highest of them."},
    {"probe_process_oldest_start_timestamp_seconds", MetricType::kGauge, "seconds", "When the oldest of them started."},
};

struct ProcessOptions {
  std::string pid_file;
  std::shared_ptr<const re2::RE2> match;
  std::int64_t min_count = 1;
  std::optional<std::int64_t> max_count;
  bool absent_is_healthy = false;
  std::string exit_code_file;
  std::string proc;
};

struct ProcessInfo {
  double cpu_seconds = 0, memory_bytes = 0, threads = 0, start_seconds = 0;
  std::optional<double> fds, fd_ratio;
};

// At most 64 KiB: what lies in /proc and in pid files is small.
std::optional<std::string> ReadSmallFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return std::nullopt;
  std::string text(65536, '\0');
  const ssize_t size = read(fd, text.data(), text.size());
  close(fd);
  if (size < 0) return std::nullopt;
  text.resize(static_cast<std::size_t>(size));
  return text;
}

std::optional<long> ParseNumber(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) text.remove_prefix(1);
  long number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  for (const char* rest = end; rest != text.data() + text.size(); ++rest)
    if (std::isspace(static_cast<unsigned char>(*rest)) == 0 && *rest != '\0') return std::nullopt;
  return number;
}

double BootTime(const std::string& proc) {
  const std::string stat = ReadSmallFile(proc + "/stat").value_or("");
  const std::size_t at = stat.find("btime ");
  return at == std::string::npos ? 0 : std::strtod(stat.c_str() + at + 6, nullptr);
}

void ReadDescriptors(const std::string& folder, ProcessInfo& info) {
  DIR* dir = opendir((folder + "/fd").c_str());
  if (dir == nullptr) return;
  double count = 0;
  while (const dirent* entry = readdir(dir))  // NOLINT(concurrency-mt-unsafe): a DIR of our own
    if (entry->d_name[0] != '.') ++count;
  closedir(dir);
  info.fds = count;
  const std::string limits = ReadSmallFile(folder + "/limits").value_or("");
  const std::size_t at = limits.find("Max open files");
  if (at == std::string::npos) return;
  const double limit = std::strtod(limits.c_str() + at + 14, nullptr);
  if (limit > 0) info.fd_ratio = count / limit;
}

// Nothing where there is no such process, or only its zombie.
std::optional<ProcessInfo> ReadProcess(const std::string& proc, long pid, double boot_time) {
  const std::string folder = proc + "/" + std::to_string(pid);
  const auto stat = ReadSmallFile(folder + "/stat");
  if (!stat) return std::nullopt;
  const std::size_t name_end = stat->rfind(')');  // the name may hold anything, also ") R"
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(stat->substr(name_end + 1));
  std::vector<std::string> field;
  for (std::string text; fields >> text;) field.push_back(text);
  if (field.size() < 22 || field[0] == "Z" || field[0] == "X") return std::nullopt;
  const auto number = [&](std::size_t i) { return std::strtod(field[i - 3].c_str(), nullptr); };  // as proc(5) counts
  const double ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  ProcessInfo info;
  info.cpu_seconds = (number(14) + number(15)) / ticks;
  info.threads = number(20);
  info.start_seconds = boot_time + number(22) / ticks;
  info.memory_bytes = number(24) * static_cast<double>(sysconf(_SC_PAGESIZE));
  ReadDescriptors(folder, info);
  return info;
}

void AddMetrics(const std::vector<ProcessInfo>& alive, std::vector<ProbeValue>& values) {
  values.push_back({"probe_process_count", static_cast<double>(alive.size())});
  if (alive.empty()) return;
  ProcessInfo sum = alive.front();
  for (std::size_t i = 1; i < alive.size(); ++i) {
    sum.cpu_seconds += alive[i].cpu_seconds;
    sum.memory_bytes += alive[i].memory_bytes;
    sum.threads += alive[i].threads;
    sum.start_seconds = std::min(sum.start_seconds, alive[i].start_seconds);
    if (alive[i].fds) sum.fds = sum.fds.value_or(0) + *alive[i].fds;
    if (alive[i].fd_ratio) sum.fd_ratio = std::max(sum.fd_ratio.value_or(0), *alive[i].fd_ratio);
  }
  values.push_back({"probe_process_cpu_seconds", sum.cpu_seconds});
  values.push_back({"probe_process_resident_memory_bytes", sum.memory_bytes});
  values.push_back({"probe_process_threads", sum.threads});
  values.push_back({"probe_process_oldest_start_timestamp_seconds", sum.start_seconds});
  if (sum.fds) values.push_back({"probe_process_open_fds", *sum.fds});
  if (sum.fd_ratio) values.push_back({"probe_process_worst_fd_ratio", *sum.fd_ratio});
}

double ModificationTime(const std::string& path) {
  struct stat info{};
  if (stat(path.c_str(), &info) != 0) return 0;
  return static_cast<double>(info.st_mtim.tv_sec) + static_cast<double>(info.st_mtim.tv_nsec) * 1e-9;
}

// The exit code of a process that is gone, where its file is there, newer than `since`, and holds a number.
std::optional<long> ReadExitCode(const ProcessOptions& options, double since) {
  if (options.exit_code_file.empty() || ModificationTime(options.exit_code_file) < since) return std::nullopt;
  const auto text = ReadSmallFile(options.exit_code_file);
  return text ? ParseNumber(*text) : std::nullopt;
}

// Judges a process that is gone; `why` is what is wrong where no exit code says otherwise.
void JudgeGone(const ProcessOptions& options, double since, bool absence_is_fine, std::string why,
               ProbeResult& result) {
  if (const auto code = ReadExitCode(options, since)) {
    result.values.push_back({"probe_process_exit_code", static_cast<double>(*code)});
    result.success = *code == 0;
    (result.success ? result.message : result.error) =
        fmt::format("it ended with exit code {} ({})", *code, options.exit_code_file);
    return;
  }
  result.success = absence_is_fine;
  (result.success ? result.message : result.error) = std::move(why);
}

void CheckPidFile(const ProcessOptions& options, ProbeResult& result) {
  const auto text = ReadSmallFile(options.pid_file);
  if (!text) {
    AddMetrics({}, result.values);
    const int number = errno;
    const bool missing = number == ENOENT || number == ENOTDIR;
    JudgeGone(
        options, 0, options.absent_is_healthy && missing,
        missing ? "no pid file " + options.pid_file : core::SystemError("read " + options.pid_file, number).message,
        result);
    return;
  }
  const auto pid = ParseNumber(*text);
  if (!pid || *pid <= 0) {
    AddMetrics({}, result.values);
    result.error = options.pid_file + " holds no process number";
    return;
  }
  const double written = ModificationTime(options.pid_file);
  const auto info = ReadProcess(options.proc, *pid, BootTime(options.proc));
  // A minute of grace: the boot time is only as exact as the wall clock was steady.
  const bool reused = info && info->start_seconds > written + 60;
  if (info && !reused) {
    AddMetrics({*info}, result.values);
    result.success = true;
    result.message = fmt::format("process {} is alive", *pid);
    return;
  }
  AddMetrics({}, result.values);
  JudgeGone(options, written, false,
            reused ? fmt::format("process {} of {} is gone: the number is another process' now", *pid, options.pid_file)
                   : fmt::format("process {} of {} is gone, and has left its pid file", *pid, options.pid_file),
            result);
}

void CheckMatch(const ProcessOptions& options, ProbeResult& result) {
  std::vector<ProcessInfo> alive;
  const double boot_time = BootTime(options.proc);
  DIR* dir = opendir(options.proc.c_str());
  if (dir == nullptr) {
    result.error = core::SystemError("open " + options.proc, errno).message;
    return;
  }
  const long own = getpid();
  while (const dirent* entry = readdir(dir)) {  // NOLINT(concurrency-mt-unsafe): a DIR of our own
    const auto pid = ParseNumber(entry->d_name);
    if (!pid || *pid == own) continue;
    auto command = ReadSmallFile(options.proc + "/" + entry->d_name + "/cmdline");
    if (!command || command->empty()) continue;  // gone, a kernel thread, or a zombie
    while (command->ends_with('\0')) command->pop_back();
    for (char& c : *command)
      if (c == '\0') c = ' ';
    if (!re2::RE2::PartialMatch(*command, *options.match)) continue;
    if (auto info = ReadProcess(options.proc, *pid, boot_time)) alive.push_back(*info);
  }
  closedir(dir);
  AddMetrics(alive, result.values);
  const auto count = static_cast<std::int64_t>(alive.size());
  if (count == 0 && options.min_count > 0) {
    JudgeGone(options, 0, options.absent_is_healthy, "no process matches '" + options.match->pattern() + "'", result);
  } else if (count < options.min_count || count > options.max_count.value_or(count)) {
    result.error = fmt::format("{} processes match '{}', {} {} wanted", count, options.match->pattern(),
                               count < options.min_count ? "at least" : "at most",
                               count < options.min_count ? options.min_count : *options.max_count);
  } else {
    result.success = true;
    result.message = fmt::format("{} alive", count);
  }
}

class ProcessProbe final : public Probe {
 public:
  explicit ProcessProbe(ProcessOptions options)
      : options_(std::make_shared<const ProcessOptions>(std::move(options))) {}

  core::Task<ProbeResult> Run(ProbeContext context) override {
    const auto options = options_;
    // A file may be anywhere, and /proc/PID hangs with a process that the kernel holds.
    auto result = co_await aside_.Run(context.loop, context.timeout, [options]() -> core::Result<ProbeResult> {
      ProbeResult found;
      if (options->match != nullptr) {
        CheckMatch(*options, found);
      } else {
        CheckPidFile(*options, found);
      }
      return found;
    });
    ProbeResult failed;
    if (result) co_return std::move(*result);
    failed.error = result.error().message;
    co_return failed;
  }

 private:
  std::shared_ptr<const ProcessOptions> options_;
  core::Aside aside_;
};

std::unique_ptr<Probe> Make(const core::Options& options, core::ConfigErrors& errors) {
  ProcessOptions process;
  process.pid_file = options.Text("pid_file");
  if (options.Has("match"))
    if (auto regex = core::CompileRegex(options.Text("match")))
      process.match = *regex;  // the table has told of a bad one
  if (options.Has("pid_file") == options.Has("match"))
    errors.Add(options.where(), "a process is found by `pid_file` or by `match`: give one of them");
  process.min_count = options.Int("min_count");
  if (options.Has("max_count")) process.max_count = options.Int("max_count");
  if (process.max_count.value_or(process.min_count) < process.min_count)
    errors.Add(options.Where("max_count"), "`max_count` is below `min_count`");
  process.absent_is_healthy = options.Text("when_absent") == "healthy";
  process.exit_code_file = options.Text("exit_code_file");
  process.proc = options.Text("proc_path");
  return std::make_unique<ProcessProbe>(std::move(process));
}

}  // namespace

const ProbeKind kProcessProbe{.name = "process",
                              .summary = "Processes by pid file or command line: alive, or ended cleanly.",
                              .options = kTables,
                              .metrics = kMetrics,
                              .make = &Make};

}  // namespace pipewarden::exporters
