// The collector `cpu`: /proc/stat, under the names of node_exporter's cpu and stat collectors. The kernel's iowait
// (and, a little, idle) may run backwards, which a counter must not: the highest value seen stands, unless the idle
// time of a CPU falls by more than three seconds, which means that it was taken away and came back (hotplug).
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <sstream>

#include "exporters/host/list.h"

namespace pipewarden::exporters {
namespace {

using core::MetricType;

constexpr std::array<std::string_view, 8> kModes = {"user",   "nice", "system",  "idle",
                                                    "iowait", "irq",  "softirq", "steal"};
constexpr std::size_t kIdle = 3;
using Times = std::array<double, kModes.size() + 2>;  // and the guests', user and nice

class Cpu final : public HostCollector {
 public:
  explicit Cpu(const std::string& proc) : path_(proc + "/stat") {}

  void Collect(HostSamples& samples) override {
    std::istringstream lines(ReadProcFile(path_));
    for (std::string line; std::getline(lines, line);) {
      std::istringstream fields(line);
      std::string key;
      fields >> key;
      if (key.starts_with("cpu") && key.size() > 3) {
        Times now{};
        for (double& time : now) fields >> time;  // old kernels have fewer: the rest stays 0
        for (double& time : now) time /= ticks_;
        AddCpu(key.substr(3), now, samples);
      } else if (double value = 0; !key.starts_with("cpu") && fields >> value) {
        AddLine(key, value, samples);
      }
    }
  }

 private:
  void AddCpu(const std::string& cpu, const Times& now, HostSamples& samples) {
    Times& highest = highest_[cpu];
    if (now[kIdle] < highest[kIdle] - 3) highest = Times{};
    for (std::size_t i = 0; i < now.size(); ++i) highest[i] = std::max(highest[i], now[i]);
    for (std::size_t i = 0; i < kModes.size(); ++i)
      samples.Add("node_cpu_seconds_total", MetricType::kCounter, "seconds", "Seconds the CPUs spent in each mode.",
                  highest[i], {{"cpu", cpu}, {"mode", std::string(kModes[i])}});
    for (const auto& [mode, i] : {std::pair{"user", kModes.size()}, {"nice", kModes.size() + 1}})
      samples.Add("node_cpu_guest_seconds_total", MetricType::kCounter, "seconds",
                  "Seconds the CPUs spent in guests (VMs) for each mode.", highest[i], {{"cpu", cpu}, {"mode", mode}});
  }

  static void AddLine(const std::string& key, double value, HostSamples& samples) {
    struct Row {
      std::string_view key, metric;
      MetricType type;
      std::string_view unit, help;
    };
    constexpr Row kRows[] = {
        {"btime", "node_boot_time_seconds", MetricType::kGauge, "seconds", "Node boot time, in unixtime."},
        {"ctxt", "node_context_switches_total", MetricType::kCounter, "", "Total number of context switches."},
        {"processes", "node_forks_total", MetricType::kCounter, "", "Total number of forks."},
        {"procs_running", "node_procs_running", MetricType::kGauge, "", "Number of processes in runnable state."},
        {"procs_blocked", "node_procs_blocked", MetricType::kGauge, "",
         "Number of processes blocked waiting for I/O to complete."},
    };
    for (const Row& row : kRows)
      if (row.key == key) samples.Add(row.metric, row.type, row.unit, row.help, value);
  }

  std::string path_;
  double ticks_ = static_cast<double>(sysconf(_SC_CLK_TCK));
  std::map<std::string, Times> highest_;
};

std::unique_ptr<HostCollector> Make(const HostConfig& config) { return std::make_unique<Cpu>(config.proc_path); }

constexpr HostMetric kMetrics[] = {
    {"node_cpu_seconds_total", "cpu mode"},
    {"node_cpu_guest_seconds_total", "cpu mode"},
    {"node_boot_time_seconds"},
    {"node_context_switches_total"},
    {"node_forks_total"},
    {"node_procs_running"},
    {"node_procs_blocked"},
};

}  // namespace

const HostCollectorKind kCpuCollector{
    .name = "cpu", .summary = "CPU time by CPU and mode, processes, boot time.", .metrics = kMetrics, .make = &Make};

}  // namespace pipewarden::exporters
