// --web.config.file: exporter-toolkit's format (docs/web-configuration.md there), with a role for each user and names
// that a Host header may carry as our additions:
//
//   tls_server_config: {cert_file, key_file, client_auth_type, client_ca_file, client_allowed_sans, min_version, …}
//   http_server_config: {headers: {…}}
//   basic_auth_users: {alice: $2y$10$…}          # bcrypt; htpasswd -nBC 10 alice
//   roles: {alice: admin}                        # read, operate or admin; default read
//   allowed_hosts: [node7.example.org]
//
// A value type. Users verifies passwords; safe from any thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/server/router.h"
#include "core/config/yaml.h"
#include "core/result.h"
#include "core/secret.h"

namespace pipewarden::agent {

enum class ClientAuth { kNone, kRequest, kRequireAny, kVerifyIfGiven, kRequireAndVerify };

struct TlsServerConfig {
  std::string cert_file;  // PEM, the chain included; "" is plain HTTP
  std::string key_file;
  ClientAuth client_auth = ClientAuth::kNone;
  std::string client_ca_file;
  std::vector<std::string> client_allowed_sans;
  int min_version = 12;  // 10, 11, 12 or 13, for TLS 1.x
  int max_version = 13;
  std::string cipher_suites;  // OpenSSL's spelling, for TLS 1.2 and below; "" is OpenSSL's own choice
};

struct WebConfig {
  TlsServerConfig tls;
  Headers headers;  // added to every response
  struct UserConfig {
    core::Secret hash;
    Role role = Role::kRead;
  };
  std::map<std::string, UserConfig> users;
  std::vector<std::string> allowed_hosts;
};

// All mistakes go to `errors`; relative paths are taken from the file's folder.
WebConfig ReadWebConfig(const core::YamlNode& root, core::ConfigErrors& errors);
core::Result<WebConfig> LoadWebConfig(const std::string& path);
// Whether it holds a key of a web configuration, none of which stands in another file of the agent.
bool LooksLikeWebConfig(const core::YamlNode& root);

// Verifies "Basic …" credentials against bcrypt hashes. A verdict is kept, so that a scrape does not pay bcrypt's 70 ms
// again; at most one verification runs at a time, so that guessing burns one core at most. An unknown user costs as
// much time as a known one.
class Users {
 public:
  explicit Users(std::map<std::string, WebConfig::UserConfig> users);
  ~Users();
  std::optional<User> Authenticate(std::string_view authorization);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pipewarden::agent
