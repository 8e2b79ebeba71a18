// The kind `redis`: logs in where it has a password, PINGs, and reads INFO. Healthy where the server serves: it has
// loaded its dataset, its writes to disk succeed, and a replica's link to its master stands. A server that asks for a
// password that the probe does not have is up all the same, as a PostgreSQL is; nothing more is known of it then.
//
// It costs one connection and three commands a run. TLS is not spoken.
#include <array>
#include <boost/asio.hpp>
#include <charconv>

#include "core/text/utf8.h"
#include "core/time/duration.h"
#include "exporters/http_options.h"
#include "exporters/probes/list.h"
#include "exporters/redis_protocol.h"
#include "exporters/tcp_connect.h"

namespace pipewarden::exporters {
namespace asio = boost::asio;
namespace {

using core::MetricType;
using core::OptionType;

constexpr std::string_view kRoles[] = {"any", "master", "replica"};

constexpr core::Option kOptions[] = {
    {.name = "address", .default_text = "localhost:6379", .help = "The server: host:port, [IPv6]:port."},
    {.name = "username", .help = "User to log in as, where the server has users (ACL)."},
    {.name = "password",
     .type = OptionType::kSecret,
     .help = "Its password. Without a right one the server still counts as up."},
    {.name = "require_login",
     .type = OptionType::kBool,
     .default_text = "false",
     .help = "Healthy only where the server answers INFO, for which it may want a login."},
    {.name = "role",
     .type = OptionType::kEnum,
     .default_text = "any",
     .choices = kRoles,
     .help = "Fail where the server is something else, as after a failover."},
    {.name = "max_lag",
     .type = OptionType::kDuration,
     .help = "Fail where a replica has not heard of its master for longer than this."},
};
const core::OptionTable kTables[] = {kOptions};

constexpr ProbeMetric kMetrics[] = {
    {"probe_redis_login", MetricType::kGauge, "", "1 where the server answers INFO, else 0: it wants a login."},
    {"probe_redis_loading", MetricType::kGauge, "", "1 while it loads its dataset, else 0."},
    {"probe_redis_master", MetricType::kGauge, "", "1 for a master, 0 for a replica."},
    {"probe_redis_connected_replicas", MetricType::kGauge, "", "Replicas that are connected to it."},
    {"probe_redis_master_link_up", MetricType::kGauge, "", "Of a replica: 1 where its link to the master stands."},
    {"probe_redis_master_last_io_seconds", MetricType::kGauge, "seconds",
     "Of a replica: how long ago it last heard of its master."},
    {"probe_redis_rdb_save_ok", MetricType::kGauge, "", "1 where the last background save succeeded, else 0."},
    {"probe_redis_rdb_last_save_timestamp_seconds", MetricType::kGauge, "seconds", "When the dataset was last saved."},
    {"probe_redis_aof_write_ok", MetricType::kGauge, "",
     "1 where the last write to the append-only file succeeded, else 0."},
    {"probe_redis_used_memory_bytes", MetricType::kGauge, "bytes", "Memory of the dataset and all else."},
    {"probe_redis_max_memory_bytes", MetricType::kGauge, "bytes", "What it may take (maxmemory); 0 is no limit."},
    {"probe_redis_connected_clients", MetricType::kGauge, "", "Clients that are connected, this probe among them."},
    {"probe_redis_uptime_seconds", MetricType::kGauge, "seconds", "How long the server runs."},
    kDnsLookupMetric,
    kConnectMetric,
    kIpProtocolMetric,
    kIpHashMetric,
};

struct Target {
  HostPort address;
  std::string text;  // of the address
  std::string username;
  core::Secret password;
  bool require_login = false;
  std::string role;
  std::optional<core::Duration> max_lag;
};

using Info = std::map<std::string, std::string, std::less<>>;

std::string_view Get(const Info& info, std::string_view key) {
  const auto found = info.find(key);
  return found == info.end() ? std::string_view() : found->second;
}

std::optional<double> Number(const Info& info, std::string_view key) {
  const std::string_view text = Get(info, key);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

void AddInfo(const Info& info, std::vector<ProbeValue>& values) {
  constexpr std::pair<std::string_view, std::string_view> kNumbers[] = {
      {"loading", "probe_redis_loading"},
      {"connected_slaves", "probe_redis_connected_replicas"},
      {"master_last_io_seconds_ago", "probe_redis_master_last_io_seconds"},
      {"rdb_last_save_time", "probe_redis_rdb_last_save_timestamp_seconds"},
      {"used_memory", "probe_redis_used_memory_bytes"},
      {"maxmemory", "probe_redis_max_memory_bytes"},
      {"connected_clients", "probe_redis_connected_clients"},
      {"uptime_in_seconds", "probe_redis_uptime_seconds"},
  };
  for (const auto& [key, metric] : kNumbers)  // -1 is what Redis says for never
    if (const auto number = Number(info, key); number && *number >= 0) values.push_back({metric, *number});
  constexpr std::array<std::array<std::string_view, 3>, 4> kTexts = {{
      {"role", "master", "probe_redis_master"},
      {"master_link_status", "up", "probe_redis_master_link_up"},
      {"rdb_last_bgsave_status", "ok", "probe_redis_rdb_save_ok"},
      {"aof_last_write_status", "ok", "probe_redis_aof_write_ok"},
  }};
  for (const auto& [key, well, metric] : kTexts)
    if (const std::string_view text = Get(info, key); !text.empty())
      values.push_back({metric, text == well ? 1.0 : 0.0});
}

// What is wrong, or "".
std::string Judge(const Target& target, const Info& info) {
  if (Get(info, "loading") == "1") return "loads its dataset";
  const bool replica = Get(info, "role") == "slave";
  if (target.role == "master" && replica) return "is a replica, a master is expected";
  if (target.role == "replica" && !replica) return "is no replica";
  const std::string master = std::string(Get(info, "master_host")) + ":" + std::string(Get(info, "master_port"));
  if (replica && Get(info, "master_link_status") != "up") return "has no link to its master " + master;
  const auto heard = Number(info, "master_last_io_seconds_ago");
  if (replica && target.max_lag && heard && *heard > core::ToSeconds(*target.max_lag))
    return "has heard of its master " + master + " " + std::string(Get(info, "master_last_io_seconds_ago")) +
           "s ago, at most " + core::FormatDuration(*target.max_lag) + " wanted";
  if (Get(info, "rdb_last_bgsave_status") == "err") return "failed in its last background save";
  if (Get(info, "aof_last_write_status") == "err") return "failed in its last write to the append-only file";
  return "";
}

// Sends all commands, and reads as many replies.
core::Task<core::Result<void>> Ask(asio::ip::tcp::socket& socket, const Target& target, TcpProgress& progress,
                                   std::vector<RedisReply>& replies) {
  core::Result<void> result;
  std::string commands;
  std::size_t wanted = 2;
  if (!target.password.empty()) {
    commands = target.username.empty() ? RedisCommand({"AUTH", target.password.Reveal()})
                                       : RedisCommand({"AUTH", target.username, target.password.Reveal()});
    ++wanted;
  }
  commands += RedisCommand({"PING"}) + RedisCommand({"INFO"});
  progress.phase = "sending to " + target.text;
  auto [failed, sent] = co_await asio::async_write(socket, asio::buffer(commands), asio::as_tuple(asio::use_awaitable));
  if (failed == asio::error::operation_aborted) throw boost::system::system_error(failed);
  if (failed) {
    result = core::Fail(core::ErrorCode::kUnavailable, progress.phase + ": " + failed.message());
    co_return result;
  }
  progress.phase = "waiting for the answer of " + target.text;
  std::array<char, 4096> buffer{};
  while (replies.size() < wanted) {
    auto [error, size] = co_await socket.async_read_some(asio::buffer(buffer), asio::as_tuple(asio::use_awaitable));
    if (error == asio::error::operation_aborted) throw boost::system::system_error(error);
    if (error) {
      result = core::Fail(core::ErrorCode::kUnavailable, progress.phase + ": " + error.message());
      co_return result;
    }
    progress.received.append(buffer.data(), size);
    std::string_view rest = progress.received;
    RedisReply reply;
    RedisRead read = RedisRead::kMore;
    while (replies.size() < wanted && (read = TakeRedisReply(rest, reply)) == RedisRead::kReply)
      replies.push_back(std::move(reply));
    if (read == RedisRead::kBad) {
      result = core::Fail(core::ErrorCode::kUnavailable, "the answer of " + target.text + " is not Redis'");
      co_return result;
    }
    progress.received.erase(0, progress.received.size() - rest.size());
  }
  co_return result;
}

class RedisProbe final : public Probe {
 public:
  explicit RedisProbe(Target target) : target_(std::move(target)) {}

  core::Task<ProbeResult> Run(ProbeContext context) override {
    TcpProgress progress;
    std::vector<RedisReply> replies;
    const TcpTalk talk = [&](asio::ip::tcp::socket& socket) { return Ask(socket, target_, progress, replies); };
    const auto done = co_await ConnectAndTalk(context, target_.address, talk, progress);
    ProbeResult result;
    if (done) {
      Judge(replies, result, progress.values);
    } else {
      result.error = done.error().message;
    }
    result.success = result.error.empty();
    result.values = std::move(progress.values);
    co_return result;
  }

 private:
  // The last two replies are those to PING and INFO.
  void Judge(const std::vector<RedisReply>& replies, ProbeResult& result, std::vector<ProbeValue>& values) const {
    const RedisReply& ping = replies[replies.size() - 2];
    const RedisReply& info = replies.back();
    const auto say = [this](std::string_view what) { return target_.text + " " + core::ToValidUtf8(what); };
    values.push_back({"probe_redis_login", info.is_error ? 0.0 : 1.0});
    if (!info.is_error) {
      const Info parsed = ParseRedisInfo(info.text);
      AddInfo(parsed, values);
      if (const std::string wrong = exporters::Judge(target_, parsed); !wrong.empty()) {
        result.error = say(wrong);
        return;
      }
    }
    // LOADING, MISCONF (it cannot write to disk), MASTERDOWN; a login that is missing means that it is up.
    const bool wants_login = ping.text.starts_with("NOAUTH") || ping.text.starts_with("NOPERM");
    if (ping.is_error && !wants_login) {
      result.error = say("answers " + ping.text);
    } else if (info.is_error && target_.require_login) {
      result.error = say("refuses the login: " + (replies.size() > 2 ? replies.front() : info).text);
    } else if (info.is_error) {
      result.message = "up; not logged in";
    }
  }

  Target target_;
};

std::unique_ptr<Probe> Make(const core::Options& options, core::ConfigErrors& errors) {
  Target target;
  target.text = options.Text("address");
  if (const auto address = ParseHostPort(target.text)) {
    target.address = *address;
  } else {
    errors.Add(options.Where("address"), address.error().message);
  }
  target.username = options.Text("username");
  target.password = options.Secret("password");
  if (!target.username.empty() && target.password.empty())
    errors.Add(options.Where("username"), "`username` without a `password` does nothing: give one");
  target.require_login = options.Bool("require_login");
  target.role = options.Text("role");
  if (options.Has("max_lag")) target.max_lag = options.Duration("max_lag");
  return std::make_unique<RedisProbe>(std::move(target));
}

}  // namespace

const ProbeKind kRedisProbe{.name = "redis",
                            .summary = "Whether a Redis serves: loaded, writing to disk, linked to its master.",
                            .options = kTables,
                            .metrics = kMetrics,
                            .make = &Make};

}  // namespace pipewarden::exporters
