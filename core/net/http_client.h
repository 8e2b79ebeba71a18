// HTTP over libcurl's multi interface, driven by the loop: no thread of its own. Loop thread only.
//
// Times of a request add up over its redirects. Certificates are verified against the system's bundle unless said
// otherwise; CURLOPT_CAPATH is null, because Debian's libcurl else reads every certificate anew for each connection
// (19.5 ms of CPU). Redirects are followed here, not by libcurl, so that each hop's phases are known; credentials go to
// the first host, port and scheme only. Answers come in real time: a jumping clock stands still during a request.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/async/loop.h"
#include "core/result.h"
#include "core/secret.h"

namespace pipewarden::core {

enum class TlsVersion { kAny, k10, k11, k12, k13 };

struct TlsOptions {
  std::string ca_file;    // PEM; "" is the system's bundle
  std::string cert_file;  // client certificate and key, PEM
  std::string key_file;
  std::string server_name;  // for SNI and verification, where it is not the URL's host
  bool insecure_skip_verify = false;
  TlsVersion min_version = TlsVersion::kAny;  // the bounds of what is spoken; kAny is the library's own
  TlsVersion max_version = TlsVersion::kAny;
};

// Sets them on a CURL easy handle (void*, as in curl/curl.h), for whoever makes one of its own. The server name is not
// among them: libcurl takes it from the URL.
void SetTlsOptions(void* easy_handle, const TlsOptions& tls);

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  Duration timeout = std::chrono::seconds(30);  // for the whole request, redirects included
  bool follow_redirects = true;
  int max_redirects = 10;
  std::size_t max_body_bytes =
      10U << 20U;  // a longer answer is cut there and `truncated` is set (bytes after decoding)

  bool fresh_connection = false;  // neither reuse a connection nor leave one for reuse (probes)
  std::string ip_protocol;        // "", "ip4" or "ip6"
  std::string unix_socket;        // connect there, whatever the URL's host
  TlsOptions tls;
  std::string proxy_url;                // http, https, socks4, socks4a, socks5 or socks5h; may hold user and password
  std::string no_proxy;                 // comma separated
  bool proxy_from_environment = false;  // http_proxy, https_proxy, all_proxy, no_proxy
  std::vector<std::pair<std::string, std::string>> proxy_connect_headers;  // of the CONNECT by which https goes through
  bool http2 = true;                                                       // where a TLS peer offers it
  std::string basic_username;
  Secret basic_password;
  Secret bearer_token;
};

struct HttpTimings {  // as blackbox_exporter's phases
  Duration resolve{}, connect{}, tls{}, processing{}, transfer{};
};

struct TlsInfo {
  std::string version;  // "TLS 1.3"
  std::string cipher;
  WallTime earliest_expiry{};        // of the certificates the server sent
  WallTime verified_chain_expiry{};  // of the chain that was verified; zero where none was
  std::string subject, issuer;       // of the server's certificate, RFC 2253
  std::string fingerprint_sha256;    // lower-case hex
  std::string alternative_names;     // DNS names and addresses, comma separated
};

struct HttpResponse {
  int status = 0;
  int version_major = 1, version_minor = 1;
  std::vector<std::pair<std::string, std::string>> headers;  // names as sent; of the last response
  std::string body;                                          // decoded (gzip)
  bool truncated = false;
  std::int64_t content_length = -1;  // of the header, -1 where absent
  std::int64_t wire_body_bytes = 0;  // as received, before decoding
  int redirects = 0;
  std::string remote_ip;
  std::string final_url;
  HttpTimings timings;
  std::optional<TlsInfo> tls;  // of the last connection

  std::string_view Header(std::string_view name) const;  // case-insensitive; "" where absent
};

class HttpClient {
 public:
  explicit HttpClient(Loop& loop);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // An answer with any status is a success here, also a redirect where max_redirects are behind it (see `redirects`).
  // kTimeout ("timed out after 5s while connecting to example.org:80"), kUnavailable (refused, reset, unknown host, no
  // HTTP), kInvalid (bad URL, header or file), kDenied (certificate not trusted). Messages name the phase and never
  // hold credentials. Cancelling the coroutine ends the request at once. `partial`, where given, receives what was
  // known when the request failed (timings, remote_ip, tls, redirects); it must outlive the coroutine.
  Task<Result<HttpResponse>> Do(HttpRequest request, HttpResponse* partial = nullptr);

  // SMTP and the like go through the same multi handle: takes a configured CURL easy handle (void*, as in curl/curl.h),
  // runs it, gives its CURLcode as an Error's message or success. The handle stays the caller's; its CURLOPT_PRIVATE,
  // CURLOPT_ERRORBUFFER, CURLOPT_TIMEOUT_MS and CURLOPT_NOSIGNAL are set here. kDenied: login refused.
  Task<Result<void>> Perform(void* easy_handle, Duration timeout);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// The URL without user, password and query values ("http://host/path?qry=..."): for messages and logs.
std::string UrlForDisplay(std::string_view url);

}  // namespace pipewarden::core
