// The page of a query, and /graph, where the links of alerts lead.
#pragma once

#include <memory>

#include "agent/server/faces.h"
#include "agent/server/query_gate.h"

namespace pipewarden::agent {

// The gate is the one of the query API: pages and API share its places.
Routes QueryPageRoutes(const std::shared_ptr<const ServerContext>& context, const std::shared_ptr<QueryGate>& gate);

}  // namespace pipewarden::agent
