// Rule files: never a crash, and what reads without a mistake has expressions.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "rules/rule_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pipewarden;
  core::ConfigErrors errors;
  const auto file =
      rules::ParseRuleFile(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz.yml", errors);
  for (const auto& group : file.groups)
    for (const auto& rule : group.rules)
      if (!rule.tree || rule.name.empty()) std::abort();
  (void)errors.Lines();
  return 0;
}
