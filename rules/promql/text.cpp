#include "rules/promql/text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "core/model/labels.h"

namespace pipewarden::rules::promql {
namespace {

std::string Special(double value) {
  if (std::isnan(value)) return "NaN";
  return value > 0 ? "+Inf" : "-Inf";
}

// The shortest digits that read back, as d.ddde±XX.
std::string Scientific(double value) {
  std::array<char, 64> buffer{};
  const auto [end, ec] =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::scientific);
  return {buffer.data(), end};
}

bool IsPrintable(std::uint32_t code_point) {
  return (code_point >= 0x20 && code_point < 0x7F) || (code_point > 0xA0 && code_point != 0xFFFD && code_point != 0xAD);
}

void AppendEscaped(std::string& out, std::string_view text, char quote) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  while (!text.empty()) {
    const std::size_t length = Utf8Length(text);
    const auto byte = static_cast<unsigned char>(text[0]);
    if (length == 0) {
      out += "\\x";
      out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
      text.remove_prefix(1);
      continue;
    }
    const char c = text[0];
    const std::uint32_t code_point = CodePoint(text);
    if (c == quote || c == '\\') {
      out += '\\';
      out += c;
    } else if (IsPrintable(code_point) || code_point == 0xFFFD) {
      out += text.substr(0, length);
    } else {
      switch (c) {
        case '\a':
          out += "\\a";
          break;
        case '\b':
          out += "\\b";
          break;
        case '\f':
          out += "\\f";
          break;
        case '\n':
          out += "\\n";
          break;
        case '\r':
          out += "\\r";
          break;
        case '\t':
          out += "\\t";
          break;
        case '\v':
          out += "\\v";
          break;
        default: {
          std::array<char, 16> escaped{};
          std::snprintf(escaped.data(), escaped.size(),
                        code_point < 0x80 ? "\\x%02x" : (code_point < 0x10000 ? "\\u%04x" : "\\U%08x"), code_point);
          out += escaped.data();
        }
      }
    }
    text.remove_prefix(length);
  }
}

}  // namespace

std::string ToLowerAscii(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

std::size_t Utf8Length(std::string_view text) {
  if (text.empty()) return 0;
  const auto first = static_cast<unsigned char>(text[0]);
  const std::size_t length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (length == 1) return 1;
  return text.size() >= length && core::IsValidUtf8(text.substr(0, length)) ? length : 0;
}

std::uint32_t CodePoint(std::string_view text) {
  const std::size_t length = Utf8Length(text);
  if (length == 0) return 0xFFFD;
  const auto first = static_cast<unsigned char>(text[0]);
  if (length == 1) return first;
  std::uint32_t value = first & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) value = (value << 6U) | (static_cast<unsigned char>(text[i]) & 0x3FU);
  return value;
}

std::size_t RunePrefix(std::string_view text, std::size_t count) {
  std::size_t bytes = 0;
  for (; count > 0 && bytes < text.size(); --count) {
    const std::size_t length = Utf8Length(text.substr(bytes));
    bytes += length == 0 ? 1 : length;
  }
  return bytes;
}

std::string QuotedChar(std::string_view text) {
  const std::size_t length = Utf8Length(text);
  std::string out = "'";
  if (length == 0)
    out += "\xEF\xBF\xBD";
  else
    AppendEscaped(out, text.substr(0, length), '\'');
  return out += '\'';
}

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  AppendEscaped(out, text, '"');
  return out += '"';
}

std::string UnicodeName(std::string_view text) {
  std::array<char, 16> name{};
  const std::uint32_t code_point = CodePoint(text);
  std::snprintf(name.data(), name.size(), "U+%04X", code_point);
  std::string out = name.data();
  if (IsPrintable(code_point)) out += " '" + std::string(text.substr(0, Utf8Length(text))) + "'";
  return out;
}

std::string FormatF(double value) {
  if (!std::isfinite(value)) return Special(value);
  std::array<char, 400> buffer{};
  const auto [end, ec] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed);
  // Above 2^53 to_chars prints the exact digits; Go prints the shortest ones and zeros.
  if (std::fabs(value) < 9007199254740992.0) return {buffer.data(), end};
  const std::string scientific = Scientific(value);
  const std::size_t e = scientific.find('e');
  std::string digits;
  for (const char c : scientific.substr(0, e))
    if (c >= '0' && c <= '9') digits += c;
  const auto exponent = static_cast<std::size_t>(std::stoi(scientific.substr(e + 1)));
  digits.resize(std::max(digits.size(), exponent + 1), '0');
  return (value < 0 ? "-" : "") + digits;
}

std::string FormatE(double value) { return std::isfinite(value) ? Scientific(value) : Special(value); }

std::string FormatG(double value) {
  if (!std::isfinite(value)) return Special(value);
  const std::string scientific = Scientific(value);
  const int exponent = std::stoi(scientific.substr(scientific.find('e') + 1));
  // With the shortest precision Go decides as if it were six digits.
  return exponent < -4 || exponent >= 6 ? scientific : FormatF(value);
}

std::string FormatSample(double value) {
  const double magnitude = std::fabs(value);
  if (magnitude != 0 && std::isfinite(value) && (magnitude < 1e-6 || magnitude >= 1e21)) return FormatE(value);
  return FormatF(value);
}

}  // namespace pipewarden::rules::promql
