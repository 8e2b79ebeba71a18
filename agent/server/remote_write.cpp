// /api/v1/write: the receiver of remote write 1.0 and 2.0, off unless --web.enable-remote-write-receiver. As in
// Prometheus: 204 where all was stored, 400 where some of it can never be (the rest is), 415 for a body that is of
// another kind, 503 while too many requests wait.
#include <atomic>

#include "agent/server/faces.h"
#include "core/net/remote_write_codec.h"
#include "rules/remote_write.h"

namespace pipewarden::agent {
namespace {

constexpr std::size_t kMaxBody = 8U << 20U;
constexpr std::size_t kMaxMessage = 16U << 20U;
// Each holds its message in memory and a place in the queue of the rules thread, which ticks go through too.
constexpr int kMaxAtOnce = 8;

class Places {
 public:
  explicit Places(std::atomic<int>& taken) : taken_(taken), got_(++taken_ <= kMaxAtOnce) {}
  ~Places() { --taken_; }
  Places(const Places&) = delete;
  Places& operator=(const Places&) = delete;
  bool got() const { return got_; }

 private:
  std::atomic<int>& taken_;
  bool got_;
};

// nullopt: a kind of message that we do not know.
std::optional<core::RemoteWriteVersion> VersionOf(std::string_view content_type) {
  std::string_view proto = "prometheus.WriteRequest";
  std::size_t end = content_type.find(';');
  if (content_type.substr(0, end) != "application/x-protobuf" && !content_type.empty()) return std::nullopt;
  while (end != std::string_view::npos) {
    content_type.remove_prefix(end + 1);
    while (content_type.starts_with(' ')) content_type.remove_prefix(1);
    end = content_type.find(';');
    if (content_type.starts_with("proto="))
      proto = content_type.substr(6, end == std::string_view::npos ? end : end - 6);
  }
  if (proto == "prometheus.WriteRequest") return core::RemoteWriteVersion::k1;
  if (proto == "io.prometheus.write.v2.Request") return core::RemoteWriteVersion::k2;
  return std::nullopt;
}

HttpResponse Write(const ServerContext& context, std::atomic<int>& taken, const HttpRequest& request) {
  const auto version = VersionOf(request.Header("Content-Type"));
  if (!version)
    return TextResponse(
        "unsupported content type; application/x-protobuf is taken, with proto=prometheus.WriteRequest "
        "or proto=io.prometheus.write.v2.Request\n",
        415);
  const std::string_view encoding = request.Header("Content-Encoding");
  if (!encoding.empty() && !EqualsIgnoreCase(encoding, "snappy"))
    return TextResponse(
        std::string(encoding) + " encoding (compression) is not accepted by this server; only snappy is acceptable\n",
        415);
  const Places place(taken);
  if (!place.got()) {
    HttpResponse busy = TextResponse("too many remote write requests at once; try again\n", 503);
    busy.headers.emplace_back("Retry-After", "1");
    return busy;
  }
  auto message = core::SnappyDecompress(request.body, kMaxMessage);
  if (!message) return TextResponse(message.error().message + "\n", 400);
  auto decoded = core::DecodeRemoteWrite(std::move(*message), *version);
  if (!decoded) return TextResponse(decoded.error().message + "\n", 400);
  const auto written = context.remote_write(std::move(*decoded), request.deadline);
  if (!written) return TextResponse(written.error().message + "\n", 503);
  HttpResponse response = written->refused == 0 ? TextResponse("", 204) : TextResponse(written->why + "\n", 400);
  if (*version == core::RemoteWriteVersion::k2) {
    response.headers.emplace_back("X-Prometheus-Remote-Write-Samples-Written", std::to_string(written->samples));
    response.headers.emplace_back("X-Prometheus-Remote-Write-Histograms-Written", std::to_string(written->histograms));
    response.headers.emplace_back("X-Prometheus-Remote-Write-Exemplars-Written", "0");
  }
  return response;
}

}  // namespace

Routes RemoteWriteRoutes(std::shared_ptr<const ServerContext> context) {
  auto taken = std::make_shared<std::atomic<int>>(0);
  return {{.methods = "POST",
           .path = "/api/v1/write",
           .role = Role::kOperate,
           .mutates = true,
           .compatible = true,
           .max_body_bytes = kMaxBody,
           .deadline = std::chrono::seconds(30),
           .handle = [context, taken](const HttpRequest& request) {
             if (!context->remote_write)
               return TextResponse(
                   "remote write receiver needs to be enabled with --web.enable-remote-write-receiver\n", 404);
             return Write(*context, *taken, request);
           }}};
}

}  // namespace pipewarden::agent
