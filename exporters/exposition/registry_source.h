// A prometheus-cpp registry as a SampleSource: the agent's own metrics and what moves slowly (collecting copies every
// label: 10 ms at 13,000 series, so that sources with many series are sources of their own). A label set keeps its
// Series for as long as the registry shows it. Safe from any thread.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "core/async/mutex.h"
#include "core/model/sample_source.h"

namespace prometheus {
class Collectable;
struct ClientMetric;
struct MetricFamily;
}  // namespace prometheus

namespace pipewarden::exporters {

class RegistrySource final : public core::SampleSource {
 public:
  RegistrySource(std::string name, std::shared_ptr<prometheus::Collectable> registry);
  ~RegistrySource() override;

  std::string_view name() const override { return name_; }
  void Visit(core::SampleVisitor& visitor) override EXCLUDES(mutex_);

 private:
  struct Entry {
    core::Series series;
    std::uint64_t visit = 0;  // the last that showed it
  };
  void VisitFamily(const prometheus::MetricFamily& family, core::SampleVisitor& visitor) REQUIRES(mutex_);
  // The series of family name + suffix, the metric's labels and one more label ("" is none).
  const core::Series& SeriesOf(std::string_view metric_name, std::string_view suffix,
                               const prometheus::ClientMetric& metric, std::string_view extra_name,
                               std::string_view extra_value) REQUIRES(mutex_);

  const std::string name_;
  const std::shared_ptr<prometheus::Collectable> registry_;
  core::Mutex mutex_;
  std::unordered_map<std::string, Entry> series_ GUARDED_BY(mutex_);
  std::uint64_t visit_ GUARDED_BY(mutex_) = 0;
};

}  // namespace pipewarden::exporters
