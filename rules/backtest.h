// Replays rules over stored samples: when each alert would have fired and resolved. Recording rules of the file are
// evaluated too, and alerting rules see what they record; nothing is written to the history. Any thread; it works for
// as long as it takes, so give it a deadline.
#pragma once

#include <functional>
#include <string>

#include "core/model/labels.h"
#include "core/model/sample.h"
#include "core/result.h"
#include "core/time/clock.h"
#include "rules/promql/engine.h"
#include "rules/rule_file.h"

namespace pipewarden::rules {

struct BacktestOptions {
  core::TimestampMs from = 0;
  core::TimestampMs to = 0;
  core::Duration default_interval = std::chrono::seconds(15);  // of groups without one of their own
  core::Labels external_labels;
  std::string external_url;
  promql::ParseOptions parse;
  core::MonoTime deadline{};
};

struct BacktestEvent {
  core::TimestampMs time = 0;
  std::string group;
  core::Labels labels;          // of the alert; empty where a rule failed
  bool firing = false;          // else it resolved
  core::TimestampMs since = 0;  // where it resolved: when it began to fire
  std::string error;            // of a rule that failed, once for each error
};

struct BacktestSummary {
  std::size_t evaluations = 0;  // of groups
  std::size_t firings = 0;
  std::size_t still_firing = 0;
};

// Events come in the order of time, groups one after the other at the same time. `tell` returns false to end it.
// kTimeout: the deadline has passed; what was told stands.
core::Result<BacktestSummary> RunBacktest(const RuleFile& file, const promql::Queryable& history,
                                          const promql::Engine& engine, const core::Clock& clock,
                                          const BacktestOptions& options,
                                          const std::function<bool(const BacktestEvent&)>& tell);

}  // namespace pipewarden::rules
