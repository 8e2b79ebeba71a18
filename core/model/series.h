// Metric families and the series in them: what sources offer and sinks take.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/model/labels.h"

namespace pipewarden::core {

enum class MetricType { kCounter, kGauge, kHistogram, kSummary, kInfo, kStateSet, kUnknown };
std::string_view MetricTypeName(MetricType type);  // "counter", … as written on a # TYPE line of text format 0.0.4

// A family as /metrics shows it. `name` is the name of the family's samples in text format 0.0.4 for counters and
// gauges (a counter's ends in _total); histograms and summaries add _bucket, _sum, _count.
struct MetricFamily {
  std::string name;
  MetricType type = MetricType::kUnknown;
  std::string help;
  std::string unit;  // "seconds", "bytes", …; may be empty
};

// Identifies a series within the process for as long as it runs: never reused, so that a sink may keep what it knows
// of a series (its place in the storage, its rendered text) under this key.
using SeriesId = std::uint64_t;
SeriesId NextSeriesId();  // safe from any thread

// A series of a source. It lives until its source has declared it gone.
struct Series {
  SeriesId id = NextSeriesId();
  Labels labels;  // with __name__ (suffixes _bucket, _sum, _count included)
};

}  // namespace pipewarden::core
