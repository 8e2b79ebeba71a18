// Which series an agent with this configuration can ever have: by metric, the labels that its series carry and the
// values that they may take. For warnings about rules that read something else. Plain values; any thread.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/config.h"
#include "core/model/matcher.h"
#include "rules/rule_file.h"

namespace pipewarden::agent {

// Some series of one metric.
struct SeriesShape {
  // "" among the values: the label may be missing. nullopt: any value, known at run time only.
  using Values = std::optional<std::vector<std::string>>;
  std::map<std::string, Values, std::less<>> labels;
  bool open = false;  // there may be other labels, too

  bool MayMatch(const core::Matcher& matcher) const;  // of another label than the name
};

class KnownSeries {
 public:
  // What `config` makes, and what the recording rules and alerts of `more` (those of the configuration are known) add.
  explicit KnownSeries(const Config& config, std::span<const rules::RuleFile> more = {});

  // By the name of the series, so that a histogram's are three.
  const std::map<std::string, std::vector<SeriesShape>, std::less<>>& by_name() const { return shapes_; }

 private:
  void Add(std::string name, core::MetricType type, SeriesShape shape);
  void AddOwn(const Config& config);
  void AddProbe(const exporters::ProbeConfig& probe);
  void AddRules(std::span<const rules::RuleFile> files);

  std::map<std::string, std::vector<SeriesShape>, std::less<>> shapes_;
};

}  // namespace pipewarden::agent
