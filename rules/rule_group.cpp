#include "rules/rule_group.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "core/async/exceptions.h"
#include "rules/promql/printer.h"
#include "rules/recording_rule.h"

namespace pipewarden::rules {
namespace {

// Alerts of a process before are restored after this many evaluations: the first may see too few samples.
constexpr int kEvaluationsBeforeRestore = 2;
constexpr core::TimestampMs kJudgedAtMostEveryMs = 1000;
constexpr core::TimestampMs kRestoreWithinMs = 60LL * 60 * 1000;

core::TimestampMs Ms(core::Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

std::vector<std::pair<std::string, std::string>> PairsOf(const std::vector<RuleText>& texts) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const RuleText& text : texts) out.emplace_back(text.name, text.text);
  return out;
}

std::vector<const promql::VectorSelector*> SelectorsOf(const promql::Expr& expr) {
  std::vector<const promql::VectorSelector*> out;
  promql::Walk(expr, [&](const promql::Expr& part) {
    if (part.kind == promql::Expr::Kind::kVectorSelector)
      out.push_back(&static_cast<const promql::VectorSelector&>(part));
  });
  return out;
}

// The newest samples of the rule's series of that metric, by the alert's labels; stale ones left out.
using LastSamples = std::map<core::Labels, core::Sample>;
LastSamples LastSamplesOf(const AlertingRule& rule, std::string_view metric, core::TimestampMs from,
                          core::TimestampMs to, const RuleStore& storage) {
  LastSamples out;
  std::vector<core::Matcher> matchers;
  const auto equals = [&](std::string_view name, std::string_view value) {
    auto matcher = core::Matcher::Make(std::string(name), core::MatchOp::kEqual, std::string(value));
    if (matcher) matchers.push_back(std::move(*matcher));
  };
  equals(core::kMetricName, metric);
  equals(core::kAlertName, rule.config().name);
  if (metric == "ALERTS") equals("alertstate", "firing");
  for (const RuleText& label : rule.config().labels)
    if (label.text.find("{{") == std::string::npos && label.name != core::kAlertName) equals(label.name, label.text);
  auto querier = storage.Open(from, to);
  if (!querier) return out;
  auto set = (*querier)->Select({.from = from, .to = to}, matchers);
  if (!set) return out;
  for (std::size_t i = 0; i < (*set)->size(); ++i) {
    promql::SampleColumns last;
    if (!(*set)->ReadLast(i, from, to, last) || last.empty() || core::IsStaleNaN(last.values[0])) continue;
    core::Labels labels = *(*set)->labels(i);
    labels.Remove(core::kMetricName);
    labels.Remove("alertstate");
    out[std::move(labels)] = {last.times[0], last.values[0]};
  }
  return out;
}

}  // namespace

RuleGroup::RuleGroup(const RuleGroupConfig& config, std::string file, core::Duration default_interval)
    : name_(config.name),
      file_(std::move(file)),
      interval_ms_(std::max<core::TimestampMs>(1, Ms(config.interval.value_or(default_interval)))),
      offset_ms_(Ms(config.query_offset.value_or(core::Duration::zero()))),
      limit_(config.limit) {
  for (const RuleConfig& rule : config.rules) {
    Entry entry;
    entry.identity = rule.Identity();
    entry.printed = promql::Print(*rule.tree);
    if (rule.alerting) {
      auto alerting = std::make_unique<AlertingRule>(rule);
      entry.alerting = alerting.get();
      if (rule.for_ == core::Duration::zero() && offset_ms_ == 0) {
        entry.reads = SelectorsOf(*rule.tree);
        if (rule.options != nullptr && rule.options->resolve_expr != nullptr)
          std::ranges::move(SelectorsOf(*rule.options->resolve_expr), std::back_inserter(entry.reads));
      }
      entry.rule = std::move(alerting);
    } else {
      entry.rule = std::make_unique<RecordingRule>(rule);
    }
    rules_.push_back(std::move(entry));
  }
}

RuleContext RuleGroup::ContextAt(core::TimestampMs now, const GroupEnvironment& environment) const {
  return {.query = environment.query,
          .template_query = environment.template_query ? environment.template_query : environment.query,
          .time = now,
          .offset = offset_ms_,
          .limit = limit_,
          .external_labels = environment.external_labels,
          .external_url = environment.external_url,
          .parse = environment.parse,
          .cancelled = environment.stop_templates ? environment.stop : nullptr};
}

RuleGroup::Outcome RuleGroup::Evaluate(core::TimestampMs now, const GroupEnvironment& environment) {
  Outcome outcome = Begin(now);
  GoOn(now, environment, outcome);
  return outcome;
}

RuleGroup::Outcome RuleGroup::Begin(core::TimestampMs now) {
  Outcome outcome;
  if (next_due_ != 0) outcome.missed = static_cast<std::size_t>((now - next_due_) / interval_ms_);
  next_due_ = (now / interval_ms_ + 1) * interval_ms_;
  next_rule_ = 0;
  return outcome;
}

std::size_t RuleGroup::Skip(core::TimestampMs now) {
  const auto missed = static_cast<std::size_t>((now - next_due_) / interval_ms_) + 1;
  next_due_ = (now / interval_ms_ + 1) * interval_ms_;
  return missed;
}

void RuleGroup::GoOn(core::TimestampMs now, const GroupEnvironment& environment, Outcome& outcome) {
  outcome.unfinished = false;
  const core::MonoTime start = environment.clock.Monotonic();
  const RuleContext context = ContextAt(now, environment);
  for (; next_rule_ < rules_.size(); ++next_rule_) {
    Entry& entry = rules_[next_rule_];
    outcome.unfinished = environment.stop && environment.stop();
    auto samples = outcome.unfinished ? std::nullopt : EvaluateRule(entry, context, outcome, environment);
    if (outcome.unfinished) break;
    entry.marked = false;
    if (environment.on_alerts && !outcome.alerts.empty()) environment.on_alerts(std::exchange(outcome.alerts, {}));
    if (samples) Write(entry, std::move(*samples), now - offset_ms_, environment.storage);
  }
  outcome.seconds += core::ToSeconds(environment.clock.Monotonic() - start);
  if (outcome.unfinished) return;
  if (evaluations_ < kEvaluationsBeforeRestore && ++evaluations_ == kEvaluationsBeforeRestore)
    Restore(context, environment);
  last_evaluation_ = now;
  last_seconds_ = outcome.seconds;
}

void RuleGroup::MarkReaders(const core::Labels& changed) {
  const auto reads = [&](const promql::VectorSelector* selector) {
    return std::ranges::all_of(selector->matchers, [&](const core::Matcher& one) { return one.Matches(changed); });
  };
  for (Entry& entry : rules_) entry.marked = entry.marked || std::ranges::any_of(entry.reads, reads);
}

std::optional<core::TimestampMs> RuleGroup::NextJudgement() const {
  if (std::ranges::none_of(rules_, &Entry::marked)) return std::nullopt;
  return last_judged_ + kJudgedAtMostEveryMs;
}

RuleGroup::Outcome RuleGroup::Judge(core::TimestampMs now, const GroupEnvironment& environment) {
  Outcome outcome;
  const core::MonoTime start = environment.clock.Monotonic();
  const RuleContext context = ContextAt(now, environment);
  for (Entry& entry : rules_)
    if (std::exchange(entry.marked, false) && !outcome.unfinished) EvaluateRule(entry, context, outcome, environment);
  last_judged_ = now;
  outcome.seconds = core::ToSeconds(environment.clock.Monotonic() - start);
  return outcome;
}

std::optional<std::vector<OutputSample>> RuleGroup::EvaluateRule(Entry& entry, const RuleContext& context,
                                                                 Outcome& outcome,
                                                                 const GroupEnvironment& environment) {
  const core::MonoTime start = environment.clock.Monotonic();
  core::Result<std::vector<OutputSample>> samples;
  try {
    samples = entry.rule->Evaluate(context);
  } catch (...) {  // one rule fails alone
    samples = core::Fail(core::CaughtError());
  }
  if (!samples && environment.stop && environment.stop()) {  // the query was cut short, most likely: it is asked again
    outcome.unfinished = true;
    return std::nullopt;
  }
  Rule::Health& health = entry.rule->health;
  health.evaluated = true;
  health.last_evaluation = context.time;
  ++outcome.evaluations;
  if (!samples && samples.error().message != health.error)
    outcome.new_errors.push_back("rule '" + entry.rule->config().name + "': " + samples.error().message);
  health.error = samples ? "" : samples.error().message;
  if (!samples) ++outcome.failures;
  if (samples && entry.alerting != nullptr) {
    auto unsent = entry.alerting->TakeUnsent(context.time, environment.resend_ms, interval_ms_, context);
    std::ranges::move(unsent, std::back_inserter(outcome.alerts));
  }
  health.seconds = core::ToSeconds(environment.clock.Monotonic() - start);
  if (!samples) return std::nullopt;
  return std::move(*samples);
}

void RuleGroup::Write(Entry& entry, std::vector<OutputSample> samples, core::TimestampMs time, RuleStore& storage) {
  SeriesOfRule written;
  std::vector<RefSample> batch;
  batch.reserve(samples.size());
  std::vector<RefHistogram> histograms;
  for (OutputSample& sample : samples) {
    const auto ref = storage.Resolve(sample.labels, "rules");
    if (!ref) continue;  // the storage has counted it
    if (sample.histogram != nullptr)
      histograms.push_back({*ref, std::move(sample.histogram)});
    else
      batch.push_back({*ref, sample.value});
    entry.series.erase(sample.labels);
    written.emplace(std::move(sample.labels), *ref);
  }
  storage.Append(time, batch);
  if (!histograms.empty()) storage.Append(time, histograms);
  std::vector<SeriesRef> gone;
  for (const auto& [labels, ref] : entry.series) gone.push_back(ref);
  if (!gone.empty()) storage.End(gone, time);
  entry.series = std::move(written);
}

void RuleGroup::Restore(const RuleContext& context, const GroupEnvironment& environment) {
  for (Entry& entry : rules_) {
    if (entry.alerting == nullptr || entry.alerting->restored()) continue;
    const RuleConfig& config = entry.rule->config();
    std::vector<RememberedAlert> remembered;
    if (config.for_ > core::Duration::zero() || config.keep_firing_for > core::Duration::zero() ||
        (config.options != nullptr && config.options->HoldsAlerts())) {
      const core::TimestampMs from = context.time - kRestoreWithinMs;
      const auto active = LastSamplesOf(*entry.alerting, "ALERTS_FOR_STATE", from, context.time, environment.storage);
      const auto firing = LastSamplesOf(*entry.alerting, "ALERTS", from, context.time, environment.storage);
      for (const auto& [labels, sample] : active)
        remembered.push_back({.labels = labels,
                              .seen_at = sample.time,
                              .active_at = static_cast<core::TimestampMs>(sample.value) * 1000,
                              .firing = firing.contains(labels)});
    }
    entry.alerting->Restore(remembered, context);
  }
}

void RuleGroup::CopyState(RuleGroup& old, std::vector<SeriesRef>& orphans) {
  if (old.interval_ms_ == interval_ms_) next_due_ = old.next_due_;
  last_evaluation_ = old.last_evaluation_;
  last_judged_ = old.last_judged_;
  last_seconds_ = old.last_seconds_;
  evaluations_ = old.evaluations_;
  for (Entry& entry : rules_) {
    const auto match = std::ranges::find_if(
        old.rules_, [&](const Entry& candidate) { return candidate.rule && candidate.identity == entry.identity; });
    if (match == old.rules_.end()) {
      // New: nothing to restore, unless the process itself has just begun.
      if (entry.alerting != nullptr && evaluations_ >= kEvaluationsBeforeRestore) entry.alerting->SkipRestore();
      continue;
    }
    if (entry.alerting != nullptr) entry.alerting->CopyState(*match->alerting);
    entry.rule->health = match->rule->health;
    entry.series = std::move(match->series);
    match->series.clear();
    match->rule.reset();  // of several equal rules each takes the state of one
    match->alerting = nullptr;
  }
  old.GiveUpSeries(orphans);
}

void RuleGroup::GiveUpSeries(std::vector<SeriesRef>& orphans) {
  for (Entry& entry : rules_) {
    for (const auto& [labels, ref] : entry.series) orphans.push_back(ref);
    entry.series.clear();
  }
}

void RuleGroup::SkipRestore() {
  evaluations_ = kEvaluationsBeforeRestore;
  for (Entry& entry : rules_)
    if (entry.alerting != nullptr) entry.alerting->SkipRestore();
}

void RuleGroup::ShiftTimes(core::TimestampMs by) {
  if (next_due_ != 0) next_due_ += by;
  if (last_judged_ != 0) last_judged_ += by;
  for (Entry& entry : rules_)
    if (entry.alerting != nullptr) entry.alerting->ShiftTimes(by);
}

std::shared_ptr<const RuleGroupView> RuleGroup::View() const {
  auto view = std::make_shared<RuleGroupView>();
  view->name = name_;
  view->file = file_;
  view->interval_seconds = static_cast<double>(interval_ms_) / 1000;
  view->query_offset_seconds = static_cast<double>(offset_ms_) / 1000;
  view->limit = limit_;
  view->last_evaluation = last_evaluation_;
  view->evaluation_seconds = last_seconds_;
  for (const Entry& entry : rules_) {
    const RuleConfig& config = entry.rule->config();
    const Rule::Health& health = entry.rule->health;
    RuleView rule;
    rule.alerting = config.alerting;
    rule.name = config.name;
    rule.query = entry.printed;
    rule.for_seconds = core::ToSeconds(config.for_);
    rule.keep_firing_seconds = core::ToSeconds(config.keep_firing_for);
    rule.labels = PairsOf(config.labels);
    rule.annotations = PairsOf(config.annotations);
    rule.health = !health.evaluated ? "unknown" : health.error.empty() ? "ok" : "err";
    rule.last_error = health.error;
    rule.last_evaluation = health.last_evaluation;
    rule.evaluation_seconds = health.seconds;
    if (entry.alerting != nullptr) {
      rule.state = entry.alerting->state();
      for (const auto& [labels, alert] : entry.alerting->alerts())
        if (alert.state != AlertState::kInactive)
          rule.alerts.push_back({.labels = labels,
                                 .annotations = alert.annotations,
                                 .state = alert.state,
                                 .value = alert.value,
                                 .active_at = alert.active_at,
                                 .keep_firing_since = alert.keep_firing_since});
    }
    view->rules.push_back(std::move(rule));
  }
  return view;
}

}  // namespace pipewarden::rules
