// What --enable-feature switches on, under Prometheus' names. Immutable.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "rules/promql/parser.h"

namespace pipewarden::agent {

struct Features {
  rules::promql::ParseOptions promql;
  bool delayed_name_removal = false;
  std::string text;  // as given, for /api/v1/status/flags
};

// Names, several of them in one item separated by commas. kInvalid: one that is not known.
core::Result<Features> ParseFeatures(const std::vector<std::string>& items);

}  // namespace pipewarden::agent
