#include <iterator>

#include "agent/server/faces.h"

namespace pipewarden::agent {

Routes AllRoutes(std::shared_ptr<const ServerContext> context) {
  Routes all;
  for (const auto face : {HealthRoutes, MetricsRoutes, QueryRoutes, FederateRoutes, RuleRoutes, StatusRoutes,
                          RemoteWriteRoutes, BacktestRoutes, ProbeRoutes, PipelineRoutes, AlertRoutes, ExplainRoutes,
                          AlertmanagerRoutes, SilenceRoutes, PageRoutes}) {
    Routes routes = face(context);
    all.insert(all.end(), std::make_move_iterator(routes.begin()), std::make_move_iterator(routes.end()));
  }
  return all;
}

}  // namespace pipewarden::agent
