// http_config of a receiver (prometheus/common's HTTPClientConfig), and the requests that are made with it. Immutable
// once read, but for the OAuth2 token, which is kept until it runs out. Loop thread only.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "alertmanager/receiver.h"
#include "core/config/option_table.h"
#include "core/net/http_client.h"
#include "core/secret.h"

namespace pipewarden::alertmanager {

struct OAuth2Token;  // kept between requests

// proxy_url, no_proxy, proxy_from_environment, proxy_connect_header: the same keys in http_config and in oauth2.
struct ProxySettings {
  std::string url;
  std::string no_proxy;
  bool from_environment = false;
  std::vector<std::pair<std::string, core::Secret>> connect_headers;
};

struct HttpSettings {
  std::string basic_username;
  core::Secret basic_password;
  std::string authorization_type;  // "Bearer"; "" without authorization
  core::Secret authorization;
  struct OAuth2 {
    std::string client_id;
    core::Secret client_secret;
    std::vector<std::string> scopes;
    std::string token_url;
    std::vector<std::pair<std::string, std::string>> endpoint_params;
    core::TlsOptions tls;
    ProxySettings proxy;
  };
  std::shared_ptr<const OAuth2> oauth2;
  std::shared_ptr<OAuth2Token> token;
  core::TlsOptions tls;
  ProxySettings proxy;
  bool follow_redirects = true;
  bool http2 = true;
  std::vector<std::pair<std::string, core::Secret>> headers;
};

// The receiver's own http_config, else the one of `global`, else the defaults.
std::shared_ptr<const HttpSettings> ReadHttpSettings(const core::Options& options, const core::Options& global,
                                                     core::ConfigErrors& errors);
std::shared_ptr<const HttpSettings> ReadHttpSettings(const core::YamlNode& node, core::ConfigErrors& errors);
// Its keys, where they stand among others: `options` have been read with them.
core::OptionTable HttpOptions();
std::shared_ptr<const HttpSettings> ReadHttpKeys(const core::Options& options, core::ConfigErrors& errors);
core::TlsOptions ReadTlsOptions(const core::YamlNode& node, core::ConfigErrors& errors);

// Which answers mean "try again": 5xx always, and these.
struct RetryCodes {
  std::vector<int> also;
};

// Sends `body` and judges the answer: any 2xx is success; others are errors that tell the status and the beginning of
// the answer, retried for 5xx and `retry`. Retry-After is taken over. Headers: Content-Type and User-Agent are added.
core::Task<NotifyOutcome> Post(NotifyContext context, std::shared_ptr<const HttpSettings> settings,
                               core::HttpRequest request, RetryCodes retry);
// The request itself, with the settings applied, when the receiver judges the answer on its own.
core::Task<core::Result<core::HttpResponse>> Send(NotifyContext context, std::shared_ptr<const HttpSettings> settings,
                                                  core::HttpRequest request);
NotifyOutcome Judge(const core::Result<core::HttpResponse>& response, const RetryCodes& retry);

core::HttpRequest JsonRequest(std::string url, std::string body);

// At most `limit` code points, the last one an ellipsis where something was cut.
std::string TruncateRunes(std::string_view text, std::size_t limit);
// The same in bytes, never within a code point.
std::string TruncateBytes(std::string_view text, std::size_t limit);

// True for an address of http or https with a host. A secret one is checked by this: the message never shows it.
bool IsHttpUrl(std::string_view text);
void CheckSecretUrl(const core::Options& options, std::string_view name, core::ConfigErrors& errors);

}  // namespace pipewarden::alertmanager
