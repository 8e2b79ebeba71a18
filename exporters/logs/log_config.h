// The section `logs:` of the configuration: which files are followed, and what their lines make.
//
//   logs:
//     - path: /var/log/pipeline/*.log
//       patterns:
//         - {match: 'rows=(?P<rows>\d+) stage=(?P<stage>\w+)',
//            counter: pipeline_rows_total, value: rows, labels: [stage]}
//
// A pattern makes one metric, or several under `metrics:` (one match for all of them). Plain values; any thread.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/config/option_table.h"
#include "core/config/yaml.h"
#include "core/model/series.h"
#include "core/time/clock.h"

namespace pipewarden::exporters {

// A metric that log lines make. Several patterns may feed one; then all of this is equal.
struct LogMetric {
  core::MetricFamily family;
  std::vector<std::string> label_names;  // sorted
  std::vector<double> buckets;           // histogram: upper bounds, ascending, without +Inf
  std::size_t max_series = 0;

  // Equal shapes: values carry over a reload and a restart.
  std::string Shape() const;
};

// What a match does to a metric.
struct LogUpdate {
  std::string metric;
  std::string value_group;                // "" : a counter adds 1
  double scale = 1;                       // the value is multiplied by it (0.001: milliseconds to seconds)
  std::vector<std::string> label_groups;  // the group behind each of the metric's label_names
};

struct LogPattern {
  std::string match;  // RE2; named groups
  core::Location where;
  std::vector<LogUpdate> updates;
};

struct LogConfig {
  std::string name;  // `name`, else the first path; unique
  std::string identity;
  core::Location where;
  std::vector<std::string> paths;    // absolute patterns: * ? [..] in a component, ** for any depth
  std::vector<std::string> exclude;  // against the whole path, or the file's name where it holds no slash
  bool from_beginning = false;       // of files that are there when the entry is first seen
  core::Duration rotate_wait{};
  std::size_t max_line = 0;  // bytes
  std::vector<LogPattern> patterns;
  std::vector<LogMetric> metrics;  // of the patterns, each once
};

// Never fails: mistakes go to `errors`, and what has one is left out.
std::vector<LogConfig> ReadLogs(const core::YamlNode& section, core::ConfigErrors& errors);

// For the reference.
core::OptionTable LogOptions();
core::OptionTable LogPatternOptions();

}  // namespace pipewarden::exporters
