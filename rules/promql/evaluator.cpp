#include "rules/promql/evaluator.h"

#include <algorithm>
#include <cmath>

#include "core/text/go_string.h"
#include "rules/promql/grouping.h"
#include "rules/promql/histogram_arithmetic.h"

namespace pipewarden::rules::promql {
namespace {

constexpr TimestampMs kFarthest = TimestampMs{1} << 61U;  // no sum of times overflows

double DurationSeconds(const DurationExpr& expr, const QueryWindow& query) {
  using Op = DurationExpr::Op;
  const auto left = [&] { return DurationSeconds(*expr.lhs, query); };
  const auto right = [&] { return DurationSeconds(*expr.rhs, query); };
  switch (expr.op) {
    case Op::kNumber:
      return expr.seconds;
    case Op::kAdd:
      return left() + right();
    case Op::kSub:
      return left() - right();
    case Op::kMul:
      return left() * right();
    case Op::kDiv:
      return left() / right();
    case Op::kMod:
      return std::fmod(left(), right());
    case Op::kPow:
      return std::pow(left(), right());
    case Op::kNegate:
      return -left();
    case Op::kPlus:
      return left();
    case Op::kStep:
      return static_cast<double>(query.step) / 1000;
    case Op::kRange:
      return static_cast<double>(query.end - query.start) / 1000;
    case Op::kMin:
      return std::min(left(), right());
    case Op::kMax:
      return std::max(left(), right());
  }
  return 0;
}

// A NaN with bits that mean something in cells is an ordinary one where it comes from outside.
double PlainNaN(double nan) { return IsAbsent(nan) || IsHistogram(nan) ? core::NormalNaN() : nan; }

// Selectors below histogram_count, _sum or _avg and below nothing that looks at buckets.
void FindSummaries(const Expr& expr, bool below_summary, std::unordered_set<const Expr*>& found) {
  if (expr.kind == Expr::Kind::kVectorSelector && below_summary) found.insert(&expr);
  if (expr.kind == Expr::Kind::kSubquery) return;
  if (expr.kind == Expr::Kind::kBinary) {
    const BinaryOp op = static_cast<const BinaryExpr&>(expr).op;
    if (op == BinaryOp::kTrimUpper || op == BinaryOp::kTrimLower) return;
  }
  if (expr.kind == Expr::Kind::kCall) {
    const std::string_view name = static_cast<const Call&>(expr).function->name;
    if (name == "histogram_count" || name == "histogram_sum" || name == "histogram_avg")
      below_summary = true;
    else if (name.starts_with("histogram_"))
      return;
  }
  for (const Expr* child : ChildrenOf(expr)) FindSummaries(*child, below_summary, found);
}

// Count and sum alone. Without the buckets nobody can find a reset later, so the hint tells of it.
HistogramPtr Summary(const FloatHistogram& histogram, const FloatHistogram* previous) {
  FloatHistogram summary;
  summary.hint = histogram.hint;
  if (histogram.hint == core::CounterResetHint::kUnknown && previous != nullptr)
    summary.hint =
        core::IsReset(histogram, *previous) ? core::CounterResetHint::kReset : core::CounterResetHint::kNotReset;
  summary.schema = histogram.schema;
  summary.count = histogram.count;
  summary.sum = histogram.sum;
  return std::make_shared<const FloatHistogram>(std::move(summary));
}

// The same for all histograms of the columns, which follow one another in a series.
void SummarizeAll(SampleColumns& samples) {
  const FloatHistogram* previous = nullptr;
  std::vector<HistogramPtr> summaries(samples.histograms.size());
  for (std::size_t i = 0; i < samples.histograms.size(); ++i) {
    if (samples.histograms[i] == nullptr) continue;
    summaries[i] = Summary(*samples.histograms[i], previous);
    previous = samples.histograms[i].get();
  }
  samples.histograms = std::move(summaries);
}

// A subquery may leave out samples, or take one twice, so what a hint says of the sample before is not so.
HistogramPtr WithoutHint(const HistogramPtr& histogram) {
  using core::CounterResetHint;
  if (histogram->hint == CounterResetHint::kUnknown || histogram->hint == CounterResetHint::kGauge) return histogram;
  auto changed = std::make_shared<FloatHistogram>(*histogram);
  changed->hint = CounterResetHint::kUnknown;
  return changed;
}

bool AnyAt(const Expr& expr) {
  bool found = false;
  Walk(expr, [&](const Expr& node) {
    if (node.kind == Expr::Kind::kVectorSelector)
      found |= static_cast<const VectorSelector&>(node).shift.at != TimeShift::At::kNone;
    if (node.kind == Expr::Kind::kSubquery)
      found |= static_cast<const SubqueryExpr&>(node).shift.at != TimeShift::At::kNone;
  });
  return found;
}

}  // namespace

void VectorValue::DropEmptyRows() {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < size(); ++i) {
    const double* from = row(i);
    if (std::all_of(from, from + steps, IsAbsent)) continue;
    if (kept != i) {
      std::copy_n(from, steps, row(kept));
      series[kept] = std::move(series[i]);
    }
    ++kept;
  }
  series.resize(kept);
  cells.resize(kept * steps);
}

core::Result<void> Evaluator::CheckLimits(std::size_t more) {
  peak_ = std::max(peak_, held_ + more + histograms_.samples());
  if (held_ + more + histograms_.samples() > options_.max_samples)
    return core::Fail(core::ErrorCode::kLimit,
                      "query processing would load too many samples into memory in query execution");
  if (limits_.cancel != nullptr && limits_.cancel->load(std::memory_order_relaxed))
    return core::Fail(core::ErrorCode::kUnavailable, "query was canceled in expression evaluation");
  if (limits_.deadline && limits_.clock != nullptr && limits_.clock->Monotonic() >= *limits_.deadline)
    return core::Fail(core::ErrorCode::kTimeout, "query timed out in expression evaluation");
  return {};
}

core::Result<TimestampMs> Evaluator::Resolve(const SelectorDuration& duration, bool positive) const {
  if (duration.expr == nullptr) return duration.ms;
  const double seconds = DurationSeconds(*duration.expr, query_);
  const auto refuse = [&](std::string_view why) {
    const PositionRange at = duration.expr->pos;
    return core::Fail(core::ErrorCode::kInvalid,
                      std::to_string(at.start) + ":" + std::to_string(at.end) + ": " + std::string(why));
  };
  if (positive && !(seconds > 0)) return refuse("duration must be greater than 0");
  if (!(std::fabs(seconds) < 9223372036.0)) return refuse("duration is out of range");
  return static_cast<TimestampMs>(std::round(seconds * 1000));
}

core::Result<Evaluator::Shift> Evaluator::ResolveShift(const TimeShift& shift) const {
  const auto offset = Resolve(shift.offset, false);
  if (!offset) return core::Fail(offset.error());
  Shift resolved;
  resolved.offset = *offset;
  switch (shift.at) {
    case TimeShift::At::kNone:
      break;
    case TimeShift::At::kTimestamp:
      resolved.at = std::clamp(shift.at_time, -kFarthest, kFarthest);
      break;
    case TimeShift::At::kStart:
      resolved.at = query_.start;
      break;
    case TimeShift::At::kEnd:
      resolved.at = query_.end;
      break;
  }
  return resolved;
}

core::Result<Steps> Evaluator::SubqueryInner(const SubqueryExpr& expr, TimestampMs first, TimestampMs last) const {
  const auto range = Resolve(expr.range, true);
  if (!range) return core::Fail(range.error());
  TimestampMs step = options_.default_subquery_step_ms;
  if (expr.step) {
    const auto given = Resolve(*expr.step, true);
    if (!given) return core::Fail(given.error());
    step = *given;
  }
  step = std::max<TimestampMs>(step, 1);
  const auto shift = ResolveShift(expr.shift);
  if (!shift) return core::Fail(shift.error());
  // Absolute multiples of the step, the first strictly after the start of the first range.
  const TimestampMs after = shift->Of(first) - *range;
  Steps inner;
  inner.step = step;
  inner.start = after / step * step;
  if (inner.start <= after) inner.start += step;
  const TimestampMs end = shift->Of(last);
  inner.count = end < inner.start ? 0 : static_cast<std::size_t>((end - inner.start) / step) + 1;
  inner.ends_later = inner.count > 0 && end != inner.last();
  if (inner.count > options_.max_samples)
    return core::Fail(core::ErrorCode::kLimit,
                      "query processing would load too many samples into memory in query execution");
  return inner;
}

core::Result<void> Evaluator::Bounds(const Expr& expr, TimestampMs start, TimestampMs end, TimestampMs& from,
                                     TimestampMs& to) {
  const auto widen = [&](const TimeShift& time_shift, TimestampMs range) -> core::Result<void> {
    const auto shift = ResolveShift(time_shift);
    if (!shift) return core::Fail(shift.error());
    from = std::min(from, shift->Of(start) - range);
    to = std::max(to, shift->Of(end));
    return {};
  };
  if (expr.kind == Expr::Kind::kVectorSelector)
    return widen(static_cast<const VectorSelector&>(expr).shift, lookback_ms_);
  if (expr.kind == Expr::Kind::kMatrixSelector) {
    const auto& matrix = static_cast<const MatrixSelector&>(expr);
    const auto range = Resolve(matrix.range, true);
    if (!range) return core::Fail(range.error());
    return widen(matrix.vector->shift, *range);
  }
  if (expr.kind == Expr::Kind::kSubquery) {
    const auto& subquery = static_cast<const SubqueryExpr&>(expr);
    const auto inner = SubqueryInner(subquery, start, end);
    if (!inner) return core::Fail(inner.error());
    if (inner->count == 0) return {};
    return Bounds(*subquery.expr, inner->start, inner->last(), from, to);
  }
  for (const Expr* child : ChildrenOf(expr))
    if (auto ok = Bounds(*child, start, end, from, to); !ok) return ok;
  return {};
}

core::Result<void> Evaluator::Open(const Expr& expr, const Queryable& data) {
  has_at_ = AnyAt(expr);
  FindSummaries(expr, false, summary_only_);
  TimestampMs from = std::numeric_limits<TimestampMs>::max();
  TimestampMs to = std::numeric_limits<TimestampMs>::min();
  if (auto ok = Bounds(expr, query_.start, query_.end, from, to); !ok) return ok;
  if (from > to) from = to = query_.start;  // the expression selects nothing
  auto querier = data.Open(from, to);
  if (!querier) return core::Fail(querier.error());
  querier_ = std::move(*querier);
  return {};
}

// Not exhaustive: true only where @ pins everything below, which is where evaluating once pays.
bool Evaluator::IsStepInvariant(const Expr& expr) const {
  switch (expr.kind) {
    case Expr::Kind::kNumber:
    case Expr::Kind::kString:
      return true;
    case Expr::Kind::kVectorSelector:
      return static_cast<const VectorSelector&>(expr).shift.at != TimeShift::At::kNone;
    case Expr::Kind::kMatrixSelector:
      return static_cast<const MatrixSelector&>(expr).vector->shift.at != TimeShift::At::kNone;
    case Expr::Kind::kSubquery:
      return static_cast<const SubqueryExpr&>(expr).shift.at != TimeShift::At::kNone;
    case Expr::Kind::kCall:
      if (static_cast<const Call&>(expr).function->depends_on_step) return false;
      break;
    default:
      break;
  }
  return std::ranges::all_of(ChildrenOf(expr), [&](const Expr* child) { return IsStepInvariant(*child); });
}

core::Result<Value> Evaluator::EvalOnceForAll(const Expr& expr, const Steps& steps) {
  const Steps once{steps.start, steps.step, 1};
  auto value = Eval(expr, once);
  if (!value) return value;
  if (value->type == ValueType::kScalar) value->scalar.assign(steps.count, value->scalar[0]);
  if (value->type == ValueType::kVector) {
    if (auto ok = CheckLimits(value->vector.size() * steps.count); !ok) return core::Fail(ok.error());
    std::vector<double> cells;
    cells.reserve(value->vector.size() * steps.count);
    for (const double cell : value->vector.cells) cells.insert(cells.end(), steps.count, cell);
    value->vector.steps = steps.count;
    value->vector.cells = std::move(cells);
  }
  return value;
}

core::Result<Value> Evaluator::Eval(const Expr& expr, const Steps& steps) {
  if (auto ok = CheckLimits(0); !ok) return core::Fail(ok.error());
  const std::size_t held_before = held_;
  const bool literal = expr.kind == Expr::Kind::kNumber || expr.kind == Expr::Kind::kString;
  const bool once = has_at_ && steps.count > 1 && !literal && IsStepInvariant(expr);
  auto value = once ? EvalOnceForAll(expr, steps) : EvalNode(expr, steps);
  // What the operands held is gone; the result stays with the caller, who evaluates its siblings beside it.
  held_ = held_before;
  if (value && value->type == ValueType::kVector) {
    held_ += value->vector.cells.size();
    if (auto ok = CheckLimits(0); !ok) return core::Fail(ok.error());
  }
  return value;
}

core::Result<VectorValue> Evaluator::EvalVector(const Expr& expr, const Steps& steps) {
  auto value = Eval(expr, steps);
  if (!value) return core::Fail(value.error());
  return std::move(value->vector);
}

core::Result<std::vector<double>> Evaluator::EvalScalar(const Expr& expr, const Steps& steps) {
  auto value = Eval(expr, steps);
  if (!value) return core::Fail(value.error());
  return std::move(value->scalar);
}

core::Result<Value> Evaluator::EvalNode(const Expr& expr, const Steps& steps) {
  Value value;
  switch (expr.kind) {
    case Expr::Kind::kNumber:
      value.type = ValueType::kScalar;
      value.scalar.assign(steps.count, static_cast<const NumberLiteral&>(expr).value);
      return value;
    case Expr::Kind::kString:
      value.type = ValueType::kString;
      value.string = static_cast<const StringLiteral&>(expr).value;
      return value;
    case Expr::Kind::kVectorSelector: {
      auto vector = EvalSelector(static_cast<const VectorSelector&>(expr), steps, Take::kValues);
      if (!vector) return core::Fail(vector.error());
      value.type = ValueType::kVector;
      value.vector = std::move(*vector);
      return value;
    }
    case Expr::Kind::kMatrixSelector:
    case Expr::Kind::kSubquery:
      return core::Fail(core::ErrorCode::kInternal, "a range vector was evaluated outside of a function");
    case Expr::Kind::kCall:
      return EvalCall(static_cast<const Call&>(expr), steps);
    case Expr::Kind::kAggregate:
      return EvalAggregate(static_cast<const AggregateExpr&>(expr), steps);
    case Expr::Kind::kBinary:
      return EvalBinary(static_cast<const BinaryExpr&>(expr), steps);
    case Expr::Kind::kUnary:
      return EvalUnary(static_cast<const UnaryExpr&>(expr), steps);
    case Expr::Kind::kParen:
      return Eval(*static_cast<const ParenExpr&>(expr).expr, steps);
  }
  return core::Fail(core::ErrorCode::kInternal, "an expression of an unknown kind was evaluated");
}

core::Result<VectorValue> Evaluator::EvalSelector(const VectorSelector& selector, const Steps& steps, Take take) {
  const auto shift = ResolveShift(selector.shift);
  if (!shift) return core::Fail(shift.error());
  const TimestampMs first = shift->Of(steps.start);
  const TimestampMs last = shift->Of(steps.last());
  const SelectHints hints{.from = first - lookback_ms_ + 1, .to = last, .check = [this](std::size_t) {
                            return CheckLimits(0);  // cells are held, not samples
                          }};
  auto set = querier_->Select(hints, selector.matchers);
  if (!set) return core::Fail(set.error());
  VectorValue vector(steps.count);
  vector.Reserve(std::min((*set)->size(), options_.max_samples / steps.count + 1));
  for (std::size_t i = 0; i < (*set)->size(); ++i) {
    buffer_.Clear();
    auto read = first == last ? (*set)->ReadLast(i, hints.from, hints.to, buffer_)
                              : (*set)->Read(i, hints.from, hints.to, buffer_);
    const bool summary = !buffer_.histograms.empty() && summary_only_.contains(&selector);
    // Whether there was a reset shows in the samples before.
    if (summary && read && first == last) {
      buffer_.Clear();
      read = (*set)->Read(i, hints.from, hints.to, buffer_);
    }
    if (!read) return core::Fail(read.error());
    if (buffer_.empty()) continue;
    if (summary) SummarizeAll(buffer_);
    samples_read_ += buffer_.size();
    if (auto ok = CheckLimits(vector.cells.size() + steps.count); !ok) return core::Fail(ok.error());
    double* row = vector.AddRow((*set)->labels(i), false);
    std::size_t next = 0;    // of the sample behind the newest one that is not after the step
    std::size_t pooled = 0;  // `next` of the newest histogram in the pool
    double histogram = 0;
    bool any = false;
    for (std::size_t step = 0; step < steps.count; ++step) {
      const TimestampMs time = shift->Of(steps.At(step));
      while (next < buffer_.size() && buffer_.times[next] <= time) ++next;
      if (next == 0 || buffer_.times[next - 1] <= time - lookback_ms_) continue;
      double value = buffer_.values[next - 1];
      if (std::isnan(value)) {
        if (core::IsStaleNaN(value)) continue;
        const bool is_histogram = !buffer_.histograms.empty() && buffer_.histograms[next - 1] != nullptr;
        if (is_histogram && take == Take::kTimesOfFloats)
          return core::Fail(core::ErrorCode::kInvalid,
                            "this should be an info metric, with float samples: " + (*set)->labels(i)->ToString());
        if (is_histogram && take == Take::kValues && pooled != next) {
          histogram = histograms_.Add(buffer_.histograms[next - 1]);
          pooled = next;
        }
        value = is_histogram ? histogram : PlainNaN(value);
      }
      row[step] = take == Take::kValues ? value : static_cast<double>(buffer_.times[next - 1]) / 1000;
      any = true;
    }
    if (!any) vector.PopRow();
  }
  return vector;
}

core::Result<Value> Evaluator::EvalUnary(const UnaryExpr& expr, const Steps& steps) {
  auto value = Eval(*expr.expr, steps);
  if (!value || !expr.negate) return value;
  for (double& v : value->scalar) v = -v;
  for (double& cell : value->vector.cells)
    if (IsFloat(cell)) {
      cell = -cell;
    } else if (IsHistogram(cell)) {
      FloatHistogram negative = *histograms_.At(cell);
      Multiply(negative, -1);
      cell = histograms_.Add(std::move(negative));
    }
  for (SeriesHead& head : value->vector.series) head.drop_name = true;
  if (value->type != ValueType::kVector) return value;
  auto checked = CheckNames(std::move(value->vector));
  if (!checked) return core::Fail(checked.error());
  value->vector = std::move(*checked);
  return value;
}

core::Result<Value> Evaluator::EvalCall(const Call& call, const Steps& steps) {
  const Function& function = *call.function;
  if (function.map != nullptr) return EvalMap(call, steps);
  if (function.range != nullptr) return EvalRange(call, steps);
  CallContext context(*this, call, steps);
  return function.general(context);
}

core::Result<Value> Evaluator::EvalMap(const Call& call, const Steps& steps) {
  auto value = Eval(*call.args[0], steps);
  if (!value) return value;
  const MapBody body = call.function->map;
  for (double& cell : value->vector.cells)
    if (IsPresent(cell)) cell = IsHistogram(cell) ? Absent() : body(cell);
  if (!histograms_.empty()) value->vector.DropEmptyRows();
  for (SeriesHead& head : value->vector.series) head.drop_name = true;
  auto checked = CheckNames(std::move(value->vector));
  if (!checked) return core::Fail(checked.error());
  value->vector = std::move(*checked);
  return value;
}

core::Result<Value> Evaluator::EvalRange(const Call& call, const Steps& steps) {
  const Function& function = *call.function;
  const Expr* matrix = nullptr;
  std::vector<std::vector<double>> params;
  for (const ExprPtr& arg : call.args) {
    if (TypeOf(*arg) == ValueType::kMatrix) {
      matrix = arg.get();
      continue;
    }
    auto param = EvalScalar(*arg, steps);
    if (!param) return core::Fail(param.error());
    params.push_back(std::move(*param));
  }
  CallNotes notes{.annotations = annotations_, .histograms = histograms_, .call = call, .metric_name = {}, .error = {}};
  Value value;
  value.type = ValueType::kVector;
  value.vector = VectorValue(steps.count);
  VectorValue& out = value.vector;
  std::vector<double> at_step(params.size());
  double* row = nullptr;
  auto done = EvalWindows(
      *matrix, steps,
      [&](const SeriesHead& head) {
        notes.labels = head.labels.get();
        const std::string_view name = NameIsHidden(head) ? std::string_view{} : head.labels->Get(core::kMetricName);
        if (name != notes.metric_name) notes.noted_not_counter = false;
        notes.metric_name = name;
        row = out.AddRow(head.labels, head.drop_name || !function.keeps_name);
      },
      [&](std::size_t step, RangeWindow& window) {
        window.notes = &notes;
        if (!function.reads_histograms && !window.histograms.empty()) {
          if (window.values.empty()) return;
          annotations_.Info("ignored histograms in a range containing both floats and histograms for metric name " +
                                core::GoQuote(notes.metric_name),
                            notes.at());
        }
        for (std::size_t i = 0; i < params.size(); ++i) at_step[i] = params[i][step];
        row[step] = function.range(window, at_step);
      });
  if (!done) return core::Fail(done.error());
  if (!notes.error.empty()) return core::Fail(core::ErrorCode::kInvalid, notes.error);
  out.DropEmptyRows();
  auto checked = CheckNames(std::move(out));
  if (!checked) return core::Fail(checked.error());
  value.vector = std::move(*checked);
  return value;
}

core::Result<VectorValue> Evaluator::CheckNames(VectorValue vector) {
  if (options_.delayed_name_removal || !DroppedNamesDiffer(vector)) return vector;
  return MergeEqualRows(std::move(vector), true);
}

core::Labels Evaluator::VisibleLabels(const SeriesHead& head) const {
  return NameIsHidden(head) ? WithoutMetadata(*head.labels) : *head.labels;
}

core::Result<MatrixReader> MatrixReader::Open(Evaluator& evaluator, const Expr& expr, const Steps& steps) {
  MatrixReader reader(evaluator);
  auto opened = expr.kind == Expr::Kind::kSubquery
                    ? reader.OpenSubquery(static_cast<const SubqueryExpr&>(expr), steps)
                    : reader.OpenSelector(static_cast<const MatrixSelector&>(expr), steps);
  if (!opened) return core::Fail(opened.error());
  return reader;
}

core::Result<void> MatrixReader::OpenSelector(const MatrixSelector& matrix, const Steps& steps) {
  const auto range = evaluator_->Resolve(matrix.range, true);
  if (!range) return core::Fail(range.error());
  const auto shift = evaluator_->ResolveShift(matrix.vector->shift);
  if (!shift) return core::Fail(shift.error());
  range_ = *range;
  at_ = shift->at;
  offset_ = shift->offset;
  from_ = Start(steps.start) + 1;
  to_ = End(steps.last());
  summary_only_ = evaluator_->summary_only_.contains(matrix.vector.get());
  auto set = evaluator_->querier_->Select(
      {.from = from_,
       .to = to_,
       .check = [evaluator = evaluator_](std::size_t samples) { return evaluator->CheckLimits(samples); }},
      matrix.vector->matchers);
  if (!set) return core::Fail(set.error());
  set_ = std::move(*set);
  return {};
}

core::Result<void> MatrixReader::OpenSubquery(const SubqueryExpr& subquery, const Steps& steps) {
  const auto inner = evaluator_->SubqueryInner(subquery, steps.start, steps.last());
  if (!inner) return core::Fail(inner.error());
  const auto range = evaluator_->Resolve(subquery.range, true);
  const auto shift = evaluator_->ResolveShift(subquery.shift);
  range_ = *range;
  at_ = shift->at;
  offset_ = shift->offset;
  inner_steps_ = *inner;
  if (inner->count == 0) return {};
  auto vector = evaluator_->EvalVector(*subquery.expr, *inner);
  if (!vector) return core::Fail(vector.error());
  inner_ = std::move(*vector);
  return {};
}

core::Result<void> MatrixReader::Load(std::size_t index) {
  floats_.Clear();
  histogram_times_.clear();
  histograms_.clear();
  if (set_ == nullptr) {
    const double* row = inner_.row(index);
    for (std::size_t step = 0; step < inner_.steps; ++step) {
      if (IsHistogram(row[step])) {
        histogram_times_.push_back(inner_steps_.At(step));
        histograms_.push_back(WithoutHint(evaluator_->histograms().At(row[step])));
      } else if (IsPresent(row[step])) {
        floats_.Add(inner_steps_.At(step), row[step]);
      }
      if ((step & 4095U) == 4095U)
        if (auto ok = evaluator_->CheckLimits(floats_.size() + histograms_.size()); !ok) return ok;
    }
    return evaluator_->CheckLimits(floats_.size() + histograms_.size());
  }
  if (auto read = set_->Read(index, from_, to_, floats_); !read) return read;
  evaluator_->samples_read_ += floats_.size();
  if (summary_only_) SummarizeAll(floats_);
  Split();
  return evaluator_->CheckLimits(floats_.size() + histograms_.size());
}

// Takes histograms and staleness markers out of the floats.
void MatrixReader::Split() {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < floats_.size(); ++i) {
    double value = floats_.values[i];
    if (std::isnan(value)) {
      if (core::IsStaleNaN(value)) continue;
      if (!floats_.histograms.empty() && floats_.histograms[i] != nullptr) {
        histogram_times_.push_back(floats_.times[i]);
        histograms_.push_back(std::move(floats_.histograms[i]));
        continue;
      }
      value = PlainNaN(value);
    }
    floats_.times[kept] = floats_.times[i];
    floats_.values[kept++] = value;
  }
  floats_.times.resize(kept);
  floats_.values.resize(kept);
  floats_.histograms.clear();
}

}  // namespace pipewarden::rules::promql
