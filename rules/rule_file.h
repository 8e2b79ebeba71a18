// Rule files as Prometheus reads them: groups of recording and alerting rules
// (https://prometheus.io/docs/prometheus/latest/configuration/recording_rules/), checked as `promtool check rules`
// does: strict keys, durations, names, expressions and templates. Every mistake of a file is told, with its place; a
// mistake in an expression has the place of the mistake within the file.
//
// What was read is immutable and cheap to copy; safe from any thread.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/yaml.h"
#include "core/result.h"
#include "core/time/clock.h"
#include "rules/alert_options.h"
#include "rules/promql/ast.h"
#include "rules/promql/parser.h"
#include "rules/template_functions.h"

namespace pipewarden::rules {

// A label or annotation as written, and parsed. Recording rules' labels are plain: no template is expanded.
struct RuleText {
  std::string name;
  std::string text;
  RuleTemplate parsed;
};

struct RuleConfig {
  bool alerting = false;
  std::string name;  // the alert's, or the recorded metric's
  std::string expr;  // as written
  std::shared_ptr<const promql::Expr> tree;
  std::vector<core::Location> selectors;  // where each vector selector of the tree stands, in the order of Walk
  core::Duration for_{};
  core::Duration keep_firing_for{};
  std::vector<RuleText> labels;  // the group's labels among them, sorted by name
  std::vector<RuleText> annotations;
  core::Location where;
  std::shared_ptr<const AlertOptions> options;  // null: an alert is exactly Prometheus'

  // What tells a rule from others of its group over a reload: kind, name and labels as written.
  std::string Identity() const;
};

struct RuleGroupConfig {
  std::string name;
  std::optional<core::Duration> interval;      // absent: global.evaluation_interval
  std::optional<core::Duration> query_offset;  // absent: 0
  std::size_t limit = 0;                       // 0: none
  std::vector<RuleConfig> rules;
  core::Location where;
};

struct RuleFile {
  std::string path;
  std::vector<RuleGroupConfig> groups;
  std::vector<std::string> warnings{};  // file:line:column: what is suspicious but no error
};

// Never fails: what is wrong goes to `errors`, and the rules that are right are returned.
RuleFile ReadRuleFile(const std::string& path, core::ConfigErrors& errors, const promql::ParseOptions& promql = {});
// The same from text; `path` is for messages.
RuleFile ParseRuleFile(std::string_view text, const std::string& path, core::ConfigErrors& errors,
                       const promql::ParseOptions& promql = {});

// Gives the alerts of `file` the options that they have in `configured`, by file, group, alert and labels: for another
// version of a configured file that is looked at beside it.
void CopyAlertOptions(std::span<const RuleFile> configured, RuleFile& file, const promql::ParseOptions& promql = {});

}  // namespace pipewarden::rules
