#include "agent/process_source.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

namespace pipewarden::agent {
namespace {

// Pages of the process, of it resident (proc(5), /proc/pid/statm).
struct Memory {
  double virtual_bytes = 0;
  double resident_bytes = 0;
};

Memory ReadMemory() {
  Memory memory;
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen("/proc/self/statm", "re"), std::fclose);
  unsigned long pages = 0;
  unsigned long resident = 0;
  if (file && std::fscanf(file.get(), "%lu %lu", &pages, &resident) == 2) {
    const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
    memory = {static_cast<double>(pages) * page, static_cast<double>(resident) * page};
  }
  return memory;
}

double CountEntries(const char* folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(folder), ::closedir);
  double count = 0;
  if (directory)
    while (const dirent* entry = ::readdir(directory.get())) count += entry->d_name[0] != '.';
  return count;
}

double CpuSeconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

ProcessSource::Metric ProcessSource::Make(const char* name, core::MetricType type, const char* help, const char* unit) {
  Metric metric;
  metric.family = {name, type, help, unit};
  metric.series.labels = core::Labels{{std::string(core::kMetricName), name}};
  return metric;
}

void ProcessSource::Visit(core::SampleVisitor& visitor) {
  const Memory memory = ReadMemory();
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const auto show = [&](const Metric& metric, double value) {
    visitor.OnFamily(metric.family);
    visitor.OnSample(metric.series, value);
  };
  show(cpu_, CpuSeconds());
  show(resident_, memory.resident_bytes);
  show(virtual_, memory.virtual_bytes);
  show(descriptors_, CountEntries("/proc/self/fd"));
  show(max_descriptors_, static_cast<double>(limit.rlim_cur));
  show(threads_, CountEntries("/proc/self/task"));
  show(start_, core::ToSeconds(started_.time_since_epoch()));
}

}  // namespace pipewarden::agent
