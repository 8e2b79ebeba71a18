// Aggregations: groups are worked out once a series, then columns are added up step by step. Native histograms can be
// added up, averaged, counted and chosen; what else is asked of them leaves them out, with an info.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cmath>

#include "core/text/go_float.h"
#include "core/text/go_string.h"
#include "core/text/utf8.h"
#include "rules/promql/evaluator.h"
#include "rules/promql/grouping.h"
#include "rules/promql/histogram_arithmetic.h"
#include "rules/promql/histogram_estimates.h"

namespace pipewarden::rules::promql {
namespace {

// Which group each row belongs to, and the labels of the groups.
class Groups {
 public:
  Groups(const Evaluator& evaluator, const AggregateExpr& expr) : evaluator_(evaluator), expr_(expr) {
    for (const std::string& name : expr.grouping) without_.push_back(name);
  }

  void Assign(const VectorValue& vector) {
    of_row.resize(vector.size());
    KeyIndex index;
    std::string key;
    for (std::size_t i = 0; i < vector.size(); ++i) {
      const SeriesHead& head = vector.series[i];
      if (expr_.without)
        AppendKeyWithout(*head.labels, without_, true, key);
      else
        AppendKeyOf(*head.labels, expr_.grouping, evaluator_.NameIsHidden(head), key);
      const auto [entry, added] = index.try_emplace(key, heads.size());
      if (added) heads.push_back({std::make_shared<const core::Labels>(LabelsOf(head)), DropsName(head)});
      // One member that drops its name drops the group's.
      heads[entry->second].drop_name |= DropsName(head);
      of_row[i] = entry->second;
    }
  }

  std::size_t size() const { return heads.size(); }

  std::vector<SeriesHead> heads;
  std::vector<std::size_t> of_row;

 private:
  // A name that is kept for now (delayed removal) and grouped by goes at the end.
  bool DropsName(const SeriesHead& head) const { return head.drop_name && !evaluator_.NameIsHidden(head); }

  core::Labels LabelsOf(const SeriesHead& head) const {
    std::vector<core::LabelView> labels;
    const bool hidden = evaluator_.NameIsHidden(head);
    for (const core::LabelView label : *head.labels) {
      const bool listed = std::ranges::find(expr_.grouping, label.name) != expr_.grouping.end();
      const bool metadata = IsMetadataLabel(label.name);
      if (expr_.without ? !listed && !metadata : listed && !(hidden && metadata)) labels.push_back(label);
    }
    return core::Labels(labels);
  }

  const Evaluator& evaluator_;
  const AggregateExpr& expr_;
  std::vector<std::string_view> without_;
};

// Accumulators: Add each sample, Result at the end; none is asked for a result without a sample.
struct SumOf {
  KahanSum sum;
  void Add(double v) { sum.Add(v); }
  double Result() const { return sum.Result(); }
};
struct CountOf {
  double count = 0;
  void Add(double) { count += 1; }
  double Result() const { return count; }
};
struct GroupOf {
  void Add(double) {}
  double Result() const { return 1; }
};
template <class Better>
struct ExtremeOf {
  double best = 0;
  bool any = false;
  void Add(double v) {
    if (!any || Better{}(v, best) || std::isnan(best)) best = v;
    any = true;
  }
  double Result() const { return best; }
};
struct VarianceOf {
  double count = 0;
  double mean = 0;
  double squares = 0;
  void Add(double v) {
    count += 1;
    if (count == 1) {
      mean = v;
      squares = std::isfinite(v) ? 0 : core::NormalNaN();
      return;
    }
    const double delta = v - mean;
    mean += delta / count;
    squares += delta * (v - mean);
  }
  double Result() const { return squares / count; }
};
struct DeviationOf : VarianceOf {
  double Result() const { return std::sqrt(VarianceOf::Result()); }
};

// Where annotations on aggregated samples go.
struct AggregateNotes {
  Annotations& annotations;
  HistogramPool& histograms;
  const AggregateExpr& expr;

  PositionRange at() const { return Unwrap(*expr.expr).pos; }
  // topk and bottomk name their own place.
  void NoteIgnored() const {
    const bool chooses = expr.op == AggregateOp::kTopk || expr.op == AggregateOp::kBottomk;
    annotations.Info("ignored histogram in " + std::string(AggregateOpText(expr.op)) + " aggregation",
                     chooses ? expr.pos : at());
  }
};

// Leaves out the histograms; true where there were some.
bool RemoveHistograms(VectorValue& vector) {
  const auto histograms = std::ranges::count_if(vector.cells, IsHistogram);
  std::ranges::replace_if(vector.cells, IsHistogram, Absent());
  if (histograms > 0) vector.DropEmptyRows();
  return histograms > 0;
}

template <class Accumulator>
VectorValue Accumulate(const VectorValue& vector, const Groups& groups) {
  VectorValue out(vector.steps);
  out.Reserve(groups.size());
  for (const SeriesHead& head : groups.heads) out.AddRow(head.labels, head.drop_name);
  std::vector<Accumulator> accumulators(groups.size() * vector.steps);
  std::vector<unsigned char> any(accumulators.size(), 0);
  for (std::size_t i = 0; i < vector.size(); ++i) {
    const double* row = vector.row(i);
    const std::size_t base = groups.of_row[i] * vector.steps;
    for (std::size_t step = 0; step < vector.steps; ++step) {
      if (IsAbsent(row[step])) continue;
      accumulators[base + step].Add(row[step]);
      any[base + step] = 1;
    }
  }
  for (std::size_t cell = 0; cell < accumulators.size(); ++cell)
    if (any[cell] != 0) out.cells[cell] = accumulators[cell].Result();
  return out;
}

// sum and avg of one group at one step: of floats, or of histograms; both together have no result.
template <class Floats, class OfHistograms>
class MixedAccumulator {
 public:
  void Add(double cell, const SeriesHead& head, bool name_hidden, const AggregateNotes& notes) {
    if (impossible_) return;
    if (!IsHistogram(cell)) {
      any_float_ = true;
      floats_.Add(cell);
      return;
    }
    if (!any_float_ && histograms_ == nullptr) histograms_ = std::make_unique<OfHistograms>();
    any_histogram_ = true;
    if (histograms_ == nullptr) return;
    const HistogramMerge merge = histograms_->Add(*notes.histograms.At(cell));
    if (!merge.possible) {
      impossible_ = true;
      const std::string_view name = name_hidden ? std::string_view() : head.labels->Get(core::kMetricName);
      notes.annotations.Warn(
          "vector contains a mix of histograms with exponential and custom buckets schemas for metric name " +
              core::GoQuote(name),
          notes.at());
    }
    if (merge.bounds_reconciled)
      notes.annotations.Info("mismatched custom buckets were reconciled during aggregation", notes.at());
  }

  double Result(const AggregateNotes& notes) const {
    if (any_float_ && any_histogram_) {
      notes.annotations.Warn("encountered a mix of histograms and floats for aggregation", notes.at());
      return Absent();
    }
    if (impossible_ || (!any_float_ && !any_histogram_)) return Absent();
    if (any_float_) return floats_.Result();
    if (histograms_->resets_conflict())
      notes.annotations.Warn("conflicting counter resets during histogram aggregation", notes.at());
    FloatHistogram result = histograms_->Result();
    core::Compact(result);
    return notes.histograms.Add(std::move(result));
  }

 private:
  Floats floats_;
  std::unique_ptr<OfHistograms> histograms_;
  bool any_float_ = false;
  bool any_histogram_ = false;
  bool impossible_ = false;
};

template <class Floats, class OfHistograms>
VectorValue AccumulateMixed(const VectorValue& vector, const Groups& groups, const Evaluator& evaluator,
                            const AggregateNotes& notes) {
  if (notes.histograms.empty()) return Accumulate<Floats>(vector, groups);
  VectorValue out(vector.steps);
  for (const SeriesHead& head : groups.heads) out.AddRow(head.labels, head.drop_name);
  for (std::size_t step = 0; step < vector.steps; ++step) {
    std::vector<MixedAccumulator<Floats, OfHistograms>> accumulators(groups.size());
    for (std::size_t i = 0; i < vector.size(); ++i) {
      const SeriesHead& head = vector.series[i];
      if (const double cell = vector.row(i)[step]; IsPresent(cell))
        accumulators[groups.of_row[i]].Add(cell, head, evaluator.NameIsHidden(head), notes);
    }
    for (std::size_t group = 0; group < groups.size(); ++group)
      out.row(group)[step] = accumulators[group].Result(notes);
  }
  out.DropEmptyRows();
  return out;
}

VectorValue Quantiles(const VectorValue& vector, const Groups& groups, const std::vector<double>& q) {
  VectorValue out(vector.steps);
  for (const SeriesHead& head : groups.heads) out.AddRow(head.labels, head.drop_name);
  std::vector<std::vector<double>> values(groups.size());
  for (std::size_t step = 0; step < vector.steps; ++step) {
    for (auto& group : values) group.clear();
    for (std::size_t i = 0; i < vector.size(); ++i)
      if (const double v = vector.row(i)[step]; IsPresent(v)) values[groups.of_row[i]].push_back(v);
    for (std::size_t group = 0; group < groups.size(); ++group)
      if (!values[group].empty()) out.row(group)[step] = Quantile(q[step], values[group]);
  }
  return out;
}

core::Result<VectorValue> CountValues(const Evaluator& evaluator, const AggregateExpr& expr, const VectorValue& vector,
                                      const Groups& groups, const std::string& label) {
  VectorValue out(vector.steps);
  const bool hidden = expr.without && std::ranges::find(expr.grouping, label) != expr.grouping.end();
  KeyIndex index;
  std::string key;
  for (std::size_t i = 0; i < vector.size(); ++i) {
    const SeriesHead& head = groups.heads[groups.of_row[i]];
    for (std::size_t step = 0; step < vector.steps; ++step) {
      const double value = vector.row(i)[step];
      if (IsAbsent(value)) continue;
      const std::string text =
          IsHistogram(value) ? HistogramText(*evaluator.histograms().At(value)) : core::FormatGoFloat(value, 'f', -1);
      key = std::to_string(groups.of_row[i]) + " " + (hidden ? "" : text);
      auto entry = index.find(key);
      if (entry == index.end()) {
        core::Labels labels = *head.labels;
        if (!hidden) labels.Set(label, text);
        entry = index.emplace(key, out.size()).first;
        out.AddRow(std::make_shared<const core::Labels>(std::move(labels)), head.drop_name);
      }
      double& count = out.row(entry->second)[step];
      count = IsAbsent(count) ? 1 : count + 1;
    }
  }
  // The new label may hide one of the grouping: by (version) with count_values("version", …).
  if (std::ranges::find(expr.grouping, label) == expr.grouping.end() && !expr.without) return out;
  VectorValue merged(out.steps);
  KeyIndex by_labels;
  for (std::size_t i = 0; i < out.size(); ++i) {
    AppendKeyWithout(*out.series[i].labels, {}, evaluator.NameIsHidden(out.series[i]), key);
    const auto [entry, added] = by_labels.try_emplace(key, merged.size());
    if (added) merged.AddRow(out.series[i].labels, out.series[i].drop_name);
    for (std::size_t step = 0; step < out.steps; ++step) {
      double& count = merged.row(entry->second)[step];
      const double more = out.row(i)[step];
      if (IsPresent(more)) count = IsAbsent(count) ? more : count + more;
    }
  }
  return merged;
}

bool TakesHistograms(AggregateOp op) {
  switch (op) {
    case AggregateOp::kSum:
    case AggregateOp::kAvg:
    case AggregateOp::kCount:
    case AggregateOp::kGroup:
    case AggregateOp::kCountValues:
    case AggregateOp::kLimitk:
    case AggregateOp::kLimitRatio:
      return true;
    default:
      return false;
  }
}

// topk, bottomk and limitk keep input series, each at the steps where it is among the chosen.
class Chooser {
 public:
  Chooser(AggregateOp op, const VectorValue& vector, const Groups& groups)
      : op_(op), vector_(vector), groups_(groups), chosen_(groups.size()) {}

  core::Result<VectorValue> Run(const std::vector<double>& counts) {
    VectorValue out(vector_.steps);
    out.series = vector_.series;
    out.cells.assign(vector_.cells.size(), Absent());
    for (std::size_t step = 0; step < vector_.steps; ++step) {
      if (std::isnan(counts[step])) return core::Fail(core::ErrorCode::kInvalid, "Parameter value is NaN");
      if (counts[step] >= 9223372036854775808.0)
        return core::Fail(core::ErrorCode::kInvalid,
                          "Scalar value " + core::FormatGoFloat(counts[step], 'g', -1) + " overflows int64");
      if (counts[step] < 1) continue;
      Choose(step, static_cast<std::size_t>(std::min(counts[step], static_cast<double>(vector_.size()))));
      for (const auto& group : chosen_)
        for (const std::size_t row : group) out.row(row)[step] = vector_.row(row)[step];
    }
    if (vector_.steps == 1) return InOrder(out);
    out.DropEmptyRows();
    return out;
  }

 private:
  // The worse of two for this operator; NaN is the worst.
  bool Worse(double a, double b) const {
    if (std::isnan(a)) return !std::isnan(b);
    if (std::isnan(b)) return false;
    return op_ == AggregateOp::kTopk ? a < b : a > b;
  }

  void Choose(std::size_t step, std::size_t k) {
    const auto value = [&](std::size_t row) { return vector_.row(row)[step]; };
    // The heap's front is the worst chosen. Its moves are those of Go's container/heap, because they decide which of
    // equal values stay.
    const auto less = [&](std::size_t a, std::size_t b) {
      if (std::isnan(value(a))) return true;
      return op_ == AggregateOp::kTopk ? value(a) < value(b) : value(a) > value(b);
    };
    for (auto& group : chosen_) group.clear();
    for (std::size_t row = 0; row < vector_.size(); ++row) {
      if (IsAbsent(value(row))) continue;
      std::vector<std::size_t>& heap = chosen_[groups_.of_row[row]];
      if (heap.size() < k) {
        heap.push_back(row);
        if (op_ != AggregateOp::kLimitk) MoveUp(heap, less);
      } else if (op_ != AggregateOp::kLimitk && Worse(value(heap.front()), value(row))) {
        heap.front() = row;
        MoveDown(heap, less);
      }
    }
  }

  template <class Less>
  static void MoveUp(std::vector<std::size_t>& heap, Less less) {
    for (std::size_t at = heap.size() - 1; at > 0;) {
      const std::size_t parent = (at - 1) / 2;
      if (!less(heap[at], heap[parent])) break;
      std::swap(heap[at], heap[parent]);
      at = parent;
    }
  }
  template <class Less>
  static void MoveDown(std::vector<std::size_t>& heap, Less less) {
    for (std::size_t at = 0;;) {
      std::size_t child = 2 * at + 1;
      if (child >= heap.size()) break;
      if (child + 1 < heap.size() && less(heap[child + 1], heap[child])) ++child;
      if (!less(heap[child], heap[at])) break;
      std::swap(heap[at], heap[child]);
      at = child;
    }
  }

  // At one instant the best come first, group by group.
  VectorValue InOrder(const VectorValue& all) {
    VectorValue out(1);
    for (auto& group : chosen_) {
      if (op_ != AggregateOp::kLimitk)
        std::ranges::stable_sort(group,
                                 [&](std::size_t a, std::size_t b) { return Worse(all.cells[b], all.cells[a]); });
      for (const std::size_t row : group)
        *out.AddRow(all.series[row].labels, all.series[row].drop_name) = all.cells[row];
    }
    return out;
  }

  AggregateOp op_;
  const VectorValue& vector_;
  const Groups& groups_;
  std::vector<std::vector<std::size_t>> chosen_;
};

// As Prometheus hashes a label set, so that both choose the same series: each text behind its length.
std::uint64_t PrometheusHash(const core::Labels& labels) {
  std::string data;
  const auto add = [&](std::string_view text) {
    const std::size_t size = text.size();
    if (size < 255)
      data += static_cast<char>(size);
    else
      data.append({'\xFF', static_cast<char>(size), static_cast<char>(size >> 8), static_cast<char>(size >> 16)});
    data += text;
  };
  for (const auto& label : labels) {
    add(label.name);
    add(label.value);
  }
  return XXH64(data.data(), data.size(), 0);
}

core::Result<VectorValue> LimitRatio(VectorValue vector, const std::vector<double>& ratios,
                                     const Evaluator& evaluator) {
  if (std::ranges::any_of(ratios, [](double ratio) { return std::isnan(ratio); }))
    return core::Fail(core::ErrorCode::kInvalid, "Ratio value is NaN");
  for (std::size_t i = 0; i < vector.size(); ++i) {
    const core::Labels labels = evaluator.VisibleLabels(vector.series[i]);
    const double place = static_cast<double>(PrometheusHash(labels)) / static_cast<double>(~0ULL);
    for (std::size_t step = 0; step < vector.steps; ++step) {
      const double ratio = ratios[step];
      const double limited = std::clamp(ratio, -1.0, 1.0);
      const bool chosen = limited >= 0 ? place < limited : place >= 1.0 + limited;
      if (!chosen) vector.row(i)[step] = Absent();
    }
  }
  vector.DropEmptyRows();
  return vector;
}

}  // namespace

core::Result<Value> Evaluator::EvalAggregate(const AggregateExpr& expr, const Steps& steps) {
  std::vector<double> param;
  std::string label;
  if (expr.op == AggregateOp::kCountValues) {
    label = static_cast<const StringLiteral&>(Unwrap(*expr.param)).value;
    if (label.empty() || !core::IsValidUtf8(label))
      return core::Fail(core::ErrorCode::kInvalid, "invalid label name " + core::GoQuote(label));
  } else if (expr.param != nullptr) {
    auto scalar = EvalScalar(*expr.param, steps);
    if (!scalar) return core::Fail(scalar.error());
    param = std::move(*scalar);
  }
  auto vector = EvalVector(*expr.expr, steps);
  if (!vector) return core::Fail(vector.error());
  if (expr.op == AggregateOp::kQuantile)
    for (const double q : param) WarnOfBadQuantile(annotations_, q, Unwrap(*expr.param).pos);
  if (expr.op == AggregateOp::kLimitRatio)
    for (const double ratio : param)
      if (ratio < -1 || ratio > 1)
        annotations_.Warn("ratio value should be between -1 and 1, got " + core::FormatGoFloat(ratio, 'g', -1) +
                              ", capping to " + core::FormatGoFloat(std::clamp(ratio, -1.0, 1.0), 'g', -1),
                          Unwrap(*expr.param).pos);
  const AggregateNotes notes{annotations_, histograms_, expr};
  if (!histograms_.empty() && !TakesHistograms(expr.op) && RemoveHistograms(*vector)) notes.NoteIgnored();
  Groups groups(*this, expr);
  groups.Assign(*vector);
  core::Result<VectorValue> out = VectorValue(steps.count);
  switch (expr.op) {
    case AggregateOp::kSum:
      out = AccumulateMixed<SumOf, HistogramSum>(*vector, groups, *this, notes);
      break;
    case AggregateOp::kAvg:
      out = AccumulateMixed<Mean, HistogramMean>(*vector, groups, *this, notes);
      break;
    case AggregateOp::kMin:
      out = Accumulate<ExtremeOf<std::less<>>>(*vector, groups);
      break;
    case AggregateOp::kMax:
      out = Accumulate<ExtremeOf<std::greater<>>>(*vector, groups);
      break;
    case AggregateOp::kCount:
      out = Accumulate<CountOf>(*vector, groups);
      break;
    case AggregateOp::kGroup:
      out = Accumulate<GroupOf>(*vector, groups);
      break;
    case AggregateOp::kStddev:
      out = Accumulate<DeviationOf>(*vector, groups);
      break;
    case AggregateOp::kStdvar:
      out = Accumulate<VarianceOf>(*vector, groups);
      break;
    case AggregateOp::kTopk:
    case AggregateOp::kBottomk:
    case AggregateOp::kLimitk:
      out = Chooser(expr.op, *vector, groups).Run(param);
      break;
    case AggregateOp::kQuantile:
      out = Quantiles(*vector, groups, param);
      break;
    case AggregateOp::kCountValues:
      out = CountValues(*this, expr, *vector, groups, label);
      break;
    case AggregateOp::kLimitRatio:
      out = LimitRatio(std::move(*vector), param, *this);
      break;
  }
  if (!out) return core::Fail(out.error());
  Value value;
  value.type = ValueType::kVector;
  value.vector = std::move(*out);
  return value;
}

}  // namespace pipewarden::rules::promql
