#include "exporters/tcp_connect.h"

#include <boost/asio.hpp>

#include "core/time/duration.h"
#include "exporters/http_options.h"

namespace pipewarden::exporters {
namespace asio = boost::asio;
namespace {

core::Task<core::Result<void>> Connect(asio::ip::tcp::socket& socket, std::vector<std::string> addresses,
                                       std::uint16_t port, TcpProgress& progress) {
  core::Result<void> result;
  const auto start = std::chrono::steady_clock::now();
  for (const std::string& address : addresses) {
    const std::string where =
        (address.find(':') != std::string::npos ? "[" + address + "]" : address) + ":" + std::to_string(port);
    progress.phase = "connecting to " + where;
    boost::system::error_code ignored;
    socket.close(ignored);
    auto [error] =
        co_await socket.async_connect({asio::ip::make_address(address), port}, asio::as_tuple(asio::use_awaitable));
    if (error == asio::error::operation_aborted) throw boost::system::system_error(error);
    if (!error) {
      AddAddress(address, progress.values);
      progress.values.push_back({kConnectMetric.name, core::ToSeconds(std::chrono::steady_clock::now() - start)});
      progress.connected = true;
      result = {};
      co_return result;
    }
    result = core::Fail(core::ErrorCode::kUnavailable, progress.phase + ": " + error.message());
  }
  co_return result;
}

core::Task<core::Result<void>> ConnectThenTalk(core::Loop& loop, std::vector<std::string> addresses, std::uint16_t port,
                                               TcpTalk talk, TcpProgress& progress) {
  const core::Loop::Busy hold = loop.HoldTime();
  asio::ip::tcp::socket socket(loop.executor());
  auto result = co_await Connect(socket, std::move(addresses), port, progress);
  if (result) result = co_await talk(socket);
  co_return result;
}

}  // namespace

core::Task<core::Result<void>> ConnectAndTalk(ProbeContext context, HostPort address, TcpTalk talk,
                                              TcpProgress& progress) {
  core::Result<void> result;
  const auto start = std::chrono::steady_clock::now();
  auto addresses = co_await ResolveHost(context.loop, address.host, context.timeout);
  progress.values.push_back({kDnsLookupMetric.name, core::ToSeconds(std::chrono::steady_clock::now() - start)});
  if (!addresses) {
    result = core::Fail(addresses.error());
    co_return result;
  }
  const core::Duration left = context.timeout - (std::chrono::steady_clock::now() - start);
  result = co_await core::WithTimeout(
      context.loop, left,
      ConnectThenTalk(context.loop, std::move(*addresses), address.port, std::move(talk), progress));
  if (!result && result.error().code == core::ErrorCode::kTimeout)
    result = core::Fail(core::ErrorCode::kTimeout,
                        "timed out after " + core::FormatDuration(context.timeout) + " while " + progress.phase);
  co_return result;
}

}  // namespace pipewarden::exporters
