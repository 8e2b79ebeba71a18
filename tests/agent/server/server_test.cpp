#include "agent/server/server.h"

#include <prometheus/registry.h>
#include <sys/stat.h>
#include <zlib.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <memory>
#include <vector>

#include "agent/server/faces.h"
#include "tests/support/http_peer.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_certificate.h"

namespace pipewarden::agent {
namespace {

using namespace std::chrono_literals;
using test::HttpPeer;
using test::HttpReply;
using test::PortOfUrl;

constexpr const char* kBcryptOfSecret = "$2b$04$d0qi3L5v0hlrDd0NTT4b2eKHT5NFyEBu.RZ2XezcKbxuIhh2xgVy2";

std::vector<Route> Table() {
  auto context = std::make_shared<ServerContext>();
  auto routes = HealthRoutes(context);
  routes.push_back({.methods = "GET", .path = "/long", .role = Role::kRead, .handle = [](const HttpRequest&) {
                      return TextResponse(std::string(100'000, 'x'));
                    }});
  routes.push_back({.methods = "POST",
                    .path = "/echo",
                    .role = Role::kRead,
                    .max_body_bytes = 1000,
                    .envelope = Envelope::kPrometheus,
                    .handle = [](const HttpRequest& request) { return TextResponse(request.body); }});
  routes.push_back({.methods = "GET", .path = "/stream", .role = Role::kRead, .handle = [](const HttpRequest&) {
                      HttpResponse response;
                      response.stream = [](const BodyWriter& write) {
                        for (int i = 0; i < 3; ++i) write(std::string(50'000, static_cast<char>('a' + i)));
                      };
                      return response;
                    }});
  routes.push_back({.methods = "POST",
                    .path = "/own",
                    .role = Role::kOperate,
                    .mutates = true,
                    .handle = [](const HttpRequest& request) { return TextResponse("done by " + request.user); }});
  return routes;
}

struct Fixture {
  core::SystemClock clock;
  core::Logger logger{core::LogLevel::kError, core::LogFormat::kLogfmt};
  std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>();
  test::TempFolder folder;
  ServerOptions options{.listen_addresses = {"127.0.0.1:0"}, .threads = 32, .connections_per_peer = 8};
  std::unique_ptr<Server> server;
  int port = 0;

  Fixture() { options.storage_path = folder.path(); }

  void Start() {
    auto started = Server::Start(options, Table(), clock, logger, registry);
    BOOST_REQUIRE_EQUAL(started.has_value() ? std::string() : started.error().message, "");
    server = std::move(*started);
    port = PortOfUrl(server->urls().front());
  }

  HttpReply Ask(const std::string& head, const std::string& body = "", const std::string& from = "") const {
    HttpPeer peer("127.0.0.1", port, from);
    peer.Send(head + "\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n" + body);
    return peer.Receive();
  }
};

std::string Gunzip(const std::string& text) {
  z_stream stream{};
  inflateInit2(&stream, 15 + 16);
  std::string out(1'000'000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  inflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

BOOST_FIXTURE_TEST_SUITE(server, Fixture)

BOOST_AUTO_TEST_CASE(it_answers) {
  Start();
  const HttpReply reply = Ask("GET /-/healthy HTTP/1.1");
  BOOST_TEST(reply.status == 200);
  BOOST_TEST(reply.body == "Pipewarden is healthy.\n");
  BOOST_TEST(reply.headers.at("x-content-type-options") == "nosniff");
  BOOST_TEST(Ask("GET /-/ready HTTP/1.1").status == 200);
  BOOST_TEST(Ask("GET /nothing HTTP/1.1").body == "404 page not found\n");
  BOOST_TEST(Ask("DELETE /-/healthy HTTP/1.1").status == 405);
}

BOOST_AUTO_TEST_CASE(head_has_no_body_and_gzip_is_by_request) {
  Start();
  const HttpReply head = Ask("HEAD /long HTTP/1.1");
  BOOST_TEST(head.status == 200);
  BOOST_TEST(head.headers.at("content-length") == "100000");
  BOOST_TEST(head.body.empty());
  const HttpReply plain = Ask("GET /long HTTP/1.1\r\nAccept-Encoding: gzip;q=0, identity");
  BOOST_TEST(plain.body.size() == 100'000U);
  const HttpReply packed = Ask("GET /long HTTP/1.1\r\nAccept-Encoding: gzip");
  BOOST_TEST(packed.headers.at("content-encoding") == "gzip");
  BOOST_TEST(packed.body.size() < 5000U);
  BOOST_TEST(Gunzip(packed.body) == std::string(100'000, 'x'));
  const HttpReply stream = Ask("GET /stream HTTP/1.1");
  BOOST_TEST(stream.headers.at("transfer-encoding") == "chunked");
  BOOST_TEST(stream.body.size() == 150'000U);
}

BOOST_AUTO_TEST_CASE(bodies_are_bounded) {
  Start();
  BOOST_TEST(Ask("POST /echo HTTP/1.1\r\nContent-Length: 5", "hello").body == "hello");
  BOOST_TEST(Ask("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n").body == "hello");
  BOOST_TEST(Ask("POST /echo HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue", "hello").body == "hello");
  const std::string big(5000, 'x');
  const HttpReply refused = Ask("POST /echo HTTP/1.1\r\nContent-Length: 5000", big);
  BOOST_TEST(refused.status == 413);
  BOOST_TEST(refused.body.starts_with(R"({"status":"error")"));
  BOOST_TEST(Ask("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked", "1388\r\n" + big + "\r\n0\r\n\r\n").status ==
             413);
}

BOOST_AUTO_TEST_CASE(a_connection_is_kept_after_a_post) {
  Start();
  const std::string post = "POST /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n";
  HttpPeer peer("127.0.0.1", port);
  peer.Send(post + "\r\nfirst" + post + "Connection: close\r\n\r\nagain");
  const HttpReply both = peer.Receive();
  BOOST_TEST(both.headers.at("connection") == "keep-alive");
  BOOST_TEST(both.body.starts_with("firstHTTP/1.1 200"));
  BOOST_TEST(both.body.ends_with("again"));

  // Not where many have one: each holds a thread.
  std::vector<std::unique_ptr<HttpPeer>> others;
  for (int i = 0; i < 20; ++i) {
    others.push_back(std::make_unique<HttpPeer>("127.0.0.1", port, "127.0.0." + std::to_string(2 + i)));
    others.back()->Send(post);
  }
  HttpPeer late("127.0.0.1", port);
  late.Send(post + "\r\nhello");
  BOOST_TEST(late.Receive().headers.at("connection") == "close");
}

BOOST_AUTO_TEST_CASE(bad_requests_are_answered) {
  Start();
  BOOST_TEST(Ask("GET /-/healthy HTTP/1.1\r\nX: " + std::string(100'000, 'x')).status == 400);
  BOOST_TEST(Ask("GARBAGE").status == 400);
  BOOST_TEST(Ask("BREW /-/healthy HTTP/1.1").status >= 400);
  HttpPeer rebound("127.0.0.1", port);
  rebound.Send("GET /-/healthy HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  BOOST_TEST(rebound.Receive().status == 403);
  BOOST_TEST(Ask("POST /own HTTP/1.1\r\nContent-Length: 0").status == 403);
  BOOST_TEST(Ask("GET /%2e%2e/etc/passwd HTTP/1.1").status == 404);
  BOOST_TEST(Ask("GET /../-/healthy HTTP/1.1").status != 500);
  BOOST_TEST(Ask("GET /-/healthy HTTP/1.1").status == 200);
}

BOOST_AUTO_TEST_CASE(the_unix_socket_may_do_everything) {
  Start();
  BOOST_TEST(server->socket_path() == folder / "pipewarden.sock");
  struct stat info{};
  BOOST_REQUIRE(stat(server->socket_path().c_str(), &info) == 0);
  BOOST_TEST((info.st_mode & 0777U) == 0600U);
  HttpPeer peer(server->socket_path(), 0);
  peer.Send("POST /own HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  BOOST_TEST(peer.Receive().body == "done by ");
}

BOOST_AUTO_TEST_CASE(any_path_may_hold_the_socket) {
  for (const char* name : {"0s", "1r", "x", "a b", "9s,"}) {
    options.storage_path = folder / name;
    auto started = Server::Start(options, Table(), clock, logger, std::make_shared<prometheus::Registry>());
    BOOST_TEST(started.has_value(), name);
    if (!started) continue;
    HttpPeer peer((*started)->socket_path(), 0);
    peer.Send("GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n");
    BOOST_TEST(peer.Receive().status == 200, name);
  }
}

BOOST_AUTO_TEST_CASE(a_storage_path_has_one_agent) {
  Start();
  auto second = Server::Start(options, Table(), clock, logger, std::make_shared<prometheus::Registry>());
  BOOST_REQUIRE(!second.has_value());
  BOOST_TEST((second.error().code == core::ErrorCode::kDenied));
  server.reset();
  folder.Write("pipewarden.sock", "");  // as one left by a kill
  Start();
  BOOST_TEST(!server->socket_path().empty());
}

BOOST_AUTO_TEST_CASE(a_socket_path_that_is_too_long_is_refused_with_the_reason) {
  options.storage_path = folder / std::string(120, 'd');
  auto started = Server::Start(options, Table(), clock, logger, registry);
  BOOST_REQUIRE(!started.has_value());
  BOOST_TEST(started.error().message.find("--storage.path") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(addresses_that_cannot_be) {
  for (const char* address : {"nonsense", "127.0.0.1:99999", "127.0.0.1:", "a b:80", "1.2.3.4,5:80"}) {
    options.listen_addresses = {address};
    auto started = Server::Start(options, Table(), clock, logger, std::make_shared<prometheus::Registry>());
    BOOST_TEST(!started.has_value(), address);
  }
  options.listen_addresses = {"127.0.0.1:0"};
  Start();
  ServerOptions other{.listen_addresses = {"127.0.0.1:" + std::to_string(port)}};
  auto taken = Server::Start(other, Table(), clock, logger, std::make_shared<prometheus::Registry>());
  BOOST_REQUIRE(!taken.has_value());
  BOOST_TEST((taken.error().code == core::ErrorCode::kUnavailable));
}

// Half-sent requests of one address hold its own share of the threads, and no more.
BOOST_AUTO_TEST_CASE(slow_connections_of_one_address_do_not_hold_others) {
  Start();
  std::vector<std::unique_ptr<HttpPeer>> slow;
  for (int i = 0; i < 200; ++i) {
    slow.push_back(std::make_unique<HttpPeer>("127.0.0.1", port, "127.0.0.9"));
    if (slow.back()->connected()) slow.back()->Send("GET /-/healthy HTTP/1.1\r\nHost: 127");
  }
  // The best of five: what the slow ones hold, they hold every time; a busy machine does not.
  auto took = std::chrono::steady_clock::duration::max();
  for (int i = 0; i < 5; ++i) {
    const auto before = std::chrono::steady_clock::now();
    BOOST_TEST(Ask("GET /-/healthy HTTP/1.1", "", "127.0.0.2").status == 200);
    took = std::min(took, std::chrono::steady_clock::now() - before);
  }
  BOOST_TEST(std::chrono::duration_cast<std::chrono::milliseconds>(took).count() < 100);
  BOOST_TEST(Ask("GET /-/healthy HTTP/1.1", "", "127.0.0.9").status != 200);
  slow.clear();
  // Their places come back when they close.
  int status = 0;
  for (int i = 0; i < 500 && status != 200; ++i) status = Ask("GET /-/healthy HTTP/1.1", "", "127.0.0.9").status;
  BOOST_TEST(status == 200);
}

BOOST_AUTO_TEST_CASE(tls_over_ipv6) {
  const test::TestCertificate certificate;
  folder.Write("web.yml", "tls_server_config: {cert_file: " + certificate.cert_file +
                              ", key_file: " + certificate.key_file + "}\n");
  options.web_config_file = folder / "web.yml";
  options.listen_addresses = {"[::1]:0", "127.0.0.1:0"};
  Start();
  BOOST_TEST(server->urls().front().starts_with("https://[::1]:"));
  HttpPeer v6("::1", port, "", true);
  if (!v6.connected()) {
    std::printf("skipped: this machine has no IPv6 loopback address\n");
  } else {
    v6.Send("GET /-/healthy HTTP/1.1\r\nHost: [::1]\r\n\r\n");
    BOOST_TEST(v6.Receive().status == 200);
  }
  port = PortOfUrl(server->urls().back());
  HttpPeer v4("127.0.0.1", port, "", true);
  BOOST_REQUIRE(v4.connected());
  v4.Send("GET /long HTTP/1.1\r\nHost: localhost\r\n\r\n");
  BOOST_TEST(v4.Receive().body.size() == 100'000U);
  // Handshakes that never come hold the address's own share alone, and failed ones give their places back.
  for (int i = 0; i < 40; ++i) HttpPeer("127.0.0.1", port, "127.0.0.9").Send("GET / HTTP/1.1\r\n\r\n");
  std::vector<std::unique_ptr<HttpPeer>> slow;
  for (int i = 0; i < 50; ++i) slow.push_back(std::make_unique<HttpPeer>("127.0.0.1", port, "127.0.0.9"));
  HttpPeer other("127.0.0.1", port, "127.0.0.2", true);
  BOOST_REQUIRE(other.connected());
  other.Send("GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n");
  BOOST_TEST(other.Receive().status == 200);
}

BOOST_AUTO_TEST_CASE(users_and_their_roles) {
  options.web_config_file = folder / "web.yml";
  folder.Write("web.yml", std::string("basic_auth_users: {reader: ") + kBcryptOfSecret + ", boss: " + kBcryptOfSecret +
                              "}\nroles: {boss: admin}\nhttp_server_config: {headers: {X-Frame-Options: deny}}\n");
  options.health_listen_address = "127.0.0.1:0";
  Start();
  BOOST_TEST(Ask("GET /-/healthy HTTP/1.1").status == 401);
  const HttpReply read = Ask("GET /-/healthy HTTP/1.1\r\nAuthorization: Basic cmVhZGVyOnNlY3JldA==");  // reader:secret
  BOOST_TEST(read.status == 200);
  BOOST_TEST(read.headers.at("x-frame-options") == "deny");
  BOOST_TEST(Ask("GET /-/healthy HTTP/1.1\r\nAuthorization: Basic cmVhZGVyOndyb25n").status == 401);  // reader:wrong
  BOOST_TEST(Ask("GET /-/healthy HTTP/1.1\r\nAuthorization: Basic !!!").status == 401);
  const std::string own = "POST /own HTTP/1.1\r\nContent-Length: 0\r\nAuthorization: Basic ";
  BOOST_TEST(Ask(own + "cmVhZGVyOnNlY3JldA==").status == 403);
  BOOST_TEST(Ask(own + "Ym9zczpzZWNyZXQ=").body == "done by boss");
  port = PortOfUrl(server->health_url());
  BOOST_TEST(Ask("GET /-/healthy HTTP/1.1").status == 200);
  BOOST_TEST(Ask("GET /long HTTP/1.1").status == 404);
  // A reload that is not good changes nothing.
  folder.Write("web.yml", "basic_auth_users: {reader: plain}\n");
  BOOST_TEST(!server->ReadWebConfig().has_value());
  port = PortOfUrl(server->urls().front());
  BOOST_TEST(Ask("GET /-/healthy HTTP/1.1").status == 401);
  folder.Write("web.yml", "{}\n");
  const auto take = server->ReadWebConfig();
  BOOST_REQUIRE(take.has_value());
  BOOST_TEST(Ask("GET /-/healthy HTTP/1.1").status == 401);
  (*take)();
  BOOST_TEST(Ask("GET /-/healthy HTTP/1.1").status == 200);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::agent
