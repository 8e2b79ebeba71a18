#include "agent/server/alertmanager_api.h"

#include <fmt/format.h>

#include <algorithm>

#include "agent/server/ask.h"
#include "agent/server/json_reader.h"
#include "core/text/escape.h"
#include "core/text/go_string.h"
#include "core/time/civil_time.h"

namespace pipewarden::agent {
namespace {

bool IsUri(std::string_view text) {
  if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; }))
    return false;
  if (text.starts_with('/')) return true;
  const std::string_view scheme = text.substr(0, text.find(':'));
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  return scheme.size() < text.size() && !scheme.empty() && letter(scheme[0]) &&
         std::ranges::all_of(
             scheme, [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.'; });
}

// One alert of the list; what is wrong with its form goes to `refusal`, with its JSON to the reader.
class AlertReader {
 public:
  AlertReader(JsonReader& reader, std::optional<HttpResponse>& refusal) : reader_(reader), refusal_(refusal) {}

  void Read(std::size_t index, core::Alert& alert) {
    bool has_labels = false;
    reader_.Object([&](std::string_view key) {
      if (key == "labels") {
        has_labels = !reader_.IsNull();
        alert.labels = Labels();
      } else if (key == "annotations") {
        alert.annotations = Labels();
      } else if (key == "startsAt") {
        Time(alert.starts_at);
      } else if (key == "endsAt") {
        Time(alert.ends_at);
      } else if (key == "generatorURL") {
        reader_.String(alert.generator_url);
      } else {
        reader_.Skip();
      }
    });
    if (!reader_.ok() || refusal_) return;
    if (!has_labels) {
      refusal_ = MissingError(std::to_string(index) + ".labels");
    } else if (!alert.generator_url.empty() && !IsUri(alert.generator_url)) {
      refusal_ = SchemaError(
          422, 601,
          std::to_string(index) + ".generatorURL in body must be of type uri: " + core::GoQuote(alert.generator_url));
    }
  }

 private:
  core::Labels Labels() {
    std::size_t count = 0;
    reader_.Object([&](std::string_view key) {
      if (count == texts_.size()) texts_.emplace_back();
      core::Label& text = texts_[count++];
      text.name = key;
      text.value.clear();
      reader_.String(text.value);
    });
    labels_.clear();
    for (std::size_t i = 0; i < count; ++i) labels_.push_back({texts_[i].name, texts_[i].value});
    return core::Labels(std::span(labels_));
  }
  void Time(core::WallTime& time) {
    text_.clear();
    if (!reader_.String(text_) || text_.empty()) return;
    auto parsed = ParseDateTime(text_);
    if (parsed)
      time = *parsed;
    else if (!refusal_)
      refusal_ = SchemaError(400, 400, "parsing alerts body from \"\" failed, because " + parsed.error().message);
  }

  JsonReader& reader_;
  std::optional<HttpResponse>& refusal_;
  std::vector<core::Label> texts_;  // their memory serves the next alert again
  std::vector<core::LabelView> labels_;
  std::string text_;
};

}  // namespace

HttpResponse SchemaError(int status, int code, std::string_view message) {
  return JsonResponse("{\"code\":" + std::to_string(code) + ",\"message\":" + core::JsonString(message) + "}", status);
}

std::optional<HttpResponse> CheckJsonBody(const HttpRequest& request) {
  std::string_view type = request.Header("Content-Type");
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  if (EqualsIgnoreCase(type, "application/json")) return std::nullopt;
  return SchemaError(415, 415,
                     "unsupported media type " + core::GoQuote(type.empty() ? "application/octet-stream" : type) +
                         ", only [application/json] are allowed");
}

void AppendDateTime(std::string& out, core::WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::int64_t ms = std::chrono::duration_cast<std::chrono::milliseconds>(time - day).count();
  fmt::format_to(std::back_inserter(out), "\"{:04d}-{:02d}-{:02d}T{:02d}:{:02d}:{:02d}.{:03d}Z\"",
                 static_cast<int>(date.year()), static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                 ms / 3'600'000, ms / 60'000 % 60, ms / 1000 % 60, ms % 1000);
}

core::Result<core::WallTime> ParseDateTime(std::string_view text) {
  auto time = core::ParseRfc3339(text);
  // Without a zone it is UTC there.
  if (!time && text.size() >= 19) time = core::ParseRfc3339(std::string(text) + "Z");
  if (!time)
    return core::Fail(core::ErrorCode::kInvalid, "parsing time " + core::GoQuote(text) + ": " + time.error().message);
  // The zero time of Go is no time.
  return time->IsZero() ? core::WallTime{} : time->ToWall();
}

core::Result<alertmanager::Matchers> FilterParams(const HttpRequest& request) {
  alertmanager::Matchers matchers;
  for (const std::string& text : request.Params("filter")) {
    if (text.starts_with('{') || text.ends_with('}'))
      return core::Fail(core::ErrorCode::kInvalid, "unexpected open or close brace: " + text);
    auto matcher = alertmanager::ParseMatcher(text);
    if (!matcher)
      return core::Fail(core::ErrorCode::kInvalid,
                        "bad matcher format: " + text + " (" + matcher.error().message + ")");
    matchers.push_back(std::move(*matcher));
  }
  return matchers;
}

bool FlagParam(const HttpRequest& request, std::string_view name, bool fallback) {
  const auto text = request.Param(name);
  if (!text || text->empty()) return fallback;
  static constexpr std::string_view kTrue[] = {"1", "t", "T", "TRUE", "true", "True", "yes", "on", "ok", "y"};
  return std::ranges::find(kTrue, *text) != std::end(kTrue);
}

core::Result<std::vector<alertmanager::AlertView>> CollectAlerts(core::Loop& loop, alertmanager::Alertmanager& alerts,
                                                                 alertmanager::AlertFilter filter,
                                                                 core::MonoTime deadline) {
  const auto shared = std::make_shared<const alertmanager::AlertFilter>(std::move(filter));
  std::vector<alertmanager::AlertView> all;
  std::size_t cursor = 0;
  do {
    using Piece = std::pair<std::vector<alertmanager::AlertView>, std::size_t>;
    auto piece = AskLoop<Piece>(loop, deadline, [&alerts, shared, cursor]() -> core::Result<Piece> {
      Piece next{{}, cursor};
      next.first = alerts.Alerts(*shared, next.second, alertmanager::kAlertsPerTurn);
      return next;
    });
    if (!piece) return core::Fail(piece.error());
    std::ranges::move(piece->first, std::back_inserter(all));
    cursor = piece->second;
  } while (cursor != 0);
  std::ranges::sort(all, {}, &alertmanager::AlertView::fingerprint);
  return all;
}

std::expected<std::vector<core::Alert>, HttpResponse> ReadPostedAlerts(std::string_view body) {
  if (body.find_first_not_of(" \r\n\t") == std::string_view::npos) return std::unexpected(MissingError("alerts"));
  JsonReader reader(body);
  std::vector<core::Alert> alerts;
  std::optional<HttpResponse> refusal;
  AlertReader alert(reader, refusal);
  reader.Array([&] {
    alerts.emplace_back();
    alert.Read(alerts.size() - 1, alerts.back());
  });
  reader.End();
  if (!reader.ok())
    return std::unexpected(SchemaError(400, 400, "parsing alerts body from \"\" failed, because " + reader.error()));
  if (refusal) return std::unexpected(std::move(*refusal));
  return alerts;
}

}  // namespace pipewarden::agent
