// The engine evaluates a parsed expression over a Queryable, at one instant or over a range of steps, as Prometheus 3
// does: 5-minute lookback, left-open ranges, staleness, counter extrapolation, Kahan sums.
//
// An Engine holds options only and is safe from any thread; each evaluation keeps its state on its caller's stack. How
// it evaluates: rules/promql/evaluator.h.
//
// Errors: kLimit "query processing would load too many samples into memory in query execution" (HTTP 422), kTimeout
// "query timed out in query execution" (503), kUnavailable "query was canceled in query execution" (503), kInvalid for
// what the data makes impossible ("found duplicate series for the match group …", 422), other codes from the Queryable.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/time/clock.h"
#include "rules/promql/ast.h"
#include "rules/promql/queryable.h"

namespace pipewarden::rules::promql {

struct EngineOptions {
  TimestampMs lookback_ms = 5 * 60 * 1000;
  TimestampMs default_subquery_step_ms = 60 * 1000;  // the global evaluation interval
  std::size_t max_samples = 50'000'000;              // held at once by one evaluation
  // Metric names are dropped at the end of the evaluation rather than at once (--enable-feature=
  // promql-delayed-name-removal).
  bool delayed_name_removal = false;
};

// Of one evaluation; all optional.
struct EvalLimits {
  const core::Clock* clock = nullptr;         // with deadline
  std::optional<core::MonoTime> deadline;     // checked inside loops
  const std::atomic<bool>* cancel = nullptr;  // true ends the evaluation with kUnavailable
  std::optional<TimestampMs> lookback_ms;     // instead of the engine's (lookback_delta)
};

struct ResultSample {
  LabelsPtr labels;
  TimestampMs time = 0;
  double value = 0;
  HistogramPtr histogram = nullptr;  // null where it is a float
};
struct HistogramPoint {
  TimestampMs time = 0;
  HistogramPtr histogram;  // never null
};
struct ResultSeries {
  LabelsPtr labels;
  std::vector<core::Sample> points;             // ascending times
  std::vector<HistogramPoint> histograms = {};  // likewise; no time is in both, and not both are empty
};

// What a query yields. `type` says which member holds it.
struct QueryResult {
  ValueType type = ValueType::kNone;
  core::Sample scalar;                // kScalar
  std::string string;                 // kString, with its time in scalar.time
  std::vector<ResultSample> vector;   // kVector, in the order of evaluation (sort() keeps its order)
  std::vector<ResultSeries> matrix;   // kMatrix, sorted by labels
  std::vector<std::string> warnings;  // "PromQL warning: … (1:6)", unique, sorted
  std::vector<std::string> infos;     // "PromQL info: … (1:6)"
  std::size_t samples_read = 0;
  std::size_t peak_samples = 0;  // held at once
  core::Duration preparation{};  // of selecting, and of sorting what came of it; zero without a clock
  core::Duration sorting{};
};

class Engine {
 public:
  explicit Engine(EngineOptions options = {}) : options_(options) {}

  const EngineOptions& options() const { return options_; }

  core::Result<QueryResult> Instant(const Expr& expr, const Queryable& data, TimestampMs time,
                                    const EvalLimits& limits = {}) const;
  // Steps start, start+step, … <= end. step > 0, start <= end; scalar and vector expressions only (kInvalid else). A
  // scalar expression yields a matrix of one series without labels.
  core::Result<QueryResult> Range(const Expr& expr, const Queryable& data, TimestampMs start, TimestampMs end,
                                  TimestampMs step, const EvalLimits& limits = {}) const;

 private:
  EngineOptions options_;
};

}  // namespace pipewarden::rules::promql
