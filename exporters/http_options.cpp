#include "exporters/http_options.h"

#include <arpa/inet.h>

#include <array>

namespace pipewarden::exporters {
namespace {

using core::OptionType;

constexpr std::string_view kIpProtocols[] = {"any", "ip4", "ip6"};

constexpr core::Option kOptions[] = {
    {.name = "headers", .type = OptionType::kStringMap, .help = "Headers of the request, such as {Accept: text/html}."},
    {.name = "username", .help = "User of HTTP basic authentication."},
    {.name = "password", .type = OptionType::kSecret, .help = "Password of HTTP basic authentication."},
    {.name = "bearer_token", .type = OptionType::kSecret, .help = "Sent as `Authorization: Bearer ...`."},
    {.name = "ca_file",
     .type = OptionType::kPath,
     .help = "PEM file of the authorities to trust instead of the system's."},
    {.name = "cert_file", .type = OptionType::kPath, .help = "PEM file of the client's certificate."},
    {.name = "key_file", .type = OptionType::kPath, .help = "PEM file of the client's key."},
    {.name = "server_name", .help = "The name the server's certificate must have, where it is not the URL's."},
    {.name = "insecure_skip_verify",
     .type = OptionType::kBool,
     .default_text = "false",
     .help = "Take any certificate. What is then said of the server is worth little."},
    {.name = "proxy_url",
     .type = OptionType::kSecret,
     .help = "A proxy to go by: http, https, socks4, socks4a, socks5 or socks5h."},
    {.name = "no_proxy", .help = "Hosts that are reached without the proxy, comma separated."},
    {.name = "ip_protocol",
     .type = OptionType::kEnum,
     .default_text = "any",
     .choices = kIpProtocols,
     .help = "Connect by this IP version only."},
    {.name = "unix_socket", .type = OptionType::kPath, .help = "Connect to this Unix socket, whatever the URL's host."},
};

}  // namespace

core::OptionTable HttpConnectionOptions() { return kOptions; }

core::HttpRequest MakeHttpRequest(const core::Options& options, core::ConfigErrors& errors) {
  core::HttpRequest request;
  request.fresh_connection = true;
  request.headers = options.Map("headers");
  for (const auto& [name, value] : request.headers)
    if (name.empty() || name.find_first_of(": \t\r\n") != std::string::npos ||
        value.find_first_of("\r\n") != std::string::npos)
      errors.Add(options.Where("headers"), "header '" + name + "' has a name or value that HTTP cannot carry");
  request.basic_username = options.Text("username");
  request.basic_password = options.Secret("password");
  request.bearer_token = options.Secret("bearer_token");
  if (!request.bearer_token.empty() && !request.basic_username.empty())
    errors.Add(options.Where("bearer_token"), "both `username` and `bearer_token` are given: take one of them");
  request.tls.ca_file = options.Text("ca_file");
  request.tls.cert_file = options.Text("cert_file");
  request.tls.key_file = options.Text("key_file");
  if (request.tls.cert_file.empty() != request.tls.key_file.empty())
    errors.Add(options.Where(request.tls.cert_file.empty() ? "key_file" : "cert_file"),
               "`cert_file` and `key_file` go together: give both");
  request.tls.server_name = options.Text("server_name");
  request.tls.insecure_skip_verify = options.Bool("insecure_skip_verify");
  request.proxy_url = options.Secret("proxy_url").Reveal();
  request.no_proxy = options.Text("no_proxy");
  if (options.Text("ip_protocol") != "any") request.ip_protocol = options.Text("ip_protocol");
  request.unix_socket = options.Text("unix_socket");
  return request;
}

void AddAddress(const std::string& ip, std::vector<ProbeValue>& values) {
  std::array<unsigned char, 16> bytes{};
  std::size_t size = 0;
  if (inet_pton(AF_INET, ip.c_str(), bytes.data()) == 1) {
    size = 4;
  } else if (inet_pton(AF_INET6, ip.c_str(), bytes.data()) == 1) {
    size = 16;
  } else {
    return;
  }
  std::uint32_t hash = 2166136261U;
  for (std::size_t i = 0; i < size; ++i) hash = (hash ^ bytes.at(i)) * 16777619U;
  values.push_back({kIpProtocolMetric.name, size == 4 ? 4.0 : 6.0});
  values.push_back({kIpHashMetric.name, static_cast<double>(hash)});
}

std::string HttpFailure(const core::HttpRequest& request, std::string_view why) {
  return request.method + " " + core::UrlForDisplay(request.url) + ": " + std::string(why);
}

}  // namespace pipewarden::exporters
