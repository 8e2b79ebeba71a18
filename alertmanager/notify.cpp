#include "alertmanager/notify.h"

#include <algorithm>
#include <random>

#include "core/async/exceptions.h"

namespace pipewarden::alertmanager {
namespace {

using namespace std::chrono_literals;

// Alertmanager's backoff.
constexpr core::Duration kFirstPause = 500ms;
constexpr core::Duration kLongestPause = 60s;
constexpr double kPauseGrowth = 1.5;
constexpr double kPauseSpread = 0.5;

core::Duration Spread(core::Duration pause) {
  static thread_local std::minstd_rand random{std::random_device{}()};
  std::uniform_real_distribution<double> factor(1 - kPauseSpread, 1 + kPauseSpread);
  return std::chrono::duration_cast<core::Duration>(
      std::chrono::duration<double, std::nano>(static_cast<double>(pause.count()) * factor(random)));
}

bool AnyContains(const std::vector<const NamedTimeInterval*>& intervals, core::WallTime time) {
  return std::ranges::any_of(intervals, [&](const NamedTimeInterval* interval) { return interval->Contains(time); });
}

// Alertmanager's words, as templates have them.
std::string_view ReasonText(NotifyReason reason) {
  switch (reason) {
    case NotifyReason::kFirst:
      return "first notification";
    case NotifyReason::kNewAlerts:
      return "new alerts added";
    case NotifyReason::kAllResolved:
      return "all alerts resolved";
    case NotifyReason::kNewResolved:
      return "some alerts resolved";
    case NotifyReason::kRepeat:
      return "repeat interval elapsed";
    case NotifyReason::kNone:
      break;
  }
  return "none";
}

}  // namespace

std::string LogKey(std::string_view group_key, const ReceiverConfig& receiver, const Integration& integration) {
  return std::string(group_key) + ":" + receiver.name + "/" + std::string(integration.kind->name) + "/" +
         std::to_string(integration.index);
}

std::string InboxLogKey(std::string_view group_key, const ReceiverConfig& receiver) {
  return std::string(group_key) + ":" + receiver.name + "/inbox/0";
}

std::vector<std::string> MutedBy(const Route& route, core::WallTime time) {
  std::vector<std::string> names;
  if (!route.active.empty() && !AnyContains(route.active, time))
    for (const NamedTimeInterval* interval : route.active) names.push_back(interval->name);
  for (const NamedTimeInterval* interval : route.mute)
    if (interval->Contains(time)) names.push_back(interval->name);
  return names;
}

Notifier::Notifier(NotifierParts parts, std::function<void(const Flush&)> done)
    : parts_(std::move(parts)), done_(std::move(done)) {}

bool Notifier::MutedByTime(const Flush& flush, std::size_t alerts) {
  if (!flush.route->active.empty() && !AnyContains(flush.route->active, flush.tick)) {
    parts_.metrics.Suppressed("active_time_interval", alerts);
    return true;
  }
  if (AnyContains(flush.route->mute, flush.tick)) {
    parts_.metrics.Suppressed("mute_time_interval", alerts);
    return true;
  }
  return false;
}

// The keys of the log under which a flush is told.
std::vector<std::string> Keys(const Flush& flush) {
  const ReceiverConfig& receiver = *flush.route->receiver;
  std::vector<std::string> keys;
  if (flush.tree->config().inbox) keys.push_back(InboxLogKey(flush.group->key, receiver));
  for (const Integration& integration : receiver.integrations)
    keys.push_back(LogKey(flush.group->key, receiver, integration));
  return keys;
}

bool Notifier::Told(const Flush& flush, std::uint64_t fingerprint) const {
  return std::ranges::any_of(Keys(flush), [&](const std::string& key) {
    const NotificationLogEntry* entry = parts_.log.Find(key, parts_.loop.clock().Now());
    return entry != nullptr && entry->ToldFiring(fingerprint);
  });
}

void Notifier::ProlongWhatWasTold(const Flush& flush, const std::vector<std::uint64_t>& quiet) {
  for (const std::string& key : Keys(flush)) {
    const NotificationLogEntry* entry = parts_.log.Find(key, parts_.loop.clock().Now());
    if (entry != nullptr && std::ranges::any_of(quiet, [&](std::uint64_t one) { return entry->ToldFiring(one); }))
      parts_.log.Prolong(key, parts_.loop.clock().Now(), flush.route->config->repeat_interval);
  }
}

std::vector<Flush::Item> Notifier::Filter(const Flush& flush, std::vector<std::uint64_t>& quiet) {
  std::vector<Flush::Item> kept;
  for (const Flush::Item& item : flush.alerts)
    if (parts_.inhibitor.InhibitedBy(item.alert->labels, flush.tick, true).empty()) kept.push_back(item);
  parts_.metrics.Suppressed("inhibition", flush.alerts.size() - kept.size());
  if (!parts_.causes.empty()) {
    const std::size_t suppressed = std::erase_if(kept, [&](const Flush::Item& item) {
      if (parts_.causes.SuppressedBy(item.alert->labels) == nullptr) return false;
      if (item.alert->ResolvedAt(flush.tick)) return !Told(flush, item.fingerprint);
      quiet.push_back(item.fingerprint);
      return true;
    });
    parts_.metrics.Suppressed("component_down", suppressed);
    std::ranges::sort(quiet);
    if (!quiet.empty()) ProlongWhatWasTold(flush, quiet);
  }
  if (kept.empty()) return kept;
  if (MutedByTime(flush, kept.size())) return {};
  const std::size_t silenced = std::erase_if(kept, [&](const Flush::Item& item) {
    return !parts_.silences.SilencedBy(item.alert->labels, flush.tick, true).empty();
  });
  parts_.metrics.Suppressed("silence", silenced);
  return kept;
}

std::shared_ptr<const Notification> Notifier::Build(const Flush& flush, const std::vector<Flush::Item>& alerts) const {
  auto notification = std::make_shared<Notification>();
  notification->receiver = flush.route->receiver->name;
  notification->group_key = flush.group->key;
  notification->group_labels = flush.group->labels;
  notification->external_url = parts_.external_url;
  notification->now = flush.tick;
  for (const auto& [fingerprint, alert] : alerts) {
    notification->alerts.push_back(*alert);
    // What fires at the tick stays firing, however long the delivery takes.
    if (!alert->ResolvedAt(flush.tick)) notification->alerts.back().ends_at = {};
  }
  SetCommon(*notification);
  if (!flush.route->config->labels.empty()) RenderRouteLabels(flush, *notification);
  return notification;
}

// One that does not render stands as it is written, as at Alertmanager.
void Notifier::RenderRouteLabels(const Flush& flush, Notification& notification) const {
  notification.route_labels = flush.route->config->labels;
  const std::shared_ptr<const RenderTemplate> render = flush.tree->config().render;
  core::Labels done;
  for (const core::LabelView label : notification.route_labels) {
    core::Result<std::string> text = std::string(label.value);
    if (render != nullptr) text = (*render)(label.value, notification, false);
    if (!text)
      parts_.logger.Warn("a label of a route does not render",
                         {{"label", std::string(label.name)}, {"error", text.error().message}});
    done.Set(label.name, text ? *text : std::string(label.value));
  }
  notification.route_labels = std::move(done);
  notification.route_labels_done = true;
}

NotifyReason Notifier::Wanted(const Delivery& delivery, bool send_resolved) const {
  const NotificationLogEntry* entry = parts_.log.Find(delivery.key, parts_.loop.clock().Now());
  return NeedsNotification(entry, delivery.firing, delivery.resolved, send_resolved,
                           delivery.flush->route->config->repeat_interval, delivery.flush->tick);
}

void Notifier::Run(std::shared_ptr<Flush> flush) {
  if (cluster_ != nullptr) flush->deadline += cluster_->TurnWait();
  flush->open = 1;  // this function's own part, so that the flush does not end before all have started
  Delivery base;
  const std::vector<Flush::Item> alerts = Filter(*flush, base.quiet);
  if (alerts.empty()) return End(flush, true);

  base.flush = flush;
  for (const auto& [fingerprint, alert] : alerts)
    (alert->ResolvedAt(flush->tick) ? base.resolved : base.firing).push_back(fingerprint);
  std::ranges::sort(base.firing);
  std::ranges::sort(base.resolved);
  const ReceiverConfig& receiver = *flush->route->receiver;
  const auto notification = [&] {
    const std::string_view reason = ReasonText(base.reason);
    if (base.notification == nullptr) base.notification = Build(*flush, alerts);
    if (base.notification->reason == reason) return;
    auto named = std::make_shared<Notification>(*base.notification);
    named->reason = reason;
    base.notification = std::move(named);
  };

  if (flush->tree->config().inbox) {
    base.key = InboxLogKey(flush->group->key, receiver);
    base.reason = Wanted(base, true);
    if (base.reason != NotifyReason::kNone) {
      notification();
      TellInbox(base);
    }
  }
  for (const Integration& integration : receiver.integrations) {
    base.key = LogKey(flush->group->key, receiver, integration);
    base.integration = &integration;
    base.reason = Wanted(base, integration.send_resolved);
    if (base.reason == NotifyReason::kNone) {
      if (flush->group->undelivered.erase(base.key) > 0) {
        notification();
        Remember(base, NotifyResult::kGivenUp);
        parts_.metrics.GivenUp(integration.kind->name, receiver.name);
        parts_.logger.Warn(
            "a notification was never delivered and its alerts have resolved: given up",
            {{"receiver", receiver.name}, {"integration", integration.Name()}, {"group", flush->group->key}});
      }
      continue;
    }
    notification();
    ++flush->open;
    parts_.tasks.Spawn("notify " + receiver.name + "/" + integration.Name(), Deliver(std::make_shared<Delivery>(base)));
  }
  End(flush, true);
}

void Notifier::TellInbox(Delivery delivery) {
  parts_.inbox.Add(*delivery.notification);
  parts_.metrics.Notified("inbox", delivery.flush->route->receiver->name, core::Duration::zero());
  Log(delivery);
  // Beside integrations the inbox says nothing new of who was told.
  if (delivery.flush->route->receiver->integrations.empty()) Remember(delivery, NotifyResult::kSent);
}

void Notifier::Remember(const Delivery& delivery, NotifyResult result) {
  HistoryEntry entry;
  const core::Duration took =
      delivery.begun == core::MonoTime{} ? core::Duration{} : parts_.loop.clock().Monotonic() - delivery.begun;
  entry.at = parts_.loop.clock().Now() - took;
  entry.took = took;
  entry.receiver = delivery.flush->route->receiver->name;
  entry.integration = delivery.integration == nullptr ? "inbox" : delivery.integration->Name();
  entry.group_key = delivery.flush->group->key;
  entry.title = NotificationTitle(*delivery.notification);
  entry.reason = delivery.reason;
  entry.result = result;
  entry.attempts = delivery.attempts;
  if (result != NotifyResult::kSent) entry.error = delivery.error;
  entry.firing = delivery.firing;
  entry.resolved = delivery.resolved;
  parts_.history.Add(std::move(entry));
}

void Notifier::Log(const Delivery& delivery) {
  NotificationLogEntry entry;
  entry.at = parts_.loop.clock().Now();
  entry.firing = delivery.firing;
  entry.resolved = delivery.resolved;
  if (!delivery.quiet.empty())
    if (const NotificationLogEntry* old = parts_.log.Find(delivery.key, entry.at))
      std::ranges::copy_if(delivery.quiet, std::back_inserter(entry.carried),
                           [&](std::uint64_t one) { return old->ToldFiring(one); });
  parts_.log.Write(delivery.key, std::move(entry), delivery.flush->route->config->repeat_interval);
}

core::Task<void> Notifier::Deliver(std::shared_ptr<Delivery> delivery) {
  Flush& flush = *delivery->flush;
  // After a reload a delivery of the group's earlier self may be under way: its outcome decides whether this one is
  // needed at all.
  const auto in_flight = in_flight_;
  bool waited = cluster_ != nullptr;
  if (waited) co_await cluster_->AwaitTurn();
  while (in_flight->contains(delivery->key) && parts_.loop.clock().Monotonic() < flush.deadline) {
    waited = true;
    co_await parts_.loop.Sleep(100ms);
  }
  if (in_flight->contains(delivery->key)) co_return End(delivery->flush, false);
  if (waited && Wanted(*delivery, delivery->integration->send_resolved) == NotifyReason::kNone)
    co_return End(delivery->flush, true);
  in_flight->insert(delivery->key);
  delivery->begun = parts_.loop.clock().Monotonic();
  bool ok = false;
  try {
    ok = co_await Attempt(delivery);
  } catch (...) {
    in_flight->erase(delivery->key);
    throw;
  }
  in_flight->erase(delivery->key);
  const std::string integration = flush.route->receiver->name + "/" + delivery->integration->Name();
  if (ok) {
    if (delivery->attempts > 0) failing_.erase(integration);
    flush.group->undelivered.erase(delivery->key);
    Log(*delivery);
    Remember(*delivery, delivery->attempts > 0 ? NotifyResult::kSent : NotifyResult::kNotSent);
  } else {
    Remember(*delivery, NotifyResult::kFailed);
    flush.group->undelivered.insert(delivery->key);
    failing_.try_emplace(integration, delivery->begun);
    parts_.metrics.Failed(delivery->integration->kind->name, flush.route->receiver->name);
  }
  End(delivery->flush, ok);
}

namespace {

// Up to the next tenth of a second, so that "timed out after 10s" is what people read, and not 9s999ms.
core::Duration TimeLeft(core::Duration left) {
  using Tenths = std::chrono::duration<std::int64_t, std::deci>;
  return left > std::chrono::seconds(1) ? core::Duration(std::chrono::ceil<Tenths>(left)) : left;
}

}  // namespace

core::Task<NotifyOutcome> Notifier::Once(std::shared_ptr<Delivery> delivery, std::shared_ptr<const Notification> sent) {
  NotifyContext context;
  context.loop = &parts_.loop;
  context.http = &parts_.http;
  context.render = delivery->flush->tree->config().render;
  context.time_left = TimeLeft(delivery->flush->deadline - parts_.loop.clock().Monotonic());
  parts_.metrics.Attempt(delivery->integration->kind->name);
  NotifyOutcome outcome;
  try {
    outcome = co_await delivery->integration->receiver->Notify(std::move(context), std::move(sent));
  } catch (...) {  // our own mistake; other receivers go on
    outcome = GiveUp(core::CaughtError().message);
  }
  if (!outcome.ok) parts_.metrics.AttemptFailed(delivery->integration->kind->name);
  co_return outcome;
}

// Delivers, with retries, until the flush's deadline.
core::Task<bool> Notifier::Attempt(std::shared_ptr<Delivery> delivery) {
  const core::Clock& clock = parts_.loop.clock();
  const Flush& flush = *delivery->flush;
  const Integration& integration = *delivery->integration;
  const core::MonoTime start = clock.Monotonic();
  std::shared_ptr<const Notification> sent = delivery->notification;
  if (!integration.send_resolved) {
    // Only resolved ones: nothing to send, but the log must say so, or a later firing would be taken for known.
    if (delivery->firing.empty()) co_return true;
    auto firing_only = std::make_shared<Notification>(*sent);
    std::erase_if(firing_only->alerts, &Notification::Resolved);
    SetCommon(*firing_only);
    sent = std::move(firing_only);
  }
  if (const auto held = hold_until_.find(delivery->key); held != hold_until_.end()) {
    if (held->second >= flush.deadline) {
      delivery->error = "the other side asked for a longer pause (Retry-After)";
      co_return false;
    }
    if (held->second > clock.Monotonic()) co_await parts_.loop.SleepUntil(held->second);
    hold_until_.erase(delivery->key);
  }
  core::Duration pause = kFirstPause;
  std::string last_error;
  for (int attempt = 1;; ++attempt) {
    const NotifyOutcome outcome = co_await Once(delivery, sent);
    delivery->attempts = attempt;
    delivery->error = outcome.error;
    if (outcome.ok) {
      parts_.metrics.Notified(integration.kind->name, flush.route->receiver->name, clock.Monotonic() - start);
      co_return true;
    }
    core::Duration wait = Spread(pause);
    if (outcome.retry_after) wait = std::max(wait, *outcome.retry_after);
    const bool again = outcome.retry && !stopping_ && clock.Monotonic() + wait < flush.deadline;
    if (outcome.error != last_error || !again)
      parts_.logger.Warn(again ? "a notification failed, it is tried again" : "a notification failed",
                         {{"receiver", flush.route->receiver->name},
                          {"integration", integration.Name()},
                          {"group", flush.group->key},
                          {"attempts", std::to_string(attempt)},
                          {"error", outcome.error}});
    last_error = outcome.error;
    if (!again) {
      if (outcome.retry_after) {
        // Groups that never came back leave nothing behind.
        std::erase_if(hold_until_, [&](const auto& held) { return held.second <= clock.Monotonic(); });
        hold_until_[delivery->key] = clock.Monotonic() + *outcome.retry_after;
      }
      co_return false;
    }
    co_await parts_.loop.Sleep(wait);
    pause = std::min(kLongestPause, std::chrono::duration_cast<core::Duration>(pause * kPauseGrowth));
  }
}

void Notifier::End(const std::shared_ptr<Flush>& flush, bool ok) {
  flush->failed |= !ok;
  if (--flush->open == 0) done_(*flush);
}

}  // namespace pipewarden::alertmanager
