#include "rules/promql/literal.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>

#include "core/model/sample.h"
#include "core/text/go_string.h"
#include "rules/promql/text.h"

namespace pipewarden::rules::promql {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

core::Result<std::string> Unquote(std::string_view text) {
  // As Prometheus's own strutil.Unquote: '…' may be of any length, and a raw string keeps its carriage returns.
  if (text.size() >= 2) {
    const char quote = text.front();
    const std::string_view body = text.substr(1, text.size() - 2);
    if (quote == '`') return std::string(body);
    if (auto out = core::GoUnescape(body, quote)) return std::move(*out);
  }
  return core::Fail(core::ErrorCode::kInvalid, "invalid syntax");
}

core::Result<double> ParseNumber(std::string_view text) {
  std::string digits;
  digits.reserve(text.size());
  for (const char c : text)
    if (c != '_') digits += c;
  const auto bad = [&](std::string_view why) {
    return core::Fail(core::ErrorCode::kInvalid, "error parsing number: strconv.ParseFloat: parsing " +
                                                     core::GoQuote(text) + ": " + std::string(why));
  };
  std::string_view body = digits;
  const bool negative = !body.empty() && body.front() == '-';
  if (!body.empty() && (body.front() == '-' || body.front() == '+')) body.remove_prefix(1);
  const std::string lower = ToLowerAscii(body);
  if (lower == "nan") return core::NormalNaN();
  const double sign = negative ? -1 : 1;
  if (lower == "inf" || lower == "infinity") return sign * std::numeric_limits<double>::infinity();
  if (body.empty()) return bad("invalid syntax");
  // Go's base prefixes: whole numbers only.
  if (body.size() > 1 && body[0] == '0') {
    const char prefix = lower[1];
    const int base = prefix == 'x' ? 16 : prefix == 'b' ? 2 : prefix == 'o' ? 8 : IsDigit(prefix) ? 8 : 10;
    if (base != 10) {
      const std::string_view number = body.substr(IsDigit(prefix) ? 1 : 2);
      std::uint64_t value = 0;
      const auto [end, ec] = std::from_chars(number.data(), number.data() + number.size(), value, base);
      const bool whole = ec == std::errc{} && end == number.data() + number.size();
      if (whole && value <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        return sign * static_cast<double>(value);
      if (base != 8 || prefix == 'o') return bad("invalid syntax");
    }
  }
  double value = 0;
  const auto [end, ec] = std::from_chars(body.data(), body.data() + body.size(), value);
  if (end != body.data() + body.size() || ec == std::errc::invalid_argument) return bad("invalid syntax");
  if (ec == std::errc::result_out_of_range) {
    // Too small is zero, too large is an error, as in Go.
    value = std::strtod(std::string(body).c_str(), nullptr);
    if (std::isinf(value)) return bad("value out of range");
  }
  return sign * value;
}

}  // namespace pipewarden::rules::promql
