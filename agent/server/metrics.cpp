// /metrics: all sources, as text 0.0.4 or OpenMetrics by the Accept header. The server compresses.
#include "agent/server/faces.h"
#include "exporters/exposition/text_writer.h"

namespace pipewarden::agent {

Routes MetricsRoutes(std::shared_ptr<const ServerContext> context) {
  return {{.methods = "GET",
           .path = "/metrics",
           .role = Role::kRead,
           .open = true,
           .handle = [context](const HttpRequest& request) {
             const auto format = exporters::NegotiateTextFormat(request.Header("Accept"));
             const auto sources = context->sources();
             HttpResponse response = TextResponse(exporters::WriteText(sources, format));
             response.content_type = exporters::ContentType(format);
             response.headers.emplace_back("Vary", "Accept");
             return response;
           }}};
}

}  // namespace pipewarden::agent
