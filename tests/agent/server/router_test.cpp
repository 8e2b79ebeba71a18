#include "agent/server/router.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <ostream>

#include "agent/server/faces.h"

namespace pipewarden::agent {
namespace {

HttpResponse Echo(const HttpRequest& request) { return TextResponse(request.user + "|" + request.Capture("name")); }

std::vector<Route> Table() {
  return {
      {.methods = "GET", .path = "/read", .role = Role::kRead, .handle = Echo},
      {.methods = "GET", .path = "/metrics", .role = Role::kRead, .open = true, .handle = Echo},
      {.methods = "POST", .path = "/own", .role = Role::kOperate, .mutates = true, .handle = Echo},
      {.methods = "POST",
       .path = "/api/v2/alerts",
       .role = Role::kOperate,
       .mutates = true,
       .compatible = true,
       .envelope = Envelope::kAlertmanager,
       .handle = Echo},
      {.methods = "GET POST",
       .path = "/label/{name}/values",
       .role = Role::kRead,
       .envelope = Envelope::kPrometheus,
       .handle = Echo},
  };
}

struct Case {
  const char* method;
  const char* path;
  const char* peer;  // "" is the Unix socket
  const char* host;
  const char* origin;
  const char* authorization;  // "" asks a router without users
  int status;                 // 0: the handler runs
};
std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.method << ' ' << c.path << " from '" << c.peer << "' host " << c.host << " origin " << c.origin
             << " as " << c.authorization;
}

constexpr const char* kHere = "127.0.0.1:9595";
const Case kCases[] = {
    {"GET", "/read", "10.0.0.7", kHere, "", "", 0},
    {"HEAD", "/read", "10.0.0.7", kHere, "", "", 0},
    {"GET", "/read", "10.0.0.7", "[::1]:9595", "", "", 0},
    {"GET", "/read", "10.0.0.7", "node7:9595", "", "", 0},
    {"GET", "/read", "10.0.0.7", "NODE7.", "", "", 0},
    {"GET", "/read", "127.0.0.1", "evil.example", "", "", 403},
    {"GET", "/read", "127.0.0.1", "", "", "", 400},
    {"GET", "/read", "127.0.0.1", "node7.evil.example", "", "", 403},
    {"GET", "/metrics", "10.0.0.7", "pipewarden.monitoring.svc", "", "", 0},
    {"GET", "/metrics", "127.0.0.1", "evil.example", "", "", 403},
    {"GET", "/none", "127.0.0.1", kHere, "", "", 404},
    {"GET", "/read/", "127.0.0.1", kHere, "", "", 404},
    {"BREW", "/read", "127.0.0.1", kHere, "", "", 405},
    {"POST", "/read", "127.0.0.1", kHere, "", "", 405},
    {"GET", "/label/job/values", "127.0.0.1", kHere, "", "", 0},
    {"GET", "/label/a%2Fb/values", "127.0.0.1", kHere, "", "", 0},
    {"GET", "/label/a%2/values", "127.0.0.1", kHere, "", "", 404},
    {"GET", "/label/a%00/values", "127.0.0.1", kHere, "", "", 404},
    {"POST", "/label/job/values", "127.0.0.1", kHere, "http://evil.example", "", 0},  // reads only
    // Without users.
    {"POST", "/own", "", "localhost", "", "", 0},
    {"POST", "/own", "127.0.0.1", kHere, "", "", 403},
    {"POST", "/own", "10.0.0.7", kHere, "", "", 403},
    {"POST", "/api/v2/alerts", "127.0.0.1", kHere, "", "", 0},
    {"POST", "/api/v2/alerts", "127.0.0.1", kHere, "http://127.0.0.1:9595", "", 0},
    {"POST", "/api/v2/alerts", "127.0.0.1", kHere, "http://evil.example", "", 403},
    {"POST", "/api/v2/alerts", "127.0.0.1", kHere, "null", "", 403},
    {"POST", "/api/v2/alerts", "10.0.0.7", kHere, "", "", 403},
    // With users.
    {"GET", "/read", "127.0.0.1", kHere, "", "nobody", 401},
    {"GET", "/metrics", "127.0.0.1", kHere, "", "nobody", 401},
    {"GET", "/read", "10.0.0.7", kHere, "", "reader", 0},
    {"POST", "/own", "10.0.0.7", kHere, "", "reader", 403},
    {"POST", "/own", "10.0.0.7", kHere, "", "operator", 0},
    {"POST", "/own", "10.0.0.7", kHere, "http://evil.example", "operator", 403},
    {"POST", "/own", "", "localhost", "", "nobody", 0},
};

std::optional<User> ByName(std::string_view authorization) {
  if (authorization == "reader") return User{.name = "reader", .role = Role::kRead};
  if (authorization == "operator") return User{.name = "operator", .role = Role::kOperate};
  return std::nullopt;
}

BOOST_AUTO_TEST_SUITE(router)

BOOST_DATA_TEST_CASE(who_may_do_what, kCases, c) {
  const bool users = *c.authorization != '\0';
  const auto made = Router::Make(Table(), {.hosts = {"node7"}, .authenticate = users ? ByName : Authenticator{}});
  BOOST_REQUIRE(made.has_value());
  HttpRequest request{.method = c.method, .path = c.path, .peer = c.peer};
  request.unix_socket = request.peer.empty();
  request.loopback = request.peer == "127.0.0.1";
  if (*c.host != '\0') request.headers.emplace_back("Host", c.host);
  if (*c.origin != '\0') request.headers.emplace_back("Origin", c.origin);
  if (users) request.headers.emplace_back("authorization", c.authorization);
  const auto choice = made->Choose(request, core::MonoTime{});
  BOOST_TEST((choice.refusal ? choice.refusal->status : 0) == c.status);
}

BOOST_AUTO_TEST_CASE(before_it_is_ready_only_health_answers) {
  bool ready = false;
  const auto answer = [](const HttpRequest&) { return TextResponse("here\n"); };
  const auto made = Router::Make(
      {{.methods = "GET", .path = "/-/healthy", .role = Role::kRead, .always = true, .handle = answer},
       {.methods = "GET", .path = "/api", .role = Role::kRead, .envelope = Envelope::kPrometheus, .handle = answer}},
      {.ready = [&] { return ready; }});
  BOOST_REQUIRE(made.has_value());
  const auto status = [&](const char* path) {
    HttpRequest request{.method = "GET", .path = path, .headers = {{"Host", "localhost"}}};
    const auto choice = made->Choose(request, core::MonoTime{});
    return choice.refusal ? choice.refusal->status : 0;
  };
  BOOST_TEST(status("/-/healthy") == 0);
  BOOST_TEST(status("/api") == 503);
  BOOST_TEST(status("/none") == 404);
  ready = true;
  BOOST_TEST(status("/api") == 0);
}

BOOST_AUTO_TEST_CASE(other_origins_read_where_they_may) {
  const auto answer = [](const HttpRequest&) { return TextResponse("here\n"); };
  const auto allow = [](std::string_view origin) {
    return std::string(origin == "https://grafana.example" ? origin : "");
  };
  const auto made = Router::Make(
      {{.methods = "GET POST",
        .path = "/api/v1/query",
        .role = Role::kRead,
        .envelope = Envelope::kPrometheus,
        .handle = answer},
       {.methods = "POST", .path = "/api/v1/write", .role = Role::kOperate, .mutates = true, .handle = answer},
       {.methods = "GET", .path = "/read", .role = Role::kRead, .handle = answer}},
      {.allow_origin = allow});
  BOOST_REQUIRE(made.has_value());
  struct Row {
    std::string_view method;
    std::string_view path;
    std::string_view origin;
    int status;
    std::string_view allowed;
  };
  const Row table[] = {
      {"GET", "/api/v1/query", "https://grafana.example", 0, "https://grafana.example"},
      {"GET", "/api/v1/query", "https://evil.example", 0, ""},
      {"GET", "/api/v1/query", "", 0, ""},
      {"OPTIONS", "/api/v1/query", "https://grafana.example", 204, "https://grafana.example"},
      {"OPTIONS", "/api/v1/nothing", "", 204, ""},
      {"OPTIONS", "/read", "https://grafana.example", 405, ""},
      {"GET", "/read", "https://grafana.example", 0, ""},
      {"POST", "/api/v1/write", "https://grafana.example", 403, ""},
      {"HEAD", "/api/v1/query", "", 405, ""},
      {"HEAD", "/read", "", 0, ""},
  };
  for (const Row& row : table) {
    HttpRequest request{.method = std::string(row.method), .path = std::string(row.path)};
    request.headers = {{"Host", "localhost"}, {"Origin", std::string(row.origin)}};
    const auto choice = made->Choose(request, core::MonoTime{});
    BOOST_TEST((choice.refusal ? choice.refusal->status : 0) == row.status);
    HttpResponse response = choice.refusal ? *choice.refusal : TextResponse("");
    made->AddCors(request, choice.route, response);
    std::string allowed;
    for (const auto& [name, value] : response.headers) {
      if (name == "Access-Control-Allow-Origin") allowed = value;
      BOOST_TEST(name != "Access-Control-Allow-Credentials");
    }
    BOOST_TEST(allowed == row.allowed);
  }
}

BOOST_AUTO_TEST_CASE(a_capture_is_decoded) {
  const auto made = Router::Make(Table(), {});
  HttpRequest request{.method = "GET", .path = "/label/a%2Fb%20c/values", .headers = {{"Host", "localhost"}}};
  const auto choice = made->Choose(request, core::MonoTime{});
  BOOST_REQUIRE(choice.route != nullptr);
  BOOST_TEST(Router::Run(*choice.route, request).body == "|a/b c");
}

BOOST_AUTO_TEST_CASE(a_row_without_role_is_refused) {
  BOOST_TEST(!Router::Make({{.methods = "GET", .path = "/x", .handle = Echo}}, {}).has_value());
  BOOST_TEST(!Router::Make({{.methods = "GET", .path = "/x", .role = Role::kRead, .handle = {}}}, {}).has_value());
  const Route row{.methods = "GET", .path = "/x", .role = Role::kRead, .handle = Echo};
  BOOST_TEST(!Router::Make({row, row}, {}).has_value());
}

BOOST_AUTO_TEST_CASE(errors_wear_the_envelope_of_their_route) {
  const core::Error error{core::ErrorCode::kInvalid, "bad \"thing\""};
  BOOST_TEST(ErrorResponse(Envelope::kPrometheus, error).body ==
             R"({"status":"error","errorType":"bad_data","error":"bad \"thing\""})");
  BOOST_TEST(ErrorResponse(Envelope::kAlertmanager, error).body == R"("bad \"thing\"")");
  BOOST_TEST(ErrorResponse(Envelope::kPlain, error).body == "bad \"thing\"\n");
  BOOST_TEST(ErrorResponse(Envelope::kHtml, error).body.find("bad &#34;thing&#34;") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_exception_becomes_a_500) {
  const Route row{
      .methods = "GET", .path = "/x", .role = Role::kRead, .handle = [](const HttpRequest&) -> HttpResponse {
        throw std::runtime_error("boom");
      }};
  BOOST_TEST(Router::Run(row, {}).status == 500);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(http)

BOOST_AUTO_TEST_CASE(parameters_come_from_body_and_query) {
  HttpRequest request{.method = "POST",
                      .query = "match[]=up&match%5B%5D=a%2Bb+c&bad=%zz",
                      .headers = {{"content-type", "application/x-www-form-urlencoded; charset=utf-8"}},
                      .body = "match[]=first"};
  BOOST_TEST(request.Params("match[]") == (std::vector<std::string>{"first", "up", "a+b c"}),
             boost::test_tools::per_element());
  BOOST_TEST(!request.Param("bad").has_value());
  BOOST_TEST(!request.Param("absent").has_value());
}

BOOST_AUTO_TEST_CASE(weights_of_encodings) {
  BOOST_TEST(HeaderWeight("gzip, deflate", "gzip") == 1);
  BOOST_TEST(HeaderWeight("deflate, gzip;q=0.5", "gzip") == 0.5);
  BOOST_TEST(HeaderWeight("gzip;q=0", "gzip") == 0);
  BOOST_TEST(HeaderWeight("*;q=0.1", "gzip") == 0.1);
  BOOST_TEST(HeaderWeight("identity", "gzip") == -1);
  BOOST_TEST(HeaderWeight("", "gzip") == -1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::agent
