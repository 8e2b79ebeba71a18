#include <charconv>
#include <cmath>

#include "agent/server/json_text.h"
#include "agent/server/query.h"
#include "core/text/escape.h"
#include "core/time/civil_time.h"
#include "core/time/duration.h"

namespace pipewarden::agent {
namespace {

using core::ErrorCode;
using core::Fail;
using rules::promql::ValueType;

void AppendPoint(std::string& out, core::TimestampMs time, double value) {
  out += '[';
  AppendJsonTime(out, time);
  out += ',';
  AppendJsonValue(out, value);
  out += ']';
}

// [0,"0.5","1","3"]: which ends belong to the bucket (0 the upper, 1 the lower, 2 none, 3 both), its bounds, its count.
void AppendBucket(std::string& out, const core::BoundedBucket& bucket) {
  const char* ends = "2";
  if (bucket.lower_inclusive && bucket.upper_inclusive) ends = "3";
  if (bucket.lower_inclusive && !bucket.upper_inclusive) ends = "1";
  if (!bucket.lower_inclusive && bucket.upper_inclusive) ends = "0";
  out += '[';
  out += ends;
  for (const double value : {bucket.lower, bucket.upper, bucket.count}) {
    out += ',';
    AppendJsonValue(out, value);
  }
  out += ']';
}

void AppendHistogram(std::string& out, core::TimestampMs time, const core::FloatHistogram& histogram) {
  out += '[';
  AppendJsonTime(out, time);
  out += ",{\"count\":";
  AppendJsonValue(out, histogram.count);
  out += ",\"sum\":";
  AppendJsonValue(out, histogram.sum);
  bool any = false;
  for (const core::BoundedBucket& bucket : core::BucketsOf(histogram)) {
    if (bucket.count == 0) continue;
    out += any ? "," : ",\"buckets\":[";
    any = true;
    AppendBucket(out, bucket);
  }
  out += any ? "]}]" : "}]";
}

// ,"values":[…],"histograms":[…], each where there are some.
void AppendPoints(std::string& out, const rules::promql::ResultSeries& series) {
  for (std::size_t i = 0; i < series.points.size(); ++i) {
    out += i > 0 ? "," : ",\"values\":[";
    AppendPoint(out, series.points[i].time, series.points[i].value);
  }
  if (!series.points.empty()) out += ']';
  for (std::size_t i = 0; i < series.histograms.size(); ++i) {
    out += i > 0 ? "," : ",\"histograms\":[";
    AppendHistogram(out, series.histograms[i].time, *series.histograms[i].histogram);
  }
  if (!series.histograms.empty()) out += ']';
}

void AppendTexts(std::string& out, std::string_view name, const std::vector<std::string>& texts) {
  if (texts.empty()) return;
  out += ",\"";
  out += name;
  out += "\":[";
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) out += ',';
    core::AppendJsonString(out, texts[i]);
  }
  out += ']';
}

std::optional<double> ParseNumber(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

core::Result<core::TimestampMs> ParseApiTime(std::string_view text) {
  // Milliseconds of the years that a nanosecond clock can tell.
  constexpr double kFarthest = 9.2e15;
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
    if (std::isfinite(ms) && std::fabs(ms) < 9.2e15) return static_cast<core::TimestampMs>(ms);
  } else if (auto duration = core::ParseDuration(text)) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(*duration).count();
  }
  return Fail(ErrorCode::kInvalid, "cannot parse " + core::JsonString(text) + " to a valid duration");
}

std::string SuccessEnvelope(std::string_view data, const std::vector<std::string>& warnings,
                            const std::vector<std::string>& infos) {
  std::string out;
  out.reserve(data.size() + 64);
  out += "{\"status\":\"success\",\"data\":";
  out += data;
  AppendTexts(out, "warnings", warnings);
  AppendTexts(out, "infos", infos);
  out += '}';
  return out;
}

std::string ResultJson(rules::promql::QueryResult& result, std::size_t limit) {
  const auto cut = [&](auto& list) {
    if (limit == 0 || list.size() <= limit) return;
    list.resize(limit);
    result.warnings.emplace_back("results truncated due to limit");
  };
  std::string out =
      "{\"resultType\":\"" + std::string(rules::promql::ValueTypeJsonName(result.type)) + "\",\"result\":";
  bool first = true;
  const auto begin_series = [&](const core::Labels& labels) {
    if (!first) out += ',';
    first = false;
    out += "{\"metric\":";
    AppendJsonLabels(out, labels);
  };
  switch (result.type) {
    case ValueType::kScalar:
      AppendPoint(out, result.scalar.time, result.scalar.value);
      break;
    case ValueType::kString:
      out += '[';
      AppendJsonTime(out, result.scalar.time);
      out += ',';
      core::AppendJsonString(out, result.string);
      out += ']';
      break;
    case ValueType::kVector:
      cut(result.vector);
      out += '[';
      for (const auto& sample : result.vector) {
        begin_series(*sample.labels);
        if (sample.histogram != nullptr) {
          out += ",\"histogram\":";
          AppendHistogram(out, sample.time, *sample.histogram);
        } else {
          out += ",\"value\":";
          AppendPoint(out, sample.time, sample.value);
        }
        out += '}';
      }
      out += ']';
      break;
    case ValueType::kMatrix:
      cut(result.matrix);
      out += '[';
      for (const auto& series : result.matrix) {
        begin_series(*series.labels);
        AppendPoints(out, series);
        out += '}';
      }
      out += ']';
      break;
    case ValueType::kNone:
      out += "null";
      break;
  }
  out += '}';
  return out;
}

}  // namespace pipewarden::agent
