#include "rules/promql/annotations.h"

namespace pipewarden::rules::promql {

std::string Annotations::Located(std::string_view kind, std::string_view text, PositionRange at) {
  const int line = at.line > 0 ? at.line : 1;
  const int column = at.line > 0 ? at.column : at.start + 1;
  return std::string(kind) + std::string(text) + " (" + std::to_string(line) + ":" + std::to_string(column) + ")";
}

}  // namespace pipewarden::rules::promql
