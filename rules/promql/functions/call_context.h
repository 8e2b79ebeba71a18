// What the bodies of functions see: the call and its evaluation (CallContext), or one series' samples in one range
// (RangeWindow). Internal to rules/promql.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "rules/promql/annotations.h"
#include "rules/promql/functions/function.h"
#include "rules/promql/value.h"

namespace pipewarden::rules::promql {

class Evaluator;

// A general body evaluates its arguments itself.
class CallContext {
 public:
  CallContext(Evaluator& evaluator, const Call& call, const Steps& steps)
      : evaluator_(evaluator), call_(call), steps_(steps) {}

  const Call& call() const { return call_; }
  const Steps& steps() const { return steps_; }
  std::size_t size() const { return call_.args.size(); }
  const Expr& arg(std::size_t index) const { return *call_.args[index]; }
  PositionRange arg_pos(std::size_t index) const { return Unwrap(arg(index)).pos; }
  Evaluator& evaluator() { return evaluator_; }
  Annotations& annotations();
  HistogramPool& histograms();
  // start(), end() of the query as asked, and its step in ms (0 for an instant query).
  TimestampMs query_start() const;
  TimestampMs query_end() const;
  TimestampMs query_step() const;

  core::Result<VectorValue> EvalVector(std::size_t index);
  core::Result<std::vector<double>> EvalScalar(std::size_t index);
  std::string StringArg(std::size_t index) const;  // the literal inside any parentheses

  // The labels as the rest of the evaluation sees them: without __name__ where it is dropped already.
  core::Labels VisibleLabels(const SeriesHead& head) const;
  bool NameIsHidden(const SeriesHead& head) const;
  // Puts rows together that dropping their names has made equal; an error where two have a sample at the same step.
  core::Result<Value> Merged(VectorValue vector);
  // The same, where labels may have become equal otherwise.
  core::Result<Value> MergedByLabels(VectorValue vector);

 private:
  Evaluator& evaluator_;
  const Call& call_;
  const Steps& steps_;
};

// Of one call: where annotations and histograms go, and the first error of a window.
struct CallNotes {
  Annotations& annotations;
  HistogramPool& histograms;
  const Call& call;
  std::string_view metric_name;  // of the series at hand
  const core::Labels* labels = nullptr;
  bool noted_not_counter = false;  // of this name
  std::string error;

  // The place of the first argument. Prometheus turns a subquery into a range without a place: (1:1).
  PositionRange at() const {
    const Expr& arg = Unwrap(*call.args[0]);
    return arg.kind == Expr::Kind::kSubquery ? PositionRange{} : arg.pos;
  }
};

// Floats and histograms apart; all times lie within (start, end], and there is at least one.
class RangeWindow {
 public:
  std::span<const TimestampMs> times;
  std::span<const double> values;
  std::span<const TimestampMs> histogram_times;
  std::span<const HistogramPtr> histograms;
  TimestampMs start = 0;
  TimestampMs end = 0;
  TimestampMs eval_time = 0;  // the step, before @ and offset
  bool ascending = false;     // no float of the series is below the one before: a counter without a reset
  CallNotes* notes = nullptr;

  std::size_t size() const { return values.size(); }  // floats only
};

// Neumaier's sum, as Prometheus adds: sum + compensation is the result.
struct KahanSum {
  double sum = 0;
  double compensation = 0;

  void Add(double value) {
    const double total = sum + value;
    if (__builtin_isinf(total))
      compensation = 0;
    else if (__builtin_fabs(sum) >= __builtin_fabs(value))
      compensation += (sum - total) + value;
    else
      compensation += (value - total) + sum;
    sum = total;
  }
  double Result() const { return __builtin_isinf(sum) ? sum : sum + compensation; }
};

// The mean: directly as long as the sum stays finite, incrementally from there on.
class Mean {
 public:
  void Add(double value) {
    count_ += 1;
    if (count_ == 1) {
      sum_.sum = value;
      return;
    }
    if (!incremental_) {
      KahanSum next = sum_;
      next.Add(value);
      if (!__builtin_isinf(next.sum)) {
        sum_ = next;
        return;
      }
      incremental_ = true;
      sum_.sum /= count_ - 1;
      sum_.compensation /= count_ - 1;
    }
    const double kept = (count_ - 1) / count_;
    sum_.sum *= kept;
    sum_.compensation *= kept;
    sum_.Add(value / count_);
  }
  double count() const { return count_; }
  double Result() const {
    if (incremental_) return sum_.sum + sum_.compensation;
    return sum_.sum / count_ + sum_.compensation / count_;
  }

 private:
  KahanSum sum_;
  double count_ = 0;
  bool incremental_ = false;
};

// Go's math.Max and math.Min: NaN wins.
double GoMax(double a, double b);
double GoMin(double a, double b);
// The q-quantile of the values, which it sorts (NaN first).
double Quantile(double q, std::vector<double>& values);
void WarnOfBadQuantile(Annotations& annotations, double q, PositionRange at);

inline constexpr ValueType kScalarArg[] = {ValueType::kScalar};
inline constexpr ValueType kVectorArg[] = {ValueType::kVector};
inline constexpr ValueType kMatrixArg[] = {ValueType::kMatrix};

}  // namespace pipewarden::rules::promql
