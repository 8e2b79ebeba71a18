// Small pieces of text handling that error messages and formats need, as Go words them. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pipewarden::rules::promql {

std::string ToLowerAscii(std::string_view text);
// Length of the valid UTF-8 sequence at the start of text; 0 where there is none.
std::size_t Utf8Length(std::string_view text);
// The code point at the start of text (U+FFFD where it is none).
std::uint32_t CodePoint(std::string_view text);
// Bytes of the first `count` characters.
std::size_t RunePrefix(std::string_view text, std::size_t count);
// 'x' as Go's %q prints a rune; "x" as it prints a string; U+0078 'x' as %#U.
std::string QuotedChar(std::string_view text);
std::string Quoted(std::string_view text);
std::string UnicodeName(std::string_view text);

// Floats as Go's strconv.FormatFloat with precision -1: 'f', 'e', %g ('e' for exponents below -4 or from 6 on); NaN,
// +Inf, -Inf.
std::string FormatF(double value);
std::string FormatE(double value);
std::string FormatG(double value);
// As the HTTP API writes sample values: 'f', but 'e' below 1e-6 and from 1e21 on.
std::string FormatSample(double value);

}  // namespace pipewarden::rules::promql
