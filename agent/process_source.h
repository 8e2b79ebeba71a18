// The agent's own process under the names that every Prometheus client uses: process_cpu_seconds_total,
// process_resident_memory_bytes and so on, read from /proc/self at each visit (proc(5)). Safe from any thread.
#pragma once

#include "core/model/sample_source.h"
#include "core/time/clock.h"

namespace pipewarden::agent {

class ProcessSource final : public core::SampleSource {
 public:
  explicit ProcessSource(core::WallTime started) : started_(started) {}

  std::string_view name() const override { return "process"; }
  void Visit(core::SampleVisitor& visitor) override;

 private:
  struct Metric {
    core::MetricFamily family;
    core::Series series;
  };
  static Metric Make(const char* name, core::MetricType type, const char* help, const char* unit);

  core::WallTime started_;
  Metric cpu_ =
      Make("process_cpu_seconds_total", core::MetricType::kCounter, "User and system CPU time spent.", "seconds");
  Metric resident_ = Make("process_resident_memory_bytes", core::MetricType::kGauge, "Resident memory size.", "bytes");
  Metric virtual_ = Make("process_virtual_memory_bytes", core::MetricType::kGauge, "Virtual memory size.", "bytes");
  Metric descriptors_ = Make("process_open_fds", core::MetricType::kGauge, "Open file descriptors.", "");
  Metric max_descriptors_ = Make("process_max_fds", core::MetricType::kGauge, "Most file descriptors allowed.", "");
  Metric threads_ = Make("process_threads", core::MetricType::kGauge, "Threads of the process.", "");
  Metric start_ = Make("process_start_time_seconds", core::MetricType::kGauge,
                       "Start time of the process since the Unix epoch.", "seconds");
};

}  // namespace pipewarden::agent
