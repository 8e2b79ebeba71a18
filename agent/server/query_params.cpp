// Parameters of Prometheus' HTTP API, with the errors that it gives.
#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "agent/server/json_text.h"
#include "agent/server/query.h"
#include "core/text/escape.h"
#include "core/time/civil_time.h"
#include "core/time/duration.h"
#include "rules/promql/parser.h"

namespace pipewarden::agent {
namespace {

using core::ErrorCode;
using core::Fail;

// strconv.ParseFloat: underscores between digits, NaN, Inf, hexadecimal with an exponent; nothing for what is out of
// range.
std::optional<double> ParseNumber(std::string_view text) {
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto is_digit = [&](std::size_t at) { return at < text.size() && std::isxdigit(text[at]) != 0; };
    if (text[i] != '_')
      digits += text[i];
    else if (i == 0 || !is_digit(i - 1) || !is_digit(i + 1))
      return std::nullopt;
  }
  std::string_view rest = digits;
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  if (rest.empty() || rest.front() == '-' || rest.front() == '+') return std::nullopt;
  if (EqualsIgnoreCase(rest, "nan")) return rest.size() == digits.size() ? std::optional(std::nan("")) : std::nullopt;
  double number = 0;
  auto format = std::chars_format::general;
  if (rest.starts_with("0x") || rest.starts_with("0X")) {
    rest.remove_prefix(2);
    if (rest.find_first_of("pP") == std::string_view::npos) return std::nullopt;
    format = std::chars_format::hex;
  }
  if (rest.find('(') != std::string_view::npos) return std::nullopt;  // nan(…)
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number, format);
  if (end != rest.data() + rest.size()) return std::nullopt;
  // What is too small is 0, what is too large an error.
  if (error == std::errc::result_out_of_range && std::fabs(std::strtod(digits.c_str(), nullptr)) > 1)
    return std::nullopt;
  if (error != std::errc() && error != std::errc::result_out_of_range) return std::nullopt;
  return negative ? -number : number;
}

// A Go time: seconds, and nanoseconds from 0 on.
struct GoTime {
  std::uint64_t seconds = 0;  // wraps around, as there
  std::uint64_t nanos = 0;
};

// What amd64 makes of a number that fits into no int64, NaN too.
std::int64_t GoInt(double number) {
  return number >= -0x1p63 && number < 0x1p63 ? static_cast<std::int64_t>(number)
                                              : std::numeric_limits<std::int64_t>::min();
}

// time.Unix, of a number of seconds.
GoTime UnixTime(double number) {
  double whole = 0;
  const double fraction = std::isinf(number) ? std::numeric_limits<double>::quiet_NaN()
                                             : std::round(std::modf(number, &whole) * 1000) / 1000;
  if (std::isinf(number)) whole = number;
  auto seconds = static_cast<std::uint64_t>(GoInt(whole));
  std::int64_t nanos = GoInt(fraction * 1e9);
  constexpr std::int64_t kSecond = 1'000'000'000;
  if (nanos < 0 || nanos >= kSecond) {
    seconds += static_cast<std::uint64_t>(nanos / kSecond);
    nanos %= kSecond;
    if (nanos < 0) {
      nanos += kSecond;
      --seconds;
    }
  }
  return {seconds, static_cast<std::uint64_t>(nanos)};
}

}  // namespace

Route PrometheusRoute(std::string_view path, std::function<HttpResponse(const HttpRequest&)> handle) {
  return {.methods = "GET",
          .path = path,
          .role = Role::kRead,
          .max_body_bytes = 64U << 10U,
          .envelope = Envelope::kPrometheus,
          .handle = std::move(handle)};
}

core::Result<core::TimestampMs> ParseApiTime(std::string_view text, bool of_query) {
  if (const auto seconds = ParseNumber(text)) {
    const GoTime time = UnixTime(*seconds);
    // A query's time goes through nanoseconds there, others through milliseconds.
    if (of_query) return static_cast<std::int64_t>(time.seconds * 1'000'000'000U + time.nanos) / 1'000'000;
    return static_cast<core::TimestampMs>(time.seconds * 1000U + time.nanos / 1'000'000U);
  }
  if (text == "-292273086-05-16T16:47:06Z") return kFarPast;
  if (text == "292277025-08-18T07:12:54.999999999Z") return kFarFuture;
  if (text.find_first_of("tz") == std::string_view::npos)
    if (auto zoned = core::ParseRfc3339(text)) return core::ToMs(zoned->ToWall());
  return Fail(ErrorCode::kInvalid, "cannot parse " + core::JsonString(text) + " to a valid timestamp");
}

core::Result<core::TimestampMs> ParseApiDuration(std::string_view text) {
  if (const auto seconds = ParseNumber(text)) {
    const double nanos = *seconds * 1e9;
    if (nanos > 0x1p63 || nanos < -0x1p63)
      return Fail(ErrorCode::kInvalid,
                  "cannot parse " + core::JsonString(text) + " to a valid duration. It overflows int64");
    return GoInt(nanos) / 1'000'000;
  }
  if (auto duration = core::ParseDuration(text))
    return std::chrono::duration_cast<std::chrono::milliseconds>(*duration).count();
  return Fail(ErrorCode::kInvalid, "cannot parse " + core::JsonString(text) + " to a valid duration");
}

core::Result<std::int64_t> ParseApiInt(std::string_view text, std::string_view function) {
  std::string_view digits = text;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool whole = !digits.empty() && end == digits.data() + digits.size() && !digits.starts_with('+');
  if (whole && error == std::errc()) return value;
  return Fail(ErrorCode::kInvalid,
              "strconv." + std::string(function) + ": parsing " + core::JsonString(text) +
                  (whole && error == std::errc::result_out_of_range ? ": value out of range" : ": invalid syntax"));
}

core::Error InvalidParam(std::string_view name, std::string_view why) {
  return {ErrorCode::kInvalid, "invalid parameter \"" + std::string(name) + "\": " + std::string(why)};
}

core::Result<core::TimestampMs> TimeParam(const HttpRequest& request, std::string_view name,
                                          std::optional<core::TimestampMs> fallback, bool of_query) {
  const auto text = request.Param(name);
  if ((!text || text->empty()) && fallback) return *fallback;
  auto time = ParseApiTime(text.value_or(""), of_query);
  if (time) return time;
  // Prometheus reads a time with a default by another function, which words it so.
  const std::string doing = fallback ? "invalid time value for '" + std::string(name) + "': " : "";
  return Fail(InvalidParam(name, doing + time.error().message));
}

core::Result<core::TimestampMs> DurationParam(const HttpRequest& request, std::string_view name) {
  auto duration = ParseApiDuration(request.Param(name).value_or(""));
  if (duration) return duration;
  return Fail(InvalidParam(name, duration.error().message));
}

core::Result<std::size_t> LimitParam(const HttpRequest& request) {
  const auto text = request.Param("limit");
  if (!text || text->empty()) return 0;
  const auto limit = ParseApiInt(*text);
  if (!limit) return Fail(InvalidParam("limit", limit.error().message));
  if (*limit < 0) return Fail(InvalidParam("limit", "limit must be non-negative"));
  return static_cast<std::size_t>(*limit);
}

core::Result<std::vector<std::vector<core::Matcher>>> MatchParams(const HttpRequest& request, bool any) {
  std::vector<std::vector<core::Matcher>> all;
  for (const std::string& text : request.Params("match[]")) {
    auto matchers = rules::promql::ParseMetricSelector(text);
    if (!matchers) return Fail(matchers.error());
    all.push_back(std::move(*matchers));
  }
  for (const auto& matchers : all) {
    if (!any && std::ranges::all_of(matchers, &core::Matcher::MatchesEmpty))
      return Fail(ErrorCode::kInvalid, "match[] must contain at least one non-empty matcher");
  }
  return all;
}

}  // namespace pipewarden::agent
