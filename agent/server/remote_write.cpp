// /api/v1/write: the receiver of remote write 1.0 and 2.0, off unless --web.enable-remote-write-receiver. As in
// Prometheus: 204 where all was stored, 400 where some of it can never be (the rest is), 415 for a body that is of
// another kind, 503 while too many requests wait.
#include <atomic>

#include "agent/server/faces.h"
#include "core/net/remote_write_codec.h"
#include "rules/remote_write.h"

namespace pipewarden::agent {
namespace {

// As Prometheus.
constexpr std::size_t kMaxBody = 32U << 20U;
constexpr std::size_t kMaxMessage = 32U << 20U;
// Each holds its message in memory and a place in the queue of the rules thread, which ticks go through too. A large
// one counts for several.
constexpr int kMaxAtOnce = 9;
constexpr std::size_t kBytesOfAPlace = 4U << 20U;

class Places {
 public:
  Places(std::atomic<int>& taken, std::size_t places)
      : taken_(taken), places_(static_cast<int>(places)), got_((taken_ += places_) <= kMaxAtOnce) {}
  ~Places() { taken_ -= places_; }
  Places(const Places&) = delete;
  Places& operator=(const Places&) = delete;
  bool got() const { return got_; }

 private:
  std::atomic<int>& taken_;
  int places_;
  bool got_;
};

// Words and all as Prometheus' library reads it: an error is a kind of message that we do not know.
core::Result<core::RemoteWriteVersion> VersionOf(std::string_view content_type) {
  while (content_type.starts_with(' ')) content_type.remove_prefix(1);
  while (content_type.ends_with(' ')) content_type.remove_suffix(1);
  const auto fail = [](std::string why) { return core::Fail(core::ErrorCode::kInvalid, std::move(why)); };
  const std::string whole(content_type);
  std::size_t end = content_type.find(';');
  if (!content_type.empty() && content_type.substr(0, end) != "application/x-protobuf")
    return fail("expected application/x-protobuf as the first (media) part, got " + whole + " content-type");
  while (end != std::string_view::npos) {
    content_type.remove_prefix(end + 1);
    end = content_type.find(';');
    const std::string_view part = content_type.substr(0, end);
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos || part.find('=', equals + 1) != std::string_view::npos)
      return fail("as per https://www.rfc-editor.org/rfc/rfc9110#parameter expected parameters to be key-values, got " +
                  std::string(part) + " in " + whole + " content-type");
    // A space before it keeps it from being seen there; senders that write one mean it all the same.
    std::string_view name = part.substr(0, equals);
    while (name.starts_with(' ')) name.remove_prefix(1);
    if (name != "proto") continue;
    const std::string_view proto = part.substr(equals + 1);
    if (proto == "prometheus.WriteRequest") return core::RemoteWriteVersion::k1;
    if (proto == "io.prometheus.write.v2.Request") return core::RemoteWriteVersion::k2;
    return fail("got " + whole + " content type; unknown type for remote write protobuf message " + std::string(proto) +
                ", supported: prometheus.WriteRequest, io.prometheus.write.v2.Request");
  }
  return core::RemoteWriteVersion::k1;
}

void AppendWritten(HttpResponse& response, std::size_t samples, std::size_t histograms) {
  response.headers.emplace_back("X-Prometheus-Remote-Write-Samples-Written", std::to_string(samples));
  response.headers.emplace_back("X-Prometheus-Remote-Write-Histograms-Written", std::to_string(histograms));
  response.headers.emplace_back("X-Prometheus-Remote-Write-Exemplars-Written", "0");
}

HttpResponse Write(const ServerContext& context, std::atomic<int>& taken, const HttpRequest& request) {
  const auto version = VersionOf(request.Header("Content-Type"));
  if (!version) return TextResponse(version.error().message + "\n", 415);
  const std::string_view encoding = request.Header("Content-Encoding");
  if (!encoding.empty() && !EqualsIgnoreCase(encoding, "snappy"))
    return TextResponse(
        std::string(encoding) + " encoding (compression) is not accepted by this server; only snappy is acceptable\n",
        415);
  const auto busy = [] {
    HttpResponse response = TextResponse("too many remote write requests at once; try again\n", 503);
    response.headers.emplace_back("Retry-After", "1");
    return response;
  };
  const Places place(taken, 1);
  if (!place.got()) return busy();
  auto message = core::SnappyDecompress(request.body, kMaxMessage);
  if (!message) return TextResponse(message.error().message + "\n", 400);
  const Places more(taken, message->size() / kBytesOfAPlace);
  if (!more.got()) return busy();
  auto decoded = core::DecodeRemoteWrite(std::move(*message), *version);
  if (!decoded) {
    HttpResponse response = TextResponse(decoded.error().message + "\n", 400);
    if (*version == core::RemoteWriteVersion::k2) AppendWritten(response, 0, 0);
    return response;
  }
  const auto written = context.remote_write(std::move(*decoded), request.deadline);
  if (!written) return TextResponse(written.error().message + "\n", 503);
  const std::string& why = *version == core::RemoteWriteVersion::k2 ? written->each : written->why;
  HttpResponse response = why.empty() ? TextResponse("", 204) : TextResponse(why + "\n", 400);
  if (*version == core::RemoteWriteVersion::k2) AppendWritten(response, written->samples, written->histograms);
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
