#include "rules/storage/storage_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

namespace pipewarden::rules {
namespace {

prometheus::Family<prometheus::Counter>& CounterFamily(prometheus::Registry& registry, const char* name,
                                                       const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}
prometheus::Gauge& MakeGauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

}  // namespace

struct StorageMetrics::State {
  explicit State(std::shared_ptr<prometheus::Registry> shared)
      : registry(std::move(shared)),
        appended(
            CounterFamily(*registry, "pipewarden_storage_samples_appended_total", "Samples appended to the storage.")
                .Add({})),
        dropped_samples(CounterFamily(*registry, "pipewarden_storage_samples_dropped_total",
                                      "Samples that the storage did not take, by reason.")),
        dropped_series(CounterFamily(*registry, "pipewarden_storage_series_dropped_total",
                                     "New series refused at the series limit, by source.")),
        clock_steps(CounterFamily(*registry, "pipewarden_storage_clock_steps_total",
                                  "Backward steps of the wall clock that samples were moved for.")
                        .Add({})),
        wal_corruptions(CounterFamily(*registry, "pipewarden_storage_wal_corruptions_total",
                                      "Log files that ended in a torn or damaged record when they were read.")
                            .Add({})),
        set_aside(CounterFamily(*registry, "pipewarden_storage_files_set_aside_total",
                                "Damaged files that were renamed to *.corrupt.")
                      .Add({})),
        write_failures(CounterFamily(*registry, "pipewarden_storage_write_failures_total",
                                     "Writes of logs, checkpoints and segments that failed.")
                           .Add({})),
        series(MakeGauge(*registry, "pipewarden_storage_series", "Series that the storage knows.")),
        disk_bytes(MakeGauge(*registry, "pipewarden_storage_bytes", "Size of all files of the storage.")),
        segments(MakeGauge(*registry, "pipewarden_storage_segments", "Sealed segments on disk.")) {}

  std::shared_ptr<prometheus::Registry> registry;
  prometheus::Counter& appended;
  prometheus::Family<prometheus::Counter>& dropped_samples;
  prometheus::Family<prometheus::Counter>& dropped_series;
  prometheus::Counter& clock_steps;
  prometheus::Counter& wal_corruptions;
  prometheus::Counter& set_aside;
  prometheus::Counter& write_failures;
  prometheus::Gauge& series;
  prometheus::Gauge& disk_bytes;
  prometheus::Gauge& segments;
};

StorageMetrics::StorageMetrics(std::shared_ptr<prometheus::Registry> registry)
    : state_(std::make_unique<State>(std::move(registry))) {}
StorageMetrics::~StorageMetrics() = default;

void StorageMetrics::Appended(std::size_t samples) { state_->appended.Increment(static_cast<double>(samples)); }
void StorageMetrics::DroppedSamples(std::string_view reason, std::size_t samples) {
  state_->dropped_samples.Add({{"reason", std::string(reason)}}).Increment(static_cast<double>(samples));
}
void StorageMetrics::DroppedSeries(std::string_view source) {
  state_->dropped_series.Add({{"source", std::string(source)}}).Increment();
}
void StorageMetrics::ClockStep() { state_->clock_steps.Increment(); }
void StorageMetrics::LogDamaged() { state_->wal_corruptions.Increment(); }
void StorageMetrics::FileSetAside() { state_->set_aside.Increment(); }
void StorageMetrics::WriteFailed() { state_->write_failures.Increment(); }
void StorageMetrics::SetSeries(std::size_t series) { state_->series.Set(static_cast<double>(series)); }
void StorageMetrics::SetDisk(std::uint64_t bytes, std::size_t segments) {
  state_->disk_bytes.Set(static_cast<double>(bytes));
  state_->segments.Set(static_cast<double>(segments));
}

}  // namespace pipewarden::rules
