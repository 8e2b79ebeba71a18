// A rule group: rules that are evaluated one after the other at the same timestamp, each seeing what those before it
// wrote. A group is due at multiples of its interval since the epoch, so that groups of the default interval are judged
// at our own tick, right after its samples were taken. Rules thread only, but for GoOn.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/model/alert.h"
#include "core/time/clock.h"
#include "rules/alerting_rule.h"
#include "rules/rule.h"
#include "rules/rule_store.h"
#include "rules/snapshot.h"

namespace pipewarden::rules {

// What a group needs of its manager.
struct GroupEnvironment {
  RuleStore& storage;
  const core::Clock& clock;
  QueryFunction query;
  core::Labels external_labels;
  std::string external_url;
  core::TimestampMs resend_ms = 0;
  promql::ParseOptions parse{};
  // True ends an evaluation before the next rule, or in the midst of a query that tells so by an error of its own: it
  // is left unfinished and may be gone on with. Null: never.
  std::function<bool()> stop = nullptr;
  // Like `query`, but of templates, whose errors become text: stopped only where `stop_templates` is set. Null: query.
  QueryFunction template_query = nullptr;
  // `stop` ends templates too: a rule whose templates may have been cut short changes nothing and is left unfinished.
  bool stop_templates = false;
  // Is given the alerts of each rule as soon as that has been evaluated. Null: they are in the outcome.
  std::function<void(std::vector<core::Alert> alerts)> on_alerts = nullptr;
};

class RuleGroup {
 public:
  RuleGroup(const RuleGroupConfig& config, std::string file, core::Duration default_interval);

  // A group is the same over a reload where file and name are.
  std::string Key() const { return file_ + ";" + name_; }
  const std::string& name() const { return name_; }
  core::TimestampMs interval_ms() const { return interval_ms_; }
  std::size_t rule_count() const { return rules_.size(); }

  bool IsDue(core::TimestampMs now) const { return now >= next_due_; }
  core::TimestampMs next_due() const { return next_due_; }

  struct Outcome {
    std::vector<core::Alert> alerts;  // to send
    std::size_t evaluations = 0;      // of rules
    std::size_t missed = 0;           // iterations that were due before this one and never ran
    std::size_t failures = 0;         // rules that failed
    double seconds = 0;
    std::vector<std::string> new_errors;  // of rules that went well, or failed otherwise, the time before
    bool unfinished = false;              // it was stopped; GoOn evaluates the rest
  };
  // Begin and GoOn.
  Outcome Evaluate(core::TimestampMs now, const GroupEnvironment& environment);
  // An iteration begins: the next one is due an interval later.
  Outcome Begin(core::TimestampMs now);
  // Evaluates the rules that the iteration at `now` has not come to yet. Any thread, but no other call meanwhile, but
  // for Key, interval_ms, IsDue, next_due and Skip.
  void GoOn(core::TimestampMs now, const GroupEnvironment& environment, Outcome& outcome);
  // Leaves out the iteration that is due, because the one before is still going on. Returns how many are missed so.
  std::size_t Skip(core::TimestampMs now);
  // An iteration was left unfinished and nobody goes on with it: the next one is due at once.
  void DueAtOnce() { next_due_ = 0; }
  double last_seconds() const { return last_seconds_; }

  // Between ticks: marks the alerting rules with `for: 0s` that read the series, to be judged before the next tick. A
  // group with a query offset looks at a time before the change, so its rules are left to the tick.
  void MarkReaders(const core::Labels& changed);
  // When the marked rules may be judged: a second after the last judgement at the earliest. nullopt: none is marked.
  std::optional<core::TimestampMs> NextJudgement() const;
  // Evaluates the marked rules; what is stopped is left to the next iteration. Series, ALERTS among them, are written
  // by Evaluate alone.
  Outcome Judge(core::TimestampMs now, const GroupEnvironment& environment);

  // Takes over what the group before a reload had: alerts and series of rules with the same identity, the schedule. The
  // series of rules that are no more are given to `orphans`.
  void CopyState(RuleGroup& old, std::vector<SeriesRef>& orphans);
  void GiveUpSeries(std::vector<SeriesRef>& orphans);
  // Its rules are new in a running process: there is nothing to restore.
  void SkipRestore();
  void ShiftTimes(core::TimestampMs by);

  std::shared_ptr<const RuleGroupView> View() const;

 private:
  using SeriesOfRule = std::unordered_map<core::Labels, SeriesRef, core::LabelsHash>;
  struct Entry {
    std::unique_ptr<Rule> rule;
    AlertingRule* alerting = nullptr;  // rule, where it is one
    SeriesOfRule series;               // written by its last evaluation
    std::string identity;
    std::string printed;  // the expression
    // Its selectors, where it may be judged between ticks; they live with the rule's tree.
    std::vector<const promql::VectorSelector*> reads;
    bool marked = false;
  };

  RuleContext ContextAt(core::TimestampMs now, const GroupEnvironment& environment) const;
  // The samples to write; empty where the rule failed.
  std::optional<std::vector<OutputSample>> EvaluateRule(Entry& entry, const RuleContext& context, Outcome& outcome,
                                                        const GroupEnvironment& environment);
  void Write(Entry& entry, std::vector<OutputSample> samples, core::TimestampMs time, RuleStore& storage);
  void Restore(const RuleContext& context, const GroupEnvironment& environment);

  std::string name_;
  std::string file_;
  core::TimestampMs interval_ms_;
  core::TimestampMs offset_ms_;
  std::size_t limit_;
  std::vector<Entry> rules_;
  std::size_t next_rule_ = 0;  // of the iteration
  core::TimestampMs next_due_ = 0;
  core::TimestampMs last_evaluation_ = 0;
  double last_seconds_ = 0;
  core::TimestampMs last_judged_ = 0;  // between ticks
  int evaluations_ = 0;                // of this process; counts up to those before a restore
};

}  // namespace pipewarden::rules
