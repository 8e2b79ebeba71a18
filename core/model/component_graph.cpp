#include "core/model/component_graph.h"

#include <algorithm>
#include <deque>

namespace pipewarden::core {
namespace {

// Depth-first walk that orders components after what they depend on and cuts cycles where it finds them.
class Sorter {
 public:
  Sorter(std::map<std::string, Component>& components, ComponentGraph::Problems& problems)
      : components_(components), problems_(problems) {}

  std::vector<Component> Run() {
    for (auto& [name, component] : components_) Visit(component);
    return std::move(ordered_);
  }

 private:
  enum class State { kNew, kOpen, kDone };

  void Visit(Component& component) {
    State& state = states_[component.name];
    if (state == State::kDone) return;
    state = State::kOpen;
    path_.push_back(component.name);
    std::erase_if(component.depends_on, [&](const std::string& needed) { return !Follow(component, needed); });
    path_.pop_back();
    states_[component.name] = State::kDone;
    ordered_.push_back(component);
  }

  bool Follow(const Component& component, const std::string& needed) {
    const auto found = components_.find(needed);
    if (found == components_.end()) {
      problems_.emplace_back(component.name, "it depends on '" + needed + "', which is no component");
      return false;
    }
    if (states_[needed] == State::kOpen) {
      std::string cycle;
      for (auto at = std::ranges::find(path_, needed); at != path_.end(); ++at) cycle += *at + " -> ";
      problems_.emplace_back(component.name, "components depend on each other in a cycle: " + cycle + needed +
                                                 " (take one of these dependencies out)");
      return false;
    }
    Visit(found->second);
    return true;
  }

  std::map<std::string, Component>& components_;
  ComponentGraph::Problems& problems_;
  std::map<std::string, State> states_;
  std::vector<std::string> path_;
  std::vector<Component> ordered_;
};

}  // namespace

ComponentGraph::ComponentGraph(std::vector<Component> components, Problems& problems) {
  std::map<std::string, Component> by_name;
  for (Component& component : components) by_name.emplace(component.name, std::move(component));
  ordered_ = Sorter(by_name, problems).Run();
  for (std::size_t i = 0; i < ordered_.size(); ++i) index_.emplace(ordered_[i].name, i);
}

const Component* ComponentGraph::Find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &ordered_[found->second];
}

std::vector<std::string> ComponentGraph::StandsOn(std::string_view name) const {
  std::vector<std::string> all;
  std::deque<std::string> next{std::string(name)};
  while (!next.empty()) {
    const Component* component = Find(next.front());
    next.pop_front();
    if (component == nullptr) continue;
    for (const std::string& needed : component->depends_on) {
      if (std::ranges::find(all, needed) != all.end()) continue;
      all.push_back(needed);
      next.push_back(needed);
    }
  }
  return all;
}

}  // namespace pipewarden::core
