// The kind `tcp`: connects; where asked to, sends a text and waits for one that matches (redis: send "PING\r\n", expect
// '^\+PONG'). Tries the host's addresses in the system's order until one connects.
#include <re2/re2.h>

#include <array>
#include <boost/asio.hpp>

#include "core/async/child_process.h"
#include "core/model/matcher.h"
#include "core/text/utf8.h"
#include "exporters/http_options.h"
#include "exporters/probes/list.h"
#include "exporters/tcp_connect.h"

namespace pipewarden::exporters {
namespace asio = boost::asio;
namespace {

using core::OptionType;

constexpr std::size_t kMaxAnswer = 65536;

constexpr core::Option kOptions[] = {
    {.name = "address", .required = true, .help = "Where to connect: host:port, [IPv6]:port."},
    {.name = "send", .help = "Text to send once connected; in double quotes YAML knows \\r and \\n."},
    {.name = "expect",
     .type = OptionType::kRegex,
     .help = "Wait until what was received matches this regular expression; 64 KiB at most."},
};
const core::OptionTable kTables[] = {kOptions};

constexpr ProbeMetric kMetrics[] = {
    kDnsLookupMetric, kConnectMetric, kIpProtocolMetric, kIpHashMetric, kRegexMetric,
};

struct TcpOptions {
  HostPort address;
  std::string text;  // of the address
  std::string send;
  std::shared_ptr<const re2::RE2> expect;
};

core::Task<core::Result<void>> Talk(asio::ip::tcp::socket& socket, TcpOptions options, TcpProgress& progress) {
  core::Result<void> result;
  if (!options.send.empty()) {
    progress.phase = "sending to " + options.text;
    auto [error, size] =
        co_await asio::async_write(socket, asio::buffer(options.send), asio::as_tuple(asio::use_awaitable));
    if (error == asio::error::operation_aborted) throw boost::system::system_error(error);
    if (error) {
      result = core::Fail(core::ErrorCode::kUnavailable, progress.phase + ": " + error.message());
      co_return result;
    }
  }
  if (options.expect == nullptr) co_return result;
  progress.phase = "waiting for an answer of " + options.text + " that matches";
  std::array<char, 4096> buffer{};
  while (!re2::RE2::PartialMatch(progress.received, *options.expect)) {
    auto [error, size] = co_await socket.async_read_some(asio::buffer(buffer), asio::as_tuple(asio::use_awaitable));
    if (error == asio::error::operation_aborted) throw boost::system::system_error(error);
    progress.received.append(buffer.data(), size);
    if (!error && progress.received.size() < kMaxAnswer) continue;
    const std::string got = core::ToValidUtf8(core::LastLine(progress.received));
    result = core::Fail(core::ErrorCode::kUnavailable, options.text + " answered nothing that matches '" +
                                                           options.expect->pattern() + "'" +
                                                           (got.empty() ? "" : "; last line: " + got));
    co_return result;
  }
  co_return result;
}

class TcpProbe final : public Probe {
 public:
  explicit TcpProbe(TcpOptions options) : options_(std::move(options)) {}

  core::Task<ProbeResult> Run(ProbeContext context) override {
    ProbeResult result;
    TcpProgress progress;
    const TcpTalk talk = [&](asio::ip::tcp::socket& socket) { return Talk(socket, options_, progress); };
    const auto done = co_await ConnectAndTalk(context, options_.address, talk, progress);
    result.success = done.has_value();
    if (!done) result.error = done.error().message;
    result.values = std::move(progress.values);
    if (options_.expect != nullptr)
      result.values.push_back({kRegexMetric.name, !result.success && !progress.received.empty() ? 1.0 : 0.0});
    co_return result;
  }

 private:
  TcpOptions options_;
};

std::unique_ptr<Probe> Make(const core::Options& options, core::ConfigErrors& errors) {
  TcpOptions tcp;
  tcp.text = options.Text("address");
  const auto address = ParseHostPort(tcp.text);
  if (address) {
    tcp.address = *address;
  } else if (options.Given("address")) {
    errors.Add(options.Where("address"), address.error().message);
  }
  tcp.send = options.Text("send");
  if (options.Has("expect"))
    if (auto regex = core::CompileRegex(options.Text("expect")))
      tcp.expect = *regex;  // the table has told of a bad one
  return std::make_unique<TcpProbe>(std::move(tcp));
}

}  // namespace

const ProbeKind kTcpProbe{.name = "tcp",
                          .summary = "Connects to a TCP port; may send a text and expect an answer.",
                          .options = kTables,
                          .metrics = kMetrics,
                          .make = &Make};

}  // namespace pipewarden::exporters
