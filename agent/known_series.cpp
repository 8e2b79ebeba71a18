#include "agent/known_series.h"

#include <algorithm>

namespace pipewarden::agent {
namespace {

using core::MetricType;
using Values = SeriesShape::Values;

struct OwnMetric {
  std::string_view name;
  // Names, a space between. `pipeline` and `step` take the names of the configuration; with a question mark the label
  // may be missing.
  std::string_view labels = {};
  MetricType type = MetricType::kUnknown;
};

// The agent's own metrics. tests/integration/check_test.py compares them with what a running agent shows.
constexpr OwnMetric kOwn[] = {
    {"pipewarden_build_info", "version"},
    {"pipewarden_config_last_reload_successful"},
    {"pipewarden_config_last_reload_success_timestamp_seconds"},
    {"pipewarden_loop_stall_seconds"},
    {"pipewarden_ticks_missed_total"},
    {"pipewarden_dead_man_pings_total", "result"},
    {"pipewarden_dead_man_sick"},
    {"pipewarden_http_requests_total", "route code"},
    {"pipewarden_http_request_duration_seconds", "", MetricType::kHistogram},
    {"process_cpu_seconds_total"},
    {"process_resident_memory_bytes"},
    {"process_virtual_memory_bytes"},
    {"process_open_fds"},
    {"process_max_fds"},
    {"process_threads"},
    {"process_start_time_seconds"},
    {"pipewarden_probe_runs_total", "kind result"},
    {"pipewarden_probe_runs_skipped_total"},
    {"pipewarden_probe_series_dropped_total"},
    {"pipewarden_freshness_checks_total", "result"},
    {"pipewarden_freshness_age_seconds", "freshness source"},
    {"pipewarden_freshness_last_update_timestamp_seconds", "freshness source"},
    {"pipewarden_freshness_due", "freshness source"},
    {"pipewarden_freshness_too_old", "freshness source"},
    {"pipewarden_freshness_missing", "freshness source"},
    {"pipewarden_freshness_check_success", "freshness source"},
    {"pipewarden_logs_lines_total"},
    {"pipewarden_logs_bytes_total"},
    {"pipewarden_logs_lines_cut_total"},
    {"pipewarden_logs_rotations_total"},
    {"pipewarden_logs_truncations_total"},
    {"pipewarden_logs_read_errors_total"},
    {"pipewarden_logs_value_errors_total"},
    {"pipewarden_logs_commit_errors_total"},
    {"pipewarden_logs_series_overflow_total"},
    {"pipewarden_logs_files"},
    {"pipewarden_logs_lag_bytes"},
    {"pipewarden_logs_series"},
    {"pipewarden_rule_evaluations_total", "rule_group"},
    {"pipewarden_rule_evaluation_failures_total", "rule_group"},
    {"pipewarden_rule_group_iterations_total", "rule_group"},
    {"pipewarden_rule_group_iterations_missed_total", "rule_group"},
    {"pipewarden_rule_group_judgements_total", "rule_group"},
    {"pipewarden_rule_group_evaluation_seconds_total", "rule_group"},
    {"pipewarden_rule_group_last_evaluation_seconds", "rule_group"},
    {"pipewarden_rule_alerts_sent_total"},
    {"pipewarden_storage_samples_appended_total"},
    {"pipewarden_storage_samples_dropped_total", "reason"},
    {"pipewarden_storage_series_dropped_total", "source"},
    {"pipewarden_storage_clock_steps_total"},
    {"pipewarden_storage_wal_corruptions_total"},
    {"pipewarden_storage_files_set_aside_total"},
    {"pipewarden_storage_write_failures_total"},
    {"pipewarden_storage_series"},
    {"pipewarden_storage_bytes"},
    {"pipewarden_storage_segments"},
    {"pipewarden_alertmanager_alerts_received_total", "status"},
    {"pipewarden_alertmanager_alerts_invalid_total"},
    {"pipewarden_alertmanager_notifications_total", "integration receiver"},
    {"pipewarden_alertmanager_notifications_failed_total", "integration receiver"},
    {"pipewarden_alertmanager_notifications_given_up_total", "integration receiver"},
    {"pipewarden_alertmanager_notification_requests_total", "integration"},
    {"pipewarden_alertmanager_notification_requests_failed_total", "integration"},
    {"pipewarden_alertmanager_notification_latency_seconds", "integration", MetricType::kHistogram},
    {"pipewarden_alertmanager_notifications_suppressed_total", "reason"},
    {"pipewarden_alertmanager_journal_errors_total"},
    {"pipewarden_alertmanager_alerts", "state"},
    {"pipewarden_alertmanager_groups"},
    {"pipewarden_alertmanager_inbox_entries"},
    {"pipewarden_alertmanager_silences"},
    {"pipewarden_alertmanager_notification_log_entries"},
    {"pipewarden_forwarded_alerts_total", "alertmanager"},
    {"pipewarden_forwarding_errors_total", "alertmanager"},
    {"pipewarden_forwarding_dropped_alerts_total", "alertmanager"},
    {"pipewarden_forwarding_queue_alerts", "alertmanager"},
    {"pipewarden_pipeline_run_last_status", "pipeline step?"},
    {"pipewarden_pipeline_run_last_start_timestamp_seconds", "pipeline step?"},
    {"pipewarden_pipeline_run_last_end_timestamp_seconds", "pipeline step?"},
    {"pipewarden_pipeline_run_last_success_timestamp_seconds", "pipeline step?"},
    {"pipewarden_pipeline_run_duration_seconds", "pipeline step?"},
    {"pipewarden_pipeline_run_running", "pipeline step?"},
    {"pipewarden_pipeline_run_queued", "pipeline"},
    {"pipewarden_pipeline_run_total", "pipeline status"},
    {"pipewarden_pipeline_run_attempts_total", "pipeline step status"},
    {"pipewarden_pipeline_run_last_lateness_seconds", "pipeline"},
    {"pipewarden_pipeline_run_late", "pipeline"},
    {"pipewarden_pipeline_run_promise_broken", "pipeline promise"},
    {"pipewarden_pipeline_run_outstanding", "pipeline"},
    {"pipewarden_pipeline_run_usual_duration_seconds", "pipeline percentile"},
    {"pipewarden_pipeline_run_usual_runs", "pipeline"},
    {"pipewarden_pipeline_run_deadline_timestamp_seconds", "pipeline"},
    {"pipewarden_pipeline_next_slot_timestamp_seconds", "pipeline"},
    {"pipewarden_pipeline_slots_missed_total", "pipeline"},
    {"pipewarden_pipeline_paused", "pipeline"},
    {"pipewarden_pipeline_store_up"},
};

std::vector<std::string_view> Words(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (end > 0) words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

// The names that the configuration gives to what a label stands for; nullopt: any.
Values ValuesOf(std::string_view label, const Config& config) {
  std::vector<std::string> names;
  if (label == "pipeline") {
    for (const PipelineConfig& pipeline : config.pipelines) names.push_back(pipeline.name);
  } else if (label == "step") {
    for (const PipelineConfig& pipeline : config.pipelines)
      for (const StepConfig& step : pipeline.steps) names.push_back(step.name);
  } else if (label == "freshness") {
    for (const exporters::FreshnessConfig& one : config.freshness) names.push_back(one.name);
  } else {
    return std::nullopt;
  }
  return names;
}

bool IsPlain(const rules::RuleText& text) { return text.text.find("{{") == std::string::npos; }

}  // namespace

bool SeriesShape::MayMatch(const core::Matcher& matcher) const {
  const auto label = labels.find(matcher.name());
  if (label == labels.end()) return open || matcher.MatchesEmpty();
  if (!label->second) return true;
  return std::ranges::any_of(*label->second, [&](const std::string& value) { return matcher.Matches(value); });
}

KnownSeries::KnownSeries(const Config& config, std::span<const rules::RuleFile> more) {
  AddOwn(config);
  for (const exporters::ProbeConfig& probe : config.probes) AddProbe(probe);
  for (const exporters::LogConfig& log : config.logs)
    for (const exporters::LogMetric& metric : log.metrics) {
      SeriesShape shape;
      for (const std::string& label : metric.label_names) shape.labels[label] = std::nullopt;
      Add(metric.family.name, metric.family.type, std::move(shape));
    }
  if (config.host.enabled)
    for (const exporters::HostCollectorKind* kind : exporters::HostCollectorKinds()) {
      if (std::ranges::find(config.host.collectors, kind->name) == config.host.collectors.end()) continue;
      for (const exporters::HostMetric& metric : kind->metrics) {
        SeriesShape shape;
        for (const std::string_view label : Words(metric.labels)) shape.labels[std::string(label)] = std::nullopt;
        Add(std::string(metric.name), MetricType::kUnknown, std::move(shape));
      }
    }
  AddRules(config.rule_files);
  AddRules(more);
}

void KnownSeries::Add(std::string name, MetricType type, SeriesShape shape) {
  if (type != MetricType::kHistogram) {
    shapes_[std::move(name)].push_back(std::move(shape));
    return;
  }
  for (const char* suffix : {"_sum", "_count"}) shapes_[name + suffix].push_back(shape);
  shape.labels["le"] = std::nullopt;
  shapes_[name + "_bucket"].push_back(std::move(shape));
}

void KnownSeries::AddOwn(const Config& config) {
  for (const OwnMetric& metric : kOwn) {
    SeriesShape shape;
    bool possible = true;
    for (std::string_view label : Words(metric.labels)) {
      const bool optional = label.ends_with('?');
      if (optional) label.remove_suffix(1);
      Values values = ValuesOf(label, config);
      if (values && optional) values->emplace_back();
      possible = possible && (!values || !values->empty());
      shape.labels[std::string(label)] = std::move(values);
    }
    if (possible) Add(std::string(metric.name), metric.type, std::move(shape));
  }
}

void KnownSeries::AddProbe(const exporters::ProbeConfig& probe) {
  SeriesShape shape;
  const auto set = [&](const std::string& name, std::string_view value) {
    shape.labels[name] = std::vector{std::string(value)};
  };
  for (const core::LabelView label : probe.labels) set(std::string(label.name), label.value);
  set("probe", probe.name);
  set("kind", probe.kind->name);
  if (!probe.component.empty()) set("component", probe.component);
  for (const exporters::ProbeMetric& metric : exporters::CommonProbeMetrics())
    Add(std::string(metric.name), metric.type, shape);
  shape.open = true;  // a kind's own values may bring labels of theirs
  for (const exporters::ProbeMetric& metric : probe.kind->metrics) Add(std::string(metric.name), metric.type, shape);
}

void KnownSeries::AddRules(std::span<const rules::RuleFile> files) {
  for (const rules::RuleFile& file : files)
    for (const rules::RuleGroupConfig& group : file.groups)
      for (const rules::RuleConfig& rule : group.rules) {
        SeriesShape shape;
        shape.open = true;
        for (const rules::RuleText& label : rule.labels)
          shape.labels[label.name] =
              !rule.alerting || IsPlain(label) ? Values(std::vector{label.text}) : Values(std::nullopt);
        if (!rule.alerting) {
          Add(rule.name, MetricType::kUnknown, std::move(shape));
          continue;
        }
        shape.labels["alertname"] = std::vector{rule.name};
        Add("ALERTS_FOR_STATE", MetricType::kUnknown, shape);
        shape.labels["alertstate"] = std::vector<std::string>{"pending", "firing"};
        Add("ALERTS", MetricType::kUnknown, std::move(shape));
      }
}

}  // namespace pipewarden::agent
