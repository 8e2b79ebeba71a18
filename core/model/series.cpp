#include "core/model/series.h"

#include <atomic>

namespace pipewarden::core {

std::string_view MetricTypeName(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return "counter";
    case MetricType::kGauge:
    case MetricType::kInfo:
    case MetricType::kStateSet:
      return "gauge";
    case MetricType::kHistogram:
      return "histogram";
    case MetricType::kSummary:
      return "summary";
    case MetricType::kUnknown:
      return "untyped";
  }
  return "untyped";
}

SeriesId NextSeriesId() {
  static std::atomic<SeriesId> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace pipewarden::core
