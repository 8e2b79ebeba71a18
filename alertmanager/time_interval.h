// Named time intervals of alertmanager.yml, for mute_time_intervals and active_time_intervals of routes. Immutable
// values, safe from any thread.
#pragma once

#include <string>
#include <vector>

#include "core/config/yaml.h"
#include "core/time/calendar.h"

namespace pipewarden::alertmanager {

struct NamedTimeInterval {
  std::string name;
  std::vector<core::TimeInterval> intervals;
  core::Location where;

  // One of them contains it.
  bool Contains(core::WallTime time) const;
};

// One entry of time_intervals (or of the deprecated mute_time_intervals).
NamedTimeInterval ReadTimeInterval(const core::YamlNode& node, core::ConfigErrors& errors);

}  // namespace pipewarden::alertmanager
