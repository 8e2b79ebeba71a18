// The router: a table of routes, and what is checked before a handler runs. Immutable once made; Handle is safe from
// any thread, and handlers run on the web server's threads: they read snapshots, or ask the loop with a deadline
// (ask.h).
//
// Who may do what:
//  - Host and Origin are checked always (DNS rebinding, cross-site posts).
//  - The Unix socket may do everything: its file mode says who may open it.
//  - With users (--web.config.file) every request authenticates, and the user's role must reach the route's.
//  - Without users, what only reads is open; our own routes that change something answer 403 over TCP, and those that
//    another product's clients know (compatible) are as open as there, on a loopback address alone.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/server/http.h"
#include "core/result.h"

namespace pipewarden::agent {

// What a user may do, each more than the one before. A route must name one.
enum class Role { kUnset, kRead, kOperate, kAdmin };
std::string_view RoleName(Role role);  // "read", …
std::optional<Role> ParseRole(std::string_view text);

// How errors look on a route.
enum class Envelope {
  kPlain,         // text
  kPrometheus,    // {"status": "error", "errorType": …, "error": …}
  kAlertmanager,  // a JSON string
  kHtml,          // a page
};

struct Route {
  std::string_view methods{};  // "GET", or several: "GET POST"; HEAD comes with GET
  std::string_view path{};     // "/api/v1/label/{name}/values": {name} takes one segment
  Role role = Role::kUnset;
  bool mutates = false;     // changes something: Origin is checked, and without users it is not for everyone
  bool compatible = false;  // of another product's API: a loopback address is enough where its original is open
  bool open = false;        // health and metrics: any Host on an address that is not loopback (scrapers use names)
  bool always = false;      // answers before the agent is ready, and while it ends
  std::size_t max_body_bytes = 0;
  core::Duration deadline = std::chrono::seconds(10);
  Envelope envelope = Envelope::kPlain;
  std::function<HttpResponse(const HttpRequest&)> handle{};
};

// An error as a response of the envelope; the status by the error's code.
HttpResponse ErrorResponse(Envelope envelope, const core::Error& error);
HttpResponse ErrorResponse(Envelope envelope, int status, std::string_view message);

// Who sends this request; nullopt: nobody that is known. Given where users are configured. Safe from any thread.
struct User {
  std::string name;
  Role role = Role::kRead;
};
using Authenticator = std::function<std::optional<User>(std::string_view authorization)>;

struct RouterOptions {
  std::vector<std::string>
      hosts{};  // names (without port) that a Host header may carry; addresses and localhost always may
  Authenticator authenticate{};  // empty: no users
  bool open = false;             // without users everyone may do everything, as with an Alertmanager
  // Which origin's scripts may read /api/v1 (--web.cors.origin): what Access-Control-Allow-Origin says to this one; ""
  // for none. Empty: nobody's.
  std::function<std::string(std::string_view origin)> allow_origin{};
  // Whether the parts that handlers ask are there: 503 until then, but for routes that say `always`. Empty: they are.
  std::function<bool()> ready{};
};

class Router {
 public:
  // kInvalid: a row without role or handler, with a path that does not begin with '/', or two rows for one method and
  // path. An earlier row wins over a later one where both match ("/a/b" before "/a/{x}").
  static core::Result<Router> Make(std::vector<Route> routes, RouterOptions options);

  const std::vector<Route>& routes() const { return routes_; }

  // Before the body is read: the row for this request, or the answer that refuses it. Fills captures, user and
  // deadline.
  struct Choice {
    const Route* route = nullptr;
    std::optional<HttpResponse> refusal{};
  };
  Choice Choose(HttpRequest& request, core::MonoTime now) const;
  // Lets scripts of other origins read the answers of /api/v1 where that is allowed, as Prometheus does: never with
  // credentials, and never what changes something.
  void AddCors(const HttpRequest& request, const Route* route, HttpResponse& response) const;
  // Runs the row's handler; an exception that leaves it (our own error) becomes a 500.
  static HttpResponse Run(const Route& route, const HttpRequest& request);

 private:
  Router(std::vector<Route> routes, RouterOptions options) : routes_(std::move(routes)), options_(std::move(options)) {}
  std::optional<HttpResponse> CheckHost(const HttpRequest& request, const Route* route) const;
  std::optional<HttpResponse> CheckAccess(HttpRequest& request, const Route& route) const;

  std::vector<Route> routes_;
  RouterOptions options_;
};

// Of a Host header or an authority: "node7:9595" -> "node7", "[::1]:9595" -> "::1". "" where it is malformed.
std::string HostName(std::string_view host);
bool IsAddressOrLocal(std::string_view host);  // an IPv4 or IPv6 address, localhost, *.localhost

}  // namespace pipewarden::agent
