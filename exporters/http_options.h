// Options that all probes which speak HTTP take (credentials, TLS, proxy), and the metrics that say how a connection
// went, so that kinds share them word for word. Constants; safe from any thread.
#pragma once

#include "core/config/option_table.h"
#include "core/net/http_client.h"
#include "exporters/probe.h"

namespace pipewarden::exporters {

// headers, username, password, bearer_token, ca_file, cert_file, key_file, server_name, insecure_skip_verify,
// proxy_url, no_proxy, ip_protocol, unix_socket
core::OptionTable HttpConnectionOptions();
// A request with these options set, everything else as HttpRequest's defaults but a fresh connection.
core::HttpRequest MakeHttpRequest(const core::Options& options, core::ConfigErrors& errors);

inline constexpr ProbeMetric kDnsLookupMetric = {"probe_dns_lookup_time_seconds", core::MetricType::kGauge, "seconds",
                                                 "How long the name lookup took."};
inline constexpr ProbeMetric kIpProtocolMetric = {"probe_ip_protocol", core::MetricType::kGauge, "",
                                                  "4 or 6: the IP version of the connection."};
inline constexpr ProbeMetric kIpHashMetric = {"probe_ip_addr_hash", core::MetricType::kGauge, "",
                                              "FNV-1a hash of the address, to see that it changed."};
inline constexpr ProbeMetric kRegexMetric = {"probe_failed_due_to_regex", core::MetricType::kGauge, "",
                                             "1 where a pattern was the reason of the failure, else 0."};

// probe_ip_protocol and probe_ip_addr_hash of a textual address; nothing for one that is none.
void AddAddress(const std::string& ip, std::vector<ProbeValue>& values);

// "GET http://host/path: why", with the URL fit for display.
std::string HttpFailure(const core::HttpRequest& request, std::string_view why);

}  // namespace pipewarden::exporters
