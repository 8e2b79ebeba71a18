#include "tests/exporters/probe_fixture.h"

namespace pipewarden::exporters {
namespace {

using namespace std::chrono_literals;
using test::HttpServer;

BOOST_FIXTURE_TEST_SUITE(probe_tcp, ProbeFixture)

BOOST_AUTO_TEST_CASE(a_port_that_takes_connections_is_well) {
  HttpServer server([](const auto&) { return HttpServer::Response{}; });
  const ProbeResult result = Probe("tcp", "address: 'localhost:" + std::to_string(server.port()) + "'");
  BOOST_TEST(result.success, result.error);
  BOOST_TEST(*Value(result, "probe_ip_protocol") == 4);
  BOOST_TEST(*Value(result, "probe_ip_addr_hash") == 3668918509.0);  // FNV-1a of 127, 0, 0, 1
  BOOST_TEST(Value(result, "probe_tcp_connect_duration_seconds").has_value());
}

BOOST_AUTO_TEST_CASE(a_closed_port_is_not) {
  const std::string address = "127.0.0.1:" + std::to_string(test::ClosedPort());
  BOOST_TEST(Probe("tcp", "address: '" + address + "'").error == "connecting to " + address + ": Connection refused");
  BOOST_TEST(Probe("tcp", "address: 'no-such-host.invalid:80'").error ==
             "resolving no-such-host.invalid: unknown host");
}

BOOST_AUTO_TEST_CASE(what_it_sends_must_be_answered_as_expected) {
  HttpServer redis([](const HttpServer::Request&) { return HttpServer::Response{.raw = "+PONG\r\n"}; });
  const std::string address = "address: '" + redis.Address() + R"(', send: "PING / X\r\n\r\n")";
  BOOST_TEST(Probe("tcp", address + R"(, expect: '^\+PONG')").success);
  const ProbeResult wrong = Probe("tcp", address + ", expect: '^-NOAUTH'");
  BOOST_TEST(wrong.error == redis.Address() + " answered nothing that matches '^-NOAUTH'; last line: +PONG");
  BOOST_TEST(*Value(wrong, "probe_failed_due_to_regex") == 1);
}

BOOST_AUTO_TEST_CASE(a_silent_server_times_out_by_phase) {
  HttpServer silent([](const auto&) { return HttpServer::Response{}; }, {.accept = false});
  const ProbeResult result = Probe("tcp", "address: '" + silent.Address() + "', expect: hello", 200ms);
  BOOST_TEST(result.error ==
             "timed out after 200ms while waiting for an answer of " + silent.Address() + " that matches");
}

BOOST_AUTO_TEST_CASE(a_bad_address_is_told_at_load) {
  for (const char* address : {"host", "host:", "host:0", "host:99999", ":80", "::1:80", "host:8x"}) {
    std::vector<std::string> errors;
    ReadProbeText(std::string("[{name: p, kind: tcp, address: '") + address + "'}]", errors);
    BOOST_REQUIRE(errors.size() == 1U);
    BOOST_TEST(errors[0] ==
               "pipewarden.yml:1:32: '" + std::string(address) + "' is no address: write host:port or [IPv6]:port");
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::exporters
