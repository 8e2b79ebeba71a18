// What alerts stand on, by the configuration: components on components (`depends_on`), pipelines on what their steps
// require, data on the pipelines and components that freshness names. Pure functions.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/config.h"
#include "alertmanager/causes.h"
#include "exporters/probe_runner.h"

namespace pipewarden::agent {

// By the labels that the agent's own metrics carry: component, pipeline, freshness.
alertmanager::Dependencies DependenciesOf(const Config& config);

// Since when a component is down: since the first of its probes whose verdict that is; nullopt where it is up, or where
// there is no verdict yet and so no news (`known` is false then).
struct ComponentState {
  bool known = false;
  std::optional<core::WallTime> down_since;
};
std::map<std::string, ComponentState> ComponentStates(const std::vector<exporters::ProbeStatus>& probes);

}  // namespace pipewarden::agent
