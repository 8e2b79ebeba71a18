// What a receiver is told: one group's alerts at one flush, as Alertmanager's template.Data has it. Immutable once
// made; shared by the integrations of a receiver. The alerts are copies: a firing one has no ends_at (WallTime{}).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/alert.h"
#include "core/model/labels.h"
#include "core/result.h"
#include "core/time/clock.h"

namespace pipewarden::alertmanager {

using AlertPtr = std::shared_ptr<const core::Alert>;

struct Notification {
  std::string receiver;             // as configured; templates and bodies show ReceiverForDisplay()
  std::string group_key;            // {}/{env=~"p.*"}:{alertname="foo"}
  std::vector<core::Alert> alerts;  // in Alertmanager's order: job, instance, labels
  core::Labels group_labels;
  core::Labels common_labels;  // what all alerts agree on
  core::Labels common_annotations;
  std::string external_url;
  core::WallTime now{};            // of the flush
  std::string reason = "unknown";  // why it is sent, in Alertmanager's words: "first notification", ...
  core::Labels route_labels;       // of the route
  bool route_labels_done = false;  // rendered; otherwise each is a template

  static bool Resolved(const core::Alert& alert) { return alert.ends_at != core::WallTime{}; }
  bool resolved() const;  // all of them
  std::string_view Status() const { return resolved() ? "resolved" : "firing"; }
  std::size_t FiringCount() const;
  // regexp.QuoteMeta of the name: Alertmanager puts it so into URLs of its pages.
  std::string ReceiverForDisplay() const;
  // What identifies the group at PagerDuty, Opsgenie and VictorOps: the SHA-256 of the group key, in hex.
  std::string DedupKey() const;
};

// As Alertmanager prints it: 16 hexadecimal digits.
std::string FingerprintText(std::uint64_t fingerprint);
inline std::string FingerprintText(const core::Alert& alert) { return FingerprintText(alert.Fingerprint()); }

// Fills the common labels and annotations from the alerts.
void SetCommon(Notification& notification);
// Alertmanager's order of alerts in a notification.
bool AlertBefore(const core::Alert& a, const core::Alert& b);

// Renders a template text (Go's text/template, or html/template) over a notification, with the user's template files
// and the default templates known. kInvalid for an error of the template, with its place.
using RenderTemplate =
    std::function<core::Result<std::string>(std::string_view text, const Notification& notification, bool html)>;

}  // namespace pipewarden::alertmanager
