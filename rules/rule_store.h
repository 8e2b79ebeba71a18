// Where rules read and write: the storage, or memory in rule tests and backtests. What is above one writer's calls
// belongs to the thread that evaluates rules.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "core/model/labels.h"
#include "core/model/sample.h"
#include "rules/promql/queryable.h"
#include "rules/storage/wal.h"

namespace pipewarden::rules {

class RuleStore : public promql::Queryable {
 public:
  // The series with these labels, made where there is none yet; nullopt where it is refused. `source` is who is told.
  virtual std::optional<SeriesRef> Resolve(const core::Labels& labels, std::string_view source) = 0;
  // Appends at one time; returns how many were appended.
  virtual std::size_t Append(core::TimestampMs time, std::span<const RefSample> samples) = 0;
  virtual std::size_t Append(core::TimestampMs time, std::span<const RefHistogram> samples) = 0;
  // Ends these series with a staleness marker, but for those that have a sample at that time already.
  virtual void End(std::span<const SeriesRef> series, core::TimestampMs time) = 0;
};

}  // namespace pipewarden::rules
