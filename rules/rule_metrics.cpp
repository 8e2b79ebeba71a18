#include "rules/rule_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

namespace pipewarden::rules {
namespace {

using CounterFamily = prometheus::Family<prometheus::Counter>;
using GaugeFamily = prometheus::Family<prometheus::Gauge>;

CounterFamily& MakeCounter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}
GaugeFamily& MakeGauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

}  // namespace

struct RuleMetrics::State {
  explicit State(std::shared_ptr<prometheus::Registry> shared)
      : registry(std::move(shared)),
        evaluations(MakeCounter(*registry, "pipewarden_rule_evaluations_total", "Evaluations of rules.")),
        failures(
            MakeCounter(*registry, "pipewarden_rule_evaluation_failures_total", "Evaluations of rules that failed.")),
        iterations(MakeCounter(*registry, "pipewarden_rule_group_iterations_total", "Evaluations of the group.")),
        missed(MakeCounter(
            *registry, "pipewarden_rule_group_iterations_missed_total",
            "Evaluations of the group left out because one before took too long or the agent did not run.")),
        judgements(MakeCounter(*registry, "pipewarden_rule_group_judgements_total",
                               "Evaluations of the group between ticks, because a probe's verdict changed.")),
        seconds(MakeCounter(*registry, "pipewarden_rule_group_evaluation_seconds_total",
                            "Time spent in evaluations of the group.")),
        last_seconds(MakeGauge(*registry, "pipewarden_rule_group_last_evaluation_seconds",
                               "How long the last evaluation of the group took.")),
        alerts_sent(
            MakeCounter(*registry, "pipewarden_rule_alerts_sent_total", "Alerts handed to the alert store.").Add({})) {}

  struct Group {
    prometheus::Counter& evaluations;
    prometheus::Counter& failures;
    prometheus::Counter& iterations;
    prometheus::Counter& missed;
    prometheus::Counter& judgements;
    prometheus::Counter& seconds;
    prometheus::Gauge& last_seconds;
  };
  Group& Of(const std::string& name) {
    const auto found = groups.find(name);
    if (found != groups.end()) return found->second;
    const prometheus::Labels labels{{"rule_group", name}};
    return groups
        .emplace(name, Group{evaluations.Add(labels), failures.Add(labels), iterations.Add(labels), missed.Add(labels),
                             judgements.Add(labels), seconds.Add(labels), last_seconds.Add(labels)})
        .first->second;
  }

  std::shared_ptr<prometheus::Registry> registry;
  CounterFamily& evaluations;
  CounterFamily& failures;
  CounterFamily& iterations;
  CounterFamily& missed;
  CounterFamily& judgements;
  CounterFamily& seconds;
  GaugeFamily& last_seconds;
  prometheus::Counter& alerts_sent;
  std::map<std::string, Group> groups;  // rules thread only
};

RuleMetrics::RuleMetrics(std::shared_ptr<prometheus::Registry> registry)
    : state_(std::make_unique<State>(std::move(registry))) {}
RuleMetrics::~RuleMetrics() = default;

void RuleMetrics::Evaluated(const std::string& group, std::size_t rules, std::size_t failures, std::size_t missed,
                            double seconds) {
  State::Group& metrics = state_->Of(group);
  metrics.evaluations.Increment(static_cast<double>(rules));
  metrics.failures.Increment(static_cast<double>(failures));
  metrics.iterations.Increment();
  metrics.missed.Increment(static_cast<double>(missed));
  metrics.seconds.Increment(seconds);
  metrics.last_seconds.Set(seconds);
}

void RuleMetrics::Judged(const std::string& group, std::size_t rules, std::size_t failures, double seconds) {
  State::Group& metrics = state_->Of(group);
  metrics.evaluations.Increment(static_cast<double>(rules));
  metrics.failures.Increment(static_cast<double>(failures));
  metrics.judgements.Increment();
  metrics.seconds.Increment(seconds);
}

void RuleMetrics::Missed(const std::string& group, std::size_t iterations) {
  state_->Of(group).missed.Increment(static_cast<double>(iterations));
}

void RuleMetrics::Forget(const std::string& group) {
  const auto found = state_->groups.find(group);
  if (found == state_->groups.end()) return;
  State::Group& metrics = found->second;
  state_->evaluations.Remove(&metrics.evaluations);
  state_->failures.Remove(&metrics.failures);
  state_->iterations.Remove(&metrics.iterations);
  state_->missed.Remove(&metrics.missed);
  state_->judgements.Remove(&metrics.judgements);
  state_->seconds.Remove(&metrics.seconds);
  state_->last_seconds.Remove(&metrics.last_seconds);
  state_->groups.erase(found);
}

void RuleMetrics::AlertsSent(std::size_t alerts) { state_->alerts_sent.Increment(static_cast<double>(alerts)); }

}  // namespace pipewarden::rules
