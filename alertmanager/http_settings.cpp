#include "alertmanager/http_settings.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/read_file.h"
#include "core/text/url.h"
#include "core/text/utf8.h"

namespace pipewarden::alertmanager {
namespace {

using core::OptionType;
using core::YamlNode;

constexpr core::Option kHttpOptions[] = {
    {.name = "basic_auth", .type = OptionType::kNode, .help = "{username, password or password_file}"},
    {.name = "authorization", .type = OptionType::kNode, .help = "{type (Bearer), credentials or credentials_file}"},
    {.name = "oauth2", .type = OptionType::kNode, .help = "{client_id, client_secret, token_url, scopes, …}"},
    {.name = "bearer_token", .type = OptionType::kSecret, .help = "older spelling of authorization"},
    {.name = "tls_config", .type = OptionType::kNode, .help = "{ca_file, cert_file, key_file, server_name, …}"},
    {.name = "proxy_url", .type = OptionType::kString, .help = "address of an HTTP proxy"},
    {.name = "no_proxy", .type = OptionType::kString, .help = "hosts that are reached without it, comma separated"},
    {.name = "proxy_from_environment",
     .type = OptionType::kBool,
     .default_text = "false",
     .help = "take HTTP_PROXY, HTTPS_PROXY, NO_PROXY"},
    {.name = "proxy_connect_header", .type = OptionType::kNode, .help = "headers for the proxy's CONNECT"},
    {.name = "follow_redirects", .type = OptionType::kBool, .default_text = "true", .help = "follow redirects"},
    {.name = "enable_http2", .type = OptionType::kBool, .default_text = "true", .help = "HTTP/2 where offered"},
    {.name = "http_headers", .type = OptionType::kNode, .help = "{name: {values, secrets, files}}"},
};
constexpr core::Option kBasicOptions[] = {
    {.name = "username", .type = OptionType::kSecret, .help = "user"},
    {.name = "password", .type = OptionType::kSecret, .help = "password"},
};
constexpr core::Option kAuthorizationOptions[] = {
    {.name = "type", .type = OptionType::kString, .default_text = "Bearer", .help = "scheme"},
    {.name = "credentials", .type = OptionType::kSecret, .help = "what follows the scheme"},
};
constexpr core::Option kOAuth2Options[] = {
    {.name = "client_id", .type = OptionType::kString, .required = true, .help = "client's id"},
    {.name = "client_secret", .type = OptionType::kSecret, .help = "client's secret"},
    {.name = "scopes", .type = OptionType::kOnlyStringList, .help = "scopes to ask for"},
    {.name = "token_url", .type = OptionType::kUrl, .required = true, .help = "where tokens are issued"},
    {.name = "endpoint_params", .type = OptionType::kStringMap, .help = "more parameters of that request"},
    {.name = "tls_config", .type = OptionType::kNode, .help = "TLS towards the token endpoint"},
    {.name = "proxy_url", .type = OptionType::kString, .help = "proxy towards it"},
    {.name = "no_proxy", .type = OptionType::kString, .help = "hosts without proxy"},
    {.name = "proxy_from_environment", .type = OptionType::kBool, .default_text = "false", .help = "HTTP_PROXY etc."},
    {.name = "proxy_connect_header", .type = OptionType::kNode, .help = "headers for CONNECT"},
};
constexpr std::string_view kTlsVersions[] = {"TLS10", "TLS11", "TLS12", "TLS13"};
constexpr core::Option kTlsOptions[] = {
    {.name = "ca", .type = OptionType::kSecret, .help = "certificate authority, PEM, or ca_file"},
    {.name = "cert", .type = OptionType::kSecret, .help = "client certificate, PEM, or cert_file"},
    {.name = "key", .type = OptionType::kSecret, .help = "its key, PEM, or key_file"},
    {.name = "server_name", .type = OptionType::kString, .help = "name to verify"},
    {.name = "insecure_skip_verify", .type = OptionType::kBool, .default_text = "false", .help = "trust anyone"},
    {.name = "min_version", .type = OptionType::kEnum, .choices = kTlsVersions, .help = "lowest TLS version"},
    {.name = "max_version", .type = OptionType::kEnum, .choices = kTlsVersions, .help = "highest TLS version"},
};
constexpr core::Option kHeaderOptions[] = {
    {.name = "values", .type = OptionType::kOnlyStringList, .help = "values"},
    {.name = "secrets", .type = OptionType::kOnlyStringList, .help = "values that are never shown"},
    {.name = "files", .type = OptionType::kOnlyStringList, .help = "files that hold values"},
};

constexpr std::size_t kMaxHeaderBytes = 64U << 10U;

// What requests have of their own.
constexpr std::string_view kOwnHeaders[] = {"Authorization",
                                            "Host",
                                            "Content-Encoding",
                                            "Content-Length",
                                            "Content-Type",
                                            "User-Agent",
                                            "Connection",
                                            "Keep-Alive",
                                            "Proxy-Authenticate",
                                            "Proxy-Authorization",
                                            "Www-Authenticate",
                                            "Accept-Encoding",
                                            "X-Prometheus-Remote-Write-Version",
                                            "X-Prometheus-Remote-Read-Version",
                                            "X-Prometheus-Scrape-Timeout-Seconds",
                                            "X-Amz-Date",
                                            "X-Amz-Security-Token",
                                            "X-Amz-Content-Sha256"};

bool IsOwnHeader(std::string_view name) {
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  return std::ranges::any_of(kOwnHeaders,
                             [&](std::string_view own) { return std::ranges::equal(own, name, {}, lower, lower); });
}

void ReadHeaders(const YamlNode& node, HttpSettings& settings, core::ConfigErrors& errors) {
  if (!node.IsMap()) return errors.Add(node.where(), "'http_headers' must be a map of header names");
  for (const YamlNode::Entry& entry : node.entries()) {
    if (IsOwnHeader(entry.key)) errors.Add(entry.value.where(), "setting header '" + entry.key + "' is not allowed");
    const core::Options options = core::ReadOptions(entry.value, kHeaderOptions, "http_headers", errors);
    for (const std::string& value : options.List("values"))
      settings.headers.emplace_back(entry.key, core::Secret(value));
    for (const std::string& value : options.List("secrets"))
      settings.headers.emplace_back(entry.key, core::Secret(value));
    for (const std::string& file : options.List("files")) {
      core::Result<std::string> value = core::ReadFile(file, kMaxHeaderBytes);
      if (!value) {
        errors.Add(options.Where("files"), "'files' in http_headers: " + value.error().message);
        continue;
      }
      while (!value->empty() && std::isspace(static_cast<unsigned char>(value->back())) != 0) value->pop_back();
      settings.headers.emplace_back(entry.key, core::Secret(std::move(*value)));
    }
  }
}

// `what` is http_config or oauth2; both have these keys.
ProxySettings ReadProxy(const core::Options& options, std::string_view what, core::ConfigErrors& errors) {
  ProxySettings proxy;
  proxy.url = options.Text("proxy_url");
  proxy.no_proxy = options.Text("no_proxy");
  proxy.from_environment = options.Bool("proxy_from_environment");
  const std::string in = " in " + std::string(what);
  if (proxy.from_environment && !proxy.url.empty())
    errors.Add(options.where(), "'proxy_url' and 'proxy_from_environment' exclude each other" + in + "; keep one");
  if (proxy.from_environment && !proxy.no_proxy.empty())
    errors.Add(options.where(), "'no_proxy' and 'proxy_from_environment' exclude each other" + in +
                                    "; the environment's no_proxy counts, remove the key");
  if (!proxy.from_environment && proxy.url.empty() && !proxy.no_proxy.empty())
    errors.Add(options.where(), "'no_proxy' needs 'proxy_url'" + in);
  const YamlNode* headers = options.Node("proxy_connect_header");
  if (headers == nullptr) return proxy;
  if (!proxy.from_environment && proxy.url.empty())
    errors.Add(options.where(), "'proxy_connect_header' needs 'proxy_url' or 'proxy_from_environment'" + in);
  const std::string form = "'proxy_connect_header' must be a map of header names, each with a list of values";
  if (!headers->IsMap()) errors.Add(headers->where(), form);
  for (const YamlNode::Entry& entry : headers->entries()) {
    if (!entry.value.IsSequence()) errors.Add(entry.value.where(), form);
    for (const YamlNode& value : entry.value.items())
      proxy.connect_headers.emplace_back(entry.key, core::Secret(value.text()));
  }
  return proxy;
}

void ApplyProxy(const ProxySettings& proxy, core::HttpRequest& request) {
  request.proxy_url = proxy.url;
  request.no_proxy = proxy.no_proxy;
  request.proxy_from_environment = proxy.from_environment;
  for (const auto& [name, value] : proxy.connect_headers)
    request.proxy_connect_headers.emplace_back(name, value.Reveal());
}

// "TLS12"; the names stand in the order of the versions.
core::TlsVersion ReadTlsVersion(const core::Options& options, std::string_view name) {
  const auto* at = std::ranges::find(kTlsVersions, options.Text(name));
  if (at == std::end(kTlsVersions)) return core::TlsVersion::kAny;
  return static_cast<core::TlsVersion>(at - std::begin(kTlsVersions) + 1);
}

std::shared_ptr<const HttpSettings::OAuth2> ReadOAuth2(const YamlNode& node, core::ConfigErrors& errors) {
  const core::Options options = core::ReadOptions(node, kOAuth2Options, "oauth2", errors);
  auto oauth2 = std::make_shared<HttpSettings::OAuth2>();
  oauth2->client_id = options.Text("client_id");
  oauth2->client_secret = options.Secret("client_secret");
  oauth2->scopes = options.List("scopes");
  oauth2->token_url = options.Text("token_url");
  oauth2->endpoint_params = options.Map("endpoint_params");
  oauth2->proxy = ReadProxy(options, "oauth2", errors);
  if (const YamlNode* tls = options.Node("tls_config")) oauth2->tls = ReadTlsOptions(*tls, errors);
  return oauth2;
}

void ApplyTransport(const HttpSettings& settings, core::HttpRequest& request) {
  request.tls = settings.tls;
  ApplyProxy(settings.proxy, request);
  request.follow_redirects = settings.follow_redirects;
  request.http2 = settings.http2;
  request.basic_username = settings.basic_username;
  request.basic_password = settings.basic_password;
  if (!settings.authorization_type.empty())
    request.headers.emplace_back("Authorization", settings.authorization_type + " " + settings.authorization.Reveal());
  for (const auto& [name, value] : settings.headers) request.headers.emplace_back(name, value.Reveal());
}

}  // namespace

struct OAuth2Token {
  std::string token;
  core::MonoTime expires{};
};

core::TlsOptions ReadTlsOptions(const YamlNode& node, core::ConfigErrors& errors) {
  // ca_file, cert_file and key_file are paths here, not secrets to be read: libcurl takes files.
  core::TlsOptions tls;
  const core::Options options = core::ReadOptions(node, kTlsOptions, "tls_config", errors);
  const auto path = [&](std::string_view name) -> std::string {
    if (options.Given(name) && node.Find(name) != nullptr)
      errors.Add(options.Where(name), "'" + std::string(name) +
                                          "' in tls_config is not supported inline: write it to a "
                                          "file and name it in '" +
                                          std::string(name) + "_file'");
    const YamlNode* file = node.IsMap() ? node.Find(std::string(name) + "_file") : nullptr;
    return file == nullptr ? "" : node.where().Resolve(file->text());
  };
  tls.ca_file = path("ca");
  tls.cert_file = path("cert");
  tls.key_file = path("key");
  tls.server_name = options.Text("server_name");
  tls.insecure_skip_verify = options.Bool("insecure_skip_verify");
  tls.min_version = ReadTlsVersion(options, "min_version");
  tls.max_version = ReadTlsVersion(options, "max_version");
  if (tls.max_version != core::TlsVersion::kAny && tls.max_version < tls.min_version)
    errors.Add(options.Where("max_version"), "'max_version' in tls_config is below 'min_version'");
  return tls;
}

core::OptionTable HttpOptions() { return kHttpOptions; }

std::shared_ptr<const HttpSettings> ReadHttpSettings(const YamlNode& node, core::ConfigErrors& errors) {
  return ReadHttpKeys(core::ReadOptions(node, kHttpOptions, "http_config", errors), errors);
}

std::shared_ptr<const HttpSettings> ReadHttpKeys(const core::Options& options, core::ConfigErrors& errors) {
  auto settings = std::make_shared<HttpSettings>();
  int ways = 0;
  if (const YamlNode* basic = options.Node("basic_auth"); basic != nullptr) {
    const core::Options pair = core::ReadOptions(*basic, kBasicOptions, "basic_auth", errors);
    settings->basic_username = pair.Secret("username").Reveal();
    settings->basic_password = pair.Secret("password");
    ++ways;
  }
  if (const YamlNode* authorization = options.Node("authorization"); authorization != nullptr) {
    const core::Options pair = core::ReadOptions(*authorization, kAuthorizationOptions, "authorization", errors);
    settings->authorization_type = pair.Text("type");
    settings->authorization = pair.Secret("credentials");
    if (settings->authorization_type == "Basic" || settings->authorization_type == "basic")
      errors.Add(pair.Where("type"), "authorization type cannot be 'basic': use 'basic_auth' instead");
    ++ways;
  }
  if (options.Given("bearer_token")) {
    settings->authorization_type = "Bearer";
    settings->authorization = options.Secret("bearer_token");
    ++ways;
  }
  if (const YamlNode* oauth2 = options.Node("oauth2"); oauth2 != nullptr) {
    settings->oauth2 = ReadOAuth2(*oauth2, errors);
    settings->token = std::make_shared<OAuth2Token>();
    ++ways;
  }
  if (ways > 1)
    errors.Add(options.where(),
               "at most one of basic_auth, authorization, oauth2 and bearer_token may stand in http_config");
  if (const YamlNode* tls = options.Node("tls_config"); tls != nullptr) settings->tls = ReadTlsOptions(*tls, errors);
  settings->proxy = ReadProxy(options, "http_config", errors);
  settings->follow_redirects = options.Bool("follow_redirects");
  settings->http2 = options.Bool("enable_http2");
  if (const YamlNode* headers = options.Node("http_headers"); headers != nullptr)
    ReadHeaders(*headers, *settings, errors);
  return settings;
}

std::shared_ptr<const HttpSettings> ReadHttpSettings(const core::Options& options, const core::Options& global,
                                                     core::ConfigErrors& errors) {
  if (const YamlNode* own = options.Node("http_config")) return ReadHttpSettings(*own, errors);
  const YamlNode* common = global.Node("http_config");
  if (common == nullptr) return std::make_shared<const HttpSettings>();
  core::ConfigErrors told;  // where the global section was read
  return ReadHttpSettings(*common, told);
}

core::HttpRequest JsonRequest(std::string url, std::string body) {
  core::HttpRequest request;
  request.method = "POST";
  request.url = std::move(url);
  request.body = std::move(body);
  request.headers.emplace_back("Content-Type", "application/json");
  return request;
}

namespace {

// A token by the client credentials grant (RFC 6749, 4.4), kept until shortly before it runs out.
core::Task<core::Result<std::string>> AccessToken(NotifyContext context, std::shared_ptr<const HttpSettings> settings) {
  const HttpSettings::OAuth2& oauth2 = *settings->oauth2;
  core::Result<std::string> answer;
  if (!settings->token->token.empty() && context.loop->clock().Monotonic() < settings->token->expires) {
    answer = settings->token->token;
    co_return answer;
  }
  core::HttpRequest request;
  request.method = "POST";
  request.url = oauth2.token_url;
  request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  request.basic_username = core::UrlEscape(oauth2.client_id);
  request.basic_password = core::Secret(core::UrlEscape(oauth2.client_secret.Reveal()));
  request.tls = oauth2.tls;
  ApplyProxy(oauth2.proxy, request);
  request.http2 = settings->http2;
  request.timeout = context.time_left;
  request.body = "grant_type=client_credentials";
  std::string scopes;
  for (const std::string& scope : oauth2.scopes) scopes += (scopes.empty() ? "" : " ") + scope;
  if (!scopes.empty()) request.body += "&scope=" + core::UrlEscape(scopes);
  for (const auto& [name, value] : oauth2.endpoint_params)
    request.body += "&" + core::UrlEscape(name) + "=" + core::UrlEscape(value);
  core::Result<core::HttpResponse> response = co_await context.http->Do(std::move(request));
  if (!response) {
    answer = core::Fail(response.error().Within("OAuth2 token"));
    co_return answer;
  }
  const auto json = nlohmann::json::parse(response->body, nullptr, false);
  const bool good = response->status / 100 == 2 && json.is_object() && json.contains("access_token") &&
                    json["access_token"].is_string();
  if (!good) {
    answer = core::Fail(core::ErrorCode::kDenied, "OAuth2 token: the token endpoint answered with status " +
                                                      std::to_string(response->status) + " and no access_token");
    co_return answer;
  }
  settings->token->token = json["access_token"].get<std::string>();
  int seconds = 300;
  if (json.contains("expires_in") && json["expires_in"].is_number()) seconds = json["expires_in"].get<int>();
  settings->token->expires = context.loop->clock().Monotonic() + std::chrono::seconds(std::max(0, seconds - 10));
  answer = settings->token->token;
  co_return answer;
}

}  // namespace

core::Task<core::Result<core::HttpResponse>> Send(NotifyContext context, std::shared_ptr<const HttpSettings> settings,
                                                  core::HttpRequest request) {
  const bool named =
      std::ranges::any_of(request.headers, [](const auto& header) { return header.first == "User-Agent"; });
  if (!named) request.headers.emplace_back("User-Agent", "Alertmanager/0.25.0 (Pipewarden)");
  request.max_body_bytes = 64U << 10U;
  if (request.timeout > context.time_left) request.timeout = context.time_left;
  ApplyTransport(*settings, request);
  if (settings->oauth2 != nullptr) {
    core::Result<std::string> token = co_await AccessToken(context, settings);
    if (!token) {
      core::Result<core::HttpResponse> failed = core::Fail(token.error());
      co_return failed;
    }
    request.headers.emplace_back("Authorization", "Bearer " + *token);
  }
  core::Result<core::HttpResponse> response = co_await context.http->Do(std::move(request));
  co_return response;
}

NotifyOutcome Judge(const core::Result<core::HttpResponse>& response, const RetryCodes& retry) {
  if (!response) {
    NotifyOutcome outcome = TryAgain(response.error().message);
    if (response.error().code == core::ErrorCode::kInvalid) outcome.retry = false;
    return outcome;
  }
  if (response->status / 100 == 2) return Sent();
  NotifyOutcome outcome;
  outcome.retry = response->status / 100 == 5 || std::ranges::count(retry.also, response->status) > 0;
  outcome.error = "unexpected status code " + std::to_string(response->status);
  const std::string_view beginning = std::string_view(response->body).substr(0, 200);
  if (!beginning.empty()) outcome.error += ": " + core::ToValidUtf8(beginning);
  if (const std::string after(response->Header("Retry-After")); !after.empty()) {
    char* end = nullptr;
    const long seconds = std::strtol(after.c_str(), &end, 10);
    if (end != nullptr && *end == '\0' && seconds > 0 && seconds <= 86400)
      outcome.retry_after = std::chrono::seconds(seconds);
  }
  return outcome;
}

core::Task<NotifyOutcome> Post(NotifyContext context, std::shared_ptr<const HttpSettings> settings,
                               core::HttpRequest request, RetryCodes retry) {
  core::Result<core::HttpResponse> response = co_await Send(context, std::move(settings), std::move(request));
  co_return Judge(response, retry);
}

std::string TruncateRunes(std::string_view text, std::size_t limit) {
  const auto starts = [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; };
  if (static_cast<std::size_t>(std::ranges::count_if(text, starts)) <= limit) return std::string(text);
  std::size_t end = 0;
  for (std::size_t runes = 0; end < text.size(); ++end)
    if (starts(text[end]) && ++runes == limit) break;
  return std::string(text.substr(0, end)) + "…";
}

std::string TruncateBytes(std::string_view text, std::size_t limit) {
  constexpr std::string_view kEllipsis = "…";
  if (text.size() <= limit) return std::string(text);
  std::size_t end = limit - std::min(limit, kEllipsis.size());
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return std::string(text.substr(0, end)) + std::string(kEllipsis);
}

bool IsHttpUrl(std::string_view text) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!text.starts_with(scheme)) continue;
    const std::string_view host = text.substr(scheme.size());
    return !host.empty() && host[0] != '/' && host[0] != ':' && host[0] != '?' &&
           std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) <= ' '; });
  }
  return false;
}

void CheckSecretUrl(const core::Options& options, std::string_view name, core::ConfigErrors& errors) {
  if (!options.Given(name)) return;
  const std::string url = options.Secret(name).Reveal();
  // A template may stand in it, and files that were masked for display hold this word.
  if (IsHttpUrl(url) || url.find("{{") != std::string::npos || url == "<secret>") return;
  errors.Add(options.Where(name), "'" + std::string(name) + "' must be an http:// or https:// address with a host");
}

}  // namespace pipewarden::alertmanager
