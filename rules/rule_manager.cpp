#include "rules/rule_manager.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "rules/rule_metrics.h"

namespace pipewarden::rules {

RuleManager::RuleManager(Storage& storage, const promql::Engine& engine, const core::Clock& clock,
                         RuleManagerOptions options, core::Logger logger,
                         std::shared_ptr<prometheus::Registry> registry, AlertsCallback on_alerts)
    : storage_(storage),
      clock_(clock),
      logger_(std::move(logger)),
      options_(std::move(options)),
      on_alerts_(std::move(on_alerts)),
      metrics_(std::make_unique<RuleMetrics>(std::move(registry))),
      engine_(engine),
      environment_{.storage = storage,
                   .clock = clock,
                   .query = [this](const promql::Expr& expr,
                                   core::TimestampMs time) { return Query(expr, time, at_once_until_, nullptr); },
                   .external_labels = {},
                   .external_url = options_.external_url,
                   .resend_ms = std::chrono::duration_cast<std::chrono::milliseconds>(options_.resend_delay).count(),
                   .parse = options_.parse},
      aside_environment_(environment_),
      snapshot_(std::make_shared<const RulesSnapshot>()),
      aside_(logger_, [this] {
        if (options_.on_aside) options_.on_aside();
      }) {
  environment_.stop = [this] { return clock_.Monotonic() >= at_once_until_; };
  environment_.template_query = [this](const promql::Expr& expr, core::TimestampMs time) {
    return Query(expr, time, core::MonoTime::max(), nullptr);
  };
  aside_environment_.query = [this](const promql::Expr& expr, core::TimestampMs time) {
    return Query(expr, time, core::MonoTime::max(), &aside_.cancelled());
  };
  aside_environment_.template_query = aside_environment_.query;
  aside_environment_.stop = [this] { return aside_.cancelled().load(); };
  aside_environment_.stop_templates = true;
  aside_environment_.on_alerts = [this](std::vector<core::Alert> alerts) { Send(std::move(alerts)); };
}

core::Result<promql::QueryResult> RuleManager::Query(const promql::Expr& expr, core::TimestampMs time,
                                                     core::MonoTime until, const std::atomic<bool>* cancel) const {
  promql::EvalLimits limits;
  limits.clock = &clock_;
  limits.deadline = std::min(until, clock_.Monotonic() + options_.query_timeout);
  limits.cancel = cancel;
  return engine_.Instant(expr, storage_, time, limits);
}

RuleManager::~RuleManager() = default;

void RuleManager::Apply(const std::vector<RuleFile>& files, core::Duration default_interval,
                        core::Labels external_labels, core::TimestampMs) {
  Stop();
  environment_.external_labels = external_labels;
  aside_environment_.external_labels = std::move(external_labels);
  std::map<std::string, std::unique_ptr<RuleGroup>> old;
  for (auto& group : groups_) old.emplace(group->Key(), std::move(group));
  groups_.clear();
  for (const RuleFile& file : files) {
    for (const RuleGroupConfig& config : file.groups) {
      auto group = std::make_unique<RuleGroup>(config, file.path, default_interval);
      const auto before = old.find(group->Key());
      if (before != old.end()) {
        group->CopyState(*before->second, orphans_);
        old.erase(before);
      } else if (applied_) {
        group->SkipRestore();
      }
      groups_.push_back(std::move(group));
    }
  }
  for (const auto& [key, group] : old) {
    group->GiveUpSeries(orphans_);
    metrics_->Forget(key);
  }
  applied_ = true;
  {
    const core::MutexLock lock(mutex_);
    snapshot_ = std::make_shared<const RulesSnapshot>();
  }
  Publish(std::vector<bool>(groups_.size(), true));
}

// While the wall clock is behind, timestamps hardly move: what waits for a time to pass is moved instead by what
// passed.
void RuleManager::FollowClock(core::TimestampMs now) {
  const core::MonoTime mono = clock_.Monotonic();
  if (storage_.clock_is_behind() && last_tick_ != 0) {
    const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(mono - last_tick_mono_).count();
    const core::TimestampMs by = now - last_tick_ - passed;
    for (const auto& group : groups_) {
      if (aside_.Has(group.get()))
        shifts_[group.get()] += by;
      else
        group->ShiftTimes(by);
    }
  }
  last_tick_ = now;
  last_tick_mono_ = mono;
}

void RuleManager::Tick(core::TimestampMs now) {
  FollowClock(now);
  std::vector<core::Alert> alerts;
  std::vector<bool> changed(groups_.size(), false);
  Collect(alerts, changed);
  for (std::size_t i = 0; i < groups_.size(); ++i)
    if (groups_[i]->IsDue(now)) Evaluate(i, now, alerts, changed);
  if (!orphans_.empty()) {
    storage_.End(orphans_, now);
    orphans_.clear();
  }
  Publish(changed);
  Send(std::move(alerts));
  storage_.Maintain(now);
}

void RuleManager::Evaluate(std::size_t index, core::TimestampMs now, std::vector<core::Alert>& alerts,
                           std::vector<bool>& changed) {
  RuleGroup& group = *groups_[index];
  if (aside_.Has(&group)) {
    const std::size_t missed = group.Skip(now);
    metrics_->Missed(group.Key(), missed);
    TellMissed(group, missed);
    return;
  }
  RuleGroup::Outcome outcome = group.Begin(now);
  TellMissed(group, outcome.missed);
  at_once_until_ = clock_.Monotonic() + kAtOnce;
  if (IsSlow(group))
    outcome.unfinished = true;
  else
    group.GoOn(now, environment_, outcome);
  if (!outcome.unfinished) {
    changed[index] = true;
    Finish(group, std::move(outcome), alerts);
    return;
  }
  std::ranges::move(outcome.alerts, std::back_inserter(alerts));
  outcome.alerts.clear();
  aside_.Start(&group, [this, &group, now, outcome = std::move(outcome)]() mutable {
    group.GoOn(now, aside_environment_, outcome);
    return std::move(outcome);
  });
}

void RuleManager::Finish(const RuleGroup& group, RuleGroup::Outcome outcome, std::vector<core::Alert>& alerts) {
  metrics_->Evaluated(group.Key(), outcome.evaluations, outcome.failures, outcome.missed, outcome.seconds);
  TellErrors(group, outcome);
  std::ranges::move(outcome.alerts, std::back_inserter(alerts));
}

void RuleManager::Collect(std::vector<core::Alert>& alerts, std::vector<bool>& changed) {
  for (GroupsAside::Finished& finished : aside_.Collect()) {
    for (std::size_t i = 0; i < groups_.size(); ++i)
      if (groups_[i].get() == finished.group) changed[i] = true;
    TakeOver(std::move(finished), alerts);
  }
}

void RuleManager::TakeOver(GroupsAside::Finished finished, std::vector<core::Alert>& alerts) {
  if (const auto shift = shifts_.find(finished.group); shift != shifts_.end()) {
    finished.group->ShiftTimes(shift->second);
    shifts_.erase(shift);
  }
  Finish(*finished.group, std::move(finished.outcome), alerts);
}

void RuleManager::Collect() {
  std::vector<core::Alert> alerts;
  std::vector<bool> changed(groups_.size(), false);
  Collect(alerts, changed);
  Publish(changed);
  Send(std::move(alerts));
}

// What is aside is left unfinished: the rules that it has come to keep what they have found, and the next tick begins
// it anew.
void RuleManager::Stop() {
  std::vector<core::Alert> alerts;
  for (GroupsAside::Finished& cancelled : aside_.Cancel()) {
    const bool unfinished = cancelled.outcome.unfinished;
    RuleGroup& group = *cancelled.group;
    TakeOver(std::move(cancelled), alerts);
    if (unfinished) group.DueAtOnce();
  }
  Send(std::move(alerts));
}

void RuleManager::TellMissed(const RuleGroup& group, std::size_t missed) {
  if (missed == 0) return;
  logger_.Warn("evaluations of a rule group were missed", {{"group", group.Key()}, {"missed", std::to_string(missed)}});
}

std::optional<core::TimestampMs> RuleManager::Judge(std::span<const core::Labels> changed, core::TimestampMs now) {
  FollowClock(now);
  std::optional<core::TimestampMs> next;
  std::vector<core::Alert> alerts;
  std::vector<bool> judged(groups_.size(), false);
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    RuleGroup& group = *groups_[i];
    if (aside_.Has(&group) || IsSlow(group)) continue;
    for (const core::Labels& labels : changed) group.MarkReaders(labels);
    const auto may_run = group.NextJudgement();
    if (!may_run) continue;
    if (*may_run > now) {
      next = std::min(next.value_or(*may_run), *may_run);
      continue;
    }
    judged[i] = true;
    at_once_until_ = clock_.Monotonic() + kAtOnce;
    RuleGroup::Outcome outcome = group.Judge(now, environment_);
    metrics_->Judged(group.Key(), outcome.evaluations, outcome.failures, outcome.seconds);
    TellErrors(group, outcome);
    std::ranges::move(outcome.alerts, std::back_inserter(alerts));
  }
  Publish(judged);
  Send(std::move(alerts));
  return next;
}

void RuleManager::TellErrors(const RuleGroup& group, const RuleGroup::Outcome& outcome) {
  for (const std::string& error : outcome.new_errors)
    logger_.Warn("a rule cannot be evaluated", {{"group", group.Key()}, {"error", error}});
}

void RuleManager::Send(std::vector<core::Alert> alerts) {
  metrics_->AlertsSent(alerts.size());
  if (!alerts.empty()) on_alerts_(std::move(alerts));
}

core::TimestampMs RuleManager::NextDue(core::TimestampMs now) const {
  core::TimestampMs next = std::numeric_limits<core::TimestampMs>::max();
  for (const auto& group : groups_)
    next = std::min(
        next, group->next_due() > now ? group->next_due() : (now / group->interval_ms() + 1) * group->interval_ms());
  return next;
}

void RuleManager::Publish(const std::vector<bool>& changed) {
  if (std::ranges::find(changed, true) == changed.end() && !changed.empty()) return;
  auto next = std::make_shared<RulesSnapshot>();
  const std::shared_ptr<const RulesSnapshot> before = Snapshot();
  for (std::size_t i = 0; i < groups_.size(); ++i)
    next->groups.push_back(changed[i] || i >= before->groups.size() ? groups_[i]->View() : before->groups[i]);
  const core::MutexLock lock(mutex_);
  snapshot_ = std::move(next);
}

std::shared_ptr<const RulesSnapshot> RuleManager::Snapshot() const {
  const core::MutexLock lock(mutex_);
  return snapshot_;
}

}  // namespace pipewarden::rules
