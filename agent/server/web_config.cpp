#include "agent/server/web_config.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <unordered_map>

#include "core/async/mutex.h"
#include "core/config/option_table.h"

namespace pipewarden::agent {
namespace {

using core::ErrorCode;
using core::Fail;
using core::Option;
using core::OptionType;

constexpr std::string_view kClientAuthTypes[] = {"NoClientCert", "RequestClientCert", "RequireAnyClientCert",
                                                 "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"};
constexpr std::string_view kVersions[] = {"TLS10", "TLS11", "TLS12", "TLS13"};

constexpr Option kRootOptions[] = {
    {.name = "tls_server_config", .type = OptionType::kNode, .help = "TLS; without it the server speaks plain HTTP."},
    {.name = "http_server_config", .type = OptionType::kNode, .help = "`headers`: added to every response."},
    {.name = "basic_auth_users", .type = OptionType::kStringMap, .help = "User names and their bcrypt hashes."},
    {.name = "roles",
     .type = OptionType::kStringMap,
     .help = "What each user may do: read (the default), operate or admin."},
    {.name = "allowed_hosts",
     .type = OptionType::kStringList,
     .help = "Names that a Host header may carry, beside addresses, localhost and the machine's own name."},
};

constexpr Option kTlsOptions[] = {
    {.name = "cert_file", .type = OptionType::kPath, .required = true, .help = "Certificate with its chain, PEM."},
    {.name = "key_file", .type = OptionType::kPath, .required = true, .help = "Its private key, PEM."},
    {.name = "client_auth_type",
     .type = OptionType::kEnum,
     .default_text = "NoClientCert",
     .choices = kClientAuthTypes,
     .help = "Whether clients show a certificate."},
    {.name = "client_ca_file", .type = OptionType::kPath, .help = "What client certificates are verified against."},
    {.name = "client_allowed_sans",
     .type = OptionType::kStringList,
     .help = "A client certificate must carry one of these names (DNS, e-mail, IP or URI)."},
    {.name = "min_version",
     .type = OptionType::kEnum,
     .default_text = "TLS12",
     .choices = kVersions,
     .help = "The oldest version that is spoken."},
    {.name = "max_version",
     .type = OptionType::kEnum,
     .default_text = "TLS13",
     .choices = kVersions,
     .help = "The newest version that is spoken."},
    {.name = "cipher_suites",
     .type = OptionType::kStringList,
     .help = "For TLS 1.2 and below, as Go names them: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256."},
    {.name = "prefer_server_cipher_suites", .type = OptionType::kBool, .default_text = "true", .help = "No effect."},
    {.name = "curve_preferences", .type = OptionType::kStringList, .help = "No effect: OpenSSL's own order."},
};

constexpr Option kHttpOptions[] = {
    {.name = "http2", .type = OptionType::kBool, .default_text = "true", .help = "No effect: HTTP/1.1 is spoken."},
    {.name = "headers", .type = OptionType::kStringMap, .help = "Added to every response."},
};

constexpr std::string_view kHeaders[] = {"Content-Security-Policy",
                                         "X-Frame-Options",
                                         "X-Content-Type-Options",
                                         "X-XSS-Protection",
                                         "Strict-Transport-Security",
                                         "Cross-Origin-Embedder-Policy",
                                         "Cross-Origin-Opener-Policy",
                                         "Cross-Origin-Resource-Policy",
                                         "Referrer-Policy"};

int VersionOf(std::string_view text) { return (text[3] - '0') * 10 + (text[4] - '0'); }

TlsServerConfig ReadTls(const core::YamlNode& node, core::ConfigErrors& errors) {
  const core::Options options = core::ReadOptions(node, kTlsOptions, "tls_server_config", errors);
  TlsServerConfig tls;
  tls.cert_file = options.Text("cert_file");
  tls.key_file = options.Text("key_file");
  tls.client_ca_file = options.Text("client_ca_file");
  tls.client_allowed_sans = options.List("client_allowed_sans");
  tls.min_version = VersionOf(options.Text("min_version"));
  tls.max_version = VersionOf(options.Text("max_version"));
  for (std::size_t i = 0; i < std::size(kClientAuthTypes); ++i) {
    if (options.Text("client_auth_type") == kClientAuthTypes[i]) tls.client_auth = static_cast<ClientAuth>(i);
  }
  const bool verifies =
      tls.client_auth == ClientAuth::kVerifyIfGiven || tls.client_auth == ClientAuth::kRequireAndVerify;
  if (verifies && tls.client_ca_file.empty()) {
    errors.Add(options.Where("client_auth_type"), "verifying client certificates needs client_ca_file");
  }
  if (!verifies && !tls.client_ca_file.empty()) {
    errors.Add(options.Where("client_ca_file"),
               "client_ca_file has no effect without client_auth_type: RequireAndVerifyClientCert (or "
               "VerifyClientCertIfGiven)");
  }
  if (tls.client_auth != ClientAuth::kRequireAndVerify && !tls.client_allowed_sans.empty()) {
    errors.Add(options.Where("client_allowed_sans"),
               "client_allowed_sans needs client_auth_type: RequireAndVerifyClientCert");
  }
  if (tls.min_version > tls.max_version) errors.Add(options.Where("min_version"), "min_version is above max_version");
  for (const std::string& name : options.List("cipher_suites")) {
    const char* known = OPENSSL_cipher_name(name.c_str());
    if (known == nullptr || std::string_view(known) == "(NONE)") {
      errors.Add(options.Where("cipher_suites"), "unknown cipher suite '" + name + "'");
      continue;
    }
    tls.cipher_suites += (tls.cipher_suites.empty() ? "" : ":") + std::string(known);
  }
  return tls;
}

void ReadUsers(const core::Options& options, WebConfig& config, core::ConfigErrors& errors) {
  for (const auto& [name, hash] : options.Map("basic_auth_users")) {
    // $2a$10$ and 53 characters.
    if (hash.size() != 60 || !hash.starts_with("$2")) {
      errors.Add(options.Where("basic_auth_users"),
                 "the hash of user '" + name + "' is no bcrypt hash; make one with: htpasswd -nBC 10 " + name);
      continue;
    }
    config.users[name].hash = core::Secret(hash);
  }
  for (const auto& [name, text] : options.Map("roles")) {
    const auto role = ParseRole(text);
    const auto user = config.users.find(name);
    if (!role) {
      errors.Add(options.Where("roles"),
                 "user '" + name + "' has the role '" + text + "'; it is read, operate or admin");
    } else if (user == config.users.end()) {
      errors.Add(options.Where("roles"), "'" + name + "' is not among basic_auth_users");
    } else {
      user->second.role = *role;
    }
  }
}

using Digest = std::array<unsigned char, 32>;

// Over lengths and texts, so that no two different triples read alike (the flaw behind CVE-2022-46146).
std::string VerdictKey(std::string_view user, std::string_view password, std::string_view hash) {
  std::string text;
  for (const std::string_view part : {user, password, hash}) {
    text += std::to_string(part.size()) + ":";
    text += part;
  }
  Digest digest{};
  unsigned int size = digest.size();
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
  OPENSSL_cleanse(text.data(), text.size());
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

bool VerifyBcrypt(const std::string& password, const std::string& hash) {
  auto data = std::make_unique<crypt_data>();
  std::memset(data.get(), 0, sizeof *data);
  const char* computed = crypt_r(password.c_str(), hash.c_str(), data.get());
  const bool equal = computed != nullptr && std::strlen(computed) == hash.size() &&
                     CRYPTO_memcmp(computed, hash.data(), hash.size()) == 0;
  OPENSSL_cleanse(data.get(), sizeof *data);
  return equal;
}

std::optional<std::string> DecodeBase64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0 || text.size() > 4096) return std::nullopt;
  std::string out(text.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size < 0) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  out.resize(static_cast<std::size_t>(size) - padding);
  return out;
}

// Of no password that anyone knows: what an unknown user is measured against.
constexpr const char* kNobody = "$2b$10$1LR2BY1btSAPaF8DBxhEH.KA8j9frDjj1VRni39KyWXSynzaYPNOW";

}  // namespace

WebConfig ReadWebConfig(const core::YamlNode& root, core::ConfigErrors& errors) {
  WebConfig config;
  if (root.IsNull()) return config;
  const core::Options options = core::ReadOptions(root, kRootOptions, "the web configuration", errors);
  if (const core::YamlNode* tls = options.Node("tls_server_config"); tls != nullptr && !tls->IsNull()) {
    config.tls = ReadTls(*tls, errors);
  }
  if (const core::YamlNode* http = options.Node("http_server_config"); http != nullptr && !http->IsNull()) {
    const core::Options http_options = core::ReadOptions(*http, kHttpOptions, "http_server_config", errors);
    for (auto& [name, value] : http_options.Map("headers")) {
      if (std::ranges::find(kHeaders, name) == std::end(kHeaders)) {
        errors.Add(http_options.Where("headers"),
                   "the header '" + name + "' cannot be set here" + core::DidYouMean(name, kHeaders));
      } else if (value.find_first_of("\r\n") != std::string::npos) {
        errors.Add(http_options.Where("headers"), "the header '" + name + "' holds a line break");
      } else {
        config.headers.emplace_back(name, value);
      }
    }
  }
  ReadUsers(options, config, errors);
  for (const std::string& host : options.List("allowed_hosts")) {
    const std::string name = HostName(host);
    if (name.empty() || name.find_first_of("/*") != std::string::npos) {
      errors.Add(options.Where("allowed_hosts"), "'" + host + "' is no host name");
    } else {
      config.allowed_hosts.push_back(name);
    }
  }
  return config;
}

bool LooksLikeWebConfig(const core::YamlNode& root) {
  return std::ranges::any_of(kRootOptions, [&](const auto& option) { return root.Find(option.name) != nullptr; });
}

core::Result<WebConfig> LoadWebConfig(const std::string& path) {
  core::ConfigErrors errors;
  WebConfig config;
  if (const auto root = core::ReadYamlFile(path, errors)) config = ReadWebConfig(*root, errors);
  if (!errors.empty()) return std::unexpected(errors.ToError());
  return config;
}

struct Users::State {
  std::map<std::string, WebConfig::UserConfig> users;
  core::Mutex bcrypt;  // held over one verification
  core::Mutex mutex;
  std::unordered_map<std::string, bool> verdicts GUARDED_BY(mutex);
};

Users::Users(std::map<std::string, WebConfig::UserConfig> users) : state_(std::make_unique<State>()) {
  state_->users = std::move(users);
}
Users::~Users() = default;

std::optional<User> Users::Authenticate(std::string_view authorization) {
  constexpr std::string_view kScheme = "basic ";
  if (authorization.size() <= kScheme.size() || !EqualsIgnoreCase(authorization.substr(0, kScheme.size()), kScheme)) {
    return std::nullopt;
  }
  const auto credentials = DecodeBase64(authorization.substr(kScheme.size()));
  const std::size_t colon = credentials ? credentials->find(':') : std::string::npos;
  if (colon == std::string::npos) return std::nullopt;
  const std::string name = credentials->substr(0, colon);
  const std::string password = credentials->substr(colon + 1);
  const auto user = state_->users.find(name);
  const bool known = user != state_->users.end();
  const std::string hash = known ? user->second.hash.Reveal() : std::string(kNobody);
  const std::string key = VerdictKey(name, password, hash);
  const auto remembered = [&]() -> std::optional<bool> {
    const core::MutexLock lock(state_->mutex);
    const auto found = state_->verdicts.find(key);
    return found == state_->verdicts.end() ? std::nullopt : std::optional(found->second);
  };
  std::optional<bool> verdict = remembered();
  if (!verdict) {
    const core::MutexLock one_at_a_time(state_->bcrypt);
    verdict = remembered();  // another thread may have just found it
    if (!verdict) {
      verdict = VerifyBcrypt(password, hash) && known;
      const core::MutexLock lock(state_->mutex);
      if (state_->verdicts.size() >= 1000) state_->verdicts.clear();
      state_->verdicts[key] = *verdict;
    }
  }
  if (!*verdict) return std::nullopt;
  return User{.name = name, .role = user->second.role};
}

}  // namespace pipewarden::agent
