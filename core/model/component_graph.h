// What there is, and what stands on what: the `components` of the configuration. Immutable; safe from any thread.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pipewarden::core {

struct Component {
  std::string name;
  std::string layer;                    // "" where none is given
  std::vector<std::string> depends_on;  // direct ones, as written
};

class ComponentGraph {
 public:
  ComponentGraph() = default;
  // A dependency on something unknown, or one that closes a cycle, is left out and told: the component's name and the
  // cycle or unknown name spelled out ("a -> b -> a").
  using Problems = std::vector<std::pair<std::string, std::string>>;
  ComponentGraph(std::vector<Component> components, Problems& problems);

  const Component* Find(std::string_view name) const;
  // In an order in which each comes after all it depends on; of equals by name.
  const std::vector<Component>& InOrder() const { return ordered_; }
  // All that `name` stands on, directly or not, nearest first; each once.
  std::vector<std::string> StandsOn(std::string_view name) const;
  bool empty() const { return ordered_.empty(); }

 private:
  std::vector<Component> ordered_;
  std::map<std::string, std::size_t, std::less<>> index_;  // name -> place in ordered_
};

}  // namespace pipewarden::core
