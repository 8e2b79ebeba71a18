#include "alertmanager/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

namespace pipewarden::alertmanager {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;

struct Metrics::State {
  explicit State(std::shared_ptr<prometheus::Registry> registry_) : registry(std::move(registry_)) {}

  template <class T>
  prometheus::Family<T>& Make(prometheus::detail::Builder<T> builder, const char* name, const char* help) {
    return builder.Name(std::string("pipewarden_alertmanager_") + name).Help(help).Register(*registry);
  }

  std::shared_ptr<prometheus::Registry> registry;
  prometheus::Family<prometheus::Counter>& received =
      Make(BuildCounter(), "alerts_received_total", "Alerts taken in, by their status.");
  prometheus::Counter& invalid =
      Make(BuildCounter(), "alerts_invalid_total", "Alerts refused because they are malformed.").Add({});
  prometheus::Family<prometheus::Counter>& notifications =
      Make(BuildCounter(), "notifications_total", "Notifications delivered.");
  prometheus::Family<prometheus::Counter>& failed = Make(BuildCounter(), "notifications_failed_total",
                                                         "Notifications not delivered by the deadline of their flush; "
                                                         "they are tried again at the group's next flush.");
  prometheus::Family<prometheus::Counter>& given_up =
      Make(BuildCounter(), "notifications_given_up_total",
           "Notifications that were never delivered and have nothing left to tell (resolved before they got through).");
  prometheus::Family<prometheus::Counter>& attempts =
      Make(BuildCounter(), "notification_requests_total", "Attempts to deliver, retries among them.");
  prometheus::Family<prometheus::Counter>& attempts_failed =
      Make(BuildCounter(), "notification_requests_failed_total", "Attempts to deliver that failed.");
  prometheus::Family<prometheus::Histogram>& latency =
      Make(BuildHistogram(), "notification_latency_seconds", "Time from a flush to its delivery.");
  prometheus::Family<prometheus::Counter>& suppressed =
      Make(BuildCounter(), "notifications_suppressed_total", "Alerts held back at a flush, by what held them.");
  prometheus::Counter& journal_errors =
      Make(BuildCounter(), "journal_errors_total", "Changes that could not be written to the journal.").Add({});
  prometheus::Family<prometheus::Gauge>& alerts = Make(BuildGauge(), "alerts", "Alerts known, by state.");
  prometheus::Gauge& active = alerts.Add({{"state", "active"}});
  prometheus::Gauge& held = alerts.Add({{"state", "suppressed"}});
  prometheus::Gauge& resolved = alerts.Add({{"state", "resolved"}});
  prometheus::Gauge& groups = Make(BuildGauge(), "groups", "Groups of alerts.").Add({});
  prometheus::Gauge& inbox = Make(BuildGauge(), "inbox_entries", "Notifications in the inbox.").Add({});
  prometheus::Gauge& silences = Make(BuildGauge(), "silences", "Silences kept, expired ones among them.").Add({});
  prometheus::Gauge& log =
      Make(BuildGauge(), "notification_log_entries", "Entries of the log of notifications.").Add({});
};

Metrics::Metrics(std::shared_ptr<prometheus::Registry> registry) {
  if (registry != nullptr) state_ = std::make_unique<State>(std::move(registry));
}
Metrics::~Metrics() = default;

void Metrics::Received(bool resolved) {
  if (state_) state_->received.Add({{"status", resolved ? "resolved" : "firing"}}).Increment();
}
void Metrics::Invalid() {
  if (state_) state_->invalid.Increment();
}
void Metrics::Notified(std::string_view integration, std::string_view receiver, core::Duration took) {
  if (!state_) return;
  state_->notifications.Add({{"integration", std::string(integration)}, {"receiver", std::string(receiver)}})
      .Increment();
  static const prometheus::Histogram::BucketBoundaries kBounds{0.001, 0.005, 0.02, 0.1, 0.5, 1, 5, 10, 30, 60, 300};
  state_->latency.Add({{"integration", std::string(integration)}}, kBounds).Observe(core::ToSeconds(took));
}
void Metrics::Failed(std::string_view integration, std::string_view receiver) {
  if (state_)
    state_->failed.Add({{"integration", std::string(integration)}, {"receiver", std::string(receiver)}}).Increment();
}
void Metrics::GivenUp(std::string_view integration, std::string_view receiver) {
  if (state_)
    state_->given_up.Add({{"integration", std::string(integration)}, {"receiver", std::string(receiver)}}).Increment();
}
void Metrics::Attempt(std::string_view integration) {
  if (state_) state_->attempts.Add({{"integration", std::string(integration)}}).Increment();
}
void Metrics::AttemptFailed(std::string_view integration) {
  if (state_) state_->attempts_failed.Add({{"integration", std::string(integration)}}).Increment();
}
void Metrics::Suppressed(std::string_view reason, std::size_t alerts) {
  if (state_ && alerts > 0)
    state_->suppressed.Add({{"reason", std::string(reason)}}).Increment(static_cast<double>(alerts));
}
void Metrics::JournalError() {
  if (state_) state_->journal_errors.Increment();
}
void Metrics::SetAlerts(std::size_t active, std::size_t suppressed, std::size_t resolved) {
  if (!state_) return;
  state_->active.Set(static_cast<double>(active));
  state_->held.Set(static_cast<double>(suppressed));
  state_->resolved.Set(static_cast<double>(resolved));
}
void Metrics::SetSizes(std::size_t groups, std::size_t inbox, std::size_t silences, std::size_t log) {
  if (!state_) return;
  state_->groups.Set(static_cast<double>(groups));
  state_->inbox.Set(static_cast<double>(inbox));
  state_->silences.Set(static_cast<double>(silences));
  state_->log.Set(static_cast<double>(log));
}

}  // namespace pipewarden::alertmanager
