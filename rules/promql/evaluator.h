// One evaluation of one expression. Every node is evaluated for all steps at once and series by series: a selector
// decodes each series once into a reusable buffer, a range function slides a window over it, operators and aggregations
// run down columns. Labels are looked at once a series, never once a sample; a name that a function drops is only
// marked, and stripped from what is answered.
//
// Not safe from several threads. Internal to rules/promql.
#pragma once

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "rules/promql/annotations.h"
#include "rules/promql/engine.h"
#include "rules/promql/functions/call_context.h"
#include "rules/promql/value.h"

namespace pipewarden::rules::promql {

// The query as asked; subqueries have steps of their own.
struct QueryWindow {
  TimestampMs start = 0;
  TimestampMs end = 0;
  TimestampMs step = 0;  // 0: an instant query
  bool is_range() const { return step > 0; }
};

class Evaluator {
 public:
  // What a selector's cells hold: values, or times in seconds, for timestamp(); for info() histograms are an error.
  enum class Take { kValues, kTimes, kTimesOfFloats };

  Evaluator(const EngineOptions& options, const EvalLimits& limits, const QueryWindow& query)
      : options_(options), limits_(limits), query_(query) {
    lookback_ms_ = limits.lookback_ms.value_or(options.lookback_ms);
  }

  // Opens the read view that the expression needs; called once before Eval.
  core::Result<void> Open(const Expr& expr, const Queryable& data);

  core::Result<Value> Eval(const Expr& expr, const Steps& steps);
  core::Result<VectorValue> EvalVector(const Expr& expr, const Steps& steps);
  core::Result<std::vector<double>> EvalScalar(const Expr& expr, const Steps& steps);
  core::Result<VectorValue> EvalSelector(const VectorSelector& selector, const Steps& steps, Take take);

  // For every series of a matrix selector or subquery: on_series(head), then on_window(step, window) for each step
  // whose range holds samples. Staleness markers are left out.
  template <class OnSeries, class OnWindow>
  core::Result<void> EvalWindows(const Expr& matrix, const Steps& steps, OnSeries&& on_series, OnWindow&& on_window);

  // Rows of equal labels put together where dropping names can have made some.
  core::Result<VectorValue> CheckNames(VectorValue vector);
  bool NameIsHidden(const SeriesHead& head) const { return head.drop_name && !options_.delayed_name_removal; }
  core::Labels VisibleLabels(const SeriesHead& head) const;

  // The time that a selector's modifiers make of a step.
  struct Shift {
    std::optional<TimestampMs> at;
    TimestampMs offset = 0;
    TimestampMs Of(TimestampMs step) const { return at.value_or(step) - offset; }
  };
  core::Result<Shift> ResolveShift(const TimeShift& shift) const;

  // True where the value is the same at every step: constants, and what @ pins.
  bool IsStepInvariant(const Expr& expr) const;

  const EngineOptions& options() const { return options_; }
  const QueryWindow& query() const { return query_; }
  Annotations& annotations() { return annotations_; }
  // Empty as long as no selection had any: then no cell holds one.
  HistogramPool& histograms() { return histograms_; }
  const HistogramPool& histograms() const { return histograms_; }
  std::size_t samples_read() const { return samples_read_; }
  std::size_t peak_samples() const { return std::max(peak_, held_ + histograms_.samples()); }

  // An error where the query was cancelled, is out of time or holds too many samples with `more` besides.
  core::Result<void> CheckLimits(std::size_t more);

 private:
  friend class MatrixReader;

  core::Result<Value> EvalNode(const Expr& expr, const Steps& steps);
  core::Result<Value> EvalOnceForAll(const Expr& expr, const Steps& steps);
  core::Result<Value> EvalCall(const Call& call, const Steps& steps);
  core::Result<Value> EvalMap(const Call& call, const Steps& steps);
  core::Result<Value> EvalRange(const Call& call, const Steps& steps);
  core::Result<Value> EvalUnary(const UnaryExpr& expr, const Steps& steps);
  core::Result<Value> EvalBinary(const BinaryExpr& expr, const Steps& steps);        // binary.cpp
  core::Result<Value> EvalAggregate(const AggregateExpr& expr, const Steps& steps);  // aggregation.cpp
  core::Result<void> Bounds(const Expr& expr, TimestampMs start, TimestampMs end, TimestampMs& from, TimestampMs& to);

  core::Result<TimestampMs> Resolve(const SelectorDuration& duration, bool positive) const;
  core::Result<Steps> SubqueryInner(const SubqueryExpr& expr, TimestampMs first, TimestampMs last) const;

  const EngineOptions& options_;
  const EvalLimits& limits_;
  QueryWindow query_;
  TimestampMs lookback_ms_ = 0;
  std::unique_ptr<Querier> querier_;
  bool has_at_ = false;  // some selector is pinned by @, so that parts may not depend on the step
  // Selectors of whose histograms only count and sum are looked at.
  std::unordered_set<const Expr*> summary_only_;
  Annotations annotations_;
  HistogramPool histograms_;
  SampleColumns buffer_;
  std::size_t held_ = 0;  // samples in values alive
  std::size_t samples_read_ = 0;
  std::size_t peak_ = 0;
};

// The series of a matrix selector or a subquery, read one after another.
class MatrixReader {
 public:
  static core::Result<MatrixReader> Open(Evaluator& evaluator, const Expr& expr, const Steps& steps);

  std::size_t size() const { return set_ != nullptr ? set_->size() : inner_.size(); }
  SeriesHead head(std::size_t index) const {
    return set_ != nullptr ? SeriesHead{set_->labels(index), false} : inner_.series[index];
  }
  // Fills floats and histograms with the series' samples in all ranges, without staleness markers.
  core::Result<void> Load(std::size_t index);
  bool empty() const { return floats_.empty() && histogram_times_.empty(); }
  std::span<const TimestampMs> times() const { return floats_.times; }
  std::span<const double> values() const { return floats_.values; }
  std::span<const TimestampMs> histogram_times() const { return histogram_times_; }
  std::span<const HistogramPtr> histograms() const { return histograms_; }

  // (start, end] of the range at a step.
  TimestampMs End(TimestampMs step) const { return at_.value_or(step) - offset_; }
  TimestampMs Start(TimestampMs step) const { return End(step) - range_; }

 private:
  explicit MatrixReader(Evaluator& evaluator) : evaluator_(&evaluator) {}
  core::Result<void> OpenSelector(const MatrixSelector& matrix, const Steps& steps);
  core::Result<void> OpenSubquery(const SubqueryExpr& subquery, const Steps& steps);
  void Split();

  Evaluator* evaluator_;
  std::optional<TimestampMs> at_;
  TimestampMs offset_ = 0;
  TimestampMs range_ = 0;
  TimestampMs from_ = 0;
  TimestampMs to_ = 0;
  std::unique_ptr<SeriesSet> set_;
  VectorValue inner_;  // of a subquery
  Steps inner_steps_;
  bool summary_only_ = false;
  SampleColumns floats_;
  std::vector<TimestampMs> histogram_times_;
  std::vector<HistogramPtr> histograms_;
};

// Which samples of a column lie within a range that moves forward.
class WindowEdge {
 public:
  explicit WindowEdge(std::span<const TimestampMs> times) : times_(times) {}
  void MoveTo(TimestampMs start, TimestampMs end) {
    while (first_ < times_.size() && times_[first_] <= start) ++first_;
    last_ = std::max(last_, first_);
    while (last_ < times_.size() && times_[last_] <= end) ++last_;
  }
  std::size_t size() const { return last_ - first_; }
  template <class T>
  std::span<const T> Of(std::span<const T> column) const {
    return column.subspan(first_, last_ - first_);
  }

 private:
  std::span<const TimestampMs> times_;
  std::size_t first_ = 0;
  std::size_t last_ = 0;
};

template <class OnSeries, class OnWindow>
core::Result<void> Evaluator::EvalWindows(const Expr& matrix, const Steps& steps, OnSeries&& on_series,
                                          OnWindow&& on_window) {
  auto reader = MatrixReader::Open(*this, Unwrap(matrix), steps);
  if (!reader) return core::Fail(reader.error());
  for (std::size_t i = 0; i < reader->size(); ++i) {
    if (auto loaded = reader->Load(i); !loaded) return loaded;
    if (reader->empty()) continue;
    // What the caller fills a row of.
    if (auto ok = CheckLimits((i + 1) * steps.count); !ok) return ok;
    on_series(reader->head(i));
    WindowEdge floats(reader->times());
    WindowEdge histograms(reader->histogram_times());
    RangeWindow window;
    window.ascending = std::ranges::is_sorted(reader->values());
    for (std::size_t step = 0; step < steps.count; ++step) {
      window.eval_time = steps.At(step);
      window.start = reader->Start(window.eval_time);
      window.end = reader->End(window.eval_time);
      floats.MoveTo(window.start, window.end);
      histograms.MoveTo(window.start, window.end);
      if (floats.size() == 0 && histograms.size() == 0) continue;
      window.times = floats.Of(reader->times());
      window.values = floats.Of(reader->values());
      window.histogram_times = histograms.Of(reader->histogram_times());
      window.histograms = histograms.Of(reader->histograms());
      on_window(step, window);
      if ((step & 255U) == 255U)
        if (auto ok = CheckLimits(0); !ok) return ok;
    }
  }
  return {};
}

}  // namespace pipewarden::rules::promql
