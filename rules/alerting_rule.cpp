#include "rules/alerting_rule.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "core/template/template.h"
#include "core/text/url.h"
#include "rules/promql/parser.h"
#include "rules/promql/printer.h"

namespace pipewarden::rules {
namespace {

core::TimestampMs Ms(core::Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

TemplateQuery QueryForTemplates(const RuleContext& context) {
  return [&context](std::string_view text) -> core::Result<std::vector<TemplateSample>> {
    auto tree = promql::ParseExpr(text, context.parse);
    if (!tree) return core::Fail(tree.error());
    auto result = context.template_query(**tree, context.time - context.offset);
    if (!result) return core::Fail(result.error());
    auto samples = VectorOf(*result);
    if (!samples) return core::Fail(samples.error());
    std::vector<TemplateSample> out;
    out.reserve(samples->size());
    for (OutputSample& sample : *samples)
      out.push_back({std::move(sample.labels), sample.value, std::move(sample.histogram)});
    return out;
  };
}

TemplateContext ContextFor(const OutputSample& sample, const RuleContext& context) {
  return {.labels = sample.labels,
          .value = sample.value,
          .histogram = sample.histogram,
          .external_labels = context.external_labels,
          .external_url = context.external_url,
          .time = context.time,
          .query = QueryForTemplates(context)};
}

bool IsCancelled(const RuleContext& context) { return context.cancelled && context.cancelled(); }

std::unexpected<core::Error> Cancelled() {
  return core::Fail(core::ErrorCode::kUnavailable, "the evaluation was cancelled");
}

}  // namespace

std::string_view AlertStateName(AlertState state) {
  switch (state) {
    case AlertState::kInactive:
      return "inactive";
    case AlertState::kPending:
      return "pending";
    case AlertState::kFiring:
      return "firing";
  }
  return "inactive";
}

std::string GraphUrl(std::string_view external_url, std::string_view expr) {
  return std::string(external_url) + "/graph?g0.expr=" + core::UrlQueryEscape(expr) + "&g0.tab=1";
}

core::Labels AlertingRule::AlertLabels(const OutputSample& sample, const RuleContext& context) const {
  core::Labels out = sample.labels;
  out.Remove(core::kMetricName);
  if (!config().labels.empty()) {
    const TemplateContext shown = ContextFor(sample, context);
    for (const RuleText& label : config().labels) out.Set(label.name, label.parsed.ExpandOrError(shown));
  }
  out.Set(core::kAlertName, config().name);
  return out;
}

core::Labels AlertingRule::AnnotationsOf(const OutputSample& sample, const RuleContext& context) const {
  core::Labels out;
  if (config().annotations.empty()) return out;
  const TemplateContext shown = ContextFor(sample, context);
  for (const RuleText& annotation : config().annotations)
    out.Set(annotation.name, annotation.parsed.ExpandOrError(shown));
  return out;
}

core::Result<std::vector<OutputSample>> AlertingRule::Query(const promql::Expr& expr,
                                                            const RuleContext& context) const {
  auto result = context.query(expr, context.time - context.offset);
  if (!result) return core::Fail(result.error());
  return VectorOf(*result);
}

core::Result<AlertingRule::Alerts> AlertingRule::Wanted(const RuleContext& context) const {
  Alerts wanted;
  if (config().options != nullptr && !config().options->IsActive(context.time)) return wanted;
  auto samples = Query(*config().tree, context);
  if (!samples) return core::Fail(samples.error());
  for (const OutputSample& sample : *samples) {
    const auto [place, is_new] = wanted.try_emplace(AlertLabels(sample, context));
    if (!is_new)
      return core::Fail(core::ErrorCode::kInvalid,
                        "vector contains metrics with the same labelset after applying alert labels");
    place->second.annotations = AnnotationsOf(sample, context);
    place->second.value = sample.value;
    place->second.active_at = context.time;
    if (IsCancelled(context)) return Cancelled();
  }
  return wanted;
}

core::Labels AlertingRule::Compared(core::Labels labels) const {
  labels.Remove(core::kMetricName);
  labels.Remove(core::kAlertName);
  for (const RuleText& label : config().labels) labels.Remove(label.name);
  return labels;
}

core::Result<std::set<core::Labels>> AlertingRule::Held(Alerts& wanted, const RuleContext& context) const {
  std::set<core::Labels> held;
  const AlertOptions* options = config().options.get();
  if (options == nullptr || !options->IsActive(context.time)) return held;
  std::vector<const core::Labels*> cleared;  // firing, and not yielded any more
  for (const auto& [labels, alert] : alerts_)
    if (alert.state == AlertState::kFiring && !wanted.contains(labels)) cleared.push_back(&labels);
  const bool tells_of_no_data = options->no_data == NoData::kAlert;
  if (cleared.empty() && !tells_of_no_data) return held;

  std::set<core::Labels> data;
  core::Labels no_data_alert;
  if (options->no_data) {
    auto samples = Query(*options->data_expr, context);
    if (!samples) return core::Fail(samples.error());
    for (OutputSample& sample : *samples) data.insert(Compared(std::move(sample.labels)));
    if (tells_of_no_data) no_data_alert = AlertLabels({FixedLabels(*config().tree), core::NormalNaN()}, context);
  }
  std::set<core::Labels> resolved;
  if (options->resolve_expr != nullptr && !cleared.empty()) {
    auto samples = Query(*options->resolve_expr, context);
    if (!samples) return core::Fail(samples.error());
    for (OutputSample& sample : *samples) resolved.insert(Compared(std::move(sample.labels)));
  }
  bool only_no_data = true;
  for (const core::Labels* labels : cleared) {
    const bool is_no_data = tells_of_no_data && *labels == no_data_alert;
    const core::Labels compared = Compared(*labels);
    const bool has_data = !options->no_data || (is_no_data ? !data.empty() : data.contains(compared));
    const bool hold = has_data ? options->resolve_expr != nullptr && !is_no_data && !resolved.contains(compared)
                               : *options->no_data != NoData::kResolve;
    if (hold) held.insert(*labels);
    only_no_data = only_no_data && is_no_data;
  }
  if (tells_of_no_data && data.empty() && only_no_data) {
    ActiveAlert& alert = wanted[no_data_alert];
    alert.value = core::NormalNaN();
    alert.active_at = context.time;
    alert.annotations = AnnotationsOf({FixedLabels(*config().tree), alert.value}, context);
    alert.annotations.Set("no_data", "there is no data to judge");
  }
  return held;
}

bool AlertingRule::Advance(ActiveAlert& alert, bool holds, core::TimestampMs time) const {
  if (holds) {
    alert.keep_firing_since = 0;
    const bool due = time - alert.active_at >= Ms(config().for_);
    if (alert.state == AlertState::kPending && due) {
      alert.state = AlertState::kFiring;
      alert.fired_at = time;
    } else if (alert.state == AlertState::kFiring && !due) {
      alert.state = AlertState::kPending;  // a reload has raised `for`
      alert.fired_at = 0;
    }
    return true;
  }
  if (alert.state == AlertState::kPending) return false;
  if (alert.state == AlertState::kInactive) return time - alert.resolved_at <= kResolvedRetentionMs;
  if (config().keep_firing_for > core::Duration::zero()) {
    if (alert.keep_firing_since == 0) alert.keep_firing_since = time;
    if (time - alert.keep_firing_since < Ms(config().keep_firing_for)) return true;
  }
  alert.state = AlertState::kInactive;
  alert.resolved_at = time;
  return true;
}

core::Result<std::vector<OutputSample>> AlertingRule::Evaluate(const RuleContext& context) {
  auto wanted = Wanted(context);
  if (!wanted) return core::Fail(wanted.error());
  const auto held = Held(*wanted, context);
  if (!held) return core::Fail(held.error());
  if (IsCancelled(context)) return Cancelled();
  for (auto& [labels, fresh] : *wanted) {
    const auto [known, is_new] = alerts_.try_emplace(labels);
    if (is_new || !IsActive(known->second)) {
      known->second = fresh;
    } else {
      known->second.value = fresh.value;
      known->second.annotations = fresh.annotations;
    }
  }
  std::vector<OutputSample> samples;
  std::size_t active = 0;
  for (auto at = alerts_.begin(); at != alerts_.end();) {
    if (!Advance(at->second, wanted->contains(at->first) || held->contains(at->first), context.time)) {
      at = alerts_.erase(at);
      continue;
    }
    if (IsActive(at->second)) {
      ++active;
      if (restored_) {
        core::Labels labels = at->first;
        labels.Set(core::kMetricName, "ALERTS_FOR_STATE");
        // Whole seconds, as Prometheus writes them, rounded down.
        const double seconds = static_cast<double>(at->second.active_at / 1000);
        samples.push_back({labels, seconds});
        labels.Set(core::kMetricName, "ALERTS");
        labels.Set("alertstate", AlertStateName(at->second.state));
        samples.push_back({std::move(labels), 1});
      }
    }
    ++at;
  }
  if (context.limit > 0 && active > context.limit) {
    alerts_.clear();
    return core::Fail(core::ErrorCode::kLimit,
                      fmt::format("exceeded limit of {} with {} alerts", context.limit, active));
  }
  return samples;
}

std::vector<core::Alert> AlertingRule::TakeUnsent(core::TimestampMs time, core::TimestampMs resend_ms,
                                                  core::TimestampMs interval_ms, const RuleContext& context) {
  std::vector<core::Alert> out;
  for (auto& [labels, alert] : alerts_) {
    if (alert.state == AlertState::kPending) continue;
    const bool resolved_since = alert.resolved_at > alert.last_sent_at;
    if (!resolved_since && alert.last_sent_at + resend_ms >= time) continue;
    alert.last_sent_at = time;
    core::Alert sent;
    sent.labels = labels;
    for (const core::LabelView label : context.external_labels)
      if (!sent.labels.Has(label.name)) sent.labels.Set(label.name, label.value);
    sent.annotations = alert.annotations;
    sent.starts_at = core::FromMs(alert.fired_at);
    sent.ends_at =
        core::FromMs(alert.resolved_at != 0 ? alert.resolved_at : time + 4 * std::max(interval_ms, resend_ms));
    sent.generator_url = GraphUrl(context.external_url, promql::Print(*config().tree));
    sent.updated_at = core::FromMs(time);
    out.push_back(std::move(sent));
  }
  return out;
}

void AlertingRule::CopyState(const AlertingRule& old) {
  alerts_ = old.alerts_;
  restored_ = old.restored_;
}

void AlertingRule::Restore(std::span<const RememberedAlert> remembered, const RuleContext& context) {
  const core::TimestampMs hold = Ms(config().for_);
  for (const RememberedAlert& before : remembered) {
    const auto found = alerts_.find(before.labels);
    if (found == alerts_.end()) {
      // It was firing, and its condition does not hold (any more): it goes on for what is left of keep_firing_for, or
      // until the next evaluation finds by the rule's options that it is over.
      const core::TimestampMs keep = Ms(config().keep_firing_for);
      const bool may_be_held = config().options != nullptr && config().options->HoldsAlerts();
      if (!before.firing || (!may_be_held && (keep == 0 || context.time - before.seen_at >= keep))) continue;
      ActiveAlert& alert = alerts_[before.labels];
      core::Labels shown = before.labels;
      shown.Remove(core::kAlertName);
      alert.state = AlertState::kFiring;
      alert.value = core::NormalNaN();
      alert.annotations = AnnotationsOf({std::move(shown), alert.value}, context);
      alert.active_at = before.active_at;
      alert.fired_at = before.active_at + hold;
      alert.keep_firing_since = may_be_held ? 0 : before.seen_at;
      continue;
    }
    ActiveAlert& alert = found->second;
    if (alert.state != AlertState::kPending || hold == 0) continue;
    const core::TimestampMs left = hold - (before.seen_at - before.active_at);
    if (left <= 0)
      alert.active_at = before.active_at;  // was firing: fires with the next evaluation
    else if (hold >= kRestoreGraceMs && left < kRestoreGraceMs)
      alert.active_at = context.time + kRestoreGraceMs - hold;
    else
      alert.active_at = before.active_at + (context.time - before.seen_at);
    alert.active_at = std::min(alert.active_at, context.time);
  }
  restored_ = true;
}

void AlertingRule::ShiftTimes(core::TimestampMs by) {
  for (auto& [labels, alert] : alerts_)
    for (core::TimestampMs* time :
         {&alert.active_at, &alert.fired_at, &alert.resolved_at, &alert.last_sent_at, &alert.keep_firing_since})
      if (*time != 0) *time = std::max<core::TimestampMs>(1, *time + by);
}

AlertState AlertingRule::state() const {
  AlertState highest = AlertState::kInactive;
  for (const auto& [labels, alert] : alerts_) highest = std::max(highest, alert.state);
  return highest;
}

}  // namespace pipewarden::rules
