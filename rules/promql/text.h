// Small pieces of text handling that error messages and formats need, as Go words them. Pure.
#pragma once

#include <string>
#include <string_view>

namespace pipewarden::rules::promql {

std::string ToLowerAscii(std::string_view text);
// The first character of a text that is not empty: 'x' as Go's %q prints a rune, U+0078 'x' as %#U does.
std::string QuotedChar(std::string_view text);
std::string UnicodeName(std::string_view text);

// As the HTTP API writes sample values: without an exponent, but with one below 1e-6 and from 1e21 on.
std::string FormatSample(double value);

}  // namespace pipewarden::rules::promql
