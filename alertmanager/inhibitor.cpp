#include "alertmanager/inhibitor.h"

namespace pipewarden::alertmanager {

std::string Inhibitor::EqualKey(const InhibitRuleConfig& rule, const core::Labels& labels) {
  std::string key;
  for (const std::string& name : rule.equal) {
    key += labels.Get(name);  // a label that both lack is equal
    key += '\xFF';            // no byte of UTF-8
  }
  return key;
}

void Inhibitor::Apply(std::shared_ptr<const Config> config) {
  config_ = std::move(config);
  rules_.clear();
  for (const InhibitRuleConfig& rule : config_->inhibit_rules) rules_.push_back({&rule, {}});
}

void Inhibitor::Update(std::uint64_t fingerprint, const AlertPtr& alert) {
  for (Rule& rule : rules_) {
    if (!MatchesAll(rule.config->source, alert->labels)) continue;
    rule.sources[EqualKey(*rule.config, alert->labels)][fingerprint] = {alert,
                                                                        MatchesAll(rule.config->target, alert->labels)};
  }
}

void Inhibitor::Erase(std::uint64_t fingerprint, const core::Alert& alert) {
  for (Rule& rule : rules_) {
    const auto sources = rule.sources.find(EqualKey(*rule.config, alert.labels));
    if (sources == rule.sources.end()) continue;
    sources->second.erase(fingerprint);
    if (sources->second.empty()) rule.sources.erase(sources);
  }
}

std::vector<std::uint64_t> Inhibitor::InhibitedBy(const core::Labels& labels, core::WallTime now,
                                                  bool first_only) const {
  std::vector<std::uint64_t> found;
  for (const Rule& rule : rules_) {
    if (rule.sources.empty() || !MatchesAll(rule.config->target, labels)) continue;
    const auto sources = rule.sources.find(EqualKey(*rule.config, labels));
    if (sources == rule.sources.end()) continue;
    // An alert that matches both sides is not inhibited by others that do (itself among them).
    const bool two_sided = MatchesAll(rule.config->source, labels);
    for (const auto& [fingerprint, source] : sources->second) {
      if (source.alert->ResolvedAt(now) || (two_sided && source.matches_target)) continue;
      found.push_back(fingerprint);
      if (first_only) return found;
    }
  }
  return found;
}

}  // namespace pipewarden::alertmanager
