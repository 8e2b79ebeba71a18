// The values that log lines make: families, their series with a cap, what has changed since the last commit, and the
// snapshot that visitors see, which is swapped only after a commit. The table itself belongs to one thread at a time;
// snapshots are immutable.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/model/sample_source.h"
#include "exporters/logs/log_config.h"

namespace pipewarden::exporters {

inline constexpr std::string_view kOverflowLabel = "_overflow_";

// What visitors see of one family.
struct FamilySnapshot {
  core::MetricFamily family;
  std::shared_ptr<const std::vector<std::shared_ptr<const core::Series>>> series;
  std::vector<double> values;  // of the series
};
using MetricSnapshot = std::vector<std::shared_ptr<const FamilySnapshot>>;

class MetricTable {
 public:
  // The metrics that there are now. One of the same shape keeps its values; what is gone or changed is told by
  // Removed().
  void Configure(const std::vector<LogMetric>& metrics);
  // The metric's index for Update; it is there.
  std::size_t IndexOf(std::string_view metric) const;

  // `labels` are the values of the metric's label_names; made valid UTF-8 and cut at 256 bytes. Without `value` a
  // counter adds 1. False where the value is none that the metric takes (a counter's negative one, not a number).
  bool Update(std::size_t metric, std::span<const std::string_view> labels, double value);
  std::uint64_t overflowed() const { return overflowed_; }  // updates that went to an overflow series, since the start

  // A stored series. Ignored where the metric is gone or has other values.
  struct Row {
    std::string metric;
    std::string key;  // the label values, as EncodeKey makes it
    std::vector<double> values;
  };
  void Restore(const Row& row);
  // Rows changed since the last call of Committed.
  void ForEachChanged(const std::function<void(const Row& row)>& visit) const;
  // Names of metrics whose stored rows must go, since the last call of Committed.
  const std::vector<std::string>& Removed() const { return removed_; }
  bool HasChanges() const { return !removed_.empty() || !changed_.empty(); }
  // Shapes of all metrics, name and shape.
  std::vector<std::pair<std::string, std::string>> Shapes() const;

  // What was changed is committed: gives the snapshot with it.
  std::shared_ptr<const MetricSnapshot> Committed();

  std::size_t series_count() const { return series_count_; }

 private:
  struct Slot {
    std::string key;
    std::vector<double>
        values;  // counter, gauge: one; histogram: a count for each bucket, not cumulated, +Inf, the sum
    bool changed = false;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  struct Metric {
    LogMetric definition;
    std::vector<Slot> slots;
    std::unordered_map<std::string, std::size_t, Hash, std::equal_to<>> by_key;
    std::vector<std::shared_ptr<const core::Series>> series;  // of the slots, SeriesPerSlot each
    std::size_t snapshot_series = 0;
    bool changed = true;  // since the snapshot
    std::shared_ptr<const FamilySnapshot> snapshot;
  };

  static std::size_t SeriesPerSlot(const LogMetric& metric);
  Slot& SlotOf(Metric& metric, std::string_view key);
  static void AddSeries(Metric& metric, std::string_view key);
  static std::shared_ptr<const FamilySnapshot> Snapshot(Metric& metric);

  std::vector<Metric> metrics_;
  std::vector<std::pair<std::size_t, std::size_t>> changed_;  // metric and slot
  std::vector<std::string> removed_;
  std::string key_;  // scratch
  std::uint64_t overflowed_ = 0;
  std::size_t series_count_ = 0;
};

// Label values behind one another, each with its length (a byte, or two above 127) in front.
void AppendKey(std::string& key, std::string_view value);
std::vector<std::string_view> DecodeKey(std::string_view key);

}  // namespace pipewarden::exporters
