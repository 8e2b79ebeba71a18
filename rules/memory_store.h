// A RuleStore in memory, with samples of its own or, for a backtest, in front of a history that it only reads: a series
// that rules wrote here hides one with the same labels there. One thread.
#pragma once

#include <unordered_map>
#include <vector>

#include "rules/promql/memory_series.h"
#include "rules/rule_store.h"

namespace pipewarden::rules {

class MemoryStore final : public RuleStore {
 public:
  MemoryStore() = default;
  explicit MemoryStore(const promql::Queryable* history) : history_(history) {}  // outlives it; null: none

  promql::MemorySeries& series() { return series_; }

  core::Result<std::unique_ptr<promql::Querier>> Open(core::TimestampMs from, core::TimestampMs to) const override;
  std::optional<SeriesRef> Resolve(const core::Labels& labels, std::string_view source) override;
  std::size_t Append(core::TimestampMs time, std::span<const RefSample> samples) override;
  std::size_t Append(core::TimestampMs time, std::span<const RefHistogram> samples) override;
  void End(std::span<const SeriesRef> series, core::TimestampMs time) override;

 private:
  struct Known {
    core::Labels labels;
    core::TimestampMs newest;
  };
  bool IsNext(SeriesRef ref, core::TimestampMs time);  // notes the time where it is

  const promql::Queryable* history_ = nullptr;
  promql::MemorySeries series_;
  std::vector<Known> known_;  // by reference
  std::unordered_map<core::Labels, SeriesRef, core::LabelsHash> refs_;
};

}  // namespace pipewarden::rules
