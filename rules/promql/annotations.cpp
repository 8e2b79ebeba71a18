#include "rules/promql/annotations.h"

namespace pipewarden::rules::promql {

std::vector<std::string> Annotations::Located(std::string_view kind, const Texts& texts) {
  std::vector<std::string> located;
  for (const auto& [text, at] : texts) {
    const int line = at.line > 0 ? at.line : 1;
    const int column = at.line > 0 ? at.column : at.start + 1;
    located.push_back(std::string(kind) + text + " (" + std::to_string(line) + ":" + std::to_string(column) + ")");
  }
  return located;
}

}  // namespace pipewarden::rules::promql
