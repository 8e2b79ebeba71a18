// Values during an evaluation: columns over the steps. One row a series, all rows in one allocation; a step without a
// sample holds a marker. Internal to rules/promql.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include "rules/promql/ast.h"
#include "rules/promql/queryable.h"

namespace pipewarden::rules::promql {

// "No sample at this step": a signalling NaN, which no arithmetic yields and no source delivers.
inline constexpr std::uint64_t kAbsentBits = 0x7ff000000000abadU;
inline double Absent() { return std::bit_cast<double>(kAbsentBits); }
inline bool IsAbsent(double value) { return std::bit_cast<std::uint64_t>(value) == kAbsentBits; }
inline bool IsPresent(double value) { return !IsAbsent(value); }

// A cell that holds a native histogram: a signalling NaN too, with the histogram's number in the evaluation's pool. So
// cells move and are left out like numbers; only what computes with them must ask, and not even that where the pool is
// empty.
inline constexpr std::uint64_t kHistogramTag = 0x7ff4ULL << 48U;
inline bool IsHistogram(double value) { return std::bit_cast<std::uint64_t>(value) >> 48U == kHistogramTag >> 48U; }
inline bool IsFloat(double value) { return IsPresent(value) && !IsHistogram(value); }

// The histograms of one evaluation; they live as long as it.
class HistogramPool {
 public:
  // The cell that stands for it.
  double Add(HistogramPtr histogram) {
    // What Prometheus counts: sixteen bytes are one sample.
    samples_ += histogram->MemoryBytes() / 16 + 1;
    histograms_.push_back(std::move(histogram));
    return std::bit_cast<double>(kHistogramTag | (histograms_.size() - 1));
  }
  double Add(FloatHistogram histogram) { return Add(std::make_shared<const FloatHistogram>(std::move(histogram))); }
  // REQUIRES: IsHistogram(cell).
  const HistogramPtr& At(double cell) const { return histograms_[std::bit_cast<std::uint64_t>(cell) ^ kHistogramTag]; }
  bool empty() const { return histograms_.empty(); }
  std::size_t samples() const { return samples_; }

 private:
  std::vector<HistogramPtr> histograms_;
  std::size_t samples_ = 0;
};

// The instants of an evaluation.
struct Steps {
  TimestampMs start = 0;
  TimestampMs step = 1;  // > 0, even for one instant
  std::size_t count = 1;
  bool ends_later = false;  // a subquery whose range ends after its last step

  TimestampMs At(std::size_t index) const { return start + static_cast<TimestampMs>(index) * step; }
  TimestampMs last() const { return At(count - 1); }
};

struct SeriesHead {
  LabelsPtr labels;
  bool drop_name = false;  // __name__ (and __type__, __unit__) go at the end of the evaluation
};

// An instant vector at every step.
struct VectorValue {
  std::size_t steps = 1;
  std::vector<SeriesHead> series;
  std::vector<double> cells;  // row i: [i*steps, (i+1)*steps); numbers, histograms, Absent()

  explicit VectorValue(std::size_t step_count = 1) : steps(step_count) {}
  std::size_t size() const { return series.size(); }
  double* row(std::size_t index) { return cells.data() + index * steps; }
  const double* row(std::size_t index) const { return cells.data() + index * steps; }
  void Reserve(std::size_t rows) {
    series.reserve(rows);
    cells.reserve(rows * steps);
  }
  // A row of absent cells. The pointer holds until the next AddRow.
  double* AddRow(LabelsPtr labels, bool drop_name) {
    series.push_back(SeriesHead{std::move(labels), drop_name});
    cells.resize(cells.size() + steps, Absent());
    return cells.data() + cells.size() - steps;
  }
  void PopRow() {
    series.pop_back();
    cells.resize(cells.size() - steps);
  }
  // Leaves out rows without a sample.
  void DropEmptyRows();
};

struct Value {
  ValueType type = ValueType::kNone;
  std::vector<double> scalar;  // kScalar: one a step
  VectorValue vector;          // kVector
  std::string string;          // kString
};

}  // namespace pipewarden::rules::promql
