// The collector `memory`: /proc/meminfo, every field as node_memory_<field>_bytes (counts of huge pages without the
// unit), as node_exporter's meminfo collector names them: Active(anon) is node_memory_Active_anon_bytes.
#include <algorithm>
#include <cstdlib>

#include "exporters/host/list.h"

namespace pipewarden::exporters {
namespace {

class Memory final : public HostCollector {
 public:
  explicit Memory(const std::string& proc) : path_(proc + "/meminfo") {}

  void Collect(HostSamples& samples) override {
    const std::string text = ReadProcFile(path_);
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      AddLine(std::string_view(text).substr(begin, end - begin), samples);
      begin = end + 1;
    }
  }

 private:
  static void AddLine(std::string_view line, HostSamples& samples) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) return;
    std::string field(line.substr(0, colon));
    if (const std::size_t open = field.find('('); open != std::string::npos && field.ends_with(')')) {
      field[open] = '_';
      field.pop_back();
    }
    const std::string rest(line.substr(colon + 1));
    char* after = nullptr;
    double value = std::strtod(rest.c_str(), &after);
    if (after == rest.c_str()) return;
    const bool kibibytes = std::string_view(after).starts_with(" kB");
    if (kibibytes) {
      value *= 1024;
      field += "_bytes";
    }
    const std::string name = "node_memory_" + field;
    if (!core::IsValidMetricName(name)) return;
    samples.Add(name, core::MetricType::kGauge, kibibytes ? "bytes" : "", "Memory information field " + field + ".",
                value);
  }

  std::string path_;
};

std::unique_ptr<HostCollector> Make(const HostConfig& config) { return std::make_unique<Memory>(config.proc_path); }

}  // namespace

const HostCollectorKind kMemoryCollector{.name = "memory", .summary = "Memory by its uses.", .make = &Make};

}  // namespace pipewarden::exporters
