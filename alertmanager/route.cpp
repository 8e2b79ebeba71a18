#include "alertmanager/route.h"

#include <algorithm>

namespace pipewarden::alertmanager {
namespace {

std::vector<const NamedTimeInterval*> Resolve(const Config& config, const std::vector<std::string>& names) {
  std::vector<const NamedTimeInterval*> found;
  for (const std::string& name : names) {
    const auto at = std::ranges::find(config.time_intervals, name, &NamedTimeInterval::name);
    if (at != config.time_intervals.end()) found.push_back(&*at);
  }
  return found;
}

Route Build(const Config& config, const RouteConfig& node, const std::string& parent_key, std::string id, bool root) {
  Route route;
  route.config = &node;
  route.receiver = config.FindReceiver(node.receiver);
  route.key = (root ? "" : parent_key + "/") + MatchersText(node.matchers);
  route.mute = Resolve(config, node.mute_time_intervals);
  route.active = Resolve(config, node.active_time_intervals);
  for (std::size_t i = 0; i < node.routes.size(); ++i)
    route.children.push_back(Build(config, node.routes[i], route.key, id + "/" + std::to_string(i), false));
  route.id = std::move(id);
  return route;
}

bool Collect(const Route& route, const core::Labels& labels, std::vector<const Route*>& found) {
  if (!MatchesAll(route.config->matchers, labels)) return false;
  const std::size_t before = found.size();
  for (const Route& child : route.children)
    if (Collect(child, labels, found) && !child.config->continue_matching) break;
  if (found.size() == before) found.push_back(&route);
  return true;
}

}  // namespace

core::Labels Route::GroupLabels(const core::Labels& labels) const {
  if (config->group_by_all) return labels;
  core::Labels group;
  for (const std::string& name : config->group_by) group.Set(name, labels.Get(name));
  return group;
}

RouteTree::RouteTree(std::shared_ptr<const Config> config)
    : config_(std::move(config)), root_(Build(*config_, config_->route, "", "0", true)) {}

std::vector<const Route*> RouteTree::Match(const core::Labels& labels) const {
  std::vector<const Route*> found;
  Collect(root_, labels, found);
  return found;
}

}  // namespace pipewarden::alertmanager
