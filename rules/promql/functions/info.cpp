// info(v, {selector}): adds to each series the labels of its info metrics (target_info, or what the selector's __name__
// asks for), found by the identifying labels instance and job. Source: https://prometheus.io/docs/prometheus/latest/
// querying/functions/#info.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "rules/promql/evaluator.h"
#include "rules/promql/functions/call_context.h"
#include "rules/promql/functions/function_list.h"
#include "rules/promql/grouping.h"

namespace pipewarden::rules::promql {
namespace {

constexpr std::string_view kIdentifying[] = {"instance", "job"};

using Identity = std::pair<std::string, std::string>;  // instance, job
Identity IdentityOf(const core::Labels& labels) {
  return {std::string(labels.Get(kIdentifying[0])), std::string(labels.Get(kIdentifying[1]))};
}

core::Result<core::Matcher> MatchName(core::MatchOp op, std::string_view value) {
  return core::Matcher::Make(std::string(core::kMetricName), op, std::string(value));
}

// The time at which the first argument looks at its series.
struct Reference {
  std::optional<TimestampMs> at;
  TimestampMs offset = 0;

  bool operator==(const Reference& other) const {
    if (!at || !other.at) return !at && !other.at && offset == other.offset;
    return *at - offset == *other.at - other.offset;
  }
};

// Finds the one reference that all selectors of an expression share.
class ReferenceFinder {
 public:
  explicit ReferenceFinder(const Evaluator& evaluator) : evaluator_(evaluator) {}

  // The query's own time where they do not share one.
  core::Result<Reference> Find(const Expr& expr) {
    auto looked = Look(expr);
    if (!looked) return core::Fail(looked.error());
    return first_ && uniform_ && !timeless_ ? *first_ : Reference{};
  }

 private:
  // Whether there is a selector in it.
  core::Result<bool> Look(const Expr& expr) {
    const ValueType type = TypeOf(expr);
    if (type != ValueType::kVector && type != ValueType::kMatrix) return false;
    if (expr.kind == Expr::Kind::kVectorSelector) {
      auto reference = Of(static_cast<const VectorSelector&>(expr));
      if (!reference) return core::Fail(reference.error());
      if (!first_) first_ = *reference;
      uniform_ = uniform_ && *first_ == *reference;
      return true;
    }
    std::vector<const Expr*> children = ChildrenOf(expr);
    // The second argument of info() is no selection of its own.
    if (expr.kind == Expr::Kind::kCall && static_cast<const Call&>(expr).function->name == "info") children.resize(1);
    if (expr.kind == Expr::Kind::kSubquery) around_.push_back(&static_cast<const SubqueryExpr&>(expr));
    bool any = false;
    for (const Expr* child : children) {
      const auto found = Look(*child);
      if (!found) return found;
      any |= *found;
    }
    if (expr.kind == Expr::Kind::kSubquery) around_.pop_back();
    timeless_ |= !any;
    return any;
  }

  // Offsets of the subqueries around it add up, until an @ anchors it.
  core::Result<Reference> Of(const VectorSelector& selector) const {
    auto shift = evaluator_.ResolveShift(selector.shift);
    if (!shift) return core::Fail(shift.error());
    Reference reference{shift->at, shift->offset};
    for (auto subquery = around_.rbegin(); subquery != around_.rend() && !reference.at; ++subquery) {
      shift = evaluator_.ResolveShift((*subquery)->shift);
      if (!shift) return core::Fail(shift.error());
      reference.offset += shift->offset;
      reference.at = shift->at;
    }
    return reference;
  }

  const Evaluator& evaluator_;
  std::vector<const SubqueryExpr*> around_;
  std::optional<Reference> first_;
  bool uniform_ = true;
  bool timeless_ = false;
};

// What is asked for: which info metrics, and which of their labels.
struct Wanted {
  std::vector<core::Matcher> names;
  std::vector<core::Matcher> labels;

  bool IsInfo(std::string_view name) const {
    return std::ranges::all_of(names, [&](const core::Matcher& matcher) { return matcher.Matches(name); });
  }
  bool Takes(std::string_view label) const {
    return labels.empty() ||
           std::ranges::any_of(labels, [&](const core::Matcher& matcher) { return matcher.name() == label; });
  }
  // A series without info metrics stays where the matchers are content with labels that are not there.
  bool KeepsWithout() const { return std::ranges::all_of(labels, &core::Matcher::MatchesEmpty); }
};

core::Result<Wanted> WantedBy(CallContext& call) {
  Wanted wanted;
  if (call.size() > 1)
    for (const core::Matcher& matcher : static_cast<const VectorSelector&>(call.arg(1)).matchers)
      (matcher.name() == core::kMetricName ? wanted.names : wanted.labels).push_back(matcher);
  const bool positive = std::ranges::any_of(wanted.names, [](const core::Matcher& matcher) {
    return matcher.op() == core::MatchOp::kEqual || matcher.op() == core::MatchOp::kRegex;
  });
  if (positive) return wanted;
  auto name = wanted.names.empty() ? MatchName(core::MatchOp::kEqual, "target_info")
                                   : MatchName(core::MatchOp::kRegex, ".+_info");
  if (!name) return core::Fail(name.error());
  wanted.names.insert(wanted.names.begin(), std::move(*name));
  return wanted;
}

// Instances and jobs of the base series, apart by which of the two a series has.
class Identities {
 public:
  void Add(const Identity& identity) {
    Pattern& pattern = patterns_[PatternOf(identity)];
    pattern.instances.insert(identity.first);
    pattern.jobs.insert(identity.second);
  }
  bool Contains(const Identity& identity) const {
    const auto pattern = patterns_.find(PatternOf(identity));
    return PatternOf(identity) != 0 && pattern != patterns_.end() &&
           pattern->second.instances.contains(identity.first) && pattern->second.jobs.contains(identity.second);
  }

 private:
  struct Pattern {
    std::set<std::string> instances;
    std::set<std::string> jobs;
  };
  static int PatternOf(const Identity& identity) {
    return (identity.first.empty() ? 0 : 1) + (identity.second.empty() ? 0 : 2);
  }
  std::map<int, Pattern> patterns_;
};

class InfoJoin {
 public:
  InfoJoin(CallContext& call, Wanted wanted, VectorValue base)
      : call_(call), wanted_(std::move(wanted)), base_(std::move(base)), out_(base_.steps) {}

  core::Result<Value> Run() {
    if (auto selected = SelectInfo(); !selected) return core::Fail(selected.error());
    rows_.resize(base_.size());
    for (std::size_t step = 0; step < base_.steps; ++step)
      if (auto joined = JoinAt(step); !joined) return core::Fail(joined.error());
    out_.DropEmptyRows();
    return call_.MergedByLabels(std::move(out_));
  }

 private:
  using Key = std::pair<Identity, std::string>;  // and the info metric's name

  core::Result<void> SelectInfo() {
    Identities identities;
    ignored_.resize(base_.size());
    for (std::size_t i = 0; i < base_.size(); ++i) {
      const core::Labels labels = call_.VisibleLabels(base_.series[i]);
      ignored_[i] = wanted_.IsInfo(labels.Get(core::kMetricName));
      if (!ignored_[i]) identities.Add(IdentityOf(labels));
    }
    auto reference = ReferenceFinder(call_.evaluator()).Find(call_.arg(0));
    if (!reference) return core::Fail(reference.error());
    VectorSelector selector;
    selector.matchers = wanted_.names;
    selector.matchers.insert(selector.matchers.end(), wanted_.labels.begin(), wanted_.labels.end());
    selector.shift.offset.ms = reference->offset;
    selector.shift.at = reference->at ? TimeShift::At::kTimestamp : TimeShift::At::kNone;
    selector.shift.at_time = reference->at.value_or(0);
    auto info = call_.evaluator().EvalSelector(selector, call_.steps(), Evaluator::Take::kTimesOfFloats);
    if (!info) return core::Fail(info.error());
    info_ = std::move(*info);
    for (std::size_t i = 0; i < info_.size(); ++i) {
      const core::Labels& labels = *info_.series[i].labels;
      Identity identity = IdentityOf(labels);
      if (!identities.Contains(identity)) continue;
      by_name_[std::string(labels.Get(core::kMetricName))][std::move(identity)].push_back(i);
    }
    return {};
  }

  // Of several info series with one identity the newest counts at a step.
  core::Result<std::optional<std::size_t>> Newest(const std::vector<std::size_t>& rows, std::size_t step) const {
    std::optional<std::size_t> newest;
    for (const std::size_t row : rows) {
      const double time = info_.row(row)[step];
      if (IsAbsent(time)) continue;
      if (newest && info_.row(*newest)[step] == time) {
        const auto shown = std::to_string(static_cast<std::int64_t>(std::llround(time * 1000)));
        return core::Fail(core::ErrorCode::kInvalid, "found duplicate series for info metric: existing " +
                                                         LabelsText(*info_.series[*newest].labels) + " @ " + shown +
                                                         ", new " + LabelsText(*info_.series[row].labels) + " @ " +
                                                         shown);
      }
      if (!newest || info_.row(*newest)[step] < time) newest = row;
    }
    return newest;
  }

  core::Result<void> JoinAt(std::size_t step) {
    // The info series that count at this step; a conflict among them is an error even where nothing asks for them.
    std::map<std::string_view, std::map<Identity, std::size_t>> current;
    for (const auto& [name, identities] : by_name_)
      for (const auto& [identity, rows] : identities) {
        const auto newest = Newest(rows, step);
        if (!newest) return core::Fail(newest.error());
        if (*newest) current[name][identity] = **newest;
      }
    for (std::size_t i = 0; i < base_.size(); ++i) {
      const double cell = base_.row(i)[step];
      if (IsAbsent(cell)) continue;
      std::vector<std::size_t> found;
      if (!ignored_[i]) {
        const Identity identity = IdentityOf(*base_.series[i].labels);
        for (const auto& [name, identities] : current)
          if (const auto at = identities.find(identity); at != identities.end()) found.push_back(at->second);
      }
      const auto row = RowFor(i, found);
      if (!row) return core::Fail(row.error());
      if (*row) out_.row(**row)[step] = cell;
    }
    return {};
  }

  // The answer's row of a base series with these info series; none where it is left out.
  core::Result<std::optional<std::size_t>> RowFor(std::size_t base, const std::vector<std::size_t>& found) {
    if (const auto known = rows_[base].find(found); known != rows_[base].end()) return known->second;
    std::optional<std::size_t> row;
    if (ignored_[base] || !found.empty() || wanted_.KeepsWithout()) {
      auto labels = Joined(base, found);
      if (!labels) return core::Fail(labels.error());
      row = out_.size();
      out_.AddRow(std::move(*labels), base_.series[base].drop_name);
    }
    rows_[base].emplace(found, row);
    return row;
  }

  core::Result<LabelsPtr> Joined(std::size_t base, const std::vector<std::size_t>& found) const {
    const LabelsPtr& own = base_.series[base].labels;
    core::Labels added;
    for (const std::size_t row : found)
      for (const core::LabelView label : *info_.series[row].labels) {
        if (label.name == core::kMetricName || !wanted_.Takes(label.name)) continue;
        if (const std::string_view value = added.Get(label.name); !value.empty() && value != label.value)
          return core::Fail(core::ErrorCode::kInvalid, "conflicting label: " + std::string(label.name));
        if (!own->Has(label.name)) added.Set(label.name, label.value);
      }
    if (added.empty()) return own;
    core::Labels labels = *own;
    for (const core::LabelView label : added) labels.Set(label.name, label.value);
    return std::make_shared<const core::Labels>(std::move(labels));
  }

  CallContext& call_;
  Wanted wanted_;
  VectorValue base_;
  VectorValue info_;
  std::vector<bool> ignored_;  // base series that are info series themselves
  std::map<std::string, std::map<Identity, std::vector<std::size_t>>> by_name_;
  std::vector<std::map<std::vector<std::size_t>, std::optional<std::size_t>>> rows_;  // of the answer, by base series
  VectorValue out_;
};

core::Result<Value> Info(CallContext& call) {
  auto wanted = WantedBy(call);
  if (!wanted) return core::Fail(wanted.error());
  auto base = call.EvalVector(0);
  if (!base) return core::Fail(base.error());
  return InfoJoin(call, std::move(*wanted), std::move(*base)).Run();
}

constexpr ValueType kTwoVectors[] = {ValueType::kVector, ValueType::kVector};

const Function kFunctions[] = {
    {.name = "info",
     .args = kTwoVectors,
     .variadic = 1,
     .help = "The series with the labels of their info metrics.",
     .general = Info,
     .keeps_name = true,
     .experimental = true,
     // Info metrics are looked at by each step's time where the argument's selectors do not share one.
     .depends_on_step = true},
};

}  // namespace

std::span<const Function> InfoFunctions() { return kFunctions; }

}  // namespace pipewarden::rules::promql
