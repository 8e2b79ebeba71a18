// Binary operators: scalars, vectors with scalars, and vectors matched by labels. Matching is worked out once a series;
// only where several series share a match group are the steps looked at one by one. Floats run down columns; as soon as
// the evaluation holds native histograms, each pair of cells is looked at by itself.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/text/go_string.h"
#include "rules/promql/evaluator.h"
#include "rules/promql/grouping.h"
#include "rules/promql/histogram_arithmetic.h"
#include "rules/promql/histogram_estimates.h"

namespace pipewarden::rules::promql {
namespace {

using Card = VectorMatching::Card;

double Arithmetic(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::kAdd:
      return a + b;
    case BinaryOp::kSub:
      return a - b;
    case BinaryOp::kMul:
      return a * b;
    case BinaryOp::kDiv:
      return a / b;
    case BinaryOp::kMod:
      return std::fmod(a, b);
    case BinaryOp::kPow:
      return std::pow(a, b);
    case BinaryOp::kAtan2:
      return std::atan2(a, b);
    default:
      return core::NormalNaN();
  }
}

bool Compare(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::kEqual:
      return a == b;
    case BinaryOp::kNotEqual:
      return a != b;
    case BinaryOp::kGreater:
      return a > b;
    case BinaryOp::kLess:
      return a < b;
    case BinaryOp::kGreaterEqual:
      return a >= b;
    case BinaryOp::kLessEqual:
      return a <= b;
    default:
      return false;
  }
}

bool IsTrim(BinaryOp op) { return op == BinaryOp::kTrimUpper || op == BinaryOp::kTrimLower; }

// The cell of `a op b`; `kept` is what a comparison lets through.
double Cell(const BinaryExpr& expr, double a, double b, double kept) {
  if (!IsComparison(expr.op)) return Arithmetic(expr.op, a, b);
  const bool holds = Compare(expr.op, a, b);
  if (expr.return_bool) return holds ? 1 : 0;
  return holds ? kept : Absent();
}

// The columns of one operator: the switch is taken once a row, so that the loops are plain.
template <class Operation>
void Column(const double* a, const double* b, double* out, std::size_t count, Operation operation) {
  for (std::size_t i = 0; i < count; ++i)
    if (IsPresent(a[i]) && IsPresent(b[i])) out[i] = operation(a[i], b[i]);
}

void Columns(const BinaryExpr& expr, const double* a, const double* b, const double* kept, double* out,
             std::size_t count) {
  switch (expr.op) {
    case BinaryOp::kAdd:
      return Column(a, b, out, count, [](double x, double y) { return x + y; });
    case BinaryOp::kSub:
      return Column(a, b, out, count, [](double x, double y) { return x - y; });
    case BinaryOp::kMul:
      return Column(a, b, out, count, [](double x, double y) { return x * y; });
    case BinaryOp::kDiv:
      return Column(a, b, out, count, [](double x, double y) { return x / y; });
    default:
      for (std::size_t i = 0; i < count; ++i)
        if (IsPresent(a[i]) && IsPresent(b[i])) out[i] = Cell(expr, a[i], b[i], kept[i]);
  }
}

bool ChangesMetric(BinaryOp op) { return !IsComparison(op) && !IsTrim(op) && !IsSetOperator(op); }

// Which kinds of samples an operator takes.
bool TakesKinds(BinaryOp op, bool left_histogram, bool right_histogram) {
  if (!left_histogram && !right_histogram) return !IsTrim(op);
  if (!left_histogram) return op == BinaryOp::kMul;
  if (!right_histogram) return op == BinaryOp::kMul || op == BinaryOp::kDiv || IsTrim(op);
  return op == BinaryOp::kAdd || op == BinaryOp::kSub || op == BinaryOp::kEqual || op == BinaryOp::kNotEqual;
}

// Operators on cells of any kind. Of what goes wrong at a step the last is told, as in Prometheus.
class MixedCells {
 public:
  MixedCells(const BinaryExpr& expr, Annotations& annotations, HistogramPool& histograms, std::size_t steps)
      : expr_(expr), annotations_(annotations), histograms_(histograms), notes_(steps) {}
  ~MixedCells() {
    for (const Note& note : notes_) Tell(note);
  }
  MixedCells(const MixedCells&) = delete;
  MixedCells& operator=(const MixedCells&) = delete;

  void Column(const double* a, const double* b, const double* kept, double* out, std::size_t steps) {
    for (std::size_t step = 0; step < steps; ++step)
      if (IsPresent(a[step]) && IsPresent(b[step])) out[step] = One(a[step], b[step], kept[step], step);
  }

 private:
  struct Note {
    enum class What { kNothing, kTypes, kLayout, kResets, kBounds };
    What what = What::kNothing;
    bool left_histogram = false;
    bool right_histogram = false;
  };

  double One(double a, double b, double kept, std::size_t step) {
    const bool left = IsHistogram(a);
    const bool right = IsHistogram(b);
    if (!TakesKinds(expr_.op, left, right)) {
      notes_[step] = {Note::What::kTypes, left, right};
      return Absent();
    }
    if (!left && !right) return Cell(expr_, a, b, kept);
    if (left && right) return TwoHistograms(*histograms_.At(a), *histograms_.At(b), kept, step);
    FloatHistogram result = *histograms_.At(left ? a : b);
    const double number = left ? b : a;
    if (expr_.op == BinaryOp::kTrimUpper) {
      TrimAbove(result, number);
    } else if (expr_.op == BinaryOp::kTrimLower) {
      TrimBelow(result, number);
    } else {
      if (expr_.op == BinaryOp::kMul)
        Multiply(result, number);
      else
        Divide(result, number);
      core::Compact(result);
    }
    return histograms_.Add(std::move(result));
  }

  double TwoHistograms(const FloatHistogram& a, const FloatHistogram& b, double kept, std::size_t step) {
    if (IsComparison(expr_.op)) {
      const bool holds = core::SameHistogram(a, b) == (expr_.op == BinaryOp::kEqual);
      if (expr_.return_bool) return holds ? 1 : 0;
      return holds ? kept : Absent();
    }
    FloatHistogram result = a;
    const HistogramMerge merge = expr_.op == BinaryOp::kAdd ? Add(result, b) : Subtract(result, b);
    if (!merge.possible) notes_[step] = {.what = Note::What::kLayout};
    if (merge.resets_conflict) notes_[step] = {.what = Note::What::kResets};
    if (!merge.possible || merge.resets_conflict) return Absent();
    if (merge.bounds_reconciled) notes_[step] = {.what = Note::What::kBounds};
    if (expr_.op == BinaryOp::kSub) result.hint = core::CounterResetHint::kGauge;
    core::Compact(result);
    return histograms_.Add(std::move(result));
  }

  void Tell(const Note& note) {
    const std::string op(BinaryOpText(expr_.op));
    const std::string doing = expr_.op == BinaryOp::kAdd ? "addition" : "subtraction";
    const auto kind = [](bool histogram) { return histogram ? "histogram" : "float"; };
    switch (note.what) {
      case Note::What::kNothing:
        break;
      case Note::What::kTypes:
        annotations_.Info("incompatible sample types encountered for binary operator " + core::GoQuote(op) + ": " +
                              kind(note.left_histogram) + " " + op + " " + kind(note.right_histogram),
                          expr_.pos);
        break;
      case Note::What::kLayout:
        annotations_.Warn("incompatible bucket layout encountered for binary operator " + op, expr_.pos);
        break;
      case Note::What::kResets:
        annotations_.Warn("conflicting counter resets during histogram " + doing, expr_.pos);
        break;
      case Note::What::kBounds:
        annotations_.Info("mismatched custom buckets were reconciled during " + doing, expr_.pos);
        break;
    }
  }

  const BinaryExpr& expr_;
  Annotations& annotations_;
  HistogramPool& histograms_;
  std::vector<Note> notes_;
};

// The match groups of both sides: a number for each row, equal where the matching labels are.
class Signatures {
 public:
  Signatures(const Evaluator& evaluator, const VectorMatching& matching) : evaluator_(evaluator), matching_(matching) {
    for (const std::string& label : matching.labels) ignored_.push_back(label);
    ignored_.push_back(core::kMetricName);
  }

  std::vector<std::size_t> Of(const VectorValue& side) {
    std::vector<std::size_t> groups(side.size());
    for (std::size_t i = 0; i < side.size(); ++i) {
      const SeriesHead& head = side.series[i];
      if (matching_.on)
        AppendKeyOf(*head.labels, matching_.labels, evaluator_.NameIsHidden(head), key_);
      else
        AppendKeyWithout(*head.labels, ignored_, evaluator_.NameIsHidden(head), key_);
      groups[i] = index_.try_emplace(key_, index_.size()).first->second;
    }
    return groups;
  }
  std::size_t size() const { return index_.size(); }

 private:
  const Evaluator& evaluator_;
  const VectorMatching& matching_;
  std::vector<std::string_view> ignored_;
  KeyIndex index_;
  std::string key_;
};

// Rows by group: rows_of(g) are those of one match group.
class GroupedRows {
 public:
  GroupedRows(const std::vector<std::size_t>& groups, std::size_t group_count)
      : starts_(group_count + 1, 0), rows_(groups.size()) {
    for (const std::size_t group : groups) ++starts_[group + 1];
    for (std::size_t g = 0; g < group_count; ++g) starts_[g + 1] += starts_[g];
    std::vector<std::size_t> next(starts_.begin(), starts_.end() - 1);
    for (std::size_t row = 0; row < groups.size(); ++row) rows_[next[groups[row]]++] = row;
  }
  std::span<const std::size_t> Of(std::size_t group) const {
    return std::span(rows_).subspan(starts_[group], starts_[group + 1] - starts_[group]);
  }

 private:
  std::vector<std::size_t> starts_;
  std::vector<std::size_t> rows_;
};

std::vector<unsigned char> AnyPresent(const VectorValue& side) {
  std::vector<unsigned char> any(side.steps, 0);
  for (std::size_t i = 0; i < side.size(); ++i)
    for (std::size_t step = 0; step < side.steps; ++step)
      if (IsPresent(side.row(i)[step])) any[step] = 1;
  return any;
}

// vector op vector with arithmetic or comparison.
class VectorMatch {
 public:
  // `many` and `one`: lhs and rhs, but for group_right the other way round.
  VectorMatch(Evaluator& evaluator, const BinaryExpr& expr, VectorValue many, VectorValue one)
      : evaluator_(evaluator),
        expr_(expr),
        matching_(*expr.matching),
        many_(std::move(many)),
        one_(std::move(one)),
        swapped_(matching_.card == Card::kOneToMany) {}

  core::Result<VectorValue> Run();

 private:
  struct Trouble {
    std::size_t step = 0;
    core::Error error;
  };
  std::optional<Trouble> CheckOneSide(const std::vector<std::size_t>& groups, std::size_t group_count) const;
  std::size_t FirstAmbiguous(const GroupedRows& many, const GroupedRows& one, std::size_t groups,
                             std::size_t end) const;
  core::Error Duplicate(std::size_t a, std::size_t b) const;
  SeriesHead ResultHead(const SeriesHead& many, const SeriesHead& one) const;
  bool SharesLabels() const { return matching_.labels.empty() && !matching_.on && matching_.include.empty(); }
  bool Match(std::size_t many, std::size_t one, std::size_t step) const;

  Evaluator& evaluator_;
  const BinaryExpr& expr_;
  const VectorMatching& matching_;
  VectorValue many_;
  VectorValue one_;
  bool swapped_;
};

core::Error VectorMatch::Duplicate(std::size_t a, std::size_t b) const {
  const core::Labels labels = evaluator_.VisibleLabels(one_.series[a]);
  std::vector<core::LabelView> group;
  for (const core::LabelView label : labels) {
    const bool listed = std::ranges::find(matching_.labels, label.name) != matching_.labels.end();
    if (matching_.on ? listed : !listed && label.name != core::kMetricName) group.push_back(label);
  }
  std::string first = LabelsText(labels);
  std::string second = LabelsText(evaluator_.VisibleLabels(one_.series[b]));
  if (evaluator_.VisibleLabels(one_.series[b]) < labels) std::swap(first, second);
  return {core::ErrorCode::kInvalid, "found duplicate series for the match group " + LabelsText(core::Labels(group)) +
                                         " on the " + (swapped_ ? "left" : "right") + " hand-side of the operation: [" +
                                         first + ", " + second +
                                         "];many-to-many matching not allowed: matching labels must be unique on one "
                                         "side"};
}

// Two series of a group on the side that must be unique, at a step where the other side has any sample at all. The
// first such step is told of, and at it the first series.
std::optional<VectorMatch::Trouble> VectorMatch::CheckOneSide(const std::vector<std::size_t>& groups,
                                                              std::size_t group_count) const {
  std::vector<std::size_t> members(group_count, 0);
  bool shared = false;
  for (const std::size_t group : groups) shared |= ++members[group] > 1;
  if (!shared) return std::nullopt;
  const std::vector<unsigned char> other = AnyPresent(many_);
  constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
  std::vector<std::size_t> seen(group_count);
  for (std::size_t step = 0; step < one_.steps; ++step) {
    if (other[step] == 0) continue;
    std::ranges::fill(seen, kNone);
    for (std::size_t row = 0; row < groups.size(); ++row) {
      if (IsAbsent(one_.row(row)[step])) continue;
      if (std::size_t& first = seen[groups[row]]; first == kNone)
        first = row;
      else
        return Trouble{step, Duplicate(row, first)};
    }
  }
  return std::nullopt;
}

// The first step before `end` at which several series of the other side match, else `end`: an error without group_left
// or group_right, and with them where the results would have the same labels.
std::size_t VectorMatch::FirstAmbiguous(const GroupedRows& many, const GroupedRows& one, std::size_t groups,
                                        std::size_t end) const {
  const bool one_to_one = matching_.card == Card::kOneToOne;
  std::string key;
  for (std::size_t group = 0; group < groups; ++group) {
    const auto members = many.Of(group);
    const auto partners = one.Of(group);
    if (members.size() < 2 || partners.empty()) continue;
    std::unordered_map<std::string, std::vector<std::size_t>> by_result;
    for (const std::size_t row : members) {
      if (one_to_one) {
        key.clear();
      } else {
        const SeriesHead head = ResultHead(many_.series[row], one_.series[partners[0]]);
        AppendKeyWithout(*head.labels, {}, evaluator_.NameIsHidden(head), key);
      }
      by_result[key].push_back(row);
    }
    for (const auto& [labels, rows] : by_result) {
      if (rows.size() < 2) continue;
      for (std::size_t step = 0; step < end; ++step) {
        int matches = 0;
        for (const std::size_t row : rows)
          matches += std::ranges::any_of(partners, [&](std::size_t p) { return Match(row, p, step); }) ? 1 : 0;
        if (matches > 1) end = step;
      }
    }
  }
  return end;
}

// What the operator does not take is no match, nor are histograms that do not add up.
bool VectorMatch::Match(std::size_t many, std::size_t one, std::size_t step) const {
  double left = many_.row(many)[step];
  double right = one_.row(one)[step];
  if (swapped_) std::swap(left, right);
  if (IsAbsent(left) || IsAbsent(right) || !TakesKinds(expr_.op, IsHistogram(left), IsHistogram(right))) return false;
  if (!IsHistogram(left) || !IsHistogram(right) || IsComparison(expr_.op)) return true;
  FloatHistogram result = *evaluator_.histograms().At(left);
  const FloatHistogram& other = *evaluator_.histograms().At(right);
  const HistogramMerge merge = expr_.op == BinaryOp::kAdd ? Add(result, other) : Subtract(result, other);
  return merge.possible && !merge.resets_conflict;
}

SeriesHead VectorMatch::ResultHead(const SeriesHead& many, const SeriesHead& one) const {
  const bool drops = ChangesMetric(expr_.op);
  if (SharesLabels() && !(drops && evaluator_.options().delayed_name_removal))
    return {many.labels, many.drop_name || drops || expr_.return_bool};
  core::Labels labels = drops ? WithoutMetadata(*many.labels) : evaluator_.VisibleLabels(many);
  if (matching_.card == Card::kOneToOne) {
    std::vector<core::LabelView> kept;
    for (const core::LabelView label : labels) {
      const bool listed = std::ranges::find(matching_.labels, label.name) != matching_.labels.end();
      if (listed == matching_.on) kept.push_back(label);
    }
    labels = core::Labels(kept);
  }
  for (const std::string& name : matching_.include) {
    const bool hidden = evaluator_.NameIsHidden(one) && IsMetadataLabel(name);
    labels.Set(name, hidden ? std::string_view{} : one.labels->Get(name));
  }
  const bool drop = expr_.return_bool || (many.drop_name && !drops && evaluator_.options().delayed_name_removal);
  return {std::make_shared<const core::Labels>(std::move(labels)), drop};
}

core::Result<VectorValue> VectorMatch::Run() {
  VectorValue out(many_.steps);
  if (many_.size() == 0 || one_.size() == 0) return out;
  Signatures signatures(evaluator_, matching_);
  const auto many_groups = signatures.Of(many_);
  const auto one_groups = signatures.Of(one_);
  const GroupedRows many_rows(many_groups, signatures.size());
  const GroupedRows one_rows(one_groups, signatures.size());
  // The first step that is in trouble is told of.
  const std::optional<Trouble> duplicate = CheckOneSide(one_groups, signatures.size());
  const std::size_t end = duplicate ? duplicate->step : out.steps;
  if (FirstAmbiguous(many_rows, one_rows, signatures.size(), end) < end)
    return core::Fail(core::ErrorCode::kInvalid,
                      matching_.card == Card::kOneToOne
                          ? "multiple matches for labels: many-to-one matching must be explicit "
                            "(group_left/group_right)"
                          : "multiple matches for labels: grouping labels must ensure unique matches");
  if (duplicate) return core::Fail(duplicate->error);
  out.Reserve(many_.size());
  const bool mixed = !evaluator_.histograms().empty() || IsTrim(expr_.op);
  MixedCells cells(expr_, evaluator_.annotations(), evaluator_.histograms(), out.steps);
  for (std::size_t i = 0; i < many_.size(); ++i) {
    for (const std::size_t partner : one_rows.Of(many_groups[i])) {
      if (auto ok = evaluator_.CheckLimits(out.cells.size() + out.steps); !ok) return core::Fail(ok.error());
      SeriesHead head = ResultHead(many_.series[i], one_.series[partner]);
      double* row = out.AddRow(std::move(head.labels), head.drop_name);
      const double* many = many_.row(i);
      const double* one = one_.row(partner);
      // A comparison keeps the value of its left side.
      if (mixed)
        cells.Column(swapped_ ? one : many, swapped_ ? many : one, swapped_ ? one : many, row, out.steps);
      else if (swapped_)
        Columns(expr_, one, many, one, row, out.steps);
      else
        Columns(expr_, many, one, many, row, out.steps);
      if (std::all_of(row, row + out.steps, IsAbsent)) out.PopRow();
    }
  }
  if (SharesLabels() && matching_.card == Card::kOneToOne && signatures.size() >= many_.size() &&
      !DroppedNamesDiffer(out))
    return out;
  return MergeEqualRows(std::move(out), !evaluator_.options().delayed_name_removal);
}

// and, or, unless.
core::Result<VectorValue> SetOperation(Evaluator& evaluator, const BinaryExpr& expr, VectorValue lhs, VectorValue rhs) {
  if (rhs.size() == 0) return expr.op == BinaryOp::kAnd ? VectorValue(lhs.steps) : std::move(lhs);
  if (lhs.size() == 0) return expr.op == BinaryOp::kOr ? std::move(rhs) : std::move(lhs);
  Signatures signatures(evaluator, *expr.matching);
  const auto lhs_groups = signatures.Of(lhs);
  const auto rhs_groups = signatures.Of(rhs);
  const std::size_t steps = lhs.steps;
  // `filter` says where a row of `kept` stays, by what its group has on the other side.
  const auto presence = [&](const VectorValue& side, const std::vector<std::size_t>& groups) {
    std::vector<unsigned char> present(signatures.size() * steps, 0);
    for (std::size_t i = 0; i < side.size(); ++i)
      for (std::size_t step = 0; step < steps; ++step)
        if (IsPresent(side.row(i)[step])) present[groups[i] * steps + step] = 1;
    return present;
  };
  const auto filter = [&](VectorValue& kept, const std::vector<std::size_t>& groups,
                          const std::vector<unsigned char>& present, bool where) {
    for (std::size_t i = 0; i < kept.size(); ++i)
      for (std::size_t step = 0; step < steps; ++step)
        if ((present[groups[i] * steps + step] != 0) != where) kept.row(i)[step] = Absent();
    kept.DropEmptyRows();
  };
  if (expr.op != BinaryOp::kOr) {
    filter(lhs, lhs_groups, presence(rhs, rhs_groups), expr.op == BinaryOp::kAnd);
    return lhs;
  }
  filter(rhs, rhs_groups, presence(lhs, lhs_groups), false);
  for (std::size_t i = 0; i < rhs.size(); ++i) {
    double* row = lhs.AddRow(rhs.series[i].labels, rhs.series[i].drop_name);
    std::copy_n(rhs.row(i), steps, row);
  }
  if (steps == 1 || rhs.size() == 0) return lhs;
  // At one step a series stands on one side only; over several it can come from both.
  return MergeEqualRows(std::move(lhs), !evaluator.options().delayed_name_removal);
}

void WithScalar(Evaluator& evaluator, const BinaryExpr& expr, VectorValue& vector, const std::vector<double>& scalar,
                bool scalar_left) {
  const bool drops = ChangesMetric(expr.op) || expr.return_bool;
  const bool mixed = !evaluator.histograms().empty() || IsTrim(expr.op);
  MixedCells cells(expr, evaluator.annotations(), evaluator.histograms(), vector.steps);
  for (std::size_t i = 0; i < vector.size(); ++i) {
    vector.series[i].drop_name |= drops;
    double* row = vector.row(i);
    // The vector's value passes a comparison, on whichever side it stands.
    if (mixed)
      cells.Column(scalar_left ? scalar.data() : row, scalar_left ? row : scalar.data(), row, row, vector.steps);
    else if (scalar_left)
      Columns(expr, scalar.data(), row, row, row, vector.steps);
    else
      Columns(expr, row, scalar.data(), row, row, vector.steps);
  }
  if (mixed || (IsComparison(expr.op) && !expr.return_bool)) vector.DropEmptyRows();
}

}  // namespace

core::Result<Value> Evaluator::EvalBinary(const BinaryExpr& expr, const Steps& steps) {
  auto lhs = Eval(*expr.lhs, steps);
  if (!lhs) return lhs;
  auto rhs = Eval(*expr.rhs, steps);
  if (!rhs) return rhs;
  const bool lhs_vector = lhs->type == ValueType::kVector;
  const bool rhs_vector = rhs->type == ValueType::kVector;
  Value value;
  if (!lhs_vector && !rhs_vector && IsTrim(expr.op))
    return core::Fail(core::ErrorCode::kInvalid,
                      "operator \"" + std::string(BinaryOpText(expr.op)) + "\" not allowed for Scalar operations");
  if (!lhs_vector && !rhs_vector) {
    value.type = ValueType::kScalar;
    value.scalar.resize(steps.count);
    for (std::size_t i = 0; i < steps.count; ++i) value.scalar[i] = Cell(expr, lhs->scalar[i], rhs->scalar[i], 0);
    return value;
  }
  value.type = ValueType::kVector;
  value.vector = VectorValue(steps.count);
  core::Result<VectorValue> out = VectorValue(steps.count);
  if (lhs_vector && rhs_vector) {
    const bool swap = expr.matching->card == Card::kOneToMany;
    if (IsSetOperator(expr.op))
      out = SetOperation(*this, expr, std::move(lhs->vector), std::move(rhs->vector));
    else if (swap)
      out = VectorMatch(*this, expr, std::move(rhs->vector), std::move(lhs->vector)).Run();
    else
      out = VectorMatch(*this, expr, std::move(lhs->vector), std::move(rhs->vector)).Run();
  } else {
    VectorValue& vector = lhs_vector ? lhs->vector : rhs->vector;
    WithScalar(*this, expr, vector, lhs_vector ? rhs->scalar : lhs->scalar, !lhs_vector);
    out = CheckNames(std::move(vector));
  }
  if (!out) return core::Fail(out.error());
  value.vector = std::move(*out);
  return value;
}

}  // namespace pipewarden::rules::promql
