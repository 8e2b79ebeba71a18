#include "rules/promql/engine.h"

#include <algorithm>

#include "rules/promql/evaluator.h"
#include "rules/promql/grouping.h"

namespace pipewarden::rules::promql {
namespace {

LabelsPtr AnswerLabels(const SeriesHead& head) {
  if (!head.drop_name) return head.labels;
  return std::make_shared<const core::Labels>(WithoutMetadata(*head.labels));
}

// Names that were only marked as dropped go now.
core::Result<VectorValue> Finished(VectorValue vector, const EngineOptions& options) {
  if (options.delayed_name_removal && DroppedNamesDiffer(vector)) return MergeEqualRows(std::move(vector), true);
  return vector;
}

void TakeAnnotations(Evaluator& evaluator, QueryResult& result) {
  result.warnings = evaluator.annotations().warnings();
  result.infos = evaluator.annotations().infos();
  result.samples_read = evaluator.samples_read();
  result.peak_samples = evaluator.peak_samples();
}

// What a step takes, where there is a clock.
class Stopwatch {
 public:
  Stopwatch(const EvalLimits& limits, core::Duration& into) : clock_(limits.clock), into_(into) {
    if (clock_ != nullptr) start_ = clock_->Monotonic();
  }
  ~Stopwatch() {
    if (clock_ != nullptr) into_ += clock_->Monotonic() - start_;
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  const core::Clock* clock_;
  core::Duration& into_;
  core::MonoTime start_{};
};

void SortByLabels(std::vector<ResultSeries>& matrix) {
  std::ranges::sort(matrix, [](const ResultSeries& a, const ResultSeries& b) { return *a.labels < *b.labels; });
}

core::Result<void> TakeMatrix(Evaluator& evaluator, const Expr& expr, TimestampMs time, QueryResult& result) {
  auto read = evaluator.EvalWindows(
      expr, Steps{time, 1, 1}, [&](const SeriesHead& head) { result.matrix.push_back({AnswerLabels(head), {}, {}}); },
      [&](std::size_t, const RangeWindow& window) {
        ResultSeries& series = result.matrix.back();
        for (std::size_t i = 0; i < window.size(); ++i) series.points.push_back({window.times[i], window.values[i]});
        for (std::size_t i = 0; i < window.histograms.size(); ++i)
          series.histograms.push_back({window.histogram_times[i], window.histograms[i]});
      });
  std::erase_if(result.matrix,
                [](const ResultSeries& series) { return series.points.empty() && series.histograms.empty(); });
  SortByLabels(result.matrix);
  return read;
}

}  // namespace

core::Result<QueryResult> Engine::Instant(const Expr& expr, const Queryable& data, TimestampMs time,
                                          const EvalLimits& limits) const {
  Evaluator evaluator(options_, limits, QueryWindow{time, time, 0});
  QueryResult result;
  {
    const Stopwatch watch(limits, result.preparation);
    if (auto opened = evaluator.Open(expr, data); !opened) return core::Fail(opened.error());
  }
  result.type = TypeOf(expr);
  result.scalar.time = time;
  const Expr& inner = Unwrap(expr);
  if (result.type == ValueType::kMatrix) {
    if (auto read = TakeMatrix(evaluator, inner, time, result); !read) return core::Fail(read.error());
    TakeAnnotations(evaluator, result);
    return result;
  }
  auto value = evaluator.Eval(expr, Steps{time, 1, 1});
  if (!value) return core::Fail(value.error());
  if (value->type == ValueType::kScalar) result.scalar.value = value->scalar[0];
  if (value->type == ValueType::kString) result.string = std::move(value->string);
  if (value->type == ValueType::kVector) {
    const auto vector = Finished(std::move(value->vector), options_);
    if (!vector) return core::Fail(vector.error());
    result.vector.reserve(vector->size());
    for (std::size_t i = 0; i < vector->size(); ++i) {
      const double cell = vector->cells[i];
      if (IsHistogram(cell))
        result.vector.push_back({AnswerLabels(vector->series[i]), time, 0, evaluator.histograms().At(cell)});
      else if (IsPresent(cell))
        result.vector.push_back({AnswerLabels(vector->series[i]), time, cell, nullptr});
    }
  }
  TakeAnnotations(evaluator, result);
  return result;
}

core::Result<QueryResult> Engine::Range(const Expr& expr, const Queryable& data, TimestampMs start, TimestampMs end,
                                        TimestampMs step, const EvalLimits& limits) const {
  const ValueType type = TypeOf(expr);
  if (type != ValueType::kVector && type != ValueType::kScalar)
    return core::Fail(core::ErrorCode::kInvalid, "invalid expression type \"" + std::string(ValueTypeName(type)) +
                                                     "\" for range query, must be Scalar or instant Vector");
  if (step <= 0 || end < start)
    return core::Fail(core::ErrorCode::kInvalid,
                      "a range query needs a step above zero and an end not before its start");
  const auto count = static_cast<std::uint64_t>(end - start) / static_cast<std::uint64_t>(step) + 1;
  if (count > options_.max_samples)
    return core::Fail(core::ErrorCode::kLimit,
                      "query processing would load too many samples into memory in query execution");
  Evaluator evaluator(options_, limits, QueryWindow{start, end, step});
  QueryResult result;
  {
    const Stopwatch watch(limits, result.preparation);
    if (auto opened = evaluator.Open(expr, data); !opened) return core::Fail(opened.error());
  }
  const Steps steps{start, step, static_cast<std::size_t>(count)};
  auto value = evaluator.Eval(expr, steps);
  if (!value) return core::Fail(value.error());
  result.type = ValueType::kMatrix;
  const auto add = [&](LabelsPtr labels, const double* row) {
    ResultSeries series{std::move(labels), {}, {}};
    for (std::size_t i = 0; i < steps.count; ++i) {
      if (IsHistogram(row[i]))
        series.histograms.push_back({steps.At(i), evaluator.histograms().At(row[i])});
      else if (IsPresent(row[i]))
        series.points.push_back({steps.At(i), row[i]});
    }
    if (!series.points.empty() || !series.histograms.empty()) result.matrix.push_back(std::move(series));
  };
  if (value->type == ValueType::kScalar) {
    add(std::make_shared<const core::Labels>(), value->scalar.data());
  } else {
    const auto vector = Finished(std::move(value->vector), options_);
    if (!vector) return core::Fail(vector.error());
    for (std::size_t i = 0; i < vector->size(); ++i) add(AnswerLabels(vector->series[i]), vector->row(i));
  }
  {
    const Stopwatch watch(limits, result.sorting);
    SortByLabels(result.matrix);
  }
  TakeAnnotations(evaluator, result);
  return result;
}

}  // namespace pipewarden::rules::promql
