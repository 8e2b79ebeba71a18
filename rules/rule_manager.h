// All rule groups: schedule, evaluation, alerts out, state over reloads and restarts.
//
// Groups are evaluated one after the other on the tick. One that takes longer than kAtOnce is gone on with aside
// (groups_aside.h), from the rule on that it has come to, and begins there from then on, until it is quick again; so no
// group delays the others, or the tick. What is due while a group is still at it is missed, and counted.
//
// Apply, Tick, Judge, Collect, Stop and NextDue belong to the rules thread; Snapshot may be called from any thread.
// Alerts are handed to a callback on the rules thread, and those of a group that is aside after each of its rules on
// the thread of that group.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/async/mutex.h"
#include "core/logging.h"
#include "core/model/alert.h"
#include "core/time/clock.h"
#include "rules/groups_aside.h"
#include "rules/promql/engine.h"
#include "rules/rule_file.h"
#include "rules/rule_group.h"
#include "rules/snapshot.h"
#include "rules/storage/storage.h"

namespace prometheus {
class Registry;
}

namespace pipewarden::rules {

class RuleMetrics;

struct RuleManagerOptions {
  std::string external_url = {};                            // for links in alerts and templates
  core::Duration resend_delay = std::chrono::minutes(1);    // a firing alert is sent again after it
  core::Duration query_timeout = std::chrono::seconds(30);  // of one rule
  promql::ParseOptions parse{};                             // of queries in templates
  // A group has been evaluated aside: Collect is to be called soon. Any thread; null: with the next tick.
  std::function<void()> on_aside = nullptr;
};

class RuleManager {
 public:
  // Any thread, and several at once.
  using AlertsCallback = std::function<void(std::vector<core::Alert> alerts)>;

  // All references must outlive it.
  RuleManager(Storage& storage, const promql::Engine& engine, const core::Clock& clock, RuleManagerOptions options,
              core::Logger logger, std::shared_ptr<prometheus::Registry> registry, AlertsCallback on_alerts);
  ~RuleManager();

  // Makes these the rules, all at once (they were checked when they were read). What a group of the same file and name
  // knew of a rule with the same name and labels is kept; series of rules that are no more end with the next tick.
  void Apply(const std::vector<RuleFile>& files, core::Duration default_interval, core::Labels external_labels,
             core::TimestampMs now);
  // Evaluates the groups that are due, at this timestamp (one of Storage::TickTime, with its samples taken), and lets
  // the storage do its upkeep.
  void Tick(core::TimestampMs now);
  // Takes over what was evaluated aside meanwhile.
  void Collect();
  // Ends what is aside; it is due again with the next tick. No Tick comes after it but after an Apply.
  void Stop();
  // True while Stop (or Apply) ends what is aside. Any thread.
  bool stopping() const { return aside_.cancelled(); }
  // Between ticks: these series have samples at `now` that change something. The alerting rules with `for: 0s` that
  // read one of them are judged, those of a group together and at most once a second. Returns when to call it again,
  // with no series, for what had to wait; nullopt where nothing waits. A group that is aside, or took as long the time
  // before, is left to its tick, and so is what a judgement has no time for.
  std::optional<core::TimestampMs> Judge(std::span<const core::Labels> changed, core::TimestampMs now);
  // When the next group is due; a time far ahead where there is none.
  core::TimestampMs NextDue(core::TimestampMs now) const;

  // Never null.
  std::shared_ptr<const RulesSnapshot> Snapshot() const;

 private:
  static constexpr core::Duration kAtOnce = std::chrono::milliseconds(500);

  core::Result<promql::QueryResult> Query(const promql::Expr& expr, core::TimestampMs time, core::MonoTime until,
                                          const std::atomic<bool>* cancel) const;
  void FollowClock(core::TimestampMs now);
  void Evaluate(std::size_t index, core::TimestampMs now, std::vector<core::Alert>& alerts, std::vector<bool>& changed);
  void Finish(const RuleGroup& group, RuleGroup::Outcome outcome, std::vector<core::Alert>& alerts);
  void TakeOver(GroupsAside::Finished finished, std::vector<core::Alert>& alerts);
  void Collect(std::vector<core::Alert>& alerts, std::vector<bool>& changed);
  void TellMissed(const RuleGroup& group, std::size_t missed);
  void TellErrors(const RuleGroup& group, const RuleGroup::Outcome& outcome);
  bool IsSlow(const RuleGroup& group) const { return group.last_seconds() >= core::ToSeconds(kAtOnce); }
  void Send(std::vector<core::Alert> alerts);  // any thread
  void Publish(const std::vector<bool>& changed);

  Storage& storage_;
  const core::Clock& clock_;
  const core::Logger logger_;
  const RuleManagerOptions options_;
  const AlertsCallback on_alerts_;
  std::unique_ptr<RuleMetrics> metrics_;
  const promql::Engine& engine_;
  core::MonoTime at_once_until_{};
  GroupEnvironment environment_;        // on the tick
  GroupEnvironment aside_environment_;  // changed only while nothing is aside
  std::vector<std::unique_ptr<RuleGroup>> groups_;
  // The clock's steps while a group was aside.
  std::map<const RuleGroup*, core::TimestampMs> shifts_;
  std::vector<SeriesRef> orphans_;
  bool applied_ = false;
  core::TimestampMs last_tick_ = 0;
  core::MonoTime last_tick_mono_{};

  mutable core::Mutex mutex_;
  std::shared_ptr<const RulesSnapshot> snapshot_ GUARDED_BY(mutex_);

  GroupsAside aside_;  // its threads end before what they use
};

}  // namespace pipewarden::rules
