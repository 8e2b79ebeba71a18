// A request and a response, as the faces see them: values, without the web server beneath. A request belongs to the one
// thread that handles it.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "core/time/clock.h"

namespace pipewarden::agent {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method{};  // as sent: "GET"
  std::string path{};    // raw, without the query
  std::string query{};   // raw, without '?'
  Headers headers{};
  std::string body{};

  std::string peer{};        // address of the client; "" on the Unix socket
  bool unix_socket = false;  // whoever may open the socket may do everything
  bool loopback = false;     // came in on a loopback address
  bool tls = false;
  bool keep_alive = false;                        // the connection is meant to stay for the next request
  std::string user{};                             // who has authenticated; "" where no users are configured
  std::map<std::string, std::string> captures{};  // of the route's path: {name}, decoded
  core::MonoTime deadline{};                      // answer before; for Ask

  std::string_view Header(std::string_view name) const;  // case-insensitive; "" where absent
  // Parameters of the query and, with a form body, of the body (which come first, as in Go's FormValue), decoded.
  std::vector<std::string> Params(std::string_view name) const;
  std::optional<std::string> Param(std::string_view name) const;  // the first
  std::string Capture(const std::string& name) const;             // "" where the path has none
};

// Takes the body of a streamed response, piece by piece; false: the client has gone or is too slow, stop.
using BodyWriter = std::function<bool(std::string_view)>;

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body{};
  Headers headers{};
  // Instead of `body`: written as it is made, HTTP/1.1 chunked. Bounded by the route's deadline.
  std::function<void(const BodyWriter&)> stream{};
};

HttpResponse TextResponse(std::string body, int status = 200);
HttpResponse HtmlResponse(std::string body, int status = 200);
HttpResponse JsonResponse(std::string body, int status = 200);

// %XX and, where `plus` is true, + for a space. nullopt for a broken escape or a NUL.
std::optional<std::string> UrlDecode(std::string_view text, bool plus);

// The weight (0 to 1) that an Accept or Accept-Encoding header gives to `value` ("gzip"), `*` included; -1 where it
// does not name it.
double HeaderWeight(std::string_view header, std::string_view value);

bool EqualsIgnoreCase(std::string_view a, std::string_view b);

}  // namespace pipewarden::agent
