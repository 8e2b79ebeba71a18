#include "exporters/resolve.h"

#include <algorithm>
#include <boost/asio.hpp>
#include <charconv>

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
core::Task<core::Result<std::vector<std::string>>> Resolve(core::Loop& loop, std::string host) {
  core::Result<std::vector<std::string>> result;
  boost::system::error_code literal;
  asio::ip::make_address(host, literal);
  if (!literal) {
    result->push_back(host);
    co_return result;
  }
  const core::Loop::Busy hold = loop.HoldTime();
  asio::ip::tcp::resolver resolver(loop.executor());
  auto [error, found] = co_await resolver.async_resolve(host, "", asio::as_tuple(asio::use_awaitable));
  if (error == asio::error::operation_aborted) throw boost::system::system_error(error);
  for (const auto& entry : found) {
    std::string address = entry.endpoint().address().to_string();
    if (std::ranges::find(*result, address) == result->end()) result->push_back(std::move(address));
  }
  if (error || result->empty())
    result = core::Fail(core::ErrorCode::kUnavailable, "resolving " + host + ": unknown host");
  co_return result;
}
}  // namespace

core::Task<core::Result<std::vector<std::string>>> ResolveHost(core::Loop& loop, std::string host,
                                                               core::Duration timeout) {
  auto result = co_await core::WithTimeout(loop, timeout, Resolve(loop, host));
  if (!result && result.error().code == core::ErrorCode::kTimeout)
    result = core::Fail(core::ErrorCode::kTimeout, result.error().message + " while resolving " + host);
  co_return result;
}

}  // namespace pipewarden::exporters
