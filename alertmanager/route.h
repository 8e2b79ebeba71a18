// The route tree: which receivers hear of an alert, and how it is grouped. Depth first; the first child that matches
// takes the alert unless it says `continue`; a node takes it itself only where no child did. Immutable, safe from any
// thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "alertmanager/config.h"
#include "core/model/labels.h"

namespace pipewarden::alertmanager {

struct Route {
  const RouteConfig* config = nullptr;
  const ReceiverConfig* receiver = nullptr;
  // As Alertmanager writes it: the matchers of all nodes from the root, joined by '/'. Siblings with equal matchers
  // have equal keys, therefore `id`, the place in the tree ("0/2"), tells routes apart.
  std::string key;
  std::string id;
  std::vector<Route> children;
  // The named intervals, resolved.
  std::vector<const NamedTimeInterval*> mute;
  std::vector<const NamedTimeInterval*> active;

  core::Labels GroupLabels(const core::Labels& labels) const;
  std::string GroupKey(const core::Labels& group_labels) const { return key + ":" + LabelSetText(group_labels); }
};

class RouteTree {
 public:
  // Keeps the configuration; every receiver and interval that a route names exists in it.
  explicit RouteTree(std::shared_ptr<const Config> config);

  // The routes that take these labels, in the order of the tree; at least one (the root).
  std::vector<const Route*> Match(const core::Labels& labels) const;
  const Route& root() const { return root_; }
  const Config& config() const { return *config_; }
  std::shared_ptr<const Config> shared_config() const { return config_; }

 private:
  std::shared_ptr<const Config> config_;
  Route root_;
};

}  // namespace pipewarden::alertmanager
