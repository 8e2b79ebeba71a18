#include "agent/selector_check.h"

#include <algorithm>
#include <set>

#include "agent/known_series.h"
#include "core/config/option_table.h"

namespace pipewarden::agent {
namespace {

using core::Matcher;
using Shapes = std::vector<const SeriesShape*>;

std::string DidYouMean(const std::string& word, const std::set<std::string>& known) {
  const std::vector<std::string_view> words(known.begin(), known.end());
  return core::DidYouMean(word, words);
}

// "'a', 'b' and 3 more".
std::string Some(const std::set<std::string>& values) {
  constexpr std::size_t kShown = 5;
  std::string out;
  std::size_t shown = 0;
  for (const std::string& value : values) {
    if (shown == kShown) return out + " and " + std::to_string(values.size() - kShown) + " more";
    out += (shown++ > 0 ? ", '" : "'") + value + "'";
  }
  return out;
}

// Why none of the shapes, all of one metric, has what this one matcher asks for.
std::string WhyNot(const std::string& metric, const Matcher& matcher, const Shapes& shapes) {
  std::set<std::string> labels;
  std::set<std::string> values;
  bool has_label = false;
  for (const SeriesShape* shape : shapes)
    for (const auto& [label, allowed] : shape->labels) {
      labels.insert(label);
      if (label != matcher.name()) continue;
      has_label = true;
      if (allowed) values.insert(allowed->begin(), allowed->end());
    }
  values.erase("");
  if (!has_label)
    return "no series of '" + metric + "' has a label '" + matcher.name() + "'" +
           (labels.empty() ? ", nor any other" : " (there are " + Some(labels) + ")");
  std::string nearest = matcher.op() == core::MatchOp::kEqual ? DidYouMean(matcher.value(), values) : "";
  if (nearest.empty() && !values.empty()) nearest = " (there are " + Some(values) + ")";
  return "no series of '" + metric + "' has " + matcher.ToString() + nearest;
}

// Whether series may match; else `shapes` are those of the metrics that the selector names, and `metric` is one of
// them.
bool MayMatch(const rules::promql::VectorSelector& selector, const KnownSeries& known, Shapes& shapes,
              std::string& metric) {
  const auto fits = [&](const std::string& name, const std::vector<SeriesShape>& some) {
    for (const Matcher& matcher : selector.matchers)
      if (matcher.name() == core::kMetricName && !matcher.Matches(name)) return false;
    if (metric.empty()) metric = name;
    return std::ranges::any_of(some, [&](const SeriesShape& shape) {
      shapes.push_back(&shape);
      return std::ranges::all_of(selector.matchers, [&](const Matcher& matcher) {
        return matcher.name() == core::kMetricName || shape.MayMatch(matcher);
      });
    });
  };
  if (const auto named = known.by_name().find(selector.name); named != known.by_name().end())
    return fits(named->first, named->second);
  if (!selector.name.empty()) return false;
  return std::ranges::any_of(known.by_name(), [&](const auto& one) { return fits(one.first, one.second); });
}

// "" where series may match.
std::string WhyNothingMatches(const rules::promql::VectorSelector& selector, const KnownSeries& known) {
  Shapes shapes;
  std::string metric = selector.name;
  if (MayMatch(selector, known, shapes, metric)) return "";
  std::set<std::string> names;
  for (const auto& one : known.by_name()) names.insert(one.first);
  if (shapes.empty()) {
    for (const Matcher& matcher : selector.matchers)
      if (matcher.name() == core::kMetricName)
        return "nothing in this configuration makes a metric " +
               (matcher.op() == core::MatchOp::kEqual ? "'" + matcher.value() + "'" + DidYouMean(matcher.value(), names)
                                                      : matcher.ToString());
    return "nothing in this configuration makes a metric";
  }
  std::vector<Matcher> others;
  std::ranges::copy_if(selector.matchers, std::back_inserter(others),
                       [](const Matcher& matcher) { return matcher.name() != core::kMetricName; });
  for (const Matcher& matcher : others)
    if (std::ranges::none_of(shapes, [&](const SeriesShape* shape) { return shape->MayMatch(matcher); }))
      return WhyNot(metric, matcher, shapes);
  std::string all;
  for (const Matcher& matcher : others) all += (all.empty() ? "" : ", ") + matcher.ToString();
  return "no series of '" + metric + "' has all of " + all;
}

}  // namespace

std::vector<std::string> UnmatchedSelectors(const Config& config, std::span<const rules::RuleFile> files) {
  std::vector<std::string> warnings;
  const KnownSeries known(config, files);
  for (const rules::RuleFile& file : files) {
    if (file.path.starts_with("pack:")) continue;
    for (const rules::RuleGroupConfig& group : file.groups)
      for (const rules::RuleConfig& rule : group.rules) {
        std::set<std::string> told;
        std::size_t number = 0;
        rules::promql::Walk(*rule.tree, [&](const rules::promql::Expr& part) {
          if (part.kind != rules::promql::Expr::Kind::kVectorSelector) return;
          const core::Location& where = rule.selectors[number++];
          const std::string why = WhyNothingMatches(static_cast<const rules::promql::VectorSelector&>(part), known);
          if (why.empty() || !told.insert(why).second) return;
          warnings.push_back(where.ToString() + ": '" + rule.name + "' reads what is never there: " + why);
        });
        if (rule.options == nullptr || rule.options->resolve_expr == nullptr) continue;
        rules::promql::Walk(*rule.options->resolve_expr, [&](const rules::promql::Expr& part) {
          if (part.kind != rules::promql::Expr::Kind::kVectorSelector) return;
          const std::string why = WhyNothingMatches(static_cast<const rules::promql::VectorSelector&>(part), known);
          if (!why.empty() && told.insert(why).second)
            warnings.push_back(rule.options->where.ToString() + ": resolve_expr of '" + rule.name +
                               "' reads what is never there: " + why);
        });
      }
  }
  return warnings;
}

}  // namespace pipewarden::agent
