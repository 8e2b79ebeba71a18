#include "agent/server/router.h"

#include <arpa/inet.h>

#include <algorithm>
#include <exception>
#include <set>

#include "agent/server/html.h"
#include "agent/server/json_text.h"
#include "core/text/escape.h"

namespace pipewarden::agent {
namespace {

using core::ErrorCode;
using core::Fail;

int StatusOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalid:
      return 400;
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kTimeout:
    case ErrorCode::kUnavailable:
      return 503;
    case ErrorCode::kDenied:
      return 403;
    case ErrorCode::kLimit:
      return 422;
    case ErrorCode::kCorrupt:
    case ErrorCode::kInternal:
      return 500;
  }
  return 500;
}

std::string_view PrometheusErrorType(int status) {
  switch (status) {
    case 400:
    case 405:
    case 413:
      return "bad_data";
    case 401:
      return "unauthorized";
    case 403:
      return "forbidden";
    case 404:
      return "not_found";
    case 422:
      return "execution";
    case 503:
      return "timeout";
    default:
      return "internal";
  }
}

std::vector<std::string_view> Segments(std::string_view path) {
  std::vector<std::string_view> segments;
  while (!path.empty()) {
    path.remove_prefix(1);  // its '/'
    const std::size_t end = std::min(path.find('/'), path.size());
    segments.push_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return segments;
}

bool IsCapture(std::string_view segment) {
  return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

// The captures where the pattern matches, decoded.
std::optional<std::map<std::string, std::string>> Match(std::string_view pattern, std::string_view path) {
  const auto want = Segments(pattern);
  const auto have = Segments(path);
  if (want.size() != have.size()) return std::nullopt;
  std::map<std::string, std::string> captures;
  for (std::size_t i = 0; i < want.size(); ++i) {
    if (!IsCapture(want[i])) {
      if (want[i] != have[i]) return std::nullopt;
      continue;
    }
    auto value = UrlDecode(have[i], false);
    if (!value || value->empty()) return std::nullopt;
    captures.emplace(want[i].substr(1, want[i].size() - 2), std::move(*value));
  }
  return captures;
}

// As in Prometheus, whose API knows no HEAD.
bool KnowsHead(const Route& route) { return route.envelope != Envelope::kPrometheus && route.path != "/federate"; }

bool Allows(std::string_view methods, std::string_view method, bool head = true) {
  if (method == "HEAD" && head) method = "GET";
  while (!methods.empty()) {
    const std::size_t end = std::min(methods.find(' '), methods.size());
    if (methods.substr(0, end) == method) return true;
    methods.remove_prefix(std::min(end + 1, methods.size()));
  }
  return false;
}

std::string AllowHeader(std::string_view methods, bool head) {
  std::string text;
  for (const char c : methods) text += c == ' ' ? std::string(", ") : std::string(1, c);
  return head && Allows(methods, "GET") ? text + ", HEAD" : text;
}

HttpResponse NoRoute(const HttpRequest& request, const std::string& allowed) {
  const int status = allowed.empty() ? 404 : 405;
  HttpResponse response;
  if (request.path.starts_with("/api/v2/")) {
    // What Alertmanager's generated server answers here, other than where a handler of its own refuses.
    const std::string told = status == 404 ? "path " + request.path + " was not found"
                                           : "method " + request.method + " is not allowed, but [" + allowed + "] are";
    response =
        JsonResponse(R"({"code":)" + std::to_string(status) + R"(,"message":)" + core::JsonString(told) + "}", status);
  } else {
    // The words of Go's servers: Grafana looks for "page not found" to tell what a server has.
    response = TextResponse(
        status == 404 ? "404 page not found\n" : "405 method not allowed here; allowed: " + allowed + "\n", status);
  }
  if (status == 405) response.headers.emplace_back("Allow", allowed);
  return response;
}

// Cross-site posts: a browser says where the page came from that sends this.
bool CrossSite(const HttpRequest& request) {
  const std::string_view site = request.Header("Sec-Fetch-Site");
  if (site == "cross-site" || site == "same-site") return true;
  std::string_view origin = request.Header("Origin");
  if (origin.empty()) return false;
  const std::size_t scheme = origin.find("://");
  return scheme == std::string_view::npos || !EqualsIgnoreCase(origin.substr(scheme + 3), request.Header("Host"));
}

}  // namespace

std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kRead:
      return "read";
    case Role::kOperate:
      return "operate";
    case Role::kAdmin:
      return "admin";
    case Role::kUnset:
      break;
  }
  return "none";
}

std::optional<Role> ParseRole(std::string_view text) {
  for (const Role role : {Role::kRead, Role::kOperate, Role::kAdmin}) {
    if (text == RoleName(role)) return role;
  }
  return std::nullopt;
}

HttpResponse ErrorResponse(Envelope envelope, int status, std::string_view message) {
  switch (envelope) {
    case Envelope::kPrometheus:
      return JsonResponse("{\"status\":\"error\",\"errorType\":" + core::JsonString(PrometheusErrorType(status)) +
                              ",\"error\":" + core::JsonString(message) + "}",
                          status);
    case Envelope::kAlertmanager:
      return JsonResponse(core::JsonString(message), status);
    case Envelope::kHtml:
      return HtmlResponse(ErrorPage(status, message), status);
    case Envelope::kPlain:
      break;
  }
  return TextResponse(std::string(message) + "\n", status);
}

HttpResponse ErrorResponse(Envelope envelope, const core::Error& error) {
  return ErrorResponse(envelope, StatusOf(error.code), error.message);
}

std::string HostName(std::string_view host) {
  if (host.starts_with('[')) {
    const std::size_t end = host.find(']');
    if (end == std::string_view::npos) return {};
    const std::string_view rest = host.substr(end + 1);
    return rest.empty() || rest.starts_with(':') ? std::string(host.substr(1, end - 1)) : std::string();
  }
  const std::size_t colon = host.find(':');
  std::string name(host.substr(0, colon));
  if (name.ends_with('.')) name.pop_back();
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

bool IsAddressOrLocal(std::string_view host) {
  const std::string name(host);
  unsigned char address[16];
  return name == "localhost" || name.ends_with(".localhost") || inet_pton(AF_INET, name.c_str(), address) == 1 ||
         inet_pton(AF_INET6, name.c_str(), address) == 1;
}

core::Result<Router> Router::Make(std::vector<Route> routes, RouterOptions options) {
  std::set<std::pair<std::string, std::string>> seen;
  for (const Route& route : routes) {
    const std::string where = "route " + std::string(route.methods) + " " + std::string(route.path);
    if (route.role == Role::kUnset) return Fail(ErrorCode::kInvalid, where + " has no role");
    if (!route.handle) return Fail(ErrorCode::kInvalid, where + " has no handler");
    if (!route.path.starts_with('/')) return Fail(ErrorCode::kInvalid, where + " does not begin with '/'");
    for (const char* method : {"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"}) {
      if (Allows(route.methods, method) && !seen.emplace(method, route.path).second) {
        return Fail(ErrorCode::kInvalid, where + " stands twice");
      }
    }
  }
  return Router(std::move(routes), std::move(options));
}

std::optional<HttpResponse> Router::CheckHost(const HttpRequest& request, const Route* route) const {
  if (request.unix_socket) return std::nullopt;
  const Envelope envelope = route == nullptr ? Envelope::kPlain : route->envelope;
  const std::string name = HostName(request.Header("Host"));
  if (name.empty()) return ErrorResponse(envelope, 400, "the request has no valid Host header");
  if (IsAddressOrLocal(name) || std::ranges::find(options_.hosts, name) != options_.hosts.end()) return std::nullopt;
  if ((options_.open || (route != nullptr && route->open)) && !request.loopback) return std::nullopt;
  return ErrorResponse(envelope, 403,
                       "the Host '" + name +
                           "' is not one of this agent's names. Use its address, or add the name to allowed_hosts in "
                           "--web.config.file.");
}

std::optional<HttpResponse> Router::CheckAccess(HttpRequest& request, const Route& route) const {
  if (request.unix_socket) return std::nullopt;
  if (route.mutates && CrossSite(request)) {
    return ErrorResponse(route.envelope, 403, "refused: the request comes from a page of another site");
  }
  if (!options_.authenticate) {
    if (!route.mutates || options_.open || (route.compatible && request.loopback)) return std::nullopt;
    return ErrorResponse(route.envelope, 403,
                         route.compatible
                             ? "refused: without users this is open on a loopback address only. Give the agent users "
                               "by --web.config.file, or listen on 127.0.0.1."
                             : "refused: without users this is open on the agent's Unix socket only, which the "
                               "command line uses. Give the agent users by --web.config.file to allow it here.");
  }
  const auto user = options_.authenticate(request.Header("Authorization"));
  if (!user) {
    HttpResponse response = ErrorResponse(route.envelope, 401, "Unauthorized");
    response.headers.emplace_back("WWW-Authenticate", "Basic realm=\"pipewarden\", charset=\"UTF-8\"");
    return response;
  }
  request.user = user->name;
  if (user->role < route.role) {
    return ErrorResponse(route.envelope, 403,
                         "refused: this needs the role '" + std::string(RoleName(route.role)) + "', and '" +
                             user->name + "' has '" + std::string(RoleName(user->role)) + "'");
  }
  return std::nullopt;
}

Router::Choice Router::Choose(HttpRequest& request, core::MonoTime now) const {
  Choice choice;
  std::string allowed;
  for (const Route& route : routes_) {
    auto captures = Match(route.path, request.path);
    if (!captures) continue;
    if (!Allows(route.methods, request.method, KnowsHead(route))) {
      allowed += (allowed.empty() ? "" : ", ") + AllowHeader(route.methods, KnowsHead(route));
      continue;
    }
    choice.route = &route;
    request.captures = std::move(*captures);
    request.deadline = now + route.deadline;
    break;
  }
  choice.refusal = CheckHost(request, choice.route);
  if (choice.refusal) return choice;
  // A browser asks so whether a script may send a request; it tells nothing but what AddCors adds.
  if (request.method == "OPTIONS" && request.path.starts_with("/api/v1/") && choice.route == nullptr) {
    choice.refusal = TextResponse("", 204);
    return choice;
  }
  if (choice.route == nullptr) {
    choice.refusal = NoRoute(request, allowed);
    return choice;
  }
  choice.refusal = CheckAccess(request, *choice.route);
  if (!choice.refusal && !choice.route->always && options_.ready && !options_.ready())
    choice.refusal = ErrorResponse(choice.route->envelope, 503, "the agent is starting or ending: try again");
  return choice;
}

void Router::AddCors(const HttpRequest& request, const Route* route, HttpResponse& response) const {
  if (!request.path.starts_with("/api/v1/") || (route != nullptr && route->mutates)) return;
  response.headers.emplace_back("Vary", "Origin");
  const std::string_view origin = request.Header("Origin");
  if (origin.empty() || !options_.allow_origin) return;
  const std::string allowed = options_.allow_origin(origin);
  if (allowed.empty()) return;
  response.headers.emplace_back("Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, Origin");
  response.headers.emplace_back("Access-Control-Allow-Methods", "GET, POST, OPTIONS");
  response.headers.emplace_back("Access-Control-Expose-Headers", "Date");
  response.headers.emplace_back("Access-Control-Allow-Origin", allowed);
}

HttpResponse Router::Run(const Route& route, const HttpRequest& request) {
  try {
    return route.handle(request);
  } catch (const std::exception& error) {
    return ErrorResponse(route.envelope, 500, std::string("internal error: ") + error.what());
  }
}

}  // namespace pipewarden::agent
