// The notification pipeline, in Alertmanager's order: inhibition, active times, mute times, silences; then for each
// integration of the receiver on its own: deduplication against the log, delivery with retries inside the flush's
// deadline, a line in the log. One failing integration fails the flush: the group keeps its resolved alerts and tries
// again at its next tick, and siblings that got through are quiet then by deduplication.
//
// Beyond Alertmanager: alerts of what stands on a component that is down are kept back (causes.h), but for the resolve
// of one that was told before. Retry-After is honoured, and what never got through and has nothing left to tell is
// counted as given up. Loop thread only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "alertmanager/causes.h"
#include "alertmanager/cluster.h"
#include "alertmanager/dispatcher.h"
#include "alertmanager/history.h"
#include "alertmanager/inbox.h"
#include "alertmanager/inhibitor.h"
#include "alertmanager/metrics.h"
#include "alertmanager/notification_log.h"
#include "alertmanager/silences.h"
#include "core/async/loop.h"
#include "core/async/task_group.h"
#include "core/net/http_client.h"

namespace pipewarden::alertmanager {

// All outlive the Notifier.
struct NotifierParts {
  core::Loop& loop;
  core::HttpClient& http;
  core::TaskGroup& tasks;
  const Inhibitor& inhibitor;
  const Causes& causes;
  const Silences& silences;
  NotificationLog& log;
  Inbox& inbox;
  History& history;
  Metrics& metrics;
  core::Logger logger;
  std::string external_url;
};

class Notifier {
 public:
  Notifier(NotifierParts parts, std::function<void(const Flush&)> done);

  // Each delivery awaits its turn from now on, and others may have told by then.
  void ShareWith(Cluster* cluster) { cluster_ = cluster; }
  void Run(std::shared_ptr<Flush> flush);
  // From now on a delivery that fails is not tried again (the agent ends; the next start does).
  void StopRetrying() { stopping_ = true; }
  std::size_t in_flight() const { return in_flight_->size(); }
  // Integrations ("team/slack[0]") that nothing has got through since, and since when.
  const std::map<std::string, core::MonoTime>& failing() const { return failing_; }
  // Whether the integration of this key of the log is being told right now.
  bool IsInFlight(const std::string& key) const { return in_flight_->contains(key); }

 private:
  struct Delivery {
    std::shared_ptr<Flush> flush;
    const Integration* integration = nullptr;  // good as long as flush->tree
    std::string key;                           // of the notification log
    std::shared_ptr<const Notification> notification;
    std::vector<std::uint64_t> firing, resolved;
    std::vector<std::uint64_t> quiet;  // kept back at this flush, and firing
    NotifyReason reason = NotifyReason::kNone;
    // Of the attempts so far.
    core::MonoTime begun{};
    int attempts = 0;
    std::string error;
  };

  std::vector<Flush::Item> Filter(const Flush& flush, std::vector<std::uint64_t>& quiet);
  bool Told(const Flush& flush, std::uint64_t fingerprint) const;
  void ProlongWhatWasTold(const Flush& flush, const std::vector<std::uint64_t>& quiet);
  bool MutedByTime(const Flush& flush, std::size_t alerts);
  std::shared_ptr<const Notification> Build(const Flush& flush, const std::vector<Flush::Item>& alerts) const;
  void RenderRouteLabels(const Flush& flush, Notification& notification) const;
  NotifyReason Wanted(const Delivery& delivery, bool send_resolved) const;
  void TellInbox(Delivery delivery);
  core::Task<void> Deliver(std::shared_ptr<Delivery> delivery);
  core::Task<bool> Attempt(std::shared_ptr<Delivery> delivery);
  core::Task<NotifyOutcome> Once(std::shared_ptr<Delivery> delivery, std::shared_ptr<const Notification> sent);
  void Log(const Delivery& delivery);
  void Remember(const Delivery& delivery, NotifyResult result);
  void End(const std::shared_ptr<Flush>& flush, bool ok);

  NotifierParts parts_;
  std::function<void(const Flush&)> done_;
  // Shared with the deliveries, which unwind after the notifier when the process ends in haste.
  std::shared_ptr<std::set<std::string>> in_flight_ =
      std::make_shared<std::set<std::string>>();      // keys of the log that are being delivered
  std::map<std::string, core::MonoTime> hold_until_;  // what a Retry-After asked for
  Cluster* cluster_ = nullptr;
  std::map<std::string, core::MonoTime> failing_;
  bool stopping_ = false;
};

// Under this the log of notifications knows what an integration was told of a group.
std::string LogKey(std::string_view group_key, const ReceiverConfig& receiver, const Integration& integration);
std::string InboxLogKey(std::string_view group_key, const ReceiverConfig& receiver);

// Why a route is quiet at this time: the names of its mute intervals that hold, or of its active intervals where none
// does; empty where it is not.
std::vector<std::string> MutedBy(const Route& route, core::WallTime time);

}  // namespace pipewarden::alertmanager
