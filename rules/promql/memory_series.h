// Series held in memory: for tests, promql-test and rule tests. Not safe from several threads; a Querier must not
// outlive it, and it must not change while one lives.
#pragma once

#include <unordered_map>
#include <vector>

#include "rules/promql/queryable.h"

namespace pipewarden::rules::promql {

class MemorySeries final : public Queryable {
 public:
  // Adds a sample, at any time. One at the same time is replaced.
  void Add(const core::Labels& labels, TimestampMs time, double value);
  // Its hint becomes what a storage would give it by the sample before.
  void Add(const core::Labels& labels, TimestampMs time, const HistogramPtr& histogram);
  // Whole columns of a new or existing series; the times must ascend.
  void Add(const core::Labels& labels, const SampleColumns& samples);
  void Clear();
  std::size_t size() const { return series_.size(); }

  core::Result<std::unique_ptr<Querier>> Open(TimestampMs from, TimestampMs to) const override;

  struct Entry {
    LabelsPtr labels;
    SampleColumns samples;
  };
  const std::vector<Entry>& entries() const { return series_; }

 private:
  Entry& EntryOf(const core::Labels& labels);
  // Of the sample at the time, which is made where there is none.
  static std::size_t PlaceFor(SampleColumns& samples, TimestampMs time);

  std::vector<Entry> series_;
  std::unordered_map<core::Labels, std::size_t, core::LabelsHash> index_;
};

}  // namespace pipewarden::rules::promql
