// What the machine does, under node_exporter's names, so that its dashboards and rules fit. The source "host".
//
// A collector is one file in exporters/host/ and one line in host/list.h. Collectors run when the source is visited,
// unless the last time was less than a second ago; they read /proc, which takes a fraction of a millisecond. What may
// hang (statfs of a network mount) is left to threads of its own; a visit shows what they last found.
//
// Thread safety: all of HostSource may be called from any thread; Apply never waits. Owned by `agent`.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/async/mutex.h"
#include "core/config/option_table.h"
#include "core/model/sample_source.h"
#include "core/time/clock.h"

namespace pipewarden::exporters {

struct HostConfig {
  bool enabled = true;
  std::string identity;
  std::vector<std::string> collectors;  // names of the list
  std::string proc_path = "/proc";
  std::string root_path = "/";  // where the host's file systems are seen (a mount of / in a container)
  std::string exclude_mounts;   // regular expressions
  std::string exclude_types;
  bool operator==(const HostConfig&) const = default;
};

core::OptionTable HostOptions();
// The section `host`; an empty or absent one is the defaults, `host: {enabled: false}` turns it off.
HostConfig ReadHost(const core::YamlNode& section, core::ConfigErrors& errors);

// Takes the samples of one collection.
class HostSamples {
 public:
  virtual ~HostSamples() = default;
  virtual void Add(std::string_view metric, core::MetricType type, std::string_view unit, std::string_view help,
                   double value, std::vector<core::Label> labels = {}) = 0;
};

class HostCollector {
 public:
  virtual ~HostCollector() = default;
  virtual void Collect(HostSamples& samples) = 0;  // one thread at a time; must not block
};

struct HostMetric {
  std::string_view name;
  std::string_view labels = {};  // names, a space between
};

struct HostCollectorKind {
  std::string_view name;
  std::string_view summary;
  std::span<const HostMetric> metrics;  // all that it may make
  std::unique_ptr<HostCollector> (*make)(const HostConfig& config);
};
std::span<const HostCollectorKind* const> HostCollectorKinds();

class HostSource final : public core::SampleSource {
 public:
  HostSource(core::Clock& clock, HostConfig config);
  ~HostSource() override;

  // Holds from the next visit on, which makes the new collectors: to end one may take as long as a mount that hangs. An
  // equal configuration changes nothing.
  void Apply(HostConfig config);

  std::string_view name() const override { return "host"; }
  void Visit(core::SampleVisitor& visitor) override;

 private:
  struct Collection;
  struct Value {
    std::size_t family;
    std::shared_ptr<const core::Series> series;
    double value;
  };
  void MakeCollectors() REQUIRES(mutex_);
  void TakeWanted() REQUIRES(mutex_);

  core::Clock& clock_;
  core::Mutex wanted_mutex_;
  std::optional<HostConfig> wanted_ GUARDED_BY(wanted_mutex_);  // applied, and not visited since
  core::Mutex mutex_;                                           // held while collecting
  HostConfig config_ GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<HostCollector>> collectors_ GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<const core::MetricFamily>> families_ GUARDED_BY(mutex_);
  std::map<std::string, std::size_t, std::less<>> family_index_ GUARDED_BY(mutex_);
  // Series of the last collection, by labels: an equal one keeps its number.
  std::unordered_map<core::Labels, std::shared_ptr<const core::Series>, core::LabelsHash> series_ GUARDED_BY(mutex_);
  std::shared_ptr<const std::vector<Value>> values_ GUARDED_BY(mutex_);  // sorted by family
  core::MonoTime collected_ GUARDED_BY(mutex_){};
};

// The whole of a small file of /proc; "" where it cannot be read.
std::string ReadProcFile(const std::string& path);

}  // namespace pipewarden::exporters
