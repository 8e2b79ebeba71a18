#include "core/net/http_client.h"

#include <boost/asio.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/support/http_server.h"
#include "tests/support/run.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_certificate.h"

namespace pipewarden::core {
namespace {

using namespace std::chrono_literals;
using test::HttpServer;
using Answer = HttpServer::Response;

struct Fixture : test::RealLoop {
  HttpClient client{loop};

  Result<HttpResponse> Get(HttpRequest request) { return Run(client.Do(std::move(request))); }
  Result<HttpResponse> Get(std::string url) {
    HttpRequest request;
    request.url = std::move(url);
    return Get(std::move(request));
  }
};

Answer Hello(const HttpServer::Request&) { return {.body = "hello"}; }

BOOST_FIXTURE_TEST_SUITE(http_client, Fixture)

BOOST_AUTO_TEST_CASE(an_answer_comes_with_all_that_is_known_of_it) {
  HttpServer server([](const auto&) {
    return Answer{.status = 404, .body = "not here", .headers = {{"X-One", " 1 "}, {"x-two", "2"}}};
  });
  const auto response = Get(server.Url("/a?b=c"));
  BOOST_REQUIRE(response);
  BOOST_TEST(response->status == 404);
  BOOST_TEST(response->body == "not here");
  BOOST_TEST(response->Header("X-TWO") == "2");
  BOOST_TEST(response->Header("x-one") == "1");
  BOOST_TEST(response->Header("absent") == "");
  BOOST_TEST(response->content_length == 8);
  BOOST_TEST(response->version_major == 1);
  BOOST_TEST(response->version_minor == 1);
  BOOST_TEST(response->remote_ip == "127.0.0.1");
  BOOST_TEST(response->final_url == server.Url("/a?b=c"));
  BOOST_TEST(!response->tls);
  BOOST_TEST((response->timings.processing > Duration{}));
  BOOST_TEST(server.Requests().at(0).target == "/a?b=c");
  BOOST_TEST(server.Requests().at(0).Header("User-Agent") == "pipewarden");
}

BOOST_AUTO_TEST_CASE(method_headers_and_body_go_out) {
  HttpServer server(&Hello);
  HttpRequest request;
  request.method = "POST";
  request.url = server.Url();
  request.body = std::string("a\0b", 3) + std::string(5000, 'x');
  request.headers = {{"Content-Type", "application/json"}, {"X-Empty", ""}};
  BOOST_REQUIRE(Get(request));
  const auto seen = server.Requests().at(0);
  BOOST_TEST(seen.method == "POST");
  BOOST_TEST(seen.body == request.body);
  BOOST_TEST(seen.Header("content-type") == "application/json");
  BOOST_TEST(seen.Header("Expect") == "");
  request.method = "HEAD";
  request.body = "";
  const auto head = Get(request);
  BOOST_REQUIRE(head);
  BOOST_TEST(head->body == "");
  BOOST_TEST(head->content_length == 5);
}

BOOST_AUTO_TEST_CASE(a_header_cannot_smuggle_another) {
  HttpServer server(&Hello);
  HttpRequest request;
  request.url = server.Url();
  request.headers = {{"X-One", "1\r\nX-Two: 2"}};
  const auto response = Get(request);
  BOOST_REQUIRE(!response);
  BOOST_TEST((response.error().code == ErrorCode::kInvalid));
  BOOST_TEST(server.Requests().empty());
}

BOOST_AUTO_TEST_CASE(connections_are_reused_unless_fresh_ones_are_wanted) {
  HttpServer server(&Hello, {.keep_alive = true});
  BOOST_REQUIRE(Get(server.Url()));
  BOOST_REQUIRE(Get(server.Url()));
  BOOST_TEST(server.Connections() == 1U);
  HttpRequest request;
  request.url = server.Url();
  request.fresh_connection = true;
  BOOST_REQUIRE(Get(request));
  BOOST_REQUIRE(Get(request));
  BOOST_TEST(server.Connections() == 3U);
}

BOOST_AUTO_TEST_CASE(many_requests_run_at_once) {
  HttpServer server([](const auto&) { return Answer{.body = "slow", .delay = 400ms}; });
  int answered = 0;
  struct Helper {
    static Task<void> One(HttpClient& client, std::string url, int& answered) {
      HttpRequest request;
      request.url = url;
      const auto response = co_await client.Do(request);
      if (response && response->body == "slow") ++answered;
    }
    static Task<void> All(Loop& loop, HttpClient& client, std::string url, int& answered) {
      TaskGroup group(loop);
      for (int i = 0; i < 20; ++i) group.Spawn("one", One(client, url, answered));
      co_await group.Join();
    }
  };
  const auto start = std::chrono::steady_clock::now();
  Run(Helper::All(loop, client, server.Url(), answered));
  BOOST_TEST(answered == 20);
  BOOST_TEST((std::chrono::steady_clock::now() - start < 6s));
}

BOOST_AUTO_TEST_CASE(a_timeout_names_its_phase) {
  HttpServer slow([](const auto&) { return Answer{.hang = true}; });
  HttpServer half([](const auto&) { return Answer{.body = "x", .body_delay = 30s}; });
  HttpServer deaf(&Hello, {.accept = false});
  HttpRequest request;
  request.timeout = 200ms;
  request.url = slow.Url();
  BOOST_TEST(Get(request).error().message == "timed out after 200ms while waiting for the answer of " + slow.Address());
  request.url = half.Url();
  BOOST_TEST(Get(request).error().message == "timed out after 200ms while reading the answer of " + half.Address());
  request.url = "https://" + deaf.Address() + "/";
  const auto tls = Get(request);
  BOOST_TEST(tls.error().message == "timed out after 200ms while doing the TLS handshake with " + deaf.Address());
  BOOST_TEST((tls.error().code == ErrorCode::kTimeout));
  BOOST_TEST(slow.WaitForRequests(1));
}

BOOST_AUTO_TEST_CASE(what_is_no_answer_says_so) {
  const int closed = test::ClosedPort();
  const std::string nowhere = "127.0.0.1:" + std::to_string(closed);
  const auto refused = Get("http://" + nowhere + "/");
  BOOST_TEST((refused.error().code == ErrorCode::kUnavailable));
  BOOST_TEST(refused.error().message == "connecting to " + nowhere + ": Connection refused");

  HttpServer garbage([](const auto&) { return Answer{.raw = "\x01\x02 nonsense\r\n\r\n"}; });
  const auto nonsense = Get(garbage.Url());
  BOOST_REQUIRE(!nonsense);
  BOOST_TEST((nonsense.error().code == ErrorCode::kUnavailable));
  BOOST_TEST(nonsense.error().message.starts_with("the answer of " + garbage.Address() + " is not HTTP"),
             nonsense.error().message);

  HttpServer cut([](const auto&) { return Answer{.body = std::string(1000, 'x'), .cut_after = 200}; });
  const auto partial = Get(cut.Url());
  BOOST_REQUIRE(!partial);
  BOOST_TEST(partial.error().message.starts_with("reading the answer of " + cut.Address()), partial.error().message);

  HttpServer headless([](const auto&) { return Answer{.raw = "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Ty"}; });
  const auto half = Get(headless.Url());
  BOOST_REQUIRE(!half);
  BOOST_TEST((half.error().code == ErrorCode::kUnavailable));
  BOOST_TEST(half.error().message.ends_with(": the connection ended among the headers"), half.error().message);

  HttpServer empty([](const auto&) { return Answer{.raw = ""}; });
  BOOST_TEST((Get(empty.Url()).error().code == ErrorCode::kUnavailable));
  HttpServer reset([](const auto&) { return Answer{.cut_after = 0, .reset = true}; });
  BOOST_TEST((Get(reset.Url()).error().code == ErrorCode::kUnavailable));

  HttpServer flood([](const auto&) {
    Answer answer;
    for (int i = 0; i < 2000; ++i) answer.headers.emplace_back("X-" + std::to_string(i), std::string(400, 'y'));
    return answer;
  });
  BOOST_TEST(!Get(flood.Url()));
  HttpServer one_line(
      [](const auto&) { return Answer{.raw = "HTTP/1.1 200 OK\r\nX: " + std::string(200'000, 'y') + "\r\n\r\n"}; });
  BOOST_TEST(Get(one_line.Url()).error().message.find("has too long headers") != std::string::npos);

  const auto unknown = Get("http://no-such-host.invalid/");
  BOOST_TEST(unknown.error().message == "resolving no-such-host.invalid: unknown host");
}

struct BadUrl {
  std::string_view url, says;
};
std::ostream& operator<<(std::ostream& out, const BadUrl& bad) { return out << bad.url; }
const BadUrl kBadUrls[] = {
    {"", "bad URL ''"},
    {"ftp://host/x", "its scheme is not http or https"},
    {"file:///etc/passwd", "its scheme is not http or https"},
    {"http://user:hunter2@host:99999/?token=abc", "bad URL 'http://host:99999/?token=...'"},
    {"http:// host/", "bad URL"},
};
BOOST_DATA_TEST_CASE(a_bad_url_is_refused, boost::unit_test::data::make(kBadUrls), bad) {
  const auto response = Get(std::string(bad.url));
  BOOST_REQUIRE(!response);
  BOOST_TEST((response.error().code == ErrorCode::kInvalid));
  BOOST_TEST(response.error().message.find(bad.says) != std::string::npos, response.error().message);
  BOOST_TEST(response.error().message.find("hunter2") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_body_is_cut_at_its_limit) {
  HttpServer server([](const auto&) { return Answer{.body = std::string(100'000, 'x')}; });
  HttpRequest request;
  request.url = server.Url();
  request.max_body_bytes = 1000;
  const auto response = Get(request);
  BOOST_REQUIRE(response);
  BOOST_TEST(response->truncated);
  BOOST_TEST(response->body.size() == 1000U);
  BOOST_TEST(response->status == 200);
  request.max_body_bytes = 100'000;
  BOOST_TEST(!Get(request)->truncated);
}

BOOST_AUTO_TEST_CASE(gzip_is_undone_and_counts_undone_against_the_limit) {
  HttpServer server([](const auto&) {
    return Answer{.body = HttpServer::Gzip(std::string(1'000'000, 'z')), .headers = {{"Content-Encoding", "gzip"}}};
  });
  HttpRequest request;
  request.url = server.Url();
  const auto response = Get(request);
  BOOST_REQUIRE(response);
  BOOST_TEST(response->body == std::string(1'000'000, 'z'));
  BOOST_TEST(response->wire_body_bytes < 10'000);
  request.max_body_bytes = 5000;
  BOOST_TEST(Get(request)->truncated);
  HttpServer broken([](const auto&) { return Answer{.body = "not gzip", .headers = {{"Content-Encoding", "gzip"}}}; });
  BOOST_TEST((Get(broken.Url()).error().code == ErrorCode::kUnavailable));
}

BOOST_AUTO_TEST_CASE(redirects_are_followed_with_the_right_method) {
  HttpServer server([](const HttpServer::Request& request) {
    if (request.Path() == "/see") return Answer{.status = 303, .headers = {{"Location", "/end"}}};
    if (request.Path() == "/keep") return Answer{.status = 307, .headers = {{"Location", "end?x=1"}}};
    if (request.Path() == "/loop") return Answer{.status = 302, .headers = {{"Location", "/loop"}}};
    if (request.Path() == "/bad") return Answer{.status = 302, .headers = {{"Location", "ftp://x/"}}};
    return Answer{.body = request.method + " " + request.body};
  });
  HttpRequest request;
  request.method = "POST";
  request.body = "data";
  request.url = server.Url("/see");
  BOOST_TEST(Get(request)->body == "GET ");
  request.url = server.Url("/keep");
  const auto kept = Get(request);
  BOOST_TEST(kept->body == "POST data");
  BOOST_TEST(kept->redirects == 1);
  BOOST_TEST(kept->final_url == server.Url("/end?x=1"));
  request.url = server.Url("/loop");
  request.max_redirects = 3;
  const auto looping = Get(request);
  BOOST_REQUIRE(looping);
  BOOST_TEST(looping->status == 302);
  BOOST_TEST(looping->redirects == 3);
  request.follow_redirects = false;
  BOOST_TEST(Get(request)->redirects == 0);
  BOOST_TEST((Get(server.Url("/bad")).error().code == ErrorCode::kInvalid));
}

BOOST_AUTO_TEST_CASE(credentials_go_to_the_first_host_only) {
  HttpServer other(&Hello);
  HttpServer first([&](const HttpServer::Request& request) {
    if (request.Path() == "/end") return Answer{.body = "end"};
    const bool here = request.Path() == "/here";
    return Answer{.status = 302, .headers = {{"Location", here ? "/end" : other.Url()}}};
  });
  HttpRequest request;
  request.basic_username = "user";
  request.basic_password = Secret("pass");
  request.headers = {{"Cookie", "session=1"}};
  request.url = first.Url("/here");
  BOOST_REQUIRE(Get(request));
  BOOST_TEST(first.Requests().at(1).Header("Authorization") == "Basic dXNlcjpwYXNz");
  request.url = first.Url("/away");
  BOOST_REQUIRE(Get(request));
  BOOST_TEST(other.Requests().at(0).Header("Authorization") == "");
  BOOST_TEST(other.Requests().at(0).Header("Cookie") == "");

  request.basic_username = "";
  request.basic_password = Secret();
  request.bearer_token = Secret("tok");
  BOOST_REQUIRE(Get(request));
  BOOST_TEST(first.Requests().back().Header("Authorization") == "Bearer tok");
  BOOST_TEST(other.Requests().at(1).Header("Authorization") == "");
}

BOOST_AUTO_TEST_CASE(tls_is_verified_and_described) {
  const test::TestCertificate certificate(240h);
  HttpServer server(&Hello, {.tls = &certificate});
  const auto untrusted = Get(server.Url());
  BOOST_REQUIRE(!untrusted);
  BOOST_TEST((untrusted.error().code == ErrorCode::kDenied));
  BOOST_TEST(untrusted.error().message.starts_with("the certificate of " + server.Address() + " is not trusted"),
             untrusted.error().message);

  HttpRequest request;
  request.url = server.Url();
  request.tls.ca_file = certificate.cert_file;
  const auto trusted = Get(request);
  BOOST_REQUIRE(trusted);
  BOOST_REQUIRE(trusted->tls);
  BOOST_TEST((trusted->tls->earliest_expiry == certificate.expiry));
  BOOST_TEST((trusted->tls->verified_chain_expiry == certificate.expiry));
  BOOST_TEST(trusted->tls->version == "TLS 1.3");
  BOOST_TEST(trusted->tls->cipher.starts_with("TLS_"));
  BOOST_TEST(trusted->tls->subject == "CN=localhost");
  BOOST_TEST(trusted->tls->alternative_names == "localhost,127.0.0.1");
  BOOST_TEST(trusted->tls->fingerprint_sha256.size() == 64U);
  BOOST_TEST((trusted->timings.tls > Duration{}));

  request.tls.ca_file = "";
  request.tls.insecure_skip_verify = true;
  const auto skipped = Get(request);
  BOOST_REQUIRE(skipped);
  BOOST_TEST((skipped->tls->verified_chain_expiry == WallTime{}));

  request.tls.ca_file = "/no/such/file.pem";
  request.tls.insecure_skip_verify = false;
  BOOST_TEST((Get(request).error().code == ErrorCode::kInvalid));
}

BOOST_AUTO_TEST_CASE(tls_versions_are_bounded) {
  const test::TestCertificate certificate(24h);
  HttpServer server(&Hello, {.tls = &certificate});
  HttpRequest request;
  request.url = server.Url();
  request.tls.ca_file = certificate.cert_file;
  request.tls.max_version = TlsVersion::k12;
  BOOST_TEST(Get(request)->tls->version == "TLS 1.2");
  request.tls.max_version = TlsVersion::kAny;
  request.tls.min_version = TlsVersion::k13;
  BOOST_TEST(Get(request)->tls->version == "TLS 1.3");
}

BOOST_AUTO_TEST_CASE(tls_may_expect_another_name_than_the_urls) {
  const test::TestCertificate certificate(24h, "service.example");
  HttpServer server(&Hello, {.tls = &certificate});
  HttpRequest request;
  request.url = "https://" + server.Address() + "/x";
  request.tls.ca_file = certificate.cert_file;
  BOOST_TEST((Get(request).error().code == ErrorCode::kDenied));
  request.tls.server_name = "service.example";
  BOOST_REQUIRE(Get(request));
  BOOST_TEST(server.Requests().at(0).Header("Host") == server.Address());
  BOOST_TEST(server.Requests().at(0).target == "/x");
}

BOOST_AUTO_TEST_CASE(a_unix_socket_is_reached) {
  const test::TempFolder dir;
  HttpServer server(&Hello, {.unix_socket = dir.path() + "/s"});
  HttpRequest request;
  request.url = "http://localhost/x";
  request.unix_socket = dir.path() + "/s";
  BOOST_TEST(Get(request)->body == "hello");
  request.unix_socket = dir.path() + "/absent";
  const auto absent = Get(request);
  BOOST_TEST((absent.error().code == ErrorCode::kUnavailable));
  BOOST_TEST(absent.error().message.starts_with("connecting to " + request.unix_socket), absent.error().message);
}

BOOST_AUTO_TEST_CASE(a_proxy_is_used_where_given) {
  HttpServer proxy([](const HttpServer::Request& request) { return Answer{.body = "proxied " + request.target}; });
  HttpServer server(&Hello);
  HttpRequest request;
  request.url = server.Url("/x");
  request.proxy_url = "http://user:pw@" + proxy.Address();
  BOOST_TEST(Get(request)->body == "proxied " + server.Url("/x"));
  BOOST_TEST(proxy.Requests().at(0).Header("Proxy-Authorization") == "Basic dXNlcjpwdw==");
  request.no_proxy = "example.org,127.0.0.1";
  BOOST_TEST(Get(request)->body == "hello");
  setenv("http_proxy", ("http://" + proxy.Address()).c_str(), 1);
  request.proxy_url = "";
  request.no_proxy = "";
  BOOST_TEST(Get(request)->body == "hello");
  request.proxy_from_environment = true;
  BOOST_TEST(Get(request)->body.starts_with("proxied"));
  unsetenv("http_proxy");
}

BOOST_AUTO_TEST_CASE(headers_of_the_connect_go_to_the_proxy_alone) {
  HttpServer proxy([](const HttpServer::Request&) { return Answer{.status = 403}; });
  HttpRequest request;
  request.url = "https://127.0.0.1:1/x";
  request.headers = {{"X-Server", "s"}};
  request.proxy_url = "http://" + proxy.Address();
  request.proxy_connect_headers = {{"X-Proxy", "p"}, {"X-Proxy", "q"}};
  BOOST_TEST(!Get(request));
  BOOST_TEST(proxy.Requests().at(0).method == "CONNECT");
  BOOST_TEST(proxy.Requests().at(0).Header("X-Proxy") == "p");
  BOOST_TEST(proxy.Requests().at(0).Header("X-Server") == "");
  request.url = "http://127.0.0.1:1/x";
  BOOST_TEST(Get(request)->status == 403);
  BOOST_TEST(proxy.Requests().at(1).Header("X-Proxy") == "");
  request.url = "https://127.0.0.1:1/x";
  request.proxy_connect_headers = {{"X-Proxy", "p\r\nX-Forged: 1"}};
  BOOST_TEST((Get(request).error().code == ErrorCode::kInvalid));
}

BOOST_AUTO_TEST_CASE(cancelling_ends_a_request_at_once) {
  HttpServer server([](const auto&) { return Answer{.hang = true}; });
  struct Helper {
    static Task<void> Ask(HttpClient& client, std::string url) {
      HttpRequest request;
      request.url = url;
      [[maybe_unused]] const auto ignored = co_await client.Do(request);
    }
    static Task<void> CancelSoon(Loop& loop, TaskGroup& group, HttpServer& server) {
      while (server.Requests().empty()) co_await loop.Sleep(10ms);
      group.Cancel();
      co_await group.Join();
    }
  };
  TaskGroup group(loop);
  group.Spawn("ask", Helper::Ask(client, server.Url()));
  const auto start = std::chrono::steady_clock::now();
  Run(Helper::CancelSoon(loop, group, server));
  BOOST_TEST(group.size() == 0U);
  BOOST_TEST((std::chrono::steady_clock::now() - start < 5s));
  HttpServer after(&Hello);
  BOOST_TEST(Get(after.Url())->body == "hello");  // the client is none the worse
}

BOOST_AUTO_TEST_CASE(a_jumping_clock_stands_still_during_a_request) {
  JumpingClock jumping;
  Loop jumping_loop(jumping, Logger(LogLevel::kError, LogFormat::kLogfmt), 1);
  HttpClient own(jumping_loop);
  HttpServer server([](const auto&) { return Answer{.body = "late", .delay = 100ms}; });
  struct Helper {
    static Task<void> Ask(Loop& loop, HttpClient& client, std::string url, std::string& body, Duration& took) {
      HttpRequest request;
      request.url = url;
      const MonoTime start = loop.clock().Monotonic();
      const auto response = co_await client.Do(request);
      took = loop.clock().Monotonic() - start;
      if (response) body = response->body;
    }
  };
  std::string body;
  Duration took = 1h;
  TaskGroup group(jumping_loop);
  group.Spawn("ask", Helper::Ask(jumping_loop, own, server.Url(), body, took));
  jumping_loop.Advance(1h);
  BOOST_TEST(body == "late");
  BOOST_TEST((took == Duration{}));
}

struct Shown {
  std::string_view url, shown;
};
std::ostream& operator<<(std::ostream& out, const Shown& shown) { return out << shown.url; }
const Shown kShown[] = {
    {"http://host/path", "http://host/path"},
    {"http://user:pass@host:80/path", "http://host:80/path"},
    {"http://user@host", "http://host"},
    {"http://host/?a=1&b=2&c", "http://host/?a=...&b=...&..."},
    {"http://user:pa/ss@host/x", "http://host/x"},
    {"http://user:p@ss@host/x#token=1", "http://host/x"},
    {"http://host:80/@user", "http://host:80/@user"},
    {"http://[::1]:80/x", "http://[::1]:80/x"},
    {"host/x?y=1", "host/x?y=..."},
};
BOOST_DATA_TEST_CASE(a_url_is_shown_without_secrets, boost::unit_test::data::make(kShown), shown) {
  BOOST_TEST(UrlForDisplay(shown.url) == shown.shown);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::core
