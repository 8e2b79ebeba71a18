#include "agent/server/web_config.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <ostream>

namespace pipewarden::agent {
namespace {

WebConfig Read(const std::string& text, core::ConfigErrors& errors) {
  auto root = core::ParseYaml(text, "web.yml");
  BOOST_REQUIRE(root.has_value());
  return ReadWebConfig(*root, errors);
}

struct Bad {
  const char* text;
  const char* says;
};
std::ostream& operator<<(std::ostream& out, const Bad& bad) { return out << bad.text; }

constexpr const char* kHash = "$2b$04$d0qi3L5v0hlrDd0NTT4b2eKHT5NFyEBu.RZ2XezcKbxuIhh2xgVy2";

const Bad kBad[] = {
    {"tls_server_confg: {}", "did you mean 'tls_server_config'?"},
    {"tls_server_config: {cert_file: a.pem}", "key_file"},
    {"tls_server_config: {cert_file: a, key_file: b, client_auth_type: Sometimes}", "Sometimes"},
    {"tls_server_config: {cert_file: a, key_file: b, client_auth_type: RequireAndVerifyClientCert}", "client_ca_file"},
    {"tls_server_config: {cert_file: a, key_file: b, client_ca_file: c}", "has no effect"},
    {"tls_server_config: {cert_file: a, key_file: b, min_version: TLS13, max_version: TLS12}", "above max_version"},
    {"tls_server_config: {cert_file: a, key_file: b, cipher_suites: [TLS_NONSENSE]}", "TLS_NONSENSE"},
    {"http_server_config: {headers: {Set-Cookie: x}}", "Set-Cookie"},
    {"http_server_config: {headers: {X-Frame-Option: deny}}", "did you mean 'X-Frame-Options'?"},
    {"basic_auth_users: {alice: secret}", "htpasswd"},
    {"roles: {bob: admin}", "not among basic_auth_users"},
    {"allowed_hosts: [\"*.example.org\"]", "no host name"},
};

BOOST_AUTO_TEST_SUITE(web_config)

BOOST_DATA_TEST_CASE(mistakes_are_told, kBad, bad) {
  core::ConfigErrors errors;
  Read(bad.text, errors);
  BOOST_REQUIRE(!errors.empty());
  BOOST_TEST_CONTEXT(errors.Lines().front()) {
    BOOST_TEST(errors.Lines().front().find(bad.says) != std::string::npos);
    BOOST_TEST(errors.Lines().front().starts_with("web.yml:1:"));
  }
}

BOOST_AUTO_TEST_CASE(a_whole_file_is_read) {
  core::ConfigErrors errors;
  const WebConfig config = Read(std::string(R"(
tls_server_config:
  cert_file: /etc/cert.pem
  key_file: /etc/key.pem
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: /etc/ca.pem
  client_allowed_sans: [prometheus.example.org]
  min_version: TLS13
  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]
http_server_config: {http2: false, headers: {Strict-Transport-Security: max-age=1}}
basic_auth_users: {alice: ")") + kHash +
                                    "\", bob: \"" + kHash + R"("}
roles: {alice: admin}
allowed_hosts: [Node7.example.org]
)",
                                errors);
  BOOST_TEST(errors.Lines() == std::vector<std::string>{}, boost::test_tools::per_element());
  BOOST_TEST(config.tls.cert_file == "/etc/cert.pem");
  BOOST_TEST((config.tls.client_auth == ClientAuth::kRequireAndVerify));
  BOOST_TEST(config.tls.min_version == 13);
  BOOST_TEST(config.tls.cipher_suites == "ECDHE-RSA-AES128-GCM-SHA256");
  BOOST_TEST((config.users.at("alice").role == Role::kAdmin));
  BOOST_TEST((config.users.at("bob").role == Role::kRead));
  BOOST_TEST(config.allowed_hosts == std::vector<std::string>{"node7.example.org"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(passwords_are_verified) {
  Users users({{"alice", {.hash = core::Secret(kHash), .role = Role::kOperate}}});
  for (int twice = 0; twice < 2; ++twice) {
    const auto user = users.Authenticate("Basic YWxpY2U6c2VjcmV0");  // alice:secret
    BOOST_REQUIRE(user.has_value());
    BOOST_TEST(user->name == "alice");
    BOOST_TEST((user->role == Role::kOperate));
    BOOST_TEST(!users.Authenticate("Basic YWxpY2U6U2VjcmV0").has_value());  // alice:Secret
    BOOST_TEST(!users.Authenticate("Basic Ym9iOnNlY3JldA==").has_value());  // bob:secret
  }
  // The hash itself is no password (CVE-2022-46146).
  BOOST_TEST(!users.Authenticate("Basic YWxpY2U6JDJiJDA0JGQwcWkzTDV2MGhsckRkME5UVDRiMmU=").has_value());
  for (const char* bad :
       {"", "Basic", "Basic ", "Bearer YWxpY2U6c2VjcmV0", "Basic YWxpY2U=", "Basic ====", "Basic a"}) {
    BOOST_TEST(!users.Authenticate(bad).has_value(), bad);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::agent
