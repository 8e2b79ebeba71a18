// The first page: probes, pipelines, freshness, alerts, the inbox, and where the rest is. Rendered here, no script.
#include <algorithm>
#include <string>

#include "agent/server/ask.h"
#include "agent/server/faces.h"
#include "agent/server/html.h"
#include "alertmanager/alertmanager.h"
#include "core/time/civil_time.h"
#include "core/time/duration.h"
#include "core/version.h"
#include "rules/snapshot.h"

namespace pipewarden::agent {
namespace {

using core::Result;
using core::WallTime;

constexpr int kInboxShown = 20;
constexpr std::size_t kNotificationsShown = 20;
constexpr std::size_t kHistoryShown = 40;

std::string Badge(std::string_view kind, std::string_view text) {
  return "<span class=\"badge " + std::string(kind) + "\">" + Html(text) + "</span>";
}

// A state's colour: what is well, what is broken, what moves, what rests.
std::string StateBadge(std::string_view state) {
  static constexpr std::string_view kGood[] = {"healthy", "success", "succeeded", "fresh", "ok", "resolved"};
  static constexpr std::string_view kBad[] = {"unhealthy", "failed",  "firing", "active", "late",
                                              "lost",      "timeout", "err",    "stale",  "upstream_failed"};
  static constexpr std::string_view kWarn[] = {"pending", "running", "retrying",  "waiting",
                                               "queued",  "due",     "suppressed"};
  std::string_view kind;
  if (std::ranges::find(kGood, state) != std::end(kGood)) kind = "good";
  if (std::ranges::find(kBad, state) != std::end(kBad)) kind = "bad";
  if (std::ranges::find(kWarn, state) != std::end(kWarn)) kind = "warn";
  return Badge(kind, state);
}

std::string Ago(WallTime time, WallTime now) {
  if (time == WallTime{}) return "<span class=\"soft\">–</span>";
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - time).count();
  const std::int64_t span = seconds < 0 ? -seconds : seconds;
  std::string text;
  if (span < 120) {
    text = std::to_string(span) + " s";
  } else if (span < 7200) {
    text = std::to_string(span / 60) + " min";
  } else if (span < 172800) {
    text = std::to_string(span / 3600) + " h";
  } else {
    text = std::to_string(span / 86400) + " d";
  }
  text = seconds < 0 ? "in " + text : text + " ago";
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  return "<time datetime=\"" + core::FormatRfc3339(whole) + "\" title=\"" + core::FormatRfc3339(whole) + "\">" + text +
         "</time>";
}

std::string Took(core::Duration duration) {
  if (duration <= core::Duration::zero()) return "";
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration);
  if (ms.count() == 0) return "under 1 ms";
  if (ms < std::chrono::seconds(10)) return std::to_string(ms.count()) + " ms";
  return core::FormatDuration(std::chrono::duration_cast<std::chrono::seconds>(duration));
}

std::string LabelList(const core::Labels& labels, std::string_view leave_out = {}) {
  std::string out;
  for (const core::LabelView label : labels) {
    if (label.name == leave_out) continue;
    out += "<span class=\"label\">" + Html(label.name) + "=" + Html(label.value) + "</span>";
  }
  return out;
}

std::string AlertLink(const core::Alert& alert) {
  return "<a href=\"/alerts/" + alertmanager::FingerprintText(alert) + "\"><b>" + Html(alert.Name()) + "</b></a>";
}

// Columns of a heading are separated by '|'.
std::string TableHead(std::string_view heading) {
  std::string out = "<div class=\"scroll\"><table><thead><tr>";
  while (!heading.empty()) {
    const std::size_t end = std::min(heading.find('|'), heading.size());
    out += "<th scope=\"col\">" + Html(heading.substr(0, end)) + "</th>";
    heading.remove_prefix(std::min(end + 1, heading.size()));
  }
  return out + "</tr></thead><tbody>";
}

std::string Row(std::initializer_list<std::string> cells) {
  std::string out = "<tr>";
  for (const std::string& cell : cells) out += "<td>" + cell + "</td>";
  return out + "</tr>";
}

std::string Section(std::string_view id, std::string_view title, std::string_view note, std::string_view content) {
  return "<section id=\"" + std::string(id) + "\"><h2>" + Html(title) + "<small>" + Html(note) + "</small></h2>" +
         std::string(content) + "</section>";
}

std::string Failed(const core::Error& error) { return "<p>" + Html("Not available: " + error.message) + "</p>"; }

// One narrow cell a run, the newest on the right.
std::string History(const ProbeView& probe) {
  std::string out;
  const std::size_t skip = probe.history.size() > kHistoryShown ? probe.history.size() - kHistoryShown : 0;
  for (std::size_t i = skip; i < probe.history.size(); ++i) {
    out += probe.history[i] ? "<i class=\"cell good\"></i>" : "<i class=\"cell bad\"></i>";
  }
  const auto failures =
      std::count(probe.history.begin() + static_cast<std::ptrdiff_t>(skip), probe.history.end(), false);
  return "<span class=\"cells\" role=\"img\" aria-label=\"" + std::to_string(failures) + " of the last " +
         std::to_string(probe.history.size() - skip) + " runs failed\">" + out + "</span>";
}

class Overview {
 public:
  Overview(const ServerContext& context, const HttpRequest& request)
      : context_(context), deadline_(request.deadline), now_(context.clock->Now()) {}

  std::string Render() {
    std::string sections = Alerts() + Probes() + Pipelines() + Freshness() + Inbox() + Notifications() + More();
    return Page("Overview", "<h1>" + Html(Verdict()) + "</h1><div class=\"tiles\">" + tiles_ + "</div>" + sections);
  }

 private:
  void Tile(std::string_view anchor, const std::string& number, std::string_view text, std::string_view kind) {
    tiles_ +=
        "<a class=\"tile\" href=\"#" + std::string(anchor) + "\"><b>" + number + "</b>" + Badge(kind, text) + "</a>";
  }

  std::string Verdict() const {
    if (unhealthy_ == 0 && firing_ == 0) return "All is well";
    std::string text;
    if (firing_ > 0) text = std::to_string(firing_) + (firing_ == 1 ? " alert fires" : " alerts fire");
    if (unhealthy_ > 0) {
      text += (text.empty() ? "" : ", ") + std::to_string(unhealthy_) +
              (unhealthy_ == 1 ? " probe is unhealthy" : " probes are unhealthy");
    }
    return text;
  }

  std::string Alerts() {
    std::string rows;
    std::size_t pending = 0;
    if (context_.alerts) {
      const auto alerts = context_.alerts(deadline_);
      if (!alerts) return Section("alerts", "Alerts", "", Failed(alerts.error()));
      for (const AlertView& view : *alerts) {
        if (view.alert.ResolvedAt(now_)) continue;
        ++firing_;
        std::string why = Html(view.alert.annotations.Get("summary"));
        if (!view.suppressed_by.empty()) why += " " + Badge("warn", "suppressed by " + view.suppressed_by);
        if (!view.silenced_by.empty()) why += " " + Badge("warn", "silenced");
        for (const std::string& cause : view.inhibited_by) why += " " + Badge("warn", "inhibited by " + cause);
        rows += Row({StateBadge(view.state == "suppressed" ? "suppressed" : "firing"),
                     AlertLink(view.alert) + "<br>" + LabelList(view.alert.labels, core::kAlertName), why,
                     Ago(view.alert.starts_at, now_)});
      }
    }
    const auto snapshot = context_.rules ? context_.rules() : nullptr;
    for (std::size_t i = 0; snapshot != nullptr && i < snapshot->groups.size(); ++i) {
      const rules::RuleGroupView& group = *snapshot->groups[i];
      for (const rules::RuleView& rule : group.rules) {
        if (rule.health == "err") {
          rows += Row({StateBadge("err"), "<b>" + Html(rule.name) + "</b> (" + Html(group.file) + ")",
                       Html("the rule cannot be evaluated: " + rule.last_error),
                       Ago(core::FromMs(rule.last_evaluation), now_)});
        }
        for (const rules::AlertView& alert : rule.alerts) {
          if (alert.state != rules::AlertState::kPending) continue;
          ++pending;
          rows += Row({StateBadge("pending"),
                       "<b>" + Html(rule.name) + "</b><br>" + LabelList(alert.labels, core::kAlertName),
                       Html(alert.annotations.Get("summary")), Ago(core::FromMs(alert.active_at), now_)});
        }
      }
    }
    Tile("alerts", std::to_string(firing_), firing_ == 1 ? "alert fires" : "alerts fire",
         firing_ == 0 ? "good" : "bad");
    const std::string note = pending == 0 ? "" : std::to_string(pending) + " pending";
    if (rows.empty()) return Section("alerts", "Alerts", note, "<p class=\"soft\">No alert is pending or fires.</p>");
    return Section("alerts", "Alerts", note, TableHead("State|Alert|Summary|Since") + rows + "</tbody></table></div>");
  }

  std::string Probes() {
    if (!context_.probes) return "";
    const auto probes = context_.probes(deadline_);
    if (!probes) return Section("probes", "Probes", "", Failed(probes.error()));
    std::string rows;
    for (const ProbeView& probe : *probes) {
      if (probe.state == "unhealthy") ++unhealthy_;
      const std::string component =
          probe.component.empty() ? "" : "<br><span class=\"soft\">" + Html(probe.component) + "</span>";
      rows += Row({StateBadge(probe.state),
                   "<b>" + Html(probe.name) + "</b> <span class=\"soft\">" + Html(probe.kind) + "</span>" + component,
                   Html(probe.message), History(probe), Took(probe.duration), Ago(probe.since, now_)});
    }
    const std::size_t healthy = probes->size() - unhealthy_;
    Tile("probes", std::to_string(healthy) + "/" + std::to_string(probes->size()), "probes healthy",
         unhealthy_ == 0 ? "good" : "bad");
    if (rows.empty()) return Section("probes", "Probes", "", "<p class=\"soft\">No probes are configured.</p>");
    return Section("probes", "Probes", "newest run on the right",
                   TableHead("State|Probe|Last said|Last runs|Took|Since") + rows + "</tbody></table></div>");
  }

  std::string Pipelines() {
    if (!context_.pipelines) return "";
    const auto pipelines = context_.pipelines(deadline_);
    if (!pipelines) return Section("pipelines", "Pipelines", "", Failed(pipelines.error()));
    std::string rows;
    std::size_t failed = 0;
    for (const PipelineView& pipeline : *pipelines) {
      std::string state = "<span class=\"badge\">never ran</span>";
      std::string steps;
      std::string when;
      std::string error;
      if (pipeline.last_run && pipeline.last_run->state == "failed") ++failed;
      if (pipeline.last_run || !pipeline.active_runs.empty()) {
        const RunView& run = pipeline.active_runs.empty() ? *pipeline.last_run : pipeline.active_runs.front();
        state = StateBadge(run.state);
        when = Ago(run.started, now_);
        error = Html(run.error);
        for (const StepView& step : run.steps) {
          steps += "<span class=\"label\">" + Html(step.name) + "</span>" + StateBadge(step.state);
          if (step.attempts > 1) steps += " <span class=\"soft\">" + std::to_string(step.attempts) + " attempts</span>";
          steps += "<br>";
        }
      } else {
        for (const std::string& step : pipeline.steps) steps += "<span class=\"label\">" + Html(step) + "</span>";
      }
      const std::string schedule = pipeline.schedule.empty() ? "by hand" : pipeline.schedule;
      rows += Row({state, "<b>" + Html(pipeline.name) + "</b><br><code>" + Html(schedule) + "</code>", steps, error,
                   when, Ago(pipeline.next_run, now_)});
    }
    if (!pipelines->empty()) {
      Tile("pipelines", std::to_string(pipelines->size() - failed) + "/" + std::to_string(pipelines->size()),
           "pipelines well", failed == 0 ? "good" : "bad");
    }
    if (rows.empty())
      return Section("pipelines", "Pipelines", "", "<p class=\"soft\">No pipelines are configured.</p>");
    return Section("pipelines", "Pipelines", "the newest run of each",
                   TableHead("State|Pipeline|Steps|Error|Started|Next") + rows + "</tbody></table></div>");
  }

  std::string Freshness() {
    if (!context_.freshness) return "";
    const auto views = context_.freshness(deadline_);
    if (!views) return Section("freshness", "Freshness", "", Failed(views.error()));
    if (views->empty()) return "";
    std::string rows;
    std::size_t late = 0;
    for (const FreshnessView& view : *views) {
      if (view.state == "late") ++late;
      rows += Row({StateBadge(view.state),
                   "<b>" + Html(view.name) + "</b> <span class=\"soft\">" + Html(view.source) + "</span>",
                   Html(view.message), Took(view.age), Ago(view.due, now_)});
    }
    Tile("freshness", std::to_string(views->size() - late) + "/" + std::to_string(views->size()), "data fresh",
         late == 0 ? "good" : "bad");
    return Section("freshness", "Freshness", "",
                   TableHead("State|Data|Last seen|Age|Due") + rows + "</tbody></table></div>");
  }

  std::string Inbox() {
    if (!context_.inbox) return "";
    const auto entries = context_.inbox(kInboxShown, deadline_);
    if (!entries) return Section("inbox", "Inbox", "", Failed(entries.error()));
    std::string rows;
    for (const InboxView& entry : *entries) {
      std::string text =
          entry.text.empty() ? "" : "<details><summary>text</summary><pre>" + Html(entry.text) + "</pre></details>";
      rows += Row({StateBadge(entry.status), "<b>" + Html(entry.subject) + "</b>" + text, Html(entry.receiver),
                   Ago(entry.at, now_)});
    }
    const std::string note = "every notification of every route; the last " + std::to_string(kInboxShown);
    if (rows.empty())
      return Section("inbox", "Inbox", note, "<p class=\"soft\">Nobody has been told anything yet.</p>");
    return Section("inbox", "Inbox", note,
                   TableHead("Status|Notification|Receiver|Sent") + rows + "</tbody></table></div>");
  }

  std::string Notifications() {
    if (context_.alertmanager == nullptr || context_.loop == nullptr) return "";
    using Entries = std::vector<alertmanager::HistoryEntry>;
    const auto entries =
        AskLoop<Entries>(*context_.loop, deadline_, [manager = context_.alertmanager]() -> core::Result<Entries> {
          return manager->NotificationHistory(kNotificationsShown);
        });
    if (!entries) return Section("notifications", "Notifications", "", Failed(entries.error()));
    if (entries->empty()) return "";
    std::string rows;
    for (const alertmanager::HistoryEntry& entry : *entries) {
      const std::string result(alertmanager::NotifyResultText(entry.result));
      const std::string tries = entry.attempts > 1 ? std::to_string(entry.attempts) + " attempts" : "";
      rows +=
          Row({Badge(entry.result == alertmanager::NotifyResult::kSent      ? "good"
                     : entry.result == alertmanager::NotifyResult::kNotSent ? ""
                                                                            : "bad",
                     result),
               Html(entry.title), Html(entry.receiver + "/" + entry.integration), Html(NotifyReasonText(entry.reason)),
               Html(tries + (tries.empty() ? "" : " ") + entry.error), Ago(entry.at, now_)});
    }
    return Section("notifications", "Notifications", "what came of the last ones",
                   TableHead("Result|Notification|To|Because|Answer|When") + rows + "</tbody></table></div>");
  }

  std::string More() const {
    return Section(
        "more", "Where the rest is", "Pipewarden " + std::string(core::kVersion),
        "<ul>"
        "<li><a href=\"/metrics\">/metrics</a>: everything measured, for a Prometheus to scrape</li>"
        "<li><a href=\"/api/v1/rules\">/api/v1/rules</a>: the rules and their state; the whole of "
        "<code>/api/v1/</code> "
        "answers as Prometheus does: give Grafana this address as a Prometheus data source</li>"
        "<li><a href=\"/api/pipewarden/v1/probes\">/api/pipewarden/v1/</a>: probes, pipelines, alerts and inbox as "
        "JSON</li>"
        "<li><a href=\"/-/healthy\">/-/healthy</a> and <a href=\"/-/ready\">/-/ready</a>: for supervisors</li>"
        "<li><code>pipewarden probe</code>, <code>query</code>, <code>pipeline</code>: the same from the command "
        "line</li></ul>");
  }

  const ServerContext& context_;
  core::MonoTime deadline_;
  WallTime now_;
  std::string tiles_;
  std::size_t firing_ = 0;
  std::size_t unhealthy_ = 0;
};

HttpResponse Static(std::string_view body, std::string_view type) {
  HttpResponse response = TextResponse(std::string(body));
  response.content_type = type;
  response.headers.emplace_back("Cache-Control", "public, max-age=300");
  return response;
}

}  // namespace

Routes PageRoutes(std::shared_ptr<const ServerContext> context) {
  return {
      {.methods = "GET",
       .path = "/",
       .role = Role::kRead,
       .envelope = Envelope::kHtml,
       .handle = [context](const HttpRequest& request) { return HtmlResponse(Overview(*context, request).Render()); }},
      {.methods = "GET",
       .path = "/-/style.css",
       .role = Role::kRead,
       .handle = [](const HttpRequest&) { return Static(StyleSheet(), "text/css; charset=utf-8"); }},
      {.methods = "GET",
       .path = "/-/icon.svg",
       .role = Role::kRead,
       .handle = [](const HttpRequest&) { return Static(Icon(), "image/svg+xml"); }},
  };
}

}  // namespace pipewarden::agent
