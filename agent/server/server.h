// The web server: civetweb beneath, the router above. One thread holds one connection, so threads are many and what a
// connection may hold them for is bounded: a short time for the request's head and for each read and write, connections
// capped by peer when they open (connection_limit.h), kept after a POST only while most threads are free. Up to three
// listeners, each with threads of its own: the addresses, the Unix socket, and an optional one for health alone,
// without TLS and users, for who asks whether the agent lives (a kubelet).
//
// Start and Stop belong to one thread (the main one); everything else is safe from any thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/server/router.h"
#include "core/logging.h"
#include "core/result.h"
#include "core/time/clock.h"

namespace prometheus {
class Registry;
}

namespace pipewarden::agent {

struct ServerOptions {
  std::vector<std::string> listen_addresses{"127.0.0.1:9595"};  // host:port, [v6]:port, :port for all; port 0 takes any
  std::string health_listen_address{};  // of a listener for /-/healthy and /-/ready alone, without TLS; "" is none
  std::string storage_path{};           // the socket is pipewarden.sock there; "" is none
  bool storage_is_locked = false;       // by the caller, with StorageLock; else the server locks it
  std::string web_config_file{};        // "" is none
  std::vector<std::string> hosts{};     // names for Host headers beside those of the web configuration
  bool open = false;                    // see RouterOptions
  // Of origins (https://grafana.example) whose scripts may read /api/v1, a regular expression; "": nobody's.
  std::string cors_origin{};
  std::function<bool()> ready{};  // until then 503 but for the health routes; empty: always. Any thread.
  int threads = 64;
  int connections_per_peer = 24;
  core::Duration request_timeout = std::chrono::seconds(5);  // for a request's head, and for each read and write
};

class Server {
 public:
  // kInvalid: an address that cannot be read, a bad web configuration, a socket path that is too long. kUnavailable: an
  // address that is in use. kDenied: another agent holds the storage path.
  static core::Result<std::unique_ptr<Server>> Start(ServerOptions options, std::vector<Route> routes,
                                                     core::Clock& clock, core::Logger logger,
                                                     std::shared_ptr<prometheus::Registry> registry);
  ~Server();

  // Ends all connections and threads; handlers that run are waited for. The socket file goes.
  void Stop();
  // Reads --web.config.file again and changes nothing yet: calling what it gives takes it. Whether TLS is spoken at all
  // and its versions, ciphers and client verification stay until a restart; users, roles, headers and hosts follow at
  // once, certificates by themselves.
  core::Result<std::function<void()>> ReadWebConfig() const;

  // Where it answers, with real ports: "http://127.0.0.1:9595".
  const std::vector<std::string>& urls() const;
  const std::string& health_url() const;   // "" where there is none
  const std::string& socket_path() const;  // "" where there is none

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace pipewarden::agent
