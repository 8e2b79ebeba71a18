#include "core/template/literal.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "core/template/format.h"
#include "core/template/parse.h"

namespace pipewarden::core {
namespace {

// One character of a quoted text, escapes resolved. Nothing where it is malformed.
bool TakeCharacter(std::string_view& rest, char quote, std::string& out, char32_t* rune) {
  const auto give = [&](char32_t value) {
    if (rune != nullptr) *rune = value;
    AppendUtf8(out, value);
    return true;
  };
  if (rest.empty()) return false;
  if (rest[0] == quote || rest[0] == '\n') return false;
  if (rest[0] != '\\') {
    const std::string_view before = rest;
    const char32_t value = TakeUtf8(rest);
    if (rune != nullptr) *rune = value;
    out += before.substr(0, before.size() - rest.size());
    return true;
  }
  if (rest.size() < 2) return false;
  const char escape = rest[1];
  rest.remove_prefix(2);
  constexpr std::string_view kNames = "abfnrtv";
  constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v";
  if (const std::size_t at = kNames.find(escape); at != std::string_view::npos) {
    return give(static_cast<unsigned char>(kMeanings[at]));
  }
  if (escape == '\\') return give('\\');
  if (escape == '\'' || escape == '"') return escape == quote && give(static_cast<unsigned char>(escape));
  const std::size_t digits = escape == 'x' ? 2 : escape == 'u' ? 4 : escape == 'U' ? 8 : 3;
  const int base = digits == 3 ? 8 : 16;
  if (digits == 3) {
    if (escape < '0' || escape > '7') return false;
    rest = std::string_view(rest.data() - 1, rest.size() + 1);
  }
  if (rest.size() < digits) return false;
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + digits, value, base);
  if (error != std::errc() || end != rest.data() + digits) return false;
  rest.remove_prefix(digits);
  if (base == 8 || digits == 2) {
    if (value > 255) return false;
    if (rune != nullptr) *rune = value;
    out += static_cast<char>(static_cast<unsigned char>(value));
    return true;
  }
  if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return false;
  return give(value);
}

// Underscores stand only between digits, and only where a base prefix is (0x_1F); with a bare decimal they are refused.
std::optional<std::string> WithoutUnderscores(std::string_view text, bool prefixed) {
  std::string out;
  char before = prefixed ? '0' : ' ';
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '_') {
      const bool digit_before = std::isalnum(static_cast<unsigned char>(before)) != 0;
      const bool digit_after = i + 1 < text.size() && std::isalnum(static_cast<unsigned char>(text[i + 1])) != 0;
      if (!digit_before || !digit_after) return std::nullopt;
    } else {
      out += text[i];
    }
    before = text[i];
  }
  return out;
}

std::optional<std::int64_t> ReadInt(std::string_view text) {
  bool negative = false;
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  int base = 10;
  bool prefixed = false;
  if (text.size() > 1 && text[0] == '0') {
    const char kind = static_cast<char>(std::tolower(static_cast<unsigned char>(text[1])));
    base = kind == 'x' ? 16 : kind == 'b' ? 2 : 8;
    text.remove_prefix(kind == 'x' || kind == 'b' || kind == 'o' ? 2 : 1);
    prefixed = true;
  }
  const auto digits = WithoutUnderscores(text, prefixed);
  if (!digits || digits->empty()) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits->data(), digits->data() + digits->size(), value, base);
  if (error != std::errc() || end != digits->data() + digits->size()) return std::nullopt;
  constexpr std::uint64_t kMax = std::uint64_t{1} << 63U;
  if (value > kMax || (value == kMax && !negative)) return std::nullopt;
  return static_cast<std::int64_t>(negative ? ~value + 1 : value);
}

std::optional<double> ReadFloat(std::string_view text) {
  const bool hex = text.find('x') != std::string_view::npos || text.find('X') != std::string_view::npos;
  if (hex && text.find_first_of("pP") == std::string_view::npos) return std::nullopt;
  const auto digits = WithoutUnderscores(text, false);
  if (!digits || (!hex && digits->size() != text.size())) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(digits->c_str(), &end);
  if (end != digits->c_str() + digits->size() || digits->empty() || std::isinf(value)) return std::nullopt;
  return value;
}

}  // namespace

std::optional<std::string> GoUnquote(std::string_view quoted) {
  if (quoted.size() < 2 || quoted.front() != quoted.back()) return std::nullopt;
  const char quote = quoted.front();
  std::string_view rest = quoted.substr(1, quoted.size() - 2);
  std::string out;
  if (quote == '`') {
    std::ranges::copy_if(rest, std::back_inserter(out), [](char c) { return c != '\r'; });
    return out;
  }
  while (!rest.empty()) {
    if (!TakeCharacter(rest, quote, out, nullptr)) return std::nullopt;
  }
  return out;
}

std::string ReadNumber(std::string_view text, Node& number) {
  if (text[0] == '\'') {
    std::string_view rest = text.substr(1);
    std::string ignored;
    char32_t rune = 0;
    if (!TakeCharacter(rest, '\'', ignored, &rune)) return "invalid syntax";
    if (rest != "'") {
      return "malformed character constant: " + std::string(text);
    }
    number.is_int = number.is_float = true;
    number.integer = static_cast<std::int64_t>(rune);
    number.number = static_cast<double>(rune);
    return "";
  }
  if (text.ends_with('i')) return "complex numbers are not supported: " + std::string(text);
  if (const auto integer = ReadInt(text)) {
    number.is_int = number.is_float = true;
    number.integer = *integer;
    number.number = static_cast<double>(*integer);
    return "";
  }
  const auto value = ReadFloat(text);
  if (!value) return "illegal number syntax: " + GoQuote(text);
  if (text.find_first_of(".eEpP") == std::string_view::npos) return "integer overflow: " + GoQuote(text);
  number.is_float = true;
  number.number = *value;
  if (*value == std::floor(*value) && std::abs(*value) < 9.2e18) {
    number.is_int = true;
    number.integer = static_cast<std::int64_t>(*value);
  }
  return "";
}

}  // namespace pipewarden::core
