// The faces of the web server: each gives its rows for the route table. One face is one file agent/server/<face>.cpp
// and one line here.
#pragma once

#include <memory>
#include <vector>

#include "agent/server/context.h"
#include "agent/server/router.h"

namespace pipewarden::agent {

using Routes = std::vector<Route>;

Routes HealthRoutes(std::shared_ptr<const ServerContext> context);       // /-/healthy /-/ready /-/reload
Routes MetricsRoutes(std::shared_ptr<const ServerContext> context);      // /metrics
Routes QueryRoutes(std::shared_ptr<const ServerContext> context);        // /api/v1/…, as Prometheus; /query
Routes FederateRoutes(std::shared_ptr<const ServerContext> context);     // /federate
Routes RuleRoutes(std::shared_ptr<const ServerContext> context);         // /api/v1/rules, alerts
Routes StatusRoutes(std::shared_ptr<const ServerContext> context);       // /api/v1/metadata, targets, status/…
Routes RemoteWriteRoutes(std::shared_ptr<const ServerContext> context);  // /api/v1/write
Routes BacktestRoutes(std::shared_ptr<const ServerContext> context);     // /api/pipewarden/v1/rules/backtest
Routes ProbeRoutes(std::shared_ptr<const ServerContext> context);        // /api/pipewarden/v1/probes
Routes PipelineRoutes(std::shared_ptr<const ServerContext> context);     // /api/pipewarden/v1/pipelines
Routes AlertRoutes(std::shared_ptr<const ServerContext> context);        // /api/pipewarden/v1/{alerts,inbox}
Routes ExplainRoutes(std::shared_ptr<const ServerContext> context);  // …/alerts/{fingerprint}/explain, …/notifications
// /api/v2/{status,receivers,alerts,alerts/groups}, as Alertmanager; and /api/v2/{silences,silence/{id}}
Routes AlertmanagerRoutes(std::shared_ptr<const ServerContext> context);
Routes SilenceRoutes(std::shared_ptr<const ServerContext> context);
Routes ClusterRoutes(std::shared_ptr<const ServerContext> context);  // for the peers alone, on an address of its own
Routes PageRoutes(std::shared_ptr<const ServerContext> context);     // / and what it needs

// What `pipewarden alertmanager` answers.
Routes AlertingRoutes(std::shared_ptr<const ServerContext> context);
// All but ClusterRoutes, in the order of matching.
Routes AllRoutes(std::shared_ptr<const ServerContext> context);

}  // namespace pipewarden::agent
