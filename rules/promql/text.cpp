#include "rules/promql/text.h"

#include <array>
#include <cmath>
#include <cstdio>

#include "core/text/go_float.h"
#include "core/text/go_string.h"
#include "core/text/utf8.h"

namespace pipewarden::rules::promql {
std::string ToLowerAscii(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

std::string QuotedChar(std::string_view text) { return core::GoQuoteRune(core::TakeUtf8(text)); }

std::string UnicodeName(std::string_view text) {
  const char32_t code_point = text.empty() ? core::kReplacementCharacter : core::TakeUtf8(text);
  std::array<char, 16> name{};
  std::snprintf(name.data(), name.size(), "U+%04X", static_cast<unsigned>(code_point));
  std::string out = name.data();
  if (!core::IsGoPrintable(code_point)) return out;
  out += " '";
  core::AppendUtf8(out, code_point);
  return out += '\'';
}

std::string FormatSample(double value) {
  const double magnitude = std::fabs(value);
  return core::FormatGoFloat(value, magnitude != 0 && (magnitude < 1e-6 || magnitude >= 1e21) ? 'e' : 'f', -1);
}

}  // namespace pipewarden::rules::promql
