// Any bytes as alertmanager.yml: read or refused with a place; what is read makes a route tree that routes.
#include <cstdint>
#include <cstdlib>

#include "alertmanager/config.h"
#include "alertmanager/route.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pipewarden;
  core::YamlLimits limits;
  limits.max_nodes = 20'000;
  limits.max_bytes = 65'536;
  core::ConfigErrors errors;
  const auto root = core::ParseYaml({reinterpret_cast<const char*>(data), size}, "f", errors, limits);
  if (!root) return 0;
  auto config = alertmanager::ReadAlertmanagerConfig(*root, errors);
  if (!errors.empty()) {
    (void)errors.Lines();
    return 0;
  }
  const alertmanager::RouteTree tree(std::make_shared<const alertmanager::Config>(std::move(config)));
  const core::Labels labels{{"alertname", "a"}, {"severity", "page"}};
  const auto routes = tree.Match(labels);
  if (routes.empty()) std::abort();
  for (const alertmanager::Route* route : routes) {
    (void)route->GroupKey(route->GroupLabels(labels));
    for (const auto* interval : route->mute)
      (void)interval->Contains(core::WallTime{std::chrono::seconds{1'700'000'000}});
  }
  return 0;
}
