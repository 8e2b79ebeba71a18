// The kind `postgres`: what pg_isready tells, through libpq. Healthy where the server accepts connections; a wrong
// password, an unknown database or user still mean that it does. Not healthy: it rejects (SQLSTATE 57P03: starting up,
// shutting down, in recovery without hot standby), or does not answer.
//
// PQping blocks, so the connection is made with PQconnectPoll on the loop, names being resolved before (libpq would
// block on them). What libpq then knows inside (an authentication request came; the SQLSTATE) it tells by
// PQconnectionNeedsPassword, PQconnectionUsedPassword and the verbose error message. A user is always given: without
// one libpq says "no attempt" for a user id that is not in passwd, as in containers.
//
// Source implemented: internal_ping in PostgreSQL's fe-connect.c.
#include <libpq-fe.h>

#include <boost/asio.hpp>

#include "core/async/child_process.h"
#include "core/time/duration.h"
#include "exporters/http_options.h"
#include "exporters/probes/list.h"
#include "exporters/resolve.h"

namespace pipewarden::exporters {
namespace asio = boost::asio;
namespace {

using core::MetricType;
using core::OptionType;

constexpr std::string_view kSslModes[] = {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"};

constexpr core::Option kOptions[] = {
    {.name = "host",
     .default_text = "localhost",
     .help = "Host name, address, or the folder of the server's Unix socket."},
    {.name = "port",
     .type = OptionType::kInt,
     .default_text = "5432",
     .min = 1,
     .max = 65535,
     .help = "The server's port."},
    {.name = "user", .default_text = "postgres", .help = "User to connect as. It need not exist."},
    {.name = "password",
     .type = OptionType::kSecret,
     .help = "Its password. Without a right one the server still counts as up."},
    {.name = "dbname", .help = "Database to connect to; by default the user's name. It need not exist."},
    {.name = "sslmode",
     .type = OptionType::kEnum,
     .default_text = "prefer",
     .choices = kSslModes,
     .help = "Whether to use TLS, as libpq's sslmode."},
    {.name = "ca_file",
     .type = OptionType::kPath,
     .help = "PEM file of the authorities that verify-ca and verify-full trust."},
    {.name = "require_login",
     .type = OptionType::kBool,
     .default_text = "false",
     .help = "Healthy only where the login succeeds too."},
};
const core::OptionTable kTables[] = {kOptions};

constexpr ProbeMetric kMetrics[] = {
    {"probe_postgres_status", MetricType::kGauge, "",
     "1 for what pg_isready would say (label status: accepting, rejecting, no_response), 0 for the others."},
    {"probe_postgres_login", MetricType::kGauge, "", "1 where the login succeeded, else 0."},
    {"probe_postgres_server_version", MetricType::kGauge, "",
     "The server's version as a number, such as 150004; after a login."},
    {"probe_postgres_in_hot_standby", MetricType::kGauge, "",
     "1 on a standby, else 0; after a login, since PostgreSQL 14."},
    kDnsLookupMetric,
};

struct Target {
  std::string host, port, user, dbname, sslmode, ca_file;
  core::Secret password;
  bool require_login = false;
  bool IsSocket() const { return host.starts_with('/') || host.starts_with('@'); }
  std::string Where() const { return IsSocket() ? host + "/.s.PGSQL." + port : host + ":" + port; }
};

enum class Answer { kAccepting, kRejecting, kNoResponse };

struct ConnectionDeleter {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
using Connection = std::unique_ptr<PGconn, ConnectionDeleter>;

Connection Start(const Target& target, const std::vector<std::string>& addresses) {
  std::string hosts;
  std::string hostaddrs;
  for (const std::string& address : addresses) {
    hosts += (hosts.empty() ? "" : ",") + target.host;
    hostaddrs += (hostaddrs.empty() ? "" : ",") + address;
  }
  if (target.IsSocket()) hosts = target.host;
  std::vector<const char*> keys;
  std::vector<const char*> values;
  const auto add = [&](const char* key, const std::string& value) {
    if (value.empty()) return;
    keys.push_back(key);
    values.push_back(value.c_str());
  };
  add("host", hosts);
  add("hostaddr", hostaddrs);
  add("port", target.port);
  add("user", target.user);
  add("dbname", target.dbname);
  add("password", target.password.Reveal());
  add("sslmode", target.sslmode);
  add("sslrootcert", target.ca_file);
  const std::string name = "pipewarden";
  const std::string disable = "disable";
  const std::string no_file = "/nonexistent";  // not the agent's ~/.pgpass
  add("fallback_application_name", name);
  add("gssencmode", disable);
  add("passfile", no_file);
  keys.push_back(nullptr);
  values.push_back(nullptr);
  Connection connection(PQconnectStartParams(keys.data(), values.data(), 0));
  if (connection != nullptr) PQsetErrorVerbosity(connection.get(), PQERRORS_VERBOSE);
  return connection;
}

// The five characters after the severity: "FATAL:  28P01: password authentication failed".
std::string SqlState(std::string_view message) {
  for (std::size_t at = message.find(":  "); at != std::string_view::npos; at = message.find(":  ", at + 1)) {
    const std::string_view code = message.substr(at + 3, 5);
    const bool fits = code.size() == 5 && message.substr(at + 8, 2) == ": " &&
                      code.find_first_not_of("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string_view::npos;
    if (fits) return std::string(code);
  }
  return "";
}

// The first line of libpq's message, without the SQLSTATE and the password.
std::string FirstLine(const Target& target, std::string message) {
  const std::string& password = target.password.Reveal();
  for (std::size_t at = 0; !password.empty() && (at = message.find(password, at)) != std::string::npos;)
    message.replace(at, password.size(), "<secret>");
  if (const std::string state = SqlState(message); !state.empty()) message.erase(message.find(":  " + state) + 2, 7);
  message = message.substr(0, message.find('\n'));
  // "connection to server at "127.0.0.1", port 5432 failed: ": the caller says where.
  constexpr std::string_view kFailed = " failed: ";
  if (const std::size_t end = message.find(kFailed);
      message.starts_with("connection to server") && end != std::string::npos)
    message.erase(0, end + kFailed.size());
  return core::LastLine(message);
}

struct Outcome {
  Answer answer = Answer::kNoResponse;
  bool login = false;
  std::string message;
  int version = 0;
  std::string hot_standby;
};

Outcome ReadOutcome(const Target& target, PGconn* connection) {
  Outcome outcome;
  if (PQstatus(connection) == CONNECTION_OK) {
    outcome.answer = Answer::kAccepting;
    outcome.login = true;
    outcome.version = PQserverVersion(connection);
    if (const char* standby = PQparameterStatus(connection, "in_hot_standby")) outcome.hot_standby = standby;
    return outcome;
  }
  const std::string text = PQerrorMessage(connection);
  const std::string state = SqlState(text);
  outcome.message = FirstLine(target, text);
  if (PQconnectionNeedsPassword(connection) != 0 || PQconnectionUsedPassword(connection) != 0 ||
      (!state.empty() && state != "57P03")) {
    outcome.answer = Answer::kAccepting;
  } else if (state == "57P03") {
    outcome.answer = Answer::kRejecting;
  }
  return outcome;
}

// Waits until the connection's socket is ready. The descriptor is libpq's, which may close it at the next poll.
core::Task<void> WaitForSocket(core::Loop& loop, int fd, bool write) {
  struct Borrowed {
    asio::posix::stream_descriptor descriptor;
    ~Borrowed() { descriptor.release(); }
  } borrowed{asio::posix::stream_descriptor(loop.executor(), fd)};
  co_await borrowed.descriptor.async_wait(
      write ? asio::posix::descriptor_base::wait_write : asio::posix::descriptor_base::wait_read, asio::use_awaitable);
}

core::Task<core::Result<Outcome>> Connect(core::Loop& loop, Target target, std::vector<std::string> addresses,
                                          std::string& phase) {
  const core::Loop::Busy hold = loop.HoldTime();
  core::Result<Outcome> result;
  const Connection connection = Start(target, addresses);
  if (connection == nullptr) {
    result = core::Fail(core::ErrorCode::kInternal, "libpq has no memory");
    co_return result;
  }
  PostgresPollingStatusType poll =
      PQstatus(connection.get()) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  while (poll != PGRES_POLLING_OK && poll != PGRES_POLLING_FAILED) {
    const bool connected =
        PQstatus(connection.get()) != CONNECTION_STARTED && PQstatus(connection.get()) != CONNECTION_NEEDED;
    phase = connected ? "waiting for the answer of " : "connecting to ";
    co_await WaitForSocket(loop, PQsocket(connection.get()), poll == PGRES_POLLING_WRITING);
    poll = PQconnectPoll(connection.get());
  }
  result = ReadOutcome(target, connection.get());
  co_return result;
}

class PostgresProbe final : public Probe {
 public:
  explicit PostgresProbe(Target target) : target_(std::move(target)) {}

  core::Task<ProbeResult> Run(ProbeContext context) override {
    ProbeResult result;
    const auto start = std::chrono::steady_clock::now();
    std::vector<std::string> addresses;
    if (!target_.IsSocket()) {
      auto resolved = co_await ResolveHost(context.loop, target_.host, context.timeout);
      result.values.push_back({kDnsLookupMetric.name, core::ToSeconds(std::chrono::steady_clock::now() - start)});
      if (!resolved) {
        AddStatus(Answer::kNoResponse, false, result);
        result.error = resolved.error().message;
        co_return result;
      }
      addresses = std::move(*resolved);
    }
    std::string phase = "connecting to ";
    const core::Duration left = context.timeout - (std::chrono::steady_clock::now() - start);
    const auto outcome =
        co_await core::WithTimeout(context.loop, left, Connect(context.loop, target_, std::move(addresses), phase));
    if (!outcome) {
      AddStatus(Answer::kNoResponse, false, result);
      result.error = outcome.error().message;
      if (outcome.error().code == core::ErrorCode::kTimeout)
        result.error = "timed out after " + core::FormatDuration(context.timeout) + " while " + phase + target_.Where();
      co_return result;
    }
    Judge(*outcome, result);
    co_return result;
  }

 private:
  static void AddStatus(Answer answer, bool login, ProbeResult& result) {
    for (const auto& [status, name] : {std::pair{Answer::kAccepting, "accepting"},
                                       {Answer::kRejecting, "rejecting"},
                                       {Answer::kNoResponse, "no_response"}})
      result.values.push_back({"probe_postgres_status", status == answer ? 1.0 : 0.0, {{"status", name}}});
    result.values.push_back({"probe_postgres_login", login ? 1.0 : 0.0});
  }

  void Judge(const Outcome& outcome, ProbeResult& result) const {
    AddStatus(outcome.answer, outcome.login, result);
    if (outcome.login) {
      result.values.push_back({"probe_postgres_server_version", static_cast<double>(outcome.version)});
      if (!outcome.hot_standby.empty())
        result.values.push_back({"probe_postgres_in_hot_standby", outcome.hot_standby == "on" ? 1.0 : 0.0});
    }
    result.success = outcome.answer == Answer::kAccepting && (outcome.login || !target_.require_login);
    if (result.success) {
      result.message =
          outcome.login ? "accepting connections" : "accepting connections; the login failed: " + outcome.message;
      return;
    }
    const std::string what = outcome.answer == Answer::kAccepting   ? "the login failed"
                             : outcome.answer == Answer::kRejecting ? "the server rejects connections"
                                                                    : "no response";
    result.error = target_.Where() + ": " + what + (outcome.message.empty() ? "" : ": " + outcome.message);
  }

  Target target_;
};

std::unique_ptr<Probe> Make(const core::Options& options, core::ConfigErrors&) {
  Target target;
  target.host = options.Text("host");
  target.port = std::to_string(options.Int("port"));
  target.user = options.Text("user");
  target.dbname = options.Text("dbname");
  target.sslmode = options.Text("sslmode");
  target.ca_file = options.Text("ca_file");
  target.password = options.Secret("password");
  target.require_login = options.Bool("require_login");
  return std::make_unique<PostgresProbe>(std::move(target));
}

}  // namespace

const ProbeKind kPostgresProbe{.name = "postgres",
                               .summary = "Whether a PostgreSQL server accepts connections, as pg_isready.",
                               .options = kTables,
                               .metrics = kMetrics,
                               .make = &Make};

}  // namespace pipewarden::exporters
