#include "core/template/literal.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "core/template/parse.h"
#include "core/text/go_string.h"

namespace pipewarden::core {
namespace {

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

std::string ReadNumber(std::string_view text, Node& number) {
  if (text[0] == '\'') {
    std::string_view rest = text.substr(1);
    const auto rune = TakeGoChar(rest, '\'');
    if (!rune) return "invalid syntax";
    if (rest != "'") {
      return "malformed character constant: " + std::string(text);
    }
    number.is_int = number.is_float = true;
    number.integer = static_cast<std::int64_t>(rune->value);
    number.number = static_cast<double>(rune->value);
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
