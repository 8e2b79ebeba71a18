#include "rules/rule_pack.h"

#include "core/config/option_table.h"
#include "core/text/go_float.h"
#include "rules/promql/parser.h"

namespace pipewarden::rules {
namespace {

constexpr std::string_view kSuffix = ":threshold";

// The parameter that the rule is; "" where it is none.
std::string_view ParameterOf(const RuleConfig& rule) {
  std::string_view name = rule.name;
  const std::size_t pack = name.find(':');
  if (rule.alerting || rule.tree->kind != promql::Expr::Kind::kNumber || !name.ends_with(kSuffix) ||
      pack + kSuffix.size() >= name.size())
    return {};
  name.remove_suffix(kSuffix.size());
  return name.substr(pack + 1);
}

bool Reads(const RuleConfig& rule, std::string_view metric) {
  bool found = false;
  promql::Walk(*rule.tree, [&](const promql::Expr& part) {
    found = found || (part.kind == promql::Expr::Kind::kVectorSelector &&
                      static_cast<const promql::VectorSelector&>(part).name == metric);
  });
  return found;
}

std::string NoSuch(std::string_view what, std::string_view word, const std::vector<std::string>& names) {
  const std::vector<std::string_view> known(names.begin(), names.end());
  std::string all;
  for (const std::string& one : names) all += (all.empty() ? "" : ", ") + one;
  return std::string(what) + " is called '" + std::string(word) + "'" + core::DidYouMean(word, known) +
         (all.empty() ? "; it has none" : "; there are " + all);
}

}  // namespace

core::Result<RuleFile> ReadRulePack(std::string_view name) {
  const std::string_view text = RulePackText(name);
  if (text.empty()) return core::Fail(core::ErrorCode::kNotFound, NoSuch("no rule pack", name, RulePackNames()));
  core::ConfigErrors errors;
  RuleFile file = ParseRuleFile(text, "pack:" + std::string(name), errors);
  if (!errors.empty()) return core::Fail(errors.ToError());
  return file;
}

std::vector<RulePackParameter> RulePackParameters(const RuleFile& pack) {
  std::vector<RulePackParameter> parameters;
  for (const RuleGroupConfig& group : pack.groups)
    for (const RuleConfig& rule : group.rules) {
      if (ParameterOf(rule).empty()) continue;
      RulePackParameter parameter{.name = std::string(ParameterOf(rule)), .text = rule.expr};
      for (const RuleGroupConfig& readers : pack.groups)
        for (const RuleConfig& reader : readers.rules)
          if (reader.alerting && Reads(reader, rule.name)) parameter.alerts.push_back(reader.name);
      parameters.push_back(std::move(parameter));
    }
  return parameters;
}

core::Result<void> SetRulePackParameter(RuleFile& pack, std::string_view name, double value) {
  for (RuleGroupConfig& group : pack.groups)
    for (RuleConfig& rule : group.rules) {
      if (ParameterOf(rule) != name || name.empty()) continue;
      rule.expr = core::FormatGoFloat(value, 'g', -1);
      auto tree = promql::ParseExpr(rule.expr);
      if (!tree) return core::Fail(tree.error());
      rule.tree = std::move(*tree);
      return {};
    }
  std::vector<std::string> names;
  for (const RulePackParameter& parameter : RulePackParameters(pack)) names.push_back(parameter.name);
  return core::Fail(core::ErrorCode::kNotFound, NoSuch("no parameter of " + pack.path, name, names));
}

}  // namespace pipewarden::rules
