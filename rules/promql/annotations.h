// Warnings and infos of an evaluation, with Prometheus' texts; each text once. Internal to rules/promql.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "rules/promql/ast.h"

namespace pipewarden::rules::promql {

class Annotations {
 public:
  // The place is that of an expression in `query_text_of` the tree; it is printed as (line:col) by the engine.
  void Warn(std::string_view text, PositionRange at) { warnings_.insert(Located("PromQL warning: ", text, at)); }
  void Info(std::string_view text, PositionRange at) { infos_.insert(Located("PromQL info: ", text, at)); }

  std::vector<std::string> warnings() const { return {warnings_.begin(), warnings_.end()}; }
  std::vector<std::string> infos() const { return {infos_.begin(), infos_.end()}; }

 private:
  static std::string Located(std::string_view kind, std::string_view text, PositionRange at);

  std::set<std::string> warnings_;
  std::set<std::string> infos_;
};

}  // namespace pipewarden::rules::promql
