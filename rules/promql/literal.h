// PromQL's literals: what a quoted string and a number mean. Pure.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"

namespace pipewarden::rules::promql {

// The content of a quoted string, quotes included in `text`, escapes as Go's strconv.Unquote.
core::Result<std::string> Unquote(std::string_view text);

// 12, 1_000, 0x1F, 0b1, 1e3, Inf, NaN; "out of range" where a double cannot hold it.
core::Result<double> ParseNumber(std::string_view text);

}  // namespace pipewarden::rules::promql
