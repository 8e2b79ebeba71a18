// The rule packs built into the program: rules/packs/<name>.yml, ordinary Prometheus rule files. A recording rule
// `<pack>:<parameter>:threshold` whose expression is a number is a parameter of the pack, and that number its default.
// Stateless; safe from any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "rules/rule_file.h"

namespace pipewarden::rules {

std::vector<std::string> RulePackNames();  // sorted
// A pack's text as shipped; "" where there is none of that name.
std::string_view RulePackText(std::string_view name);

// Its path reads "pack:NAME". kNotFound names those that there are.
core::Result<RuleFile> ReadRulePack(std::string_view name);

struct RulePackParameter {
  std::string name;
  std::string text;                      // the default, as written
  std::vector<std::string> alerts = {};  // that read it
};
std::vector<RulePackParameter> RulePackParameters(const RuleFile& pack);  // in the order of the file
// kNotFound names the parameters that there are.
core::Result<void> SetRulePackParameter(RuleFile& pack, std::string_view name, double value);

}  // namespace pipewarden::rules
