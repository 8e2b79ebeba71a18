#include "alertmanager/explain.h"

#include <algorithm>

#include "core/time/civil_time.h"
#include "core/time/duration.h"

namespace pipewarden::alertmanager {
namespace {

using core::WallTime;

constexpr std::size_t kHistoryShown = 50;

std::string At(WallTime time) { return core::FormatRfc3339(std::chrono::round<std::chrono::seconds>(time)); }

std::string Span(core::Duration span) {
  const auto whole = std::chrono::round<std::chrono::seconds>(span);
  return core::FormatDuration(std::max(whole, std::chrono::seconds(0)));
}

std::string Listed(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "'" : ", '") + word + "'";
  return out;
}

// The first tick at which what was told at `told` is strictly older than the repeat interval.
WallTime RepeatAt(WallTime told, const RouteExplanation& route) {
  WallTime tick = route.next_tick;
  if (told < tick - route.repeat_interval || route.group_interval <= core::Duration::zero()) return tick;
  const core::Duration missing = told + route.repeat_interval - tick;
  return tick + (missing / route.group_interval + 1) * route.group_interval;
}

IntegrationExplanation ExplainIntegration(const ExplainParts& parts, const RouteExplanation& route, const Group* group,
                                          std::uint64_t fingerprint, const std::string& key, std::string name) {
  IntegrationExplanation one;
  one.name = std::move(name);
  one.in_flight = parts.notifier.IsInFlight(key);
  one.undelivered = group != nullptr && group->undelivered.contains(key);
  const NotificationLogEntry* entry = parts.log.Find(key, parts.clock.Now());
  if (entry == nullptr) return one;
  one.told_at = entry->at;
  one.told_firing = std::ranges::binary_search(entry->firing, fingerprint);
  one.told_resolved = std::ranges::binary_search(entry->resolved, fingerprint);
  if (one.told_firing && group != nullptr) one.repeat_at = RepeatAt(entry->at, route);
  return one;
}

RouteExplanation ExplainRoute(const ExplainParts& parts, const RouteTree& tree, const Route& route,
                              std::uint64_t fingerprint, const core::Labels& labels) {
  RouteExplanation out;
  out.receiver = route.receiver->name;
  out.route = route.id;
  out.path = route.key;
  out.group_labels = route.GroupLabels(labels);
  out.group_key = route.GroupKey(out.group_labels);
  out.group_wait = route.config->group_wait;
  out.group_interval = route.config->group_interval;
  out.repeat_interval = route.config->repeat_interval;
  out.muted_by = MutedBy(route, parts.clock.Now());
  const Group* group = parts.dispatcher.Find(route, out.group_labels);
  if (group != nullptr) {
    out.grouped = group->alerts.contains(fingerprint);
    out.flushed = group->has_flushed;
    out.next_tick = parts.clock.Now() + (group->due - parts.clock.Monotonic());
  }
  if (tree.config().inbox)
    out.integrations.push_back(
        ExplainIntegration(parts, out, group, fingerprint, InboxLogKey(out.group_key, *route.receiver), "inbox"));
  for (const Integration& integration : route.receiver->integrations)
    out.integrations.push_back(ExplainIntegration(
        parts, out, group, fingerprint, LogKey(out.group_key, *route.receiver, integration), integration.Name()));
  return out;
}

// The words, in the order in which an alert goes its way.
class Words {
 public:
  Words(AlertExplanation& of, WallTime now) : of_(of), now_(now) {}

  void Write() {
    if (of_.alert == nullptr) {
      Say("It has resolved and is forgotten; this is what the history of notifications knows.");
    } else {
      resolved_ = of_.alert->ResolvedAt(now_);
      Begin();
      Quiet();
      for (const RouteExplanation& route : of_.routes) Way(route);
    }
    for (const HistoryEntry& entry : of_.history) Past(entry);
  }

 private:
  void Say(std::string sentence) { of_.words.push_back(std::move(sentence)); }

  void Begin() {
    const core::Alert& alert = *of_.alert;
    if (resolved_)
      return Say("It fired from " + At(alert.starts_at) + " and resolved at " + At(alert.ends_at) + ", " +
                 Span(now_ - alert.ends_at) + " ago.");
    Say("It fires since " + At(alert.starts_at) + ", for " + Span(now_ - alert.starts_at) + "; last heard of at " +
        At(alert.updated_at) +
        (alert.timeout ? ", and it resolves at " + At(alert.ends_at) + " unless it is told again." : "."));
  }

  void Quiet() {
    for (const auto& [fingerprint, source] : of_.inhibitors)
      Say("It is inhibited by " + source->labels.ToString() + " (" + FingerprintText(fingerprint) +
          "), which fires since " + At(source->starts_at) + ".");
    for (const Silence& silence : of_.silences)
      Say("It is silenced by " + silence.id + " " + MatchersText(silence.matchers) + " of " + silence.created_by +
          (silence.comment.empty() ? "" : " ('" + silence.comment + "')") + " until " + At(silence.ends_at) + ".");
    if (of_.suppressed_by)
      Say("It is suppressed by " + DownText(*of_.suppressed_by) +
          ", on which it stands; where it still fires when that is up again it is told at its group's next tick.");
    quiet_ = of_.suppressed_by.has_value() || !of_.inhibitors.empty() || !of_.silences.empty();
  }

  void Way(const RouteExplanation& route) {
    Say("Route " + route.path + " takes it to receiver '" + route.receiver + "', in the group " +
        LabelSetText(route.group_labels) + " (group key " + route.group_key + ").");
    if (!route.muted_by.empty()) Say("This route is muted by the time interval " + Listed(route.muted_by) + " now.");
    if (route.next_tick == WallTime{}) {
      Say("The group is gone: nothing is left to tell here.");
    } else if (!route.flushed) {
      Say("The group is held until " + At(route.next_tick) + " (group_wait " + Span(route.group_wait) + ").");
    }
    const bool quiet = quiet_ || !route.muted_by.empty();
    for (const IntegrationExplanation& one : route.integrations) Next(route, one, quiet);
  }

  void Next(const RouteExplanation& route, const IntegrationExplanation& one, bool quiet) {
    std::string told;
    if (one.told_resolved && !one.told_firing)
      told = " was told at " + At(one.told_at) + " that it has resolved";
    else if (one.told_firing)
      told = " was told that it fires, last at " + At(one.told_at);
    else
      told = " has not been told of it";
    Say(one.name + told + "; " + Coming(route, one, quiet) + ".");
  }

  std::string Coming(const RouteExplanation& route, const IntegrationExplanation& one, bool quiet) const {
    if (one.in_flight) return "a notification is under way right now";
    if (route.next_tick == WallTime{} || !route.grouped) return "nothing comes next";
    const std::string tick = At(route.next_tick);
    if (one.undelivered) return "the last notification failed, and the next try is the group's tick at " + tick;
    if (quiet)
      return "nothing goes out while it is quiet; the group looks again at " + tick + " and then every " +
             Span(route.group_interval);
    if (resolved_) return one.told_firing ? "that it has resolved is told at " + tick : "nothing comes next";
    if (!one.told_firing) return "it is told at " + tick;
    return "it is told again at " + At(one.repeat_at) + " (repeat_interval " + Span(route.repeat_interval) +
           "), or sooner when the group changes: its next tick is " + tick;
  }

  void Past(const HistoryEntry& entry) {
    const std::string tries = entry.attempts == 1 ? "" : " after " + std::to_string(entry.attempts) + " attempts";
    std::string what;
    switch (entry.result) {
      case NotifyResult::kSent:
        what = "was sent" + tries;
        break;
      case NotifyResult::kFailed:
        what = "failed" + tries + ": " + entry.error;
        break;
      case NotifyResult::kGivenUp:
        what = "was given up, never delivered";
        break;
      case NotifyResult::kNotSent:
        what = "was not sent, because send_resolved is off";
        break;
    }
    Say("At " + At(entry.at) + " '" + entry.title + "' to " + entry.receiver + "/" + entry.integration + " " + what +
        " (" + std::string(NotifyReasonText(entry.reason)) + ").");
  }

  AlertExplanation& of_;
  WallTime now_;
  bool resolved_ = false;
  bool quiet_ = false;
};

}  // namespace

std::optional<AlertExplanation> Explain(const ExplainParts& parts, const RouteTree& tree, std::uint64_t fingerprint) {
  AlertExplanation out;
  out.fingerprint = fingerprint;
  out.alert = parts.store.Find(fingerprint);
  out.history = parts.history.List(kHistoryShown, fingerprint);
  if (out.alert == nullptr && out.history.empty()) return std::nullopt;
  const WallTime now = parts.clock.Now();
  if (out.alert != nullptr) {
    const core::Labels& labels = out.alert->labels;
    for (const std::string& id : parts.silences.SilencedBy(labels, now))
      out.silences.push_back(*parts.silences.Find(id));
    if (const DownComponent* down = parts.causes.SuppressedBy(labels)) out.suppressed_by = *down;
    for (const std::uint64_t source : parts.inhibitor.InhibitedBy(labels, now))
      if (AlertPtr alert = parts.store.Find(source)) out.inhibitors.emplace_back(source, std::move(alert));
    for (const Route* route : tree.Match(labels))
      out.routes.push_back(ExplainRoute(parts, tree, *route, fingerprint, labels));
  }
  Words(out, now).Write();
  return out;
}

}  // namespace pipewarden::alertmanager
