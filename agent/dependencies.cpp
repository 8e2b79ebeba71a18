#include "agent/dependencies.h"

#include <algorithm>

namespace pipewarden::agent {
namespace {

// The components and all that they stand on, the root first.
std::vector<std::string> RootsFirst(const core::ComponentGraph& graph, const std::vector<std::string>& components) {
  std::vector<std::string> all = components;
  for (const std::string& component : components)
    for (std::string& beneath : graph.StandsOn(component)) all.push_back(std::move(beneath));
  std::vector<std::string> out;
  for (const core::Component& component : graph.InOrder())
    if (std::ranges::find(all, component.name) != all.end()) out.push_back(component.name);
  // Where components are not listed they are what probes say.
  for (const std::string& component : all)
    if (std::ranges::find(out, component) == out.end()) out.push_back(component);
  return out;
}

std::vector<std::string> NeedsOf(const PipelineConfig& pipeline) {
  std::vector<std::string> needs;
  for (const StepConfig& step : pipeline.steps) needs.insert(needs.end(), step.needs.begin(), step.needs.end());
  return needs;
}

}  // namespace

alertmanager::Dependencies DependenciesOf(const Config& config) {
  alertmanager::Dependencies out;
  const auto add = [&](const char* label, const std::string& name, const std::vector<std::string>& components) {
    auto beneath = RootsFirst(config.components, components);
    if (!beneath.empty()) out.stands_on.emplace(std::pair{label, name}, std::move(beneath));
  };
  for (const auto& probe : config.probes)
    if (!probe.component.empty()) out.watched.insert(probe.component);
  for (const core::Component& component : config.components.InOrder())
    add("component", component.name, component.depends_on);
  std::map<std::string, std::vector<std::string>> needs;
  for (const PipelineConfig& pipeline : config.pipelines) {
    needs[pipeline.name] = NeedsOf(pipeline);
    add("pipeline", pipeline.name, needs[pipeline.name]);
  }
  for (const auto& freshness : config.freshness) {
    std::vector<std::string> components;
    for (const std::string& name : freshness.depends_on) {
      if (const auto pipeline = needs.find(name); pipeline != needs.end())
        components.insert(components.end(), pipeline->second.begin(), pipeline->second.end());
      else
        components.push_back(name);
    }
    add("freshness", freshness.name, components);
  }
  return out;
}

std::map<std::string, ComponentState> ComponentStates(const std::vector<exporters::ProbeStatus>& probes) {
  std::map<std::string, ComponentState> states;
  for (const exporters::ProbeStatus& probe : probes) {
    if (probe.component.empty() || !probe.up) continue;
    ComponentState& state = states[probe.component];
    state.known = true;
    if (*probe.up) continue;
    const core::WallTime since = probe.last_change.value_or(core::WallTime{});
    state.down_since = state.down_since ? std::min(*state.down_since, since) : since;
  }
  // One that is known to be well in part alone may still be down.
  for (const exporters::ProbeStatus& probe : probes)
    if (!probe.component.empty() && !probe.up && !states[probe.component].down_since)
      states[probe.component].known = false;
  return states;
}

}  // namespace pipewarden::agent
