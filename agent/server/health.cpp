// /-/healthy, /-/ready, POST /-/reload: as Prometheus and Alertmanager have them.
#include "agent/server/faces.h"

namespace pipewarden::agent {

Routes HealthRoutes(std::shared_ptr<const ServerContext> context) {
  return {
      {.methods = "GET",
       .path = "/-/healthy",
       .role = Role::kRead,
       .open = true,
       .always = true,
       .handle = [](const HttpRequest&) { return TextResponse("Pipewarden is healthy.\n"); }},
      {.methods = "GET",
       .path = "/-/ready",
       .role = Role::kRead,
       .open = true,
       .always = true,
       .handle =
           [context](const HttpRequest&) {
             if (!context->ready || context->ready()) return TextResponse("Pipewarden is ready.\n");
             return TextResponse("Pipewarden is not ready yet.\n", 503);
           }},
      {.methods = "POST PUT",
       .path = "/-/reload",
       .role = Role::kAdmin,
       .mutates = true,
       .max_body_bytes = 1024,
       .deadline = std::chrono::seconds(30),
       .handle =
           [context](const HttpRequest& request) {
             if (!context->reload) return TextResponse("this process has no configuration to reload\n", 404);
             auto done = context->reload(request.deadline);
             if (done) return TextResponse("Configuration reloaded.\n");
             return TextResponse("Nothing has changed; the configuration is not good:\n" + done.error().message + "\n",
                                 done.error().code == core::ErrorCode::kInvalid ? 400 : 500);
           }},
  };
}

}  // namespace pipewarden::agent
