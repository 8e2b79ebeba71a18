// Warnings and infos of an evaluation, with Prometheus' texts. Each text once: what says it last gives the place.
// Internal to rules/promql.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "rules/promql/ast.h"

namespace pipewarden::rules::promql {

class Annotations {
 public:
  // The place is that of an expression in `query_text_of` the tree; it is printed as (line:col) by the engine.
  void Warn(std::string_view text, PositionRange at) { warnings_.insert_or_assign(std::string(text), at); }
  void Info(std::string_view text, PositionRange at) { infos_.insert_or_assign(std::string(text), at); }

  std::vector<std::string> warnings() const { return Located("PromQL warning: ", warnings_); }
  std::vector<std::string> infos() const { return Located("PromQL info: ", infos_); }

 private:
  using Texts = std::map<std::string, PositionRange>;
  static std::vector<std::string> Located(std::string_view kind, const Texts& texts);

  Texts warnings_;
  Texts infos_;
};

}  // namespace pipewarden::rules::promql
