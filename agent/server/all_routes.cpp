#include <initializer_list>
#include <iterator>

#include "agent/server/faces.h"

namespace pipewarden::agent {
namespace {

using Face = Routes (*)(std::shared_ptr<const ServerContext> context);

Routes Join(std::initializer_list<Face> faces, const std::shared_ptr<const ServerContext>& context) {
  Routes all;
  for (const Face face : faces) {
    Routes routes = face(context);
    all.insert(all.end(), std::make_move_iterator(routes.begin()), std::make_move_iterator(routes.end()));
  }
  return all;
}

}  // namespace

Routes AlertingRoutes(std::shared_ptr<const ServerContext> context) {
  return Join({HealthRoutes, MetricsRoutes, AlertRoutes, ExplainRoutes, AlertmanagerRoutes, SilenceRoutes}, context);
}

Routes AllRoutes(std::shared_ptr<const ServerContext> context) {
  return Join({HealthRoutes, MetricsRoutes, QueryRoutes, FederateRoutes, RuleRoutes, StatusRoutes, RemoteWriteRoutes,
               BacktestRoutes, ProbeRoutes, PipelineRoutes, AlertRoutes, ExplainRoutes, AlertmanagerRoutes,
               SilenceRoutes, PageRoutes},
              context);
}

}  // namespace pipewarden::agent
