// Inhibition: while an alert that matches a rule's source fires, alerts that match its target and have equal values of
// the rule's `equal` labels do not notify. Sources are kept per rule and per values of the equal labels, all of them
// (not one, as newer Alertmanagers do, who can lose an overlapping source), so that an alert costs one look-up a rule.
// Loop thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "alertmanager/config.h"
#include "alertmanager/notification.h"

namespace pipewarden::alertmanager {

class Inhibitor {
 public:
  // Forgets all sources: the caller tells every alert again.
  void Apply(std::shared_ptr<const Config> config);
  void Update(std::uint64_t fingerprint, const AlertPtr& alert);
  void Erase(std::uint64_t fingerprint, const core::Alert& alert);

  // The fingerprints of the sources that inhibit these labels at this time; empty where none does. `first_only` stops
  // at the first.
  std::vector<std::uint64_t> InhibitedBy(const core::Labels& labels, core::WallTime now, bool first_only = false) const;

 private:
  struct Source {
    AlertPtr alert;
    bool matches_target = false;
  };
  struct Rule {
    const InhibitRuleConfig* config = nullptr;
    // Key: the values of the equal labels.
    std::unordered_map<std::string, std::unordered_map<std::uint64_t, Source>> sources;
  };
  static std::string EqualKey(const InhibitRuleConfig& rule, const core::Labels& labels);

  std::shared_ptr<const Config> config_;
  std::vector<Rule> rules_;
};

}  // namespace pipewarden::alertmanager
