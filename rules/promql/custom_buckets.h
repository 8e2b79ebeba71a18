// Makes native histograms with custom buckets of the series of a classic one, as Prometheus does where
// convert_classic_histograms_to_nhcb (and load_with_nhcb of the test language) asks for it. Not safe from several
// threads.
#pragma once

#include <map>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/model/float_histogram.h"
#include "core/model/labels.h"
#include "core/model/sample.h"
#include "core/result.h"

namespace pipewarden::rules::promql {

class CustomBuckets {
 public:
  // A sample of a float series. What is no _bucket, _count or _sum, or has no number as `le`, is passed over.
  void Add(const core::Labels& labels, core::TimestampMs time, double value);

  struct Series {
    core::Labels labels;
    std::vector<std::pair<core::TimestampMs, core::HistogramPtr>> samples;  // times ascend
  };
  // kInvalid where counts are negative, do not ascend, or the total is not that of the last bucket.
  core::Result<std::vector<Series>> Build() const;

 private:
  struct Parts {
    std::map<double, double> buckets;  // cumulative counts by upper bound
    std::optional<double> count;
    double sum = 0;
  };
  static core::Result<core::HistogramPtr> Histogram(const Parts& parts);

  std::unordered_map<core::Labels, std::map<core::TimestampMs, Parts>, core::LabelsHash> series_;
};

}  // namespace pipewarden::rules::promql
