// An alerting rule and its alerts, as Prometheus has them (rules/alerting.go of Prometheus 3):
//
//   (expression yields the labels) -> pending -> firing -> resolved -> forgotten after 15 minutes
//
// An alert is pending until its expression has held for `for`; a firing one goes on for keep_firing_for after the
// expression cleared; a resolved one stays known, so that its end is sent again if the first message got lost. What
// alert_options.h adds holds an alert beyond its expression, as if that still yielded it. Each
// evaluation writes ALERTS and ALERTS_FOR_STATE, from which alerts are restored after a restart. Times are those of
// evaluations, never read from a clock. Rules thread only.
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/model/alert.h"
#include "rules/rule.h"

namespace pipewarden::rules {

enum class AlertState { kInactive, kPending, kFiring };
std::string_view AlertStateName(AlertState state);  // "inactive", "pending", "firing"

struct ActiveAlert {
  core::Labels annotations;
  AlertState state = AlertState::kPending;
  double value = 0;  // 0 where it is a histogram, as in Prometheus; its text stands in the annotations
  // Times of evaluations in milliseconds; 0: not yet.
  core::TimestampMs active_at = 0;
  core::TimestampMs fired_at = 0;
  core::TimestampMs resolved_at = 0;
  core::TimestampMs last_sent_at = 0;
  core::TimestampMs keep_firing_since = 0;
};

// What the storage remembers of an alert of a process before: the newest samples of its series. See Restore.
struct RememberedAlert {
  core::Labels labels;            // the alert's
  core::TimestampMs seen_at = 0;  // of the newest sample
  core::TimestampMs active_at = 0;
  bool firing = false;
};

class AlertingRule final : public Rule {
 public:
  // Resolved alerts stay known for this long.
  static constexpr core::TimestampMs kResolvedRetentionMs = 15LL * 60 * 1000;
  // A restored alert with a long `for` does not fire sooner than this, so that a late start is not taken for a failure.
  static constexpr core::TimestampMs kRestoreGraceMs = 10LL * 60 * 1000;

  using Rule::Rule;
  using Alerts = std::map<core::Labels, ActiveAlert>;

  core::Result<std::vector<OutputSample>> Evaluate(const RuleContext& context) override;
  // Alerts that Alertmanager has to be told of now: firing ones every `resend_ms`, resolved ones too.
  std::vector<core::Alert> TakeUnsent(core::TimestampMs time, core::TimestampMs resend_ms,
                                      core::TimestampMs interval_ms, const RuleContext& context);

  // Takes over the alerts of a rule that this one replaces (a reload).
  void CopyState(const AlertingRule& old);
  // After a restart, once the expression has been evaluated twice: alerts go on where they were. Until Restore or
  // SkipRestore is called no ALERTS are written, so that what the storage remembers is not overwritten.
  void Restore(std::span<const RememberedAlert> remembered, const RuleContext& context);
  void SkipRestore() { restored_ = true; }
  bool restored() const { return restored_; }
  // The wall clock was stepped: what has begun is moved, so that durations stay those that have passed.
  void ShiftTimes(core::TimestampMs by);

  const Alerts& alerts() const { return alerts_; }
  AlertState state() const;  // the highest of its alerts

 private:
  core::Labels AnnotationsOf(const OutputSample& sample, const RuleContext& context) const;
  core::Labels AlertLabels(const OutputSample& sample, const RuleContext& context) const;
  core::Result<Alerts> Wanted(const RuleContext& context) const;
  // By the rule's options: firing alerts that go on although they are not among `wanted`. Adds the alert about missing
  // data to `wanted`.
  core::Result<std::set<core::Labels>> Held(Alerts& wanted, const RuleContext& context) const;
  core::Result<std::vector<OutputSample>> Query(const promql::Expr& expr, const RuleContext& context) const;
  // The labels without those that the rule itself sets: by them an alert and a sample that yields it are the same.
  core::Labels Compared(core::Labels labels) const;
  // False where the alert is to be forgotten.
  bool Advance(ActiveAlert& alert, bool holds, core::TimestampMs time) const;
  bool IsActive(const ActiveAlert& alert) const { return alert.state != AlertState::kInactive; }

  Alerts alerts_;
  bool restored_ = false;
};

// <url>/graph?g0.expr=<expr>&g0.tab=1
std::string GraphUrl(std::string_view external_url, std::string_view expr);

}  // namespace pipewarden::rules
