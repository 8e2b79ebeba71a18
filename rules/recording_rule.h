// A recording rule: the result of its expression becomes series of another name. Rules thread only.
#pragma once

#include "rules/rule.h"

namespace pipewarden::rules {

class RecordingRule final : public Rule {
 public:
  using Rule::Rule;
  core::Result<std::vector<OutputSample>> Evaluate(const RuleContext& context) override;
};

}  // namespace pipewarden::rules
