#include "exporters/resolve.h"

#include <algorithm>
#include <boost/asio.hpp>
#include <charconv>

#include "core/async/aside.h"
#include "core/time/duration.h"

namespace pipewarden::exporters {
namespace asio = boost::asio;

core::Result<HostPort> ParseHostPort(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  HostPort result;
  unsigned port = 0;
  if (colon != std::string_view::npos) {
    std::string_view host = text.substr(0, colon);
    const std::string_view digits = text.substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc() || end != digits.data() + digits.size() || port > 65535) port = 0;
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    if (!bracketed && host.find(':') != std::string_view::npos) port = 0;  // ::1 without brackets
    result.host = host;
  }
  if (port == 0 || result.host.empty())
    return core::Fail(core::ErrorCode::kInvalid,
                      "'" + std::string(text) + "' is no address: write host:port or [IPv6]:port");
  result.port = static_cast<std::uint16_t>(port);
  return result;
}

namespace {
core::Result<std::vector<std::string>> Ask(const std::string& host) {
  asio::io_context unused;
  boost::system::error_code error;
  std::vector<std::string> addresses;
  for (const auto& entry : asio::ip::tcp::resolver(unused).resolve(host, "", error)) {
    std::string address = entry.endpoint().address().to_string();
    if (std::ranges::find(addresses, address) == addresses.end()) addresses.push_back(std::move(address));
  }
  if (error || addresses.empty())
    return core::Fail(core::ErrorCode::kUnavailable, "resolving " + host + ": unknown host");
  return addresses;
}
}  // namespace

core::Task<core::Result<std::vector<std::string>>> ResolveHost(core::Loop& loop, std::string host,
                                                               core::Duration timeout) {
  core::Result<std::vector<std::string>> result;
  boost::system::error_code literal;
  asio::ip::make_address(host, literal);
  if (!literal) {
    result->push_back(host);
    co_return result;
  }
  // Asio's own resolver has one thread for all, and cannot give up.
  core::Aside aside;
  result = co_await aside.Run(loop, timeout, [host] { return Ask(host); });
  if (!result && result.error().code == core::ErrorCode::kTimeout)
    result = core::Fail(core::ErrorCode::kTimeout,
                        "timed out after " + core::FormatDuration(timeout) + " while resolving " + host);
  co_return result;
}

}  // namespace pipewarden::exporters
