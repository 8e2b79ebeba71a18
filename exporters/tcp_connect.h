// A TCP connection as probes make one: the host resolved without blocking, its addresses tried in the system's order
// until one connects, and told what was reached. Loop thread only.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <string>
#include <vector>

#include "exporters/probe.h"
#include "exporters/resolve.h"

namespace pipewarden::exporters {

inline constexpr ProbeMetric kConnectMetric = {"probe_tcp_connect_duration_seconds", core::MetricType::kGauge,
                                               "seconds", "How long connecting took."};

// What a run has reached, for a timeout's message and for what is exported then. It outlives what it is given to.
struct TcpProgress {
  std::string phase;  // "connecting to 127.0.0.1:80"
  std::string received;
  std::vector<ProbeValue> values;
  bool connected = false;
};

// Resolves, connects and talks (`talk`, which is given the socket and updates the phase) within the timeout, and adds
// kDnsLookupMetric, kConnectMetric, kIpProtocolMetric and kIpHashMetric to progress.values, as far as it comes. The
// error names the phase: "timed out after 5s while connecting to 127.0.0.1:80".
using TcpTalk = std::function<core::Task<core::Result<void>>(boost::asio::ip::tcp::socket&)>;
core::Task<core::Result<void>> ConnectAndTalk(ProbeContext context, HostPort address, TcpTalk talk,
                                              TcpProgress& progress);

}  // namespace pipewarden::exporters
