// The collector `load`: /proc/loadavg, under the names of node_exporter's loadavg collector.
#include <cstdlib>

#include "exporters/host/list.h"

namespace pipewarden::exporters {
namespace {

class Load final : public HostCollector {
 public:
  explicit Load(const std::string& proc) : path_(proc + "/loadavg") {}

  void Collect(HostSamples& samples) override {
    const std::string text = ReadProcFile(path_);
    const char* at = text.c_str();
    constexpr std::pair<std::string_view, std::string_view> kLoads[] = {
        {"node_load1", "1m load average."}, {"node_load5", "5m load average."}, {"node_load15", "15m load average."}};
    for (const auto& [name, help] : kLoads) {
      char* end = nullptr;
      const double value = std::strtod(at, &end);
      if (end == at) return;
      samples.Add(name, core::MetricType::kGauge, "", help, value);
      at = end;
    }
  }

 private:
  std::string path_;
};

std::unique_ptr<HostCollector> Make(const HostConfig& config) { return std::make_unique<Load>(config.proc_path); }

constexpr HostMetric kMetrics[] = {{"node_load1"}, {"node_load5"}, {"node_load15"}};

}  // namespace

const HostCollectorKind kLoadCollector{.name = "load", .summary = "Load averages.", .metrics = kMetrics, .make = &Make};

}  // namespace pipewarden::exporters
