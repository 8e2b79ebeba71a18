#include "agent/server/server.h"

#include <civetweb.h>
#include <openssl/ssl.h>
#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <re2/re2.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <optional>

#include "agent/server/civetweb_hooks.h"
#include "agent/server/response_writer.h"
#include "agent/server/tls.h"
#include "agent/server/unix_socket.h"
#include "agent/server/web_config.h"
#include "core/async/mutex.h"

namespace pipewarden::agent {
namespace {

using core::ErrorCode;
using core::Fail;
using core::Result;

constexpr std::size_t kMaxDrainedBytes = 128U << 20U;
constexpr std::string_view kMaxRequestHead = "32768";
constexpr std::string_view kKeepAliveMs = "5000";  // for which a connection without a request holds its thread
constexpr int kThreadsPerKept = 4;                 // connections are kept while at most one of so many threads is taken

// What a reload swaps as one: taken by each request for its length.
struct Rules {
  Router router;
  Router health_router;  // health alone, without users
  Headers headers;
};

struct Metrics {
  prometheus::Family<prometheus::Counter>* requests = nullptr;
  prometheus::Histogram* duration = nullptr;
  prometheus::Counter* refused = nullptr;

  explicit Metrics(prometheus::Registry& registry) {
    requests = &prometheus::BuildCounter()
                    .Name("pipewarden_http_requests_total")
                    .Help("Requests that the agent's web server answered, by route and status.")
                    .Register(registry);
    duration = &prometheus::BuildHistogram()
                    .Name("pipewarden_http_request_duration_seconds")
                    .Help("Time from a request's head to the last byte of its answer.")
                    .Register(registry)
                    .Add({}, prometheus::Histogram::BucketBoundaries{0.001, 0.01, 0.1, 1, 10});
  }
};

enum class Kind { kAddresses, kSocket, kHealth };

int HandleBegin(mg_connection* connection);
int HandleError(mg_connection* connection, int status, const char* message);
int HandleLog(const mg_connection* connection, const char* message);
int HandleInitSsl(void* context, void* user);
void* HandleInitThread(const mg_context* context, int type);

// One civetweb context: its threads, its listening sockets.
struct Listener {
  Kind kind = Kind::kAddresses;
  mg_context* context = nullptr;
  CivetwebHooks hooks;
  int threads = 0;
  core::Clock* clock = nullptr;
  core::Logger logger;
  Metrics* metrics = nullptr;
  TlsContext* tls = nullptr;
  std::function<std::shared_ptr<const Rules>()> rules;
  std::string complaint;  // what civetweb said while it started

  Listener(Kind listener_kind, int per_peer, core::Logger log)
      : kind(listener_kind), hooks(per_peer), logger(std::move(log)) {}

  Result<void> Start(const std::string& ports, int thread_total, core::Duration timeout) {
    threads = thread_total;
    const std::string thread_count = std::to_string(threads);
    const std::string timeout_ms =
        std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count());
    const char* options[] = {"listening_ports",
                             ports.c_str(),
                             "num_threads",
                             thread_count.c_str(),
                             "request_timeout_ms",
                             timeout_ms.c_str(),
                             "max_request_size",
                             kMaxRequestHead.data(),
                             "decode_url",
                             "no",
                             "enable_keep_alive",
                             "yes",
                             "keep_alive_timeout_ms",
                             kKeepAliveMs.data(),
                             "tcp_nodelay",
                             "1",
                             "listen_backlog",
                             "512",
                             nullptr};
    mg_callbacks callbacks{};
    callbacks.begin_request = HandleBegin;
    callbacks.http_error = HandleError;
    callbacks.log_message = HandleLog;
    callbacks.init_thread = HandleInitThread;
    callbacks.init_ssl = HandleInitSsl;
    context = mg_start(&callbacks, this, options);
    if (context != nullptr) return {};
    return Fail(ErrorCode::kUnavailable,
                "cannot listen on " + ports + ": " + (complaint.empty() ? "civetweb gave no reason" : complaint));
  }

  // The ports of its addresses in their order, as text.
  std::vector<std::string> Ports() const {
    std::array<mg_server_port, 32> ports{};
    const int count = mg_get_server_ports(context, ports.size(), ports.data());
    std::vector<std::string> texts;
    for (int i = 0; i < count; ++i) texts.push_back(std::to_string(ports.at(static_cast<std::size_t>(i)).port));
    return texts;
  }
};

void* HandleInitThread(const mg_context* context, int) {
  static_cast<Listener*>(mg_get_user_data(context))->hooks.UseInThisThread();
  return nullptr;
}

int HandleInitSsl(void* context, void* user) {
  auto* listener = static_cast<Listener*>(user);
  if (listener->tls == nullptr) return 1;  // a listener without TLS, which civetweb took for one by its address
  return listener->tls->SetUp(static_cast<SSL_CTX*>(context)) ? 1 : -1;
}

int HandleLog(const mg_connection* connection, const char* message) {
  auto* listener = static_cast<Listener*>(mg_get_user_data(mg_get_context(connection)));
  if (listener == nullptr) return 1;
  if (listener->context == nullptr) {
    if (!listener->complaint.empty()) listener->complaint += "; ";
    listener->complaint += message;
  } else {
    listener->logger.Debug("web server", {{"message", message}});
  }
  return 1;
}

int HandleError(mg_connection* connection, int status, const char* message) {
  // civetweb's own words, for what never became a request: they are about the request's form and safe to show.
  HttpResponse response = TextResponse(std::string(message) + "\n", status);
  mg_disable_connection_keep_alive(connection);
  HttpRequest request;
  request.method = "GET";
  Send(connection, std::move(response), {}, request);
  return 0;
}

enum class BodyState { kRead, kTooLong, kIncomplete };

// Reads the body, at most `max_bytes` of it and until the deadline.
BodyState ReadBody(mg_connection* connection, const mg_request_info& info, HttpRequest& request, std::size_t max_bytes,
                   const core::Clock& clock) {
  if (info.content_length > static_cast<long long>(max_bytes)) return BodyState::kTooLong;
  const bool has_length = info.content_length >= 0;
  const bool chunked = EqualsIgnoreCase(request.Header("Transfer-Encoding"), "chunked");
  if (!chunked && info.content_length <= 0) return BodyState::kRead;
  if (EqualsIgnoreCase(request.Header("Expect"), "100-continue")) {
    if (!Write(connection, "HTTP/1.1 100 Continue\r\n\r\n")) return BodyState::kIncomplete;
  }
  if (has_length) request.body.reserve(static_cast<std::size_t>(info.content_length));
  std::array<char, 16384> buffer{};
  while (!has_length || request.body.size() < static_cast<std::size_t>(info.content_length)) {
    const int got = mg_read(connection, buffer.data(), buffer.size());
    if (got == 0 && !has_length) return BodyState::kRead;
    if (got <= 0) return BodyState::kIncomplete;
    request.body.append(buffer.data(), static_cast<std::size_t>(got));
    if (request.body.size() > max_bytes) return BodyState::kTooLong;
    if (clock.Monotonic() > request.deadline) return BodyState::kIncomplete;
  }
  return BodyState::kRead;
}

// A close with unread bytes resets the connection, and the client never sees why: read what is on its way, within
// bounds.
void Drain(mg_connection* connection, const core::Clock& clock) {
  std::array<char, 16384> buffer{};
  std::size_t total = 0;
  const core::MonoTime until = clock.Monotonic() + std::chrono::seconds(3);
  while (total < kMaxDrainedBytes && clock.Monotonic() < until) {
    const int got = mg_read(connection, buffer.data(), buffer.size());
    if (got <= 0) return;
    total += static_cast<std::size_t>(got);
  }
}

bool IsLoopback(std::string_view address) {
  return address.starts_with("127.") || address == "::1" || address.starts_with("::ffff:127.");
}

HttpRequest MakeRequest(const Listener& listener, const mg_request_info& info) {
  HttpRequest request;
  request.method = info.request_method;
  request.path = info.local_uri_raw == nullptr ? "" : info.local_uri_raw;
  request.query = info.query_string == nullptr ? "" : info.query_string;
  request.unix_socket = listener.kind == Kind::kSocket;
  if (!request.unix_socket) request.peer = info.remote_addr;
  request.loopback = IsLoopback(request.peer);
  request.tls = info.is_ssl != 0;
  for (int i = 0; i < info.num_headers; ++i) {
    request.headers.emplace_back(info.http_headers[i].name, info.http_headers[i].value);
  }
  return request;
}

// Who posts is likely to post again: alerts, samples. Who gets comes back after longer than a thread should wait.
bool WantsKeepAlive(const HttpRequest& request, const mg_request_info& info) {
  if (request.method != "POST") return false;
  const std::string_view wish = request.Header("Connection");
  return wish.empty() ? std::string_view(info.http_version) == "1.1" : EqualsIgnoreCase(wish, "keep-alive");
}

// Runs a request through router and handler; gives the response and whether the body was read to its end.
HttpResponse Answer(HttpRequest& request, mg_connection* connection, const mg_request_info& info,
                    const core::Clock& clock, const Router::Choice& choice, bool& body_read) {
  const bool has_body = info.content_length > 0 || !request.Header("Transfer-Encoding").empty();
  body_read = !has_body;
  if (choice.refusal) return *choice.refusal;
  const Route& route = *choice.route;
  switch (ReadBody(connection, info, request, route.max_body_bytes, clock)) {
    case BodyState::kTooLong:
      return ErrorResponse(route.envelope, 413,
                           "the request's body is longer than the " + std::to_string(route.max_body_bytes) +
                               " bytes that this route takes");
    case BodyState::kIncomplete:
      return ErrorResponse(route.envelope, 408, "the request's body did not come whole in time");
    case BodyState::kRead:
      break;
  }
  body_read = true;
  return Router::Run(route, request);
}

int HandleRequest(mg_connection* connection) {
  auto& listener = *static_cast<Listener*>(mg_get_user_data(mg_get_context(connection)));
  const mg_request_info& info = *mg_get_request_info(connection);
  const auto rules = listener.rules();
  const core::MonoTime started = listener.clock->Monotonic();
  HttpRequest request = MakeRequest(listener, info);
  std::string route = "none";
  bool body_read = true;
  const Router& router = listener.kind == Kind::kHealth ? rules->health_router : rules->router;
  const Router::Choice choice = router.Choose(request, started);
  if (choice.route != nullptr) route = choice.route->path;
  HttpResponse response = Answer(request, connection, info, *listener.clock, choice, body_read);
  router.AddCors(request, choice.route, response);
  const int status = response.status;
  request.keep_alive =
      body_read && WantsKeepAlive(request, info) && listener.hooks.limit.open() * kThreadsPerKept <= listener.threads;
  const bool sent = Send(connection, std::move(response), rules->headers, request);
  if (!sent || !request.keep_alive) mg_disable_connection_keep_alive(connection);
  if (!body_read) Drain(connection, *listener.clock);
  listener.metrics->requests->Add({{"route", route}, {"code", std::to_string(status)}}).Increment();
  listener.metrics->duration->Observe(core::ToSeconds(listener.clock->Monotonic() - started));
  listener.logger.Debug("request", {{"method", request.method},
                                    {"path", request.path},
                                    {"status", std::to_string(status)},
                                    {"peer", request.unix_socket ? "unix" : request.peer}});
  return status;
}

// civetweb is C: no exception may pass through it. What a handler throws is a 500 already (Router::Run); what is left
// is a streamed body, whose head is sent, or no memory: the connection is closed.
int HandleBegin(mg_connection* connection) {
  try {
    return HandleRequest(connection);
  } catch (const std::exception& error) {
    auto& listener = *static_cast<Listener*>(mg_get_user_data(mg_get_context(connection)));
    mg_disable_connection_keep_alive(connection);
    listener.logger.Error("a request ended by an exception", {{"error", error.what()}});
    return 500;
  }
}

// "127.0.0.1:9595" -> what civetweb calls a port; ":9595" is all addresses of both protocols.
Result<std::string> PortOf(const std::string& address, bool tls) {
  const std::size_t colon = address.rfind(':');
  const std::string port = colon == std::string::npos ? "" : address.substr(colon + 1);
  const std::string host = address.substr(0, colon == std::string::npos ? 0 : colon);
  const bool number = !port.empty() && port.size() <= 5 && port.find_first_not_of("0123456789") == std::string::npos &&
                      std::stoi(port) <= 65535;
  const bool bad_host = host.find_first_of(", /x+") != std::string::npos && host.find('[') == std::string::npos;
  if (!number || bad_host) {
    return Fail(ErrorCode::kInvalid, "the listen address '" + address +
                                         "' is not HOST:PORT, [IPV6]:PORT or :PORT (with a port from 0 to 65535)");
  }
  return (host.empty() ? "+" + port : host + ":" + port) + (tls ? "s" : "");
}

std::vector<std::string> OwnNames() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return {};
  return {HostName(name.data())};
}

}  // namespace

struct Server::State {
  ServerOptions options;
  std::vector<Route> routes;
  core::Clock* clock = nullptr;
  core::Logger logger;
  std::shared_ptr<prometheus::Registry> registry;
  std::optional<Metrics> metrics;
  std::unique_ptr<TlsContext> tls;
  std::optional<StorageLock> lock;
  std::vector<std::unique_ptr<Listener>> listeners;
  std::vector<std::string> urls;
  std::string health_url;
  std::string socket_path;
  core::Mutex mutex;
  std::shared_ptr<const Rules> rules GUARDED_BY(mutex);

  explicit State(core::Logger log) : logger(std::move(log)) {}

  std::shared_ptr<const Rules> CurrentRules() {
    const core::MutexLock guard(mutex);
    return rules;
  }

  Result<WebConfig> ReadConfig() const {
    return options.web_config_file.empty() ? WebConfig{} : LoadWebConfig(options.web_config_file);
  }

  Result<std::shared_ptr<const Rules>> MakeRules(WebConfig config) const {
    RouterOptions router_options;
    router_options.ready = options.ready;
    if (!options.cors_origin.empty()) {
      // ^(?:.*)$ is anybody: the answer then names nobody and can be cached.
      auto allowed = std::make_shared<const re2::RE2>("^(?:" + options.cors_origin + ")$", re2::RE2::Quiet);
      if (!allowed->ok())
        return Fail(ErrorCode::kInvalid,
                    "--web.cors.origin '" + options.cors_origin + "' is no regular expression: " + allowed->error());
      router_options.allow_origin = [allowed, any = options.cors_origin == ".*"](std::string_view origin) {
        if (any) return std::string("*");
        return re2::RE2::PartialMatch(re2::StringPiece(origin.data(), origin.size()), *allowed) ? std::string(origin)
                                                                                                : std::string();
      };
    }
    router_options.open = options.open;
    router_options.hosts = OwnNames();
    for (const auto& names : {options.hosts, config.allowed_hosts}) {
      for (const std::string& name : names) router_options.hosts.push_back(HostName(name));
    }
    // Not the metrics: they name hosts and pipelines, and stay behind the users.
    std::vector<Route> health_routes;
    for (const Route& route : routes) {
      if (route.open && route.path.starts_with("/-/")) health_routes.push_back(route);
    }
    auto health_router = Router::Make(std::move(health_routes), router_options);
    if (!health_router) return std::unexpected(health_router.error());
    if (!config.users.empty()) {
      auto users = std::make_shared<Users>(std::move(config.users));
      router_options.authenticate = [users](std::string_view authorization) {
        return users->Authenticate(authorization);
      };
    }
    auto router = Router::Make(routes, std::move(router_options));
    if (!router) return std::unexpected(router.error());
    return std::make_shared<const Rules>(std::move(*router), std::move(*health_router), std::move(config.headers));
  }

  void Take(std::shared_ptr<const Rules> made) {
    const core::MutexLock guard(mutex);
    rules = std::move(made);
  }

  Result<Listener*> Listen(Kind kind, const std::string& ports, int threads) {
    auto listener = std::make_unique<Listener>(kind, options.connections_per_peer, logger);
    listener->clock = clock;
    listener->metrics = &*metrics;
    listener->tls = kind == Kind::kAddresses ? tls.get() : nullptr;
    listener->rules = [this] { return CurrentRules(); };
    if (auto started = listener->Start(ports, threads, options.request_timeout); !started) {
      return std::unexpected(started.error());
    }
    listeners.push_back(std::move(listener));
    return listeners.back().get();
  }

  Result<void> ListenOnAddresses() {
    std::string ports;
    for (const std::string& address : options.listen_addresses) {
      auto port = PortOf(address, tls != nullptr);
      if (!port) return std::unexpected(port.error());
      ports += (ports.empty() ? "" : ",") + *port;
    }
    if (ports.empty()) return {};
    auto listener = Listen(Kind::kAddresses, ports, options.threads);
    if (!listener) return std::unexpected(listener.error());
    const auto real = (*listener)->Ports();
    for (std::size_t i = 0; i < options.listen_addresses.size() && i < real.size(); ++i) {
      const std::string& address = options.listen_addresses[i];
      const std::string host = address.substr(0, address.rfind(':'));
      urls.push_back((tls ? "https://" : "http://") + (host.empty() ? "localhost" : host) + ":" + real[i]);
    }
    return {};
  }

  Result<void> ListenForHealth() {
    if (options.health_listen_address.empty()) return {};
    auto port = PortOf(options.health_listen_address, false);
    if (!port) return std::unexpected(port.error());
    auto listener = Listen(Kind::kHealth, *port, 8);
    if (!listener) return std::unexpected(listener.error());
    const std::string host = options.health_listen_address.substr(0, options.health_listen_address.rfind(':'));
    const auto real = (*listener)->Ports();
    if (!real.empty()) health_url = "http://" + (host.empty() ? "localhost" : host) + ":" + real.front();
    return {};
  }

  Result<void> ListenOnSocket() {
    if (options.storage_path.empty()) return {};
    auto path = SocketPath(options.storage_path);
    if (!path) return std::unexpected(path.error());
    if (!options.storage_is_locked) {
      auto taken = StorageLock::Take(options.storage_path, *path);
      if (!taken) return std::unexpected(taken.error());
      lock.emplace(std::move(*taken));
    }
    // civetweb binds it, with the mode that the process's umask gives, and takes a digit followed by 's' anywhere in
    // the path for a TLS port. So it is bound in a private folder, named by its descriptor, gets its mode there, and
    // moves.
    auto room = PrivateFolder::Make(options.storage_path);
    if (!room) return std::unexpected(room.error());
    auto listener = Listen(Kind::kSocket, "x" + room->PathByDescriptor("socket"), 8);
    if (!listener) return std::unexpected(listener.error());
    if (auto moved = room->MoveOut("socket", *path, 0600); !moved) return moved;
    socket_path = std::move(*path);
    return {};
  }
};

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}
Server::~Server() { Stop(); }

Result<std::unique_ptr<Server>> Server::Start(ServerOptions options, std::vector<Route> routes, core::Clock& clock,
                                              core::Logger logger, std::shared_ptr<prometheus::Registry> registry) {
  auto state = std::make_unique<State>(std::move(logger));
  state->options = std::move(options);
  state->routes = std::move(routes);
  state->clock = &clock;
  state->registry = std::move(registry);
  state->metrics.emplace(*state->registry);
  auto config = state->ReadConfig();
  if (!config) return std::unexpected(config.error());
  if (!config->tls.cert_file.empty()) {
    auto tls = TlsContext::Make(config->tls, state->logger);
    if (!tls) return std::unexpected(tls.error().Within(state->options.web_config_file));
    state->tls = std::move(*tls);
  }
  auto rules = state->MakeRules(std::move(*config));
  if (!rules) return std::unexpected(rules.error());
  state->Take(std::move(*rules));
  mg_init_library(state->tls ? MG_FEATURES_TLS : MG_FEATURES_DEFAULT);
  std::unique_ptr<Server> server(new Server(std::move(state)));
  for (const auto step : {&State::ListenOnSocket, &State::ListenOnAddresses, &State::ListenForHealth}) {
    if (auto done = (server->state_.get()->*step)(); !done) return std::unexpected(done.error());
  }
  return server;
}

void Server::Stop() {
  if (state_->metrics == std::nullopt) return;
  for (const auto& listener : state_->listeners) {
    listener->hooks.WakeAll();
    mg_stop(listener->context);
  }
  state_->listeners.clear();
  if (!state_->socket_path.empty()) unlink(state_->socket_path.c_str());
  state_->lock.reset();
  state_->metrics.reset();
  mg_exit_library();
}

Result<std::function<void()>> Server::ReadWebConfig() const {
  auto config = state_->ReadConfig();
  if (!config) return std::unexpected(config.error());
  auto rules = state_->MakeRules(std::move(*config));
  if (!rules) return std::unexpected(rules.error());
  return [state = state_.get(), made = std::move(*rules)] { state->Take(made); };
}

const std::vector<std::string>& Server::urls() const { return state_->urls; }
const std::string& Server::health_url() const { return state_->health_url; }
const std::string& Server::socket_path() const { return state_->socket_path; }

}  // namespace pipewarden::agent
