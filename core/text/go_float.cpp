#include "core/text/go_float.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <string_view>

namespace pipewarden::core {
namespace {

// 2^53: from here on to_chars prints all digits of a double, Go the shortest ones and zeros.
constexpr double kExact = 9007199254740992.0;

// The shortest digits, with an exponent or without, by `lower` (e, f or g).
std::string Shortest(double value, char lower) {
  std::array<char, 400> buffer{};
  const auto write = [&](std::chars_format format) {
    return std::string(buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, format).ptr);
  };
  const std::string scientific = write(std::chars_format::scientific);
  const std::size_t e = scientific.find('e');
  const int exponent = std::stoi(scientific.substr(e + 1));
  if (lower == 'e' || (lower == 'g' && (exponent < -4 || exponent >= 6))) return scientific;
  if (std::fabs(value) < kExact) return write(std::chars_format::fixed);
  std::string digits;
  for (const char c : std::string_view(scientific).substr(0, e))
    if (c >= '0' && c <= '9') digits += c;
  digits.resize(std::max(digits.size(), static_cast<std::size_t>(exponent) + 1), '0');
  return value < 0 ? '-' + digits : digits;
}

}  // namespace

std::string FormatGoFloat(double value, char format, int precision) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  const bool upper = format == 'E' || format == 'G';
  const char lower = upper ? static_cast<char>(format + 32) : format;
  std::string text;
  if (precision < 0) {
    text = Shortest(value, lower);
  } else {
    std::array<char, 1600> buffer{};
    const char spec[] = {'%', '.', '*', lower, '\0'};
    const int digits = lower == 'g' && precision == 0 ? 1 : std::min(precision, 1000);
    const int written = std::snprintf(buffer.data(), buffer.size(), spec, digits, value);
    text.assign(buffer.data(), static_cast<std::size_t>(std::max(written, 0)));
  }
  if (upper) std::ranges::replace(text, 'e', 'E');
  return text;
}

}  // namespace pipewarden::core
