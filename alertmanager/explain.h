// Why an alert is told, or not: what keeps it quiet, the routes that take it and how they group it, what each
// integration was told and answered, and what comes next and when. Values, made from the parts at one instant; loop
// thread only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "alertmanager/alert_store.h"
#include "alertmanager/causes.h"
#include "alertmanager/dispatcher.h"
#include "alertmanager/history.h"
#include "alertmanager/inhibitor.h"
#include "alertmanager/notification_log.h"
#include "alertmanager/notify.h"
#include "alertmanager/silences.h"

namespace pipewarden::alertmanager {

struct IntegrationExplanation {
  std::string name;          // "slack[0]", "inbox"
  core::WallTime told_at{};  // the group's last notification that it got; WallTime{}: none
  bool told_firing = false;  // this alert, by then
  bool told_resolved = false;
  bool in_flight = false;      // being told right now
  bool undelivered = false;    // the last telling failed
  core::WallTime repeat_at{};  // where it was told: of the first tick that tells it again
};

struct RouteExplanation {
  std::string receiver;
  std::string route;  // its place in the tree: "0/2"
  std::string path;   // {}/{severity="page"}: the matchers from the root on
  std::string group_key;
  core::Labels group_labels;
  core::Duration group_wait{}, group_interval{}, repeat_interval{};
  std::vector<std::string> muted_by;  // time intervals
  bool grouped = false;               // the group holds it
  bool flushed = false;               // the group has had its first tick
  core::WallTime next_tick{};
  std::vector<IntegrationExplanation> integrations;
};

struct AlertExplanation {
  std::uint64_t fingerprint = 0;
  AlertPtr alert;  // null: forgotten, only the history knows it
  std::optional<DownComponent> suppressed_by;
  std::vector<Silence> silences;
  std::vector<std::pair<std::uint64_t, AlertPtr>> inhibitors;
  std::vector<RouteExplanation> routes;
  std::vector<HistoryEntry> history;  // the newest first
  std::vector<std::string> words;     // all of the above as sentences
};

struct ExplainParts {
  const core::Clock& clock;
  const AlertStore& store;
  const Inhibitor& inhibitor;
  const Causes& causes;
  const Silences& silences;
  const NotificationLog& log;
  const History& history;
  const Dispatcher& dispatcher;
  const Notifier& notifier;
};

// nullopt where neither the store nor the history knows it.
std::optional<AlertExplanation> Explain(const ExplainParts& parts, const RouteTree& tree, std::uint64_t fingerprint);

}  // namespace pipewarden::alertmanager
