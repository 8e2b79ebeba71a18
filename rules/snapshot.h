// What the pages and the HTTP API show of the rules: plain data, made by the rules thread after each tick, never
// changed afterwards. Safe from any thread.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/model/labels.h"
#include "core/model/sample.h"
#include "rules/alerting_rule.h"

namespace pipewarden::rules {

struct AlertView {
  core::Labels labels;  // with alertname; without the external labels
  core::Labels annotations;
  AlertState state = AlertState::kPending;  // never kInactive
  double value = 0;
  core::TimestampMs active_at = 0;
  core::TimestampMs keep_firing_since = 0;  // 0: its condition holds
};

struct RuleView {
  bool alerting = false;
  std::string name;
  std::string query;  // as PromQL prints it
  double for_seconds = 0;
  double keep_firing_seconds = 0;
  std::vector<std::pair<std::string, std::string>> labels;  // as written, templates unexpanded
  std::vector<std::pair<std::string, std::string>> annotations;
  AlertState state = AlertState::kInactive;
  std::string health;  // "ok", "err", "unknown" (not evaluated yet)
  std::string last_error;
  core::TimestampMs last_evaluation = 0;  // 0: never
  double evaluation_seconds = 0;
  std::vector<AlertView> alerts;
};

struct RuleGroupView {
  std::string name;
  std::string file;
  double interval_seconds = 0;
  double query_offset_seconds = 0;
  std::size_t limit = 0;
  core::TimestampMs last_evaluation = 0;  // 0: never
  double evaluation_seconds = 0;
  std::vector<RuleView> rules;
};

struct RulesSnapshot {
  std::vector<std::shared_ptr<const RuleGroupView>> groups;  // in the order of files and groups
};

}  // namespace pipewarden::rules
