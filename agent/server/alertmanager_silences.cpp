// /api/v2/silences and /api/v2/silence/{id}: silences as Alertmanager's clients set, list and expire them.
#include <algorithm>

#include "agent/server/alertmanager_api.h"
#include "agent/server/ask.h"
#include "agent/server/faces.h"
#include "agent/server/json_reader.h"
#include "core/text/escape.h"
#include "core/text/go_string.h"

namespace pipewarden::agent {
namespace {

using alertmanager::Silence;
using alertmanager::SilenceState;
using Context = std::shared_ptr<const ServerContext>;

void AppendSilence(std::string& out, const Silence& silence, core::WallTime now) {
  const auto text = [&](const char* key, std::string_view value) {
    out += key;
    core::AppendJsonString(out, value);
  };
  text("{\"id\":", silence.id);
  text(",\"status\":{\"state\":", alertmanager::SilenceStateText(silence.StateAt(now)));
  out += "},\"updatedAt\":";
  AppendDateTime(out, silence.updated_at);
  text(",\"comment\":", silence.comment);
  text(",\"createdBy\":", silence.created_by);
  out += ",\"endsAt\":";
  AppendDateTime(out, silence.ends_at);
  out += ",\"matchers\":[";
  for (const core::Matcher& matcher : silence.matchers) {
    const core::MatchOp op = matcher.op();
    if (&matcher != &silence.matchers.front()) out += ',';
    out += "{\"isEqual\":";
    out += op == core::MatchOp::kEqual || op == core::MatchOp::kRegex ? "true" : "false";
    out += ",\"isRegex\":";
    out += op == core::MatchOp::kRegex || op == core::MatchOp::kNotRegex ? "true" : "false";
    text(",\"name\":", matcher.name());
    text(",\"value\":", matcher.value());
    out += '}';
  }
  out += "],\"startsAt\":";
  AppendDateTime(out, silence.starts_at);
  out += '}';
}

// Active ones by their end, then pending ones by their start, then expired ones, the last one first.
bool Before(const Silence& a, const Silence& b, core::WallTime now) {
  const auto rank = [&](const Silence& silence) {
    switch (silence.StateAt(now)) {
      case SilenceState::kActive:
        return 0;
      case SilenceState::kPending:
        return 1;
      case SilenceState::kExpired:
        break;
    }
    return 2;
  };
  if (rank(a) != rank(b)) return rank(a) < rank(b);
  if (rank(a) == 0) return a.ends_at < b.ends_at;
  if (rank(a) == 1) return a.starts_at < b.starts_at;
  return a.ends_at > b.ends_at;
}

core::Result<std::vector<Silence>> List(const Context& context, const HttpRequest& request) {
  return AskLoop<std::vector<Silence>>(
      *context->loop, request.deadline,
      [context]() -> core::Result<std::vector<Silence>> { return context->alertmanager->silences().List(); });
}

HttpResponse GetSilences(const Context& context, const HttpRequest& request) {
  const auto filter = FilterParams(request);
  if (!filter) return ErrorResponse(Envelope::kAlertmanager, filter.error());
  auto silences = List(context, request);
  if (!silences) return ErrorResponse(Envelope::kAlertmanager, silences.error());
  // A filter asks for silences that have this very matcher.
  std::erase_if(*silences, [&](const Silence& silence) {
    return !std::ranges::all_of(*filter, [&](const core::Matcher& matcher) {
      return std::ranges::find(silence.matchers, matcher) != silence.matchers.end();
    });
  });
  const core::WallTime now = context->clock->Now();
  std::ranges::stable_sort(*silences, [now](const Silence& a, const Silence& b) { return Before(a, b, now); });
  std::string out = "[";
  for (const Silence& silence : *silences) {
    if (out.size() > 1) out += ',';
    AppendSilence(out, silence, now);
  }
  return JsonResponse(out + "]\n");
}

std::optional<HttpResponse> CheckId(const std::string& id) {
  bool uuid = id.size() == 36;
  for (std::size_t i = 0; uuid && i < id.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    uuid = dash ? id[i] == '-' : std::isxdigit(static_cast<unsigned char>(id[i])) != 0;
  }
  if (uuid) return std::nullopt;
  return SchemaError(422, 601, "silenceID in path must be of type uuid: " + core::GoQuote(id));
}

HttpResponse GetSilence(const Context& context, const HttpRequest& request) {
  const std::string id = request.Capture("id");
  if (auto refused = CheckId(id)) return *refused;
  auto silences = List(context, request);
  if (!silences) return ErrorResponse(Envelope::kAlertmanager, silences.error());
  const auto found = std::ranges::find(*silences, id, &Silence::id);
  if (found == silences->end()) return JsonResponse("", 404);
  std::string out;
  AppendSilence(out, *found, context->clock->Now());
  return JsonResponse(out + "\n");
}

HttpResponse DeleteSilence(const Context& context, const HttpRequest& request) {
  const std::string id = request.Capture("id");
  if (auto refused = CheckId(id)) return *refused;
  const auto expired = AskLoop<void>(*context->loop, request.deadline, [context, id]() -> core::Result<void> {
    // One that has expired already is no error there.
    const Silence* silence = context->alertmanager->silences().Find(id);
    if (silence != nullptr && silence->StateAt(context->clock->Now()) == SilenceState::kExpired) return {};
    return context->alertmanager->ExpireSilence(id);
  });
  if (!expired) return ErrorResponse(Envelope::kAlertmanager, expired.error());
  return JsonResponse("");
}

// A silence as it is posted; `missing` is the first field that is not there.
struct Posted {
  Silence silence;
  std::string missing;
  std::string bad;  // a matcher or a time that does not read
};

void ReadMatcher(JsonReader& reader, std::size_t index, Posted& posted) {
  std::string name;
  std::string value;
  bool has_name = false;
  bool has_value = false;
  bool has_regex = false;
  bool regex = false;
  bool equal = true;
  reader.Object([&](std::string_view key) {
    if (key == "name")
      has_name = !reader.IsNull() && reader.String(name);
    else if (key == "value")
      has_value = !reader.IsNull() && reader.String(value);
    else if (key == "isRegex")
      has_regex = !reader.IsNull() && reader.Bool(regex);
    else if (key == "isEqual")
      reader.Bool(equal);
    else
      reader.Skip();
  });
  const std::string at = "matchers." + std::to_string(index) + ".";
  if (posted.missing.empty() && !(has_regex && has_name && has_value))
    posted.missing = at + (!has_regex ? "isRegex" : !has_name ? "name" : "value");
  const core::MatchOp op = regex ? (equal ? core::MatchOp::kRegex : core::MatchOp::kNotRegex)
                                 : (equal ? core::MatchOp::kEqual : core::MatchOp::kNotEqual);
  auto matcher = core::Matcher::Make(name, op, value, false);
  if (name.empty() && posted.bad.empty()) posted.bad = "invalid label matcher " + std::to_string(index) + ": no name";
  if (matcher)
    posted.silence.matchers.push_back(std::move(*matcher));
  else if (posted.bad.empty())
    posted.bad = "invalid label matcher " + std::to_string(index) + ": " + matcher.error().message;
}

// The fields in the order in which their absence is told.
constexpr std::string_view kRequired[] = {"comment", "createdBy", "endsAt", "matchers", "startsAt"};

Posted ReadSilence(JsonReader& reader) {
  Posted posted;
  std::vector<std::string> seen;
  const auto time = [&](core::WallTime& to) {
    std::string text;
    if (!reader.String(text)) return;
    const auto parsed = ParseDateTime(text);
    if (parsed)
      to = *parsed;
    else if (posted.bad.empty())
      posted.bad = parsed.error().message;
  };
  std::string matcher_missing;
  reader.Object([&](std::string_view key) {
    if (reader.IsNull()) {
      reader.Skip();
      return;
    }
    seen.emplace_back(key);
    Silence& silence = posted.silence;
    if (seen.back() == "id")
      reader.String(silence.id);
    else if (seen.back() == "comment")
      reader.String(silence.comment);
    else if (seen.back() == "createdBy")
      reader.String(silence.created_by);
    else if (seen.back() == "startsAt")
      time(silence.starts_at);
    else if (seen.back() == "endsAt")
      time(silence.ends_at);
    else if (seen.back() == "matchers")
      reader.Array([&, index = std::size_t{0}]() mutable { ReadMatcher(reader, index++, posted); });
    else
      reader.Skip();
  });
  for (const std::string_view field : kRequired) {
    if (std::ranges::find(seen, field) != seen.end()) continue;
    posted.missing = field;
    break;
  }
  return posted;
}

HttpResponse PostSilence(const Context& context, const HttpRequest& request) {
  if (auto refused = CheckJsonBody(request)) return *refused;
  if (request.body.empty()) return MissingError("silence");
  JsonReader reader(request.body);
  Posted posted = ReadSilence(reader);
  reader.End();
  if (!reader.ok()) return SchemaError(400, 400, "parsing silence body from \"\" failed, because " + reader.error());
  if (!posted.missing.empty()) return MissingError(posted.missing);
  if (posted.silence.matchers.empty() && posted.bad.empty())
    return SchemaError(422, 612, "matchers in body should have at least 1 items");
  if (!posted.bad.empty()) return ErrorResponse(Envelope::kAlertmanager, 400, "invalid silence: " + posted.bad);
  if (posted.silence.starts_at >= posted.silence.ends_at)
    return ErrorResponse(Envelope::kAlertmanager, 400, "Failed to create silence: start time must be before end time");
  if (posted.silence.ends_at < context->clock->Now())
    return ErrorResponse(Envelope::kAlertmanager, 400, "Failed to create silence: end time can't be in the past");
  auto id = AskLoop<std::string>(*context->loop, request.deadline, [context, silence = std::move(posted.silence)]() {
    return context->alertmanager->SetSilence(silence);
  });
  if (!id && id.error().code == core::ErrorCode::kInvalid)
    return ErrorResponse(Envelope::kAlertmanager, 400, "invalid silence: " + id.error().message);
  if (!id) return ErrorResponse(Envelope::kAlertmanager, id.error());
  return JsonResponse("{\"silenceID\":" + core::JsonString(*id) + "}\n");
}

Route Row(std::string_view methods, std::string_view path, bool mutates, const Context& context,
          HttpResponse (*handle)(const Context&, const HttpRequest&)) {
  return {.methods = methods,
          .path = path,
          .role = mutates ? Role::kOperate : Role::kRead,
          .mutates = mutates,
          .compatible = mutates,
          .max_body_bytes = mutates ? std::size_t{1} << 20U : 0,
          .envelope = Envelope::kAlertmanager,
          .handle = [context, handle](const HttpRequest& request) { return handle(context, request); }};
}

}  // namespace

Routes SilenceRoutes(std::shared_ptr<const ServerContext> context) {
  if (context->alertmanager == nullptr) return {};
  return {Row("GET", "/api/v2/silences", false, context, GetSilences),
          Row("POST", "/api/v2/silences", true, context, PostSilence),
          Row("GET", "/api/v2/silence/{id}", false, context, GetSilence),
          Row("DELETE", "/api/v2/silence/{id}", true, context, DeleteSilence)};
}

}  // namespace pipewarden::agent
