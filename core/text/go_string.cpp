#include "core/text/go_string.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <iterator>

#include "core/text/utf8.h"

namespace pipewarden::core {
namespace {

constexpr std::string_view kEscapeNames = "abfnrtv";
constexpr std::string_view kEscapeValues = "\a\b\f\n\r\t\v";

void AppendGoRune(std::string& out, char32_t rune, char quote) {
  if (rune == static_cast<char32_t>(quote) || rune == '\\') {
    out += '\\';
    out += static_cast<char>(rune);
    return;
  }
  if (IsGoPrintable(rune)) return AppendUtf8(out, rune);
  if (rune < 0x80) {
    if (const std::size_t at = kEscapeValues.find(static_cast<char>(rune)); at != std::string_view::npos) {
      out += '\\';
      out += kEscapeNames[at];
      return;
    }
  }
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(),
                rune < 0x80      ? "\\x%02x"
                : rune < 0x10000 ? "\\u%04x"
                                 : "\\U%08x",
                static_cast<unsigned>(rune));
  out += text.data();
}

void AppendGoChar(std::string& out, GoChar c) {
  if (c.is_byte)
    out += static_cast<char>(static_cast<unsigned char>(c.value));
  else
    AppendUtf8(out, c.value);
}

// The value of exactly `count` digits.
std::optional<std::uint32_t> TakeDigits(std::string_view& rest, std::size_t count, int base) {
  if (rest.size() < count) return std::nullopt;
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + count, value, base);
  if (error != std::errc() || end != rest.data() + count) return std::nullopt;
  rest.remove_prefix(count);
  return value;
}

// What follows a backslash.
std::optional<GoChar> TakeEscape(std::string_view& rest, char quote) {
  if (rest.empty()) return std::nullopt;
  const char kind = rest[0];
  if (kind >= '0' && kind <= '7') {
    const auto value = TakeDigits(rest, 3, 8);
    if (!value || *value > 0xFF) return std::nullopt;
    return GoChar{*value, true};
  }
  rest.remove_prefix(1);
  if (const std::size_t at = kEscapeNames.find(kind); at != std::string_view::npos)
    return GoChar{static_cast<unsigned char>(kEscapeValues[at])};
  if (kind == '\\') return GoChar{'\\'};
  if (kind == '\'' || kind == '"') {
    if (kind != quote) return std::nullopt;
    return GoChar{static_cast<unsigned char>(kind)};
  }
  const std::size_t digits = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
  if (digits == 0) return std::nullopt;
  const auto value = TakeDigits(rest, digits, 16);
  if (!value) return std::nullopt;
  if (kind == 'x') return GoChar{*value, true};
  if (*value > 0x10FFFF || (*value >= 0xD800 && *value <= 0xDFFF)) return std::nullopt;
  return GoChar{*value};
}

}  // namespace

bool IsGoPrintable(char32_t rune) {
  if (rune < 0x7F) return rune >= 0x20;
  static const re2::RE2 kPrintable(R"([\p{L}\p{M}\p{N}\p{P}\p{S}])");
  std::string text;
  AppendUtf8(text, rune);
  return re2::RE2::FullMatch(text, kPrintable);
}

std::string GoQuote(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const auto first = static_cast<unsigned char>(text[0]);
    bool valid = true;
    const char32_t rune = TakeUtf8(text, &valid);
    if (valid) {
      AppendGoRune(out, rune, '"');
    } else {
      std::array<char, 8> byte{};
      std::snprintf(byte.data(), byte.size(), "\\x%02x", static_cast<unsigned>(first));
      out += byte.data();
    }
  }
  return out + '"';
}

std::string GoQuoteRune(char32_t rune) {
  std::string out = "'";
  AppendGoRune(out, rune, '\'');
  return out + '\'';
}

std::optional<GoChar> TakeGoChar(std::string_view& rest, char quote) {
  if (rest.empty() || rest[0] == '\n' || rest[0] == quote) return std::nullopt;
  if (rest[0] != '\\') return GoChar{TakeUtf8(rest)};
  std::string_view behind = rest.substr(1);
  const auto c = TakeEscape(behind, quote);
  if (c) rest = behind;
  return c;
}

std::optional<std::string> GoUnescape(std::string_view body, char quote) {
  std::string out;
  out.reserve(body.size());
  while (!body.empty()) {
    const auto c = TakeGoChar(body, quote);
    if (!c) return std::nullopt;
    AppendGoChar(out, *c);
  }
  return out;
}

std::optional<std::string> GoUnquote(std::string_view quoted) {
  if (quoted.size() < 2 || quoted.front() != quoted.back()) return std::nullopt;
  const char quote = quoted.front();
  std::string_view body = quoted.substr(1, quoted.size() - 2);
  std::string out;
  switch (quote) {
    case '"':
      return GoUnescape(body, quote);
    case '`':
      if (body.find('`') != std::string_view::npos) return std::nullopt;
      std::ranges::copy_if(body, std::back_inserter(out), [](char c) { return c != '\r'; });
      return out;
    case '\'': {
      const auto c = TakeGoChar(body, quote);
      if (!c || !body.empty()) return std::nullopt;
      AppendGoChar(out, *c);
      return out;
    }
    default:
      return std::nullopt;
  }
}

}  // namespace pipewarden::core
