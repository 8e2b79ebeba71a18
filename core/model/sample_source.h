// The seam between what measures and what takes measurements.
//
// A SampleSource visits its current samples; wiring calls Visit on each tick of our own clock (all sources at one
// timestamp) and for each scrape of /metrics. What a visit no longer shows has gone: sinks that keep a series (the
// storage) compare with the visit before and end it with a staleness marker.
//
// Thread safety: Visit may be called from any thread, from several at once, and must not block on anything but a short
// lock. References handed to the visitor are good until Visit returns; a Series' id stays the same for its life.
#pragma once

#include <string_view>

#include "core/model/series.h"

namespace pipewarden::core {

class SampleVisitor {
 public:
  virtual ~SampleVisitor() = default;
  // Opens a family; the samples up to the next call belong to it. A source visits a family once, histogram buckets in
  // the order of their bounds followed by _sum and _count.
  virtual void OnFamily(const MetricFamily& family) = 0;
  virtual void OnSample(const Series& series, double value) = 0;
};

class SampleSource {
 public:
  virtual ~SampleSource() = default;
  // Unique among the sources; it labels the counters of dropped series ("probes", "logs", "host", "agent").
  virtual std::string_view name() const = 0;
  virtual void Visit(SampleVisitor& visitor) = 0;
};

}  // namespace pipewarden::core
