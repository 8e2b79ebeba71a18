#include <boost/test/data/test_case.hpp>

#include "tests/exporters/probe_fixture.h"
#include "tests/support/test_certificate.h"

namespace pipewarden::exporters {
namespace {

using namespace std::chrono_literals;
using test::HttpServer;
using Answer = HttpServer::Response;

struct Case {
  const char* options;
  std::string_view error;  // "" is well
  bool by_regex = false;
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.options; }

// Against an answer 203 "all systems fine" of type text/plain.
const Case kCases[] = {
    {"status: 2xx", ""},
    {"status: [200, 203]", ""},
    {"status: '200'", "status 203, expected 200"},
    {"status: [404, 5xx]", "status 203, expected 404, 5xx"},
    {"body_matches: fine", ""},
    {"body_matches: [systems, '^all']", ""},
    {"body_matches: [systems, broken]", "the body does not match 'broken'", true},
    {"body_not_matches: '(?i)FINE'", "the body matches '(?i)FINE'", true},
    {"body_matches: fine, max_body: 5", "the body does not match 'fine' in the part that was read (see max_body)",
     true},
    {"header_matches: {content-type: ^text/}", ""},
    {"header_matches: {Content-Type: json}", "header Content-Type does not match 'json'", true},
    {"header_matches: {X-Absent: .}", "the answer has no header X-Absent", true},
    {"header_not_matches: {content-type: plain}", "header content-type matches 'plain'", true},
    {"header_not_matches: {X-Absent: .}", ""},
    {"tls: required", "the answer did not come over TLS"},
    {"tls: forbidden", ""},
};

BOOST_FIXTURE_TEST_SUITE(probe_http, ProbeFixture)

BOOST_DATA_TEST_CASE(an_answer_is_judged, boost::unit_test::data::make(kCases), c) {
  HttpServer server([](const auto&) {
    return Answer{.status = 203, .body = "all systems fine", .headers = {{"Content-Type", "text/plain"}}};
  });
  const ProbeResult result = Probe("http", "url: '" + server.Url("/health") + "', " + c.options);
  const std::string where = "GET " + server.Url("/health") + ": ";
  BOOST_TEST(result.error == (c.error.empty() ? "" : where + std::string(c.error)));
  BOOST_TEST(*Value(result, "probe_failed_due_to_regex") == (c.by_regex ? 1 : 0));
}

BOOST_AUTO_TEST_CASE(a_request_is_measured_as_by_blackbox_exporter) {
  HttpServer server([](const HttpServer::Request& request) {
    if (request.Path() == "/old") return Answer{.status = 301, .headers = {{"Location", "/new"}}};
    return Answer{.body = "body", .headers = {{"Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"}}};
  });
  const ProbeResult result = Probe("http", "url: '" + server.Url("/old") + "'");
  BOOST_TEST(result.success, result.error);
  BOOST_TEST(*Value(result, "probe_http_status_code") == 200);
  BOOST_TEST(*Value(result, "probe_http_redirects") == 1);
  BOOST_TEST(*Value(result, "probe_http_version") == 1.1);
  BOOST_TEST(*Value(result, "probe_http_ssl") == 0);
  BOOST_TEST(*Value(result, "probe_http_content_length") == 4);
  BOOST_TEST(*Value(result, "probe_http_uncompressed_body_length") == 4);
  BOOST_TEST(*Value(result, "probe_http_last_modified_timestamp_seconds") == 784111777);
  for (const char* phase : {"resolve", "connect", "tls", "processing", "transfer"})
    BOOST_TEST(Value(result, "probe_http_duration_seconds", phase).has_value(), phase);
  BOOST_TEST(server.Connections() == 2U);
  Probe("http", "url: '" + server.Url("/new") + "'");
  Probe("http", "url: '" + server.Url("/new") + "'");
  BOOST_TEST(server.Connections() == 4U);  // a fresh one each time
}

BOOST_AUTO_TEST_CASE(a_certificate_is_described_and_its_end_judged) {
  const test::TestCertificate certificate(std::chrono::hours(24 * 10));
  HttpServer server([](const auto&) { return Answer{}; }, {.tls = &certificate});
  const std::string options = "url: '" + server.Url() + "', ca_file: " + certificate.cert_file;
  const ProbeResult well = Probe("http", options + ", tls: required, min_certificate_validity: 9d");
  BOOST_TEST(well.success, well.error);
  const double expiry = core::ToSeconds(certificate.expiry.time_since_epoch());
  BOOST_TEST(*Value(well, "probe_ssl_earliest_cert_expiry") == expiry);
  BOOST_TEST(*Value(well, "probe_ssl_last_chain_expiry_timestamp_seconds") == expiry);
  BOOST_TEST(*Value(well, "probe_tls_version_info", "TLS 1.3") == 1);
  BOOST_TEST(*Value(well, "probe_http_ssl") == 1);
  const ProbeResult soon = Probe("http", options + ", min_certificate_validity: 14d");
  BOOST_TEST(soon.error.find("a certificate expires in 9d23h59m") != std::string::npos, soon.error);
  const ProbeResult untrusted = Probe("http", "url: '" + server.Url() + "'");
  BOOST_TEST(untrusted.error.find("is not trusted") != std::string::npos, untrusted.error);
}

BOOST_AUTO_TEST_CASE(no_answer_still_gives_what_is_known) {
  HttpServer hung([](const auto&) { return Answer{.hang = true}; });
  const ProbeResult result =
      Probe("http", "url: '" + hung.Url("/x?token=secret") + "', password: hunter2, username: u", 200ms);
  BOOST_TEST(result.error == "GET " + hung.Url("/x?token=...") +
                                 ": timed out after 200ms while waiting for the answer of " + hung.Address());
  BOOST_TEST(*Value(result, "probe_http_status_code") == 0);
  BOOST_TEST(*Value(result, "probe_ip_protocol") == 4);
  BOOST_TEST((Value(result, "probe_http_duration_seconds", "connect") > 0));
}

BOOST_AUTO_TEST_CASE(wrong_options_are_told_with_their_place) {
  std::vector<std::string> errors;
  ReadProbeText(
      "- name: a\n  kind: http\n  url: http://x/\n  status: [abc, 200]\n  body_matches: '('\n  method: get it\n"
      "  cert_file: /x\n",
      errors);
  BOOST_REQUIRE(errors.size() == 4U);
  BOOST_TEST(errors[0].starts_with("pipewarden.yml:4:11: 'abc' is no status code"), errors[0]);
  BOOST_TEST(errors[1].starts_with("pipewarden.yml:5:17: bad regular expression in `body_matches`"), errors[1]);
  BOOST_TEST(errors[2].starts_with("pipewarden.yml:6:11: 'get it' is no HTTP method"), errors[2]);
  BOOST_TEST(errors[3].starts_with("pipewarden.yml:7:14: `cert_file` and `key_file` go together"), errors[3]);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::exporters
