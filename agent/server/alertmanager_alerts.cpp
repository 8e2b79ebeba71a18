// /api/v2/status, receivers, alerts, alerts/groups: what Alertmanager's clients (amtool, Grafana, Karma, a Prometheus
// that sends) ask and send. The alerts are taken from the loop a piece at a time, sorted here, and written as they are
// made, so that a hundred thousand of them hold up nobody.
#include <re2/re2.h>

#include <algorithm>
#include <map>

#include "agent/server/alertmanager_api.h"
#include "agent/server/ask.h"
#include "agent/server/faces.h"
#include "agent/server/json_text.h"
#include "core/text/escape.h"
#include "core/version.h"

namespace pipewarden::agent {
namespace {

using alertmanager::AlertFilter;
using ApiAlert = alertmanager::AlertView;
using Context = std::shared_ptr<const ServerContext>;

constexpr std::size_t kPiece = 64U << 10U;  // of an answer

core::Result<AlertFilter> ReadFilter(const HttpRequest& request) {
  AlertFilter filter;
  filter.active = FlagParam(request, "active", true);
  filter.silenced = FlagParam(request, "silenced", true);
  filter.inhibited = FlagParam(request, "inhibited", true);
  filter.unprocessed = FlagParam(request, "unprocessed", true);
  filter.muted = FlagParam(request, "muted", true);
  auto matchers = FilterParams(request);
  if (!matchers) return core::Fail(matchers.error());
  filter.matchers = std::move(*matchers);
  if (const auto receiver = request.Param("receiver"); receiver && !receiver->empty()) {
    auto regex = core::CompileRegex("^(?:" + *receiver + ")$");
    if (!regex) return core::Fail(regex.error().Within("failed to parse receiver param"));
    filter.receiver = std::move(*regex);
  }
  return filter;
}

core::Result<std::vector<ApiAlert>> Collect(const Context& context, const HttpRequest& request, AlertFilter filter) {
  return CollectAlerts(*context->loop, *context->alertmanager, std::move(filter), request.deadline);
}

template <class List, class Append>
void AppendList(std::string& out, const List& list, Append append) {
  out += '[';
  bool first = true;
  for (const auto& item : list) {
    if (!std::exchange(first, false)) out += ',';
    append(item);
  }
  out += ']';
}

// In the order of the keys in which Alertmanager writes them.
void AppendAlert(std::string& out, const ApiAlert& view) {
  const core::Alert& alert = *view.alert;
  const auto text = [&](const std::string& one) { core::AppendJsonString(out, one); };
  const auto fingerprint = [&](std::uint64_t one) { text(alertmanager::FingerprintText(one)); };
  out += "{\"annotations\":";
  AppendJsonLabels(out, alert.annotations);
  out += ",\"endsAt\":";
  AppendDateTime(out, alert.ends_at);
  out += ",\"fingerprint\":";
  fingerprint(view.fingerprint);
  out += ",\"receivers\":";
  AppendList(out, view.receivers, [&](const std::string& name) {
    out += "{\"name\":";
    text(name);
    out += '}';
  });
  out += ",\"startsAt\":";
  AppendDateTime(out, alert.starts_at);
  out += ",\"status\":{\"inhibitedBy\":";
  AppendList(out, view.inhibited_by, fingerprint);
  out += ",\"mutedBy\":";
  AppendList(out, view.muted_by, text);
  out += ",\"silencedBy\":";
  AppendList(out, view.silenced_by, text);
  if (view.suppressed_by) {  // beyond Alertmanager: its clients read the state alone
    out += ",\"suppressedBy\":";
    text(alertmanager::DownText(*view.suppressed_by));
  }
  out += ",\"state\":\"";
  out += alertmanager::AlertStateText(view.state);
  out += "\"},\"updatedAt\":";
  AppendDateTime(out, alert.updated_at);
  if (!alert.generator_url.empty()) {
    out += ",\"generatorURL\":";
    text(alert.generator_url);
  }
  out += ",\"labels\":";
  AppendJsonLabels(out, alert.labels);
  out += '}';
}

// A JSON list that is written as it is made: `next` appends one item, and says whether more follow.
HttpResponse StreamList(std::size_t count, std::function<void(std::string& out, std::size_t index)> append) {
  HttpResponse response = JsonResponse("");
  response.stream = [count, append = std::move(append)](const BodyWriter& write) {
    std::string piece = "[";
    for (std::size_t i = 0; i < count; ++i) {
      if (i > 0) piece += ',';
      append(piece, i);
      if (piece.size() < kPiece) continue;
      if (!write(piece)) return;
      piece.clear();
    }
    piece += "]\n";
    write(piece);
  };
  return response;
}

HttpResponse GetAlerts(const Context& context, const HttpRequest& request) {
  auto filter = ReadFilter(request);
  if (!filter) return ErrorResponse(Envelope::kAlertmanager, filter.error());
  auto alerts = Collect(context, request, std::move(*filter));
  if (!alerts) return ErrorResponse(Envelope::kAlertmanager, alerts.error());
  const auto list = std::make_shared<const std::vector<ApiAlert>>(std::move(*alerts));
  return StreamList(list->size(), [list](std::string& out, std::size_t i) { AppendAlert(out, (*list)[i]); });
}

// A group of /alerts/groups: its labels (fewer first, then by name and value), its receiver, its route.
struct GroupKey {
  std::size_t size = 0;
  core::Labels labels;
  std::string receiver;
  std::string route;
  auto operator<=>(const GroupKey&) const = default;
};

HttpResponse GetGroups(const Context& context, const HttpRequest& request) {
  auto filter = ReadFilter(request);
  if (!filter) return ErrorResponse(Envelope::kAlertmanager, filter.error());
  filter->with_groups = true;
  const std::shared_ptr<const re2::RE2> receiver = filter->receiver;
  auto alerts = Collect(context, request, std::move(*filter));
  if (!alerts) return ErrorResponse(Envelope::kAlertmanager, alerts.error());
  const auto list = std::make_shared<const std::vector<ApiAlert>>(std::move(*alerts));
  using Groups = std::vector<std::pair<GroupKey, std::vector<std::size_t>>>;
  std::map<GroupKey, std::vector<std::size_t>> sorted;
  for (std::size_t i = 0; i < list->size(); ++i)
    for (const alertmanager::GroupView& group : (*list)[i].groups)
      if (receiver == nullptr || re2::RE2::PartialMatch(group.receiver, *receiver))
        sorted[{group.labels.size(), group.labels, group.receiver, group.route}].push_back(i);
  const auto groups = std::make_shared<const Groups>(sorted.begin(), sorted.end());
  return StreamList(groups->size(), [list, groups](std::string& out, std::size_t i) {
    const auto& [key, members] = (*groups)[i];
    out += "{\"alerts\":";
    AppendList(out, members, [&](std::size_t member) { AppendAlert(out, (*list)[member]); });
    out += ",\"labels\":";
    AppendJsonLabels(out, key.labels);
    out += ",\"receiver\":{\"name\":";
    core::AppendJsonString(out, key.receiver);
    out += "}}";
  });
}

HttpResponse PostAlerts(const Context& context, const HttpRequest& request) {
  if (auto refused = CheckJsonBody(request)) return *refused;
  auto alerts = ReadPostedAlerts(request.body);
  if (!alerts) return std::move(alerts.error());
  std::string refused;
  for (std::vector<core::Alert>& piece : alertmanager::InTurns(std::move(*alerts))) {
    auto taken = AskLoop<void>(*context->loop, request.deadline, [context, piece = std::move(piece)]() mutable {
      return context->put_alerts(std::move(piece));
    });
    if (taken) continue;
    if (taken.error().code != core::ErrorCode::kInvalid) return ErrorResponse(Envelope::kAlertmanager, taken.error());
    refused += (refused.empty() ? "" : "; ") + taken.error().message;
  }
  if (!refused.empty()) return ErrorResponse(Envelope::kAlertmanager, 400, refused);
  return JsonResponse("");
}

void AppendCluster(std::string& out, const std::optional<alertmanager::ClusterView>& cluster) {
  if (cluster) {
    out += "\"name\":";
    core::AppendJsonString(out, cluster->name);
    out += ',';
  }
  out += "\"peers\":";
  AppendList(out, cluster ? cluster->members : std::vector<alertmanager::ClusterMember>{},
             [&](const alertmanager::ClusterMember& member) {
               out += "{\"address\":";
               core::AppendJsonString(out, member.address);
               out += ",\"name\":";
               core::AppendJsonString(out, member.name);
               out += '}';
             });
  out += ",\"status\":";
  core::AppendJsonString(out, !cluster ? "disabled" : cluster->settled ? "ready" : "settling");
}

HttpResponse GetStatus(const Context& context, const HttpRequest& request) {
  struct Shown {
    std::string original;
    std::optional<alertmanager::ClusterView> cluster;
  };
  auto shown = AskLoop<Shown>(*context->loop, request.deadline, [context]() -> core::Result<Shown> {
    const alertmanager::Cluster* cluster = context->alertmanager->cluster();
    return Shown{context->alertmanager->config().original,
                 cluster == nullptr ? std::nullopt : std::optional(cluster->View())};
  });
  if (!shown) return ErrorResponse(Envelope::kAlertmanager, shown.error());
  std::string out = "{\"cluster\":{";
  AppendCluster(out, shown->cluster);
  out += "},\"config\":{\"original\":";
  core::AppendJsonString(out, shown->original);
  out += "},\"uptime\":";
  AppendDateTime(out, context->started);
  out +=
      ",\"versionInfo\":{\"branch\":\"\",\"buildDate\":\"\",\"buildUser\":\"\",\"goVersion\":\"\",\"revision\":\"\","
      "\"version\":";
  core::AppendJsonString(out, "pipewarden " + std::string(core::kVersion));
  return JsonResponse(out + "}}\n");
}

HttpResponse GetReceivers(const Context& context, const HttpRequest& request) {
  using Names = std::vector<std::string>;
  auto names = AskLoop<Names>(*context->loop, request.deadline, [context]() -> core::Result<Names> {
    Names all;
    for (const auto& receiver : context->alertmanager->config().receivers) all.push_back(receiver.name);
    return all;
  });
  if (!names) return ErrorResponse(Envelope::kAlertmanager, names.error());
  std::string out;
  AppendList(out, *names, [&](const std::string& name) {
    out += "{\"name\":";
    core::AppendJsonString(out, name);
    out += '}';
  });
  return JsonResponse(out + "\n");
}

// A row whose handler is one of the functions above.
Route Row(std::string_view methods, std::string_view path, const Context& context,
          HttpResponse (*handle)(const Context&, const HttpRequest&)) {
  return {.methods = methods,
          .path = path,
          .role = Role::kRead,
          .deadline = std::chrono::seconds(30),
          .envelope = Envelope::kAlertmanager,
          .handle = [context, handle](const HttpRequest& request) { return handle(context, request); }};
}

}  // namespace

Routes AlertmanagerRoutes(std::shared_ptr<const ServerContext> context) {
  if (context->alertmanager == nullptr) return {};
  Route post = Row("POST", "/api/v2/alerts", context, PostAlerts);
  post.role = Role::kOperate;
  post.mutates = true;
  post.compatible = true;
  post.max_body_bytes = 32U << 20U;
  return {Row("GET", "/api/v2/status", context, GetStatus), Row("GET", "/api/v2/receivers", context, GetReceivers),
          Row("GET", "/api/v2/alerts", context, GetAlerts), std::move(post),
          Row("GET", "/api/v2/alerts/groups", context, GetGroups)};
}

}  // namespace pipewarden::agent
