// POST /cluster/v1/exchange: the messages of alertmanager/cluster.h, for the peers of `pipewarden alertmanager` alone.
// It stands on an address of its own, which no one else should reach: whoever does may silence what is told.
#include "agent/server/ask.h"
#include "agent/server/faces.h"
#include "alertmanager/alertmanager.h"

namespace pipewarden::agent {

Routes ClusterRoutes(std::shared_ptr<const ServerContext> context) {
  return {{.methods = "POST",
           .path = "/cluster/v1/exchange",
           .role = Role::kOperate,
           .mutates = true,
           .max_body_bytes = 16U << 20U,
           .handle = [context](const HttpRequest& request) {
             auto answer = AskLoop<std::string>(
                 *context->loop, request.deadline,
                 [context, message = request.body, peer = request.peer]() -> core::Result<std::string> {
                   alertmanager::Cluster* cluster = context->alertmanager->cluster();
                   if (cluster == nullptr) return core::Fail(core::ErrorCode::kUnavailable, "starting: try again");
                   return cluster->Receive(message, peer);
                 });
             if (!answer) return ErrorResponse(Envelope::kPlain, answer.error());
             HttpResponse response;
             response.content_type = "application/octet-stream";
             response.body = std::move(*answer);
             return response;
           }}};
}

}  // namespace pipewarden::agent
