#include "core/net/http_client.h"

#include <curl/curl.h>
#include <strings.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "core/net/curl_multi.h"
#include "core/net/tls_info.h"
#include "core/time/duration.h"

namespace pipewarden::core {
namespace {

constexpr std::size_t kMaxHeaderBytes = 512U << 10U;

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
struct UrlDeleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using Easy = std::unique_ptr<CURL, EasyDeleter>;
using List = std::unique_ptr<curl_slist, ListDeleter>;
using Url = std::unique_ptr<CURLU, UrlDeleter>;

void Append(List& list, const std::string& text) { list.reset(curl_slist_append(list.release(), text.c_str())); }

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

std::string Part(const Url& url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url.get(), part, &text, flags) != CURLUE_OK) return "";
  std::string result(text);
  curl_free(text);
  return result;
}

struct ParsedUrl {
  Url handle;
  std::string scheme, host, port;
  std::string Authority() const { return host + ":" + port; }
  std::string Origin() const { return scheme + "://" + Authority(); }
};

Result<ParsedUrl> ParseUrl(const std::string& text) {
  ParsedUrl url{Url(curl_url()), "", "", ""};
  const CURLUcode code = curl_url_set(url.handle.get(), CURLUPART_URL, text.c_str(), 0);
  if (code != CURLUE_OK)
    return Fail(ErrorCode::kInvalid, "bad URL '" + UrlForDisplay(text) + "': " + curl_url_strerror(code));
  url.scheme = Part(url.handle, CURLUPART_SCHEME);
  url.host = Part(url.handle, CURLUPART_HOST);
  url.port = Part(url.handle, CURLUPART_PORT, CURLU_DEFAULT_PORT);
  if (url.scheme != "http" && url.scheme != "https")
    return Fail(ErrorCode::kInvalid, "bad URL '" + UrlForDisplay(text) + "': its scheme is not http or https");
  return url;
}

Result<std::string> ResolveLocation(const ParsedUrl& base, const std::string& location) {
  const Url next(curl_url_dup(base.handle.get()));
  // A redirect does not bring or keep credentials by its URL.
  if (curl_url_set(next.get(), CURLUPART_URL, location.c_str(), CURLU_URLENCODE) != CURLUE_OK)
    return Fail(ErrorCode::kUnavailable, "the server redirects to a bad URL '" + UrlForDisplay(location) + "'");
  curl_url_set(next.get(), CURLUPART_USER, nullptr, 0);
  curl_url_set(next.get(), CURLUPART_PASSWORD, nullptr, 0);
  return Part(next, CURLUPART_URL);
}

Duration InfoTime(CURL* easy, CURLINFO info) {
  curl_off_t microseconds = 0;
  curl_easy_getinfo(easy, info, &microseconds);
  return std::chrono::microseconds(microseconds);
}

// One request to one place: what libcurl is given and what it gave.
class Hop {
 public:
  Hop(const HttpRequest& request, HttpResponse& response) : request_(request), response_(response) {}

  Result<void> Prepare(const std::string& url_text, const std::string& method, bool send_body, bool same_origin,
                       Duration timeout);
  CURL* easy() const { return easy_.get(); }
  // Adds the hop's phases and what is known of its connection to the response.
  void Collect();
  Error ToError(const CurlMulti::Outcome& outcome) const;
  // libcurl takes a connection that ends among the headers for the end of an answer without a body.
  bool Succeeded(const CurlMulti::Outcome& outcome) const {
    return headers_ended_ && (outcome.code == CURLE_OK || (outcome.code == CURLE_WRITE_ERROR && response_.truncated));
  }
  const ParsedUrl& url() const { return url_; }

 private:
  static std::size_t OnHeader(char* data, std::size_t size, std::size_t count, void* context);
  static std::size_t OnBody(char* data, std::size_t size, std::size_t count, void* context);
  static CURLcode OnTlsStart(CURL*, void*, void* context) {
    static_cast<Hop*>(context)->tls_started_ = true;
    return CURLE_OK;
  }
  Result<void> SetHeaders(bool send_body, bool same_origin, const std::string& method);
  void SetTls();
  Result<void> SetConnection(Duration timeout);
  void ReadStatusLine(std::string_view line);
  std::string Phase() const;
  std::string Scrub(std::string text) const;

  template <class T>
  void Set(CURLoption option, T value) {
    curl_easy_setopt(easy_.get(), option, value);
  }
  void SetText(CURLoption option, const std::string& value) {
    if (!value.empty()) Set(option, value.c_str());
  }

  const HttpRequest& request_;
  HttpResponse& response_;
  Easy easy_{curl_easy_init()};
  List headers_;
  List proxy_headers_;
  List connect_to_;
  ParsedUrl url_;
  Url renamed_url_;
  std::size_t header_bytes_ = 0;
  bool headers_too_long_ = false;
  bool headers_ended_ = false;
  bool tls_started_ = false;  // the TCP connection stood; libcurl's own connect time comes too late to tell
};

std::size_t Hop::OnHeader(char* data, std::size_t size, std::size_t count, void* context) {
  auto& hop = *static_cast<Hop*>(context);
  std::string_view line(data, size * count);
  hop.header_bytes_ += line.size();
  if (hop.header_bytes_ > kMaxHeaderBytes) {
    hop.headers_too_long_ = true;
    return 0;
  }
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
  hop.headers_ended_ |= line.empty();
  if (line.starts_with("HTTP/")) {
    hop.ReadStatusLine(line);
    return size * count;
  }
  const std::size_t colon = line.find(':');
  if (colon != std::string_view::npos) {
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
    while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
    hop.response_.headers.emplace_back(line.substr(0, colon), value);
  }
  return size * count;
}

void Hop::ReadStatusLine(std::string_view line) {
  response_.headers.clear();  // of a 100 Continue before
  headers_ended_ = false;
  line.remove_prefix(5);
  std::from_chars(line.data(), line.data() + line.size(), response_.version_major);
  response_.version_minor = 0;
  if (line.size() > 2 && line[1] == '.')
    std::from_chars(line.data() + 2, line.data() + line.size(), response_.version_minor);
  if (response_.tls) return;
  // The connection's TLS state can be asked for only while the transfer runs.
  curl_tlssessioninfo* session = nullptr;
  if (curl_easy_getinfo(easy_.get(), CURLINFO_TLS_SSL_PTR, &session) == CURLE_OK && session != nullptr &&
      session->backend == CURLSSLBACKEND_OPENSSL && session->internals != nullptr)
    response_.tls = ReadTlsInfo(session->internals);
}

std::size_t Hop::OnBody(char* data, std::size_t size, std::size_t count, void* context) {
  auto& hop = *static_cast<Hop*>(context);
  const std::size_t bytes = size * count;
  std::string& body = hop.response_.body;
  const std::size_t room = hop.request_.max_body_bytes - body.size();
  if (bytes > room) {
    body.append(data, room);
    hop.response_.truncated = true;
    return 0;
  }
  body.append(data, bytes);
  return bytes;
}

bool HttpCanCarry(const std::string& name, const std::string& value) {
  return !name.empty() && (name + value).find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos &&
         name.find_first_of(": \t") == std::string::npos;
}

Error BadHeader(const std::string& name) {
  return {ErrorCode::kInvalid,
          "header '" + name.substr(0, name.find_first_of("\r\n")) + "' has a name or value that HTTP cannot carry"};
}

Result<void> Hop::SetHeaders(bool send_body, bool same_origin, const std::string& method) {
  bool content_type = false;
  bool host = false;
  bool user_agent = false;
  for (const auto& [name, value] : request_.headers) {
    if (!HttpCanCarry(name, value)) return Fail(BadHeader(name));
    const bool secret = EqualsIgnoringCase(name, "Authorization") || EqualsIgnoringCase(name, "Cookie");
    if (!same_origin && (secret || EqualsIgnoringCase(name, "Host"))) continue;
    if (!send_body && EqualsIgnoringCase(name, "Content-Length")) continue;
    content_type |= EqualsIgnoringCase(name, "Content-Type");
    host |= EqualsIgnoringCase(name, "Host");
    user_agent |= EqualsIgnoringCase(name, "User-Agent");
    Append(headers_, value.empty() ? name + ";" : name + ": " + value);  // libcurl's spelling of an empty value
  }
  if (!user_agent) Append(headers_, "User-Agent: pipewarden");
  if (!content_type) Append(headers_, "Content-Type:");
  Append(headers_, "Expect:");
  if (same_origin && !request_.bearer_token.empty()) {
    if (request_.bearer_token.Reveal().find_first_of("\r\n") != std::string::npos)
      return Fail(ErrorCode::kInvalid, "the bearer token holds a line break");
    Append(headers_, "Authorization: Bearer " + request_.bearer_token.Reveal());
  }
  if (same_origin && (!request_.basic_username.empty() || !request_.basic_password.empty())) {
    Set(CURLOPT_USERNAME, request_.basic_username.c_str());
    Set(CURLOPT_PASSWORD, request_.basic_password.Reveal().c_str());
    Set(CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
  }
  const bool renamed = !request_.tls.server_name.empty() && same_origin && url_.scheme == "https";
  if (renamed && !host) {
    const bool default_port = Part(url_.handle, CURLUPART_PORT).empty();
    Append(headers_, "Host: " + (default_port ? url_.host : url_.Authority()));
  }
  Set(CURLOPT_HTTPHEADER, headers_.get());

  if (send_body && (!request_.body.empty() || method == "POST" || method == "PUT")) {
    Set(CURLOPT_POST, 1L);
    Set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    Set(CURLOPT_POSTFIELDS, request_.body.data());
  }
  if (method == "HEAD") Set(CURLOPT_NOBODY, 1L);
  Set(CURLOPT_CUSTOMREQUEST, method.c_str());
  return {};
}

void Hop::SetTls() {
  Set(CURLOPT_SSL_CTX_FUNCTION, &Hop::OnTlsStart);
  Set(CURLOPT_SSL_CTX_DATA, this);
  SetTlsOptions(easy_.get(), request_.tls);
}

Result<void> Hop::SetConnection(Duration timeout) {
  Set(CURLOPT_PROTOCOLS_STR, "http,https");
  const long timeout_ms = std::max<long>(1, std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count());
  Set(CURLOPT_TIMEOUT_MS, timeout_ms);
  Set(CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
  Set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  if (request_.fresh_connection) {
    Set(CURLOPT_FRESH_CONNECT, 1L);
    Set(CURLOPT_FORBID_REUSE, 1L);
    Set(CURLOPT_DNS_CACHE_TIMEOUT, 0L);
  } else {
    Set(CURLOPT_TCP_KEEPALIVE, 1L);
  }
  if (request_.ip_protocol == "ip4") Set(CURLOPT_IPRESOLVE, static_cast<long>(CURL_IPRESOLVE_V4));
  if (request_.ip_protocol == "ip6") Set(CURLOPT_IPRESOLVE, static_cast<long>(CURL_IPRESOLVE_V6));
  SetText(CURLOPT_UNIX_SOCKET_PATH, request_.unix_socket);
  if (!request_.proxy_url.empty()) {
    Set(CURLOPT_PROXY, request_.proxy_url.c_str());
    SetText(CURLOPT_NOPROXY, request_.no_proxy);
  } else if (!request_.proxy_from_environment) {
    Set(CURLOPT_PROXY, "");
  }
  if (!request_.http2) Set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  if (url_.scheme != "https") return {};  // without a CONNECT libcurl would give them to a plain request
  for (const auto& [name, value] : request_.proxy_connect_headers) {
    if (!HttpCanCarry(name, value)) return Fail(BadHeader(name).Within("proxy_connect_header"));
    Append(proxy_headers_, value.empty() ? name + ";" : name + ": " + value);
  }
  Set(CURLOPT_PROXYHEADER, proxy_headers_.get());
  return {};
}

Result<void> Hop::Prepare(const std::string& url_text, const std::string& method, bool send_body, bool same_origin,
                          Duration timeout) {
  auto parsed = ParseUrl(url_text);
  if (!parsed) return Fail(parsed.error());
  url_ = std::move(*parsed);
  Set(CURLOPT_CURLU, url_.handle.get());
  if (!request_.tls.server_name.empty() && same_origin && url_.scheme == "https") {
    // SNI and verification follow the URL's host, so that becomes the server name, and the connection goes where it
    // went.
    const std::string& name = request_.tls.server_name;
    Append(connect_to_, name + ":" + url_.port + ":" + url_.Authority());
    Set(CURLOPT_CONNECT_TO, connect_to_.get());
    renamed_url_.reset(curl_url_dup(url_.handle.get()));
    curl_url_set(renamed_url_.get(), CURLUPART_HOST, name.c_str(), 0);
    Set(CURLOPT_CURLU, renamed_url_.get());
  }
  if (auto set = SetConnection(timeout); !set) return set;
  SetTls();
  Set(CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
  Set(CURLOPT_HEADERFUNCTION, &Hop::OnHeader);
  Set(CURLOPT_HEADERDATA, this);
  Set(CURLOPT_WRITEFUNCTION, &Hop::OnBody);
  Set(CURLOPT_WRITEDATA, this);
  response_.headers.clear();
  response_.body.clear();
  response_.tls.reset();
  response_.content_length = -1;
  return SetHeaders(send_body, same_origin, method);
}

void Hop::Collect() {
  CURL* easy = easy_.get();
  const Duration resolved = InfoTime(easy, CURLINFO_NAMELOOKUP_TIME_T);
  const Duration connected = InfoTime(easy, CURLINFO_CONNECT_TIME_T);
  const Duration secured = InfoTime(easy, CURLINFO_APPCONNECT_TIME_T);
  const Duration answered = InfoTime(easy, CURLINFO_STARTTRANSFER_TIME_T);
  const Duration total = InfoTime(easy, CURLINFO_TOTAL_TIME_T);
  HttpTimings& timings = response_.timings;
  const auto add = [](Duration& phase, Duration from, Duration to) {
    if (to > from) phase += to - from;
  };
  add(timings.resolve, Duration{}, resolved);
  add(timings.connect, resolved, connected);
  add(timings.tls, connected, secured);
  if (answered > Duration{}) {
    add(timings.processing, std::max(connected, secured), answered);
    add(timings.transfer, answered, total);
  }
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  response_.status = static_cast<int>(status);
  curl_off_t bytes = -1;
  curl_easy_getinfo(easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &bytes);
  response_.content_length = bytes;
  curl_easy_getinfo(easy, CURLINFO_SIZE_DOWNLOAD_T, &bytes);
  response_.wire_body_bytes = bytes;
  const char* ip = nullptr;
  curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &ip);
  if (ip != nullptr && *ip != '\0') response_.remote_ip = ip;
}

std::string Hop::Phase() const {
  CURL* easy = easy_.get();
  const std::string to = request_.unix_socket.empty() ? url_.Authority() : request_.unix_socket;
  const bool proxied = !request_.proxy_url.empty();
  if (InfoTime(easy, CURLINFO_NAMELOOKUP_TIME_T) == Duration{} && request_.unix_socket.empty())
    return proxied ? "resolving the proxy's name" : "resolving " + url_.host;
  if (InfoTime(easy, CURLINFO_CONNECT_TIME_T) == Duration{} && !tls_started_)
    return "connecting to " + to + (proxied ? " by the proxy" : "");
  if (url_.scheme == "https" && InfoTime(easy, CURLINFO_APPCONNECT_TIME_T) == Duration{})
    return "doing the TLS handshake with " + to;
  if (InfoTime(easy, CURLINFO_STARTTRANSFER_TIME_T) == Duration{}) return "waiting for the answer of " + to;
  return "reading the answer of " + to;
}

// libcurl's messages hold no credentials today; this makes sure.
std::string Hop::Scrub(std::string text) const {
  const std::string in_url = Part(url_.handle, CURLUPART_PASSWORD, CURLU_URLDECODE);
  std::string in_proxy;
  if (const std::size_t at = request_.proxy_url.rfind('@'); at != std::string::npos) {
    const std::string user = request_.proxy_url.substr(0, at);
    if (const std::size_t colon = user.rfind(':'); colon != std::string::npos) in_proxy = user.substr(colon + 1);
  }
  for (const std::string& secret : {request_.basic_password.Reveal(), request_.bearer_token.Reveal(), in_url, in_proxy})
    for (std::size_t at = 0; !secret.empty() && (at = text.find(secret, at)) != std::string::npos;)
      text.replace(at, secret.size(), "<secret>");
  return text;
}

Error Hop::ToError(const CurlMulti::Outcome& outcome) const {
  // libcurl's own bound on a line's length shows as a lack of memory.
  if (headers_too_long_ || (outcome.code == CURLE_OUT_OF_MEMORY && !headers_ended_))
    return {ErrorCode::kUnavailable,
            "the answer of " + url_.Authority() + " has too long headers (more than 512 KiB, or a line above 100 KiB)"};
  const std::string why = Scrub(outcome.message);
  long number = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_OS_ERRNO, &number);
  switch (outcome.code) {
    case CURLE_OK:
      return {ErrorCode::kUnavailable, Phase() + ": the connection ended among the headers"};
    case CURLE_OPERATION_TIMEDOUT:
      return {ErrorCode::kTimeout, "while " + Phase()};  // the caller knows after how long
    case CURLE_COULDNT_RESOLVE_HOST:
      return {ErrorCode::kUnavailable, "resolving " + url_.host + ": unknown host"};
    case CURLE_COULDNT_RESOLVE_PROXY:
      return {ErrorCode::kUnavailable, "resolving the proxy: " + why};
    case CURLE_COULDNT_CONNECT:
      return {number == EACCES ? ErrorCode::kDenied : ErrorCode::kUnavailable,
              Phase() + ": " + (number != 0 ? SystemError("", static_cast<int>(number)).message.substr(2) : why)};
    case CURLE_PEER_FAILED_VERIFICATION:
      return {ErrorCode::kDenied, "the certificate of " + url_.Authority() + " is not trusted: " + why};
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_BAD_FUNCTION_ARGUMENT:
      return {ErrorCode::kInvalid, "TLS settings: " + why};
    case CURLE_URL_MALFORMAT:
      return {ErrorCode::kInvalid, "bad URL: " + why};
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
      return {ErrorCode::kUnavailable, "the answer of " + url_.Authority() + " is not HTTP: " + why};
    default:
      return {ErrorCode::kUnavailable, Phase() + ": " + why};
  }
}

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

long MinVersion(TlsVersion version) {
  switch (version) {
    case TlsVersion::kAny:
      break;
    case TlsVersion::k10:
      return CURL_SSLVERSION_TLSv1_0;
    case TlsVersion::k11:
      return CURL_SSLVERSION_TLSv1_1;
    case TlsVersion::k12:
      return CURL_SSLVERSION_TLSv1_2;
    case TlsVersion::k13:
      return CURL_SSLVERSION_TLSv1_3;
  }
  return CURL_SSLVERSION_DEFAULT;
}

long MaxVersion(TlsVersion version) {
  switch (version) {
    case TlsVersion::kAny:
      break;
    case TlsVersion::k10:
      return CURL_SSLVERSION_MAX_TLSv1_0;
    case TlsVersion::k11:
      return CURL_SSLVERSION_MAX_TLSv1_1;
    case TlsVersion::k12:
      return CURL_SSLVERSION_MAX_TLSv1_2;
    case TlsVersion::k13:
      return CURL_SSLVERSION_MAX_TLSv1_3;
  }
  return CURL_SSLVERSION_MAX_NONE;
}

}  // namespace

void SetTlsOptions(void* easy_handle, const TlsOptions& tls) {
  curl_easy_setopt(easy_handle, CURLOPT_CAPATH, nullptr);
  if (!tls.ca_file.empty()) curl_easy_setopt(easy_handle, CURLOPT_CAINFO, tls.ca_file.c_str());
  if (!tls.cert_file.empty()) curl_easy_setopt(easy_handle, CURLOPT_SSLCERT, tls.cert_file.c_str());
  if (!tls.key_file.empty()) curl_easy_setopt(easy_handle, CURLOPT_SSLKEY, tls.key_file.c_str());
  if (tls.insecure_skip_verify) {
    curl_easy_setopt(easy_handle, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(easy_handle, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  curl_easy_setopt(easy_handle, CURLOPT_SSLVERSION, MinVersion(tls.min_version) | MaxVersion(tls.max_version));
}

std::string_view HttpResponse::Header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (EqualsIgnoringCase(key, name)) return value;
  return {};
}

struct HttpClient::State {
  State(Loop& loop_) : loop(loop_), multi(CurlMulti::Make(loop_)) {}

  Loop& loop;
  std::shared_ptr<CurlMulti> multi;

  static Task<Result<HttpResponse>> Follow(std::shared_ptr<State> state, HttpRequest request, HttpResponse* partial);
};

Task<Result<HttpResponse>> HttpClient::State::Follow(std::shared_ptr<State> state, HttpRequest request,
                                                     HttpResponse* partial) {
  const Loop::Busy hold = state->loop.HoldTime();
  const auto deadline = std::chrono::steady_clock::now() + request.timeout;  // libcurl's clock, whatever the loop's
  HttpResponse own;
  HttpResponse& response = partial != nullptr ? *partial : own;
  response = {};
  std::string url = request.url;
  std::string method = request.method;
  std::string origin;
  bool send_body = true;
  Result<HttpResponse> result;
  for (;;) {
    Hop hop(request, response);
    const Duration left = deadline - std::chrono::steady_clock::now();
    bool same_origin = origin.empty();
    if (!same_origin) {
      const auto parsed = ParseUrl(url);
      same_origin = parsed && parsed->Origin() == origin;
    }
    if (auto prepared = hop.Prepare(url, method, send_body, same_origin, left); !prepared) {
      result = Fail(prepared.error());
      break;
    }
    if (origin.empty()) origin = hop.url().Origin();
    const CurlMulti::Outcome outcome = co_await state->multi->Run(hop.easy());
    hop.Collect();
    response.final_url = url;
    if (!hop.Succeeded(outcome)) {
      Error error = hop.ToError(outcome);
      if (error.code == ErrorCode::kTimeout)
        error.message = "timed out after " + FormatDuration(request.timeout) + " " + error.message;
      result = Fail(std::move(error));
      break;
    }
    const std::string location(response.Header("Location"));
    if (!request.follow_redirects || !IsRedirect(response.status) || location.empty() ||
        response.redirects >= request.max_redirects) {
      result = partial != nullptr ? HttpResponse(response) : std::move(response);
      break;
    }
    auto next = ResolveLocation(hop.url(), location);
    if (!next) {
      result = Fail(next.error());
      break;
    }
    url = std::move(*next);
    if ((response.status == 303 && method != "HEAD") || (response.status < 303 && method == "POST")) {
      method = "GET";
      send_body = false;
    }
    response.truncated = false;
    ++response.redirects;
  }
  co_return result;
}

HttpClient::HttpClient(Loop& loop) : state_(std::make_shared<State>(loop)) {}
HttpClient::~HttpClient() = default;

Task<Result<HttpResponse>> HttpClient::Do(HttpRequest request, HttpResponse* partial) {
  return State::Follow(state_, std::move(request), partial);
}

Task<Result<void>> HttpClient::Perform(void* easy_handle, Duration timeout) {
  const auto state = state_;
  const Loop::Busy hold = state->loop.HoldTime();
  const long timeout_ms = std::max<long>(1, std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count());
  curl_easy_setopt(easy_handle, CURLOPT_TIMEOUT_MS, timeout_ms);
  curl_easy_setopt(easy_handle, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
  const CurlMulti::Outcome outcome = co_await state->multi->Run(easy_handle);
  Result<void> result;
  if (outcome.code == CURLE_OPERATION_TIMEDOUT) {
    const bool connected = InfoTime(easy_handle, CURLINFO_CONNECT_TIME_T) > Duration{};
    result = Fail(ErrorCode::kTimeout, "timed out after " + FormatDuration(timeout) +
                                           (connected ? " while waiting for the answer" : " while connecting"));
  } else if (outcome.code != CURLE_OK) {
    ErrorCode code = ErrorCode::kUnavailable;
    if (outcome.code == CURLE_LOGIN_DENIED || outcome.code == CURLE_PEER_FAILED_VERIFICATION) code = ErrorCode::kDenied;
    if (outcome.code == CURLE_URL_MALFORMAT || outcome.code == CURLE_UNSUPPORTED_PROTOCOL) code = ErrorCode::kInvalid;
    const bool ended = outcome.code == CURLE_RECV_ERROR && outcome.message.starts_with("response reading failed");
    result = Fail(code, ended ? "the server closed the connection before its answer was whole" : outcome.message);
  }
  co_return result;
}

std::string UrlForDisplay(std::string_view url) {
  const std::size_t scheme = url.find("://");
  std::string shown(url.substr(0, scheme == std::string_view::npos ? 0 : scheme + 3));
  std::string_view rest = url.substr(shown.size());
  const std::size_t path = std::min(rest.find_first_of("/?#"), rest.size());
  // The last @ before the path ends the credentials; a password may hold a slash by mistake, so look further too.
  std::size_t at = rest.substr(0, path).rfind('@');
  if (at == std::string_view::npos && rest.substr(0, path).find(':') != std::string_view::npos &&
      rest.substr(0, rest.find('?')).find('@') != std::string_view::npos &&
      rest.find_first_not_of("0123456789", rest.find(':') + 1) != path)
    at = rest.substr(0, rest.find('?')).rfind('@');
  if (at != std::string_view::npos) rest.remove_prefix(at + 1);
  rest = rest.substr(0, rest.find('#'));
  std::size_t query = rest.find('?');
  if (query == std::string_view::npos) return shown + std::string(rest);
  shown += rest.substr(0, query + 1);
  rest.remove_prefix(query + 1);
  for (bool first = true; !rest.empty(); first = false) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
    const std::size_t equals = pair.find('=');
    if (!first) shown += '&';
    shown += equals == std::string_view::npos ? "..." : std::string(pair.substr(0, equals)) + "=...";
  }
  return shown;
}

}  // namespace pipewarden::core
