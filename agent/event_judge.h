// Judges rules between ticks: when a probe changes its verdict its samples are appended at once, and the alerting rules
// with `for: 0s` that read them are evaluated. Verdicts that change within 20 ms are taken together, so that a hundred
// probes of one broken server cost one evaluation of a group; RuleManager holds a group to one a second.
//
// Loop thread; the work itself runs on the rules thread. Samples are never appended behind a tick: while a tick is due
// and has not begun, what was noted waits for it.
#pragma once

#include <optional>
#include <vector>

#include "agent/rules_thread.h"
#include "core/async/loop.h"
#include "core/async/task_group.h"
#include "core/model/sample.h"
#include "exporters/probe_runner.h"
#include "rules/rule_manager.h"
#include "rules/storage/storage.h"

namespace pipewarden::agent {

class EventJudge {
 public:
  // All must outlive it and its tasks, which are spawned in `tasks`.
  EventJudge(core::Loop& loop, core::TaskGroup& tasks, RulesThread& thread, rules::Storage& storage,
             rules::RuleManager& rules);

  void Note(const std::vector<exporters::ProbeSample>& samples);
  // The next tick comes at that time; nullopt: it has been handed to the rules thread.
  void SetTickDue(std::optional<core::TimestampMs> due) { tick_due_ = due; }

 private:
  core::Task<void> JudgeSoon();
  core::Task<void> JudgeRest(core::TimestampMs at);
  core::Task<core::TimestampMs> TimeBetweenTicks();
  void WaitForRest(std::optional<core::TimestampMs> at);

  core::Loop& loop_;
  core::TaskGroup& tasks_;
  RulesThread& thread_;
  rules::Storage& storage_;
  rules::RuleManager& rules_;
  std::vector<exporters::ProbeSample> noted_;
  std::optional<core::TimestampMs> tick_due_;
  bool soon_ = false;  // JudgeSoon is under way
  bool rest_ = false;  // JudgeRest is
};

}  // namespace pipewarden::agent
