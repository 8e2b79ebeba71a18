// Files of `alert_options`: what alerting rules get beyond Prometheus' keys, which rule files have no room for
// (promtool refuses unknown keys). Keyed by rule file, group and alert:
//
//   time_intervals:                              # as in alertmanager.yml
//     - {name: working-days, time_intervals: [{weekdays: ["monday:friday"]}]}
//   rules:
//     rules/lag.yml:                             # as rule_files finds it, or pack:NAME
//       lag:                                     # the group
//         LagHigh: {resolve_expr: lag_seconds < 60, no_data: keep, active: working-days}
//
// A list of such maps, each with `labels`, tells rules of the same name apart.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "alertmanager/time_interval.h"
#include "core/config/option_table.h"
#include "rules/rule_file.h"

namespace pipewarden::agent {

core::OptionTable AlertOptionTable();

// Reads the file and gives its options to the rules among `files`. `intervals` are those of alertmanager.yml, known
// here too; `timezone` is that of holidays which name none. Mistakes go to `errors`: what names a file, group or alert
// that is not there among them.
void ReadAlertOptions(const std::string& path, std::span<rules::RuleFile> files,
                      std::span<const alertmanager::NamedTimeInterval> intervals, const std::string& timezone,
                      core::ConfigErrors& errors, const rules::promql::ParseOptions& promql = {});

}  // namespace pipewarden::agent
