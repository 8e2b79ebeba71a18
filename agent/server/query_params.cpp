// Parameters of Prometheus' HTTP API, with the errors that it gives.
#include <algorithm>
#include <charconv>
#include <cmath>

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

// Milliseconds of the years that a nanosecond clock can tell.
constexpr double kFarthest = 9.2e15;

std::optional<double> ParseNumber(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
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

core::Result<core::TimestampMs> ParseApiTime(std::string_view text) {
  if (const auto seconds = ParseNumber(text)) {
    const double ms = std::round(*seconds * 1000);
    if (std::isfinite(ms) && std::fabs(ms) < kFarthest) return static_cast<core::TimestampMs>(ms);
  } else if (auto zoned = core::ParseRfc3339(text)) {
    return core::ToMs(zoned->ToWall());
  }
  return Fail(ErrorCode::kInvalid, "cannot parse " + core::JsonString(text) + " to a valid timestamp");
}

core::Result<core::TimestampMs> ParseApiDuration(std::string_view text) {
  if (const auto seconds = ParseNumber(text)) {
    const double ms = *seconds * 1000;
    if (std::isfinite(ms) && std::fabs(ms) < kFarthest) return static_cast<core::TimestampMs>(ms);
    if (!std::isnan(ms))
      return Fail(ErrorCode::kInvalid,
                  "cannot parse " + core::JsonString(text) + " to a valid duration. It overflows int64");
  } else if (auto duration = core::ParseDuration(text)) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(*duration).count();
  }
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
                                          std::optional<core::TimestampMs> fallback) {
  const auto text = request.Param(name);
  if ((!text || text->empty()) && fallback) return *fallback;
  auto time = ParseApiTime(text.value_or(""));
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
