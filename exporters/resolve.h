// Host names to addresses without blocking the loop (getaddrinfo runs aside, core/async/aside.h). Loop thread only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/async/loop.h"
#include "core/result.h"

namespace pipewarden::exporters {

struct HostPort {
  std::string host;  // without the brackets of an IPv6 address
  std::uint16_t port = 0;
};

// "host:80", "127.0.0.1:80", "[::1]:80"; kInvalid, with what is expected.
core::Result<HostPort> ParseHostPort(std::string_view text);

// The host's addresses as text, in the system's order, each once; at least one. An address gives itself. kTimeout,
// kUnavailable (unknown host).
core::Task<core::Result<std::vector<std::string>>> ResolveHost(core::Loop& loop, std::string host,
                                                               core::Duration timeout);

}  // namespace pipewarden::exporters
