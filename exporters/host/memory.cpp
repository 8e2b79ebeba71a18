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

// The fields of fs/proc/meminfo.c; what a newer kernel adds is collected, and only not listed here.
// clang-format off
constexpr HostMetric kMetrics[] = {
    {"node_memory_MemTotal_bytes"}, {"node_memory_MemFree_bytes"}, {"node_memory_MemAvailable_bytes"},
    {"node_memory_Buffers_bytes"}, {"node_memory_Cached_bytes"}, {"node_memory_SwapCached_bytes"},
    {"node_memory_Active_bytes"}, {"node_memory_Inactive_bytes"}, {"node_memory_Active_anon_bytes"},
    {"node_memory_Inactive_anon_bytes"}, {"node_memory_Active_file_bytes"}, {"node_memory_Inactive_file_bytes"},
    {"node_memory_Unevictable_bytes"}, {"node_memory_Mlocked_bytes"}, {"node_memory_HighTotal_bytes"},
    {"node_memory_HighFree_bytes"}, {"node_memory_LowTotal_bytes"}, {"node_memory_LowFree_bytes"},
    {"node_memory_MmapCopy_bytes"}, {"node_memory_SwapTotal_bytes"}, {"node_memory_SwapFree_bytes"},
    {"node_memory_Zswap_bytes"}, {"node_memory_Zswapped_bytes"}, {"node_memory_Dirty_bytes"},
    {"node_memory_Writeback_bytes"}, {"node_memory_AnonPages_bytes"}, {"node_memory_Mapped_bytes"},
    {"node_memory_Shmem_bytes"}, {"node_memory_KReclaimable_bytes"}, {"node_memory_Slab_bytes"},
    {"node_memory_SReclaimable_bytes"}, {"node_memory_SUnreclaim_bytes"}, {"node_memory_KernelStack_bytes"},
    {"node_memory_ShadowCallStack_bytes"}, {"node_memory_PageTables_bytes"}, {"node_memory_SecPageTables_bytes"},
    {"node_memory_NFS_Unstable_bytes"}, {"node_memory_Bounce_bytes"}, {"node_memory_WritebackTmp_bytes"},
    {"node_memory_CommitLimit_bytes"}, {"node_memory_Committed_AS_bytes"}, {"node_memory_VmallocTotal_bytes"},
    {"node_memory_VmallocUsed_bytes"}, {"node_memory_VmallocChunk_bytes"}, {"node_memory_Percpu_bytes"},
    {"node_memory_HardwareCorrupted_bytes"}, {"node_memory_AnonHugePages_bytes"},
    {"node_memory_ShmemHugePages_bytes"}, {"node_memory_ShmemPmdMapped_bytes"}, {"node_memory_FileHugePages_bytes"},
    {"node_memory_FilePmdMapped_bytes"}, {"node_memory_CmaTotal_bytes"}, {"node_memory_CmaFree_bytes"},
    {"node_memory_Unaccepted_bytes"}, {"node_memory_Balloon_bytes"}, {"node_memory_Hugepagesize_bytes"},
    {"node_memory_Hugetlb_bytes"}, {"node_memory_DirectMap4k_bytes"}, {"node_memory_DirectMap2M_bytes"},
    {"node_memory_DirectMap4M_bytes"}, {"node_memory_DirectMap1G_bytes"}, {"node_memory_HugePages_Total"},
    {"node_memory_HugePages_Free"}, {"node_memory_HugePages_Rsvd"}, {"node_memory_HugePages_Surp"},
};
// clang-format on

}  // namespace

const HostCollectorKind kMemoryCollector{
    .name = "memory", .summary = "Memory by its uses.", .metrics = kMetrics, .make = &Make};

}  // namespace pipewarden::exporters
