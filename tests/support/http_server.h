// A small HTTP server on the loopback interface for tests, with threads of its own (so that it works with a jumping
// clock). It can be slow, cut its answers, answer garbage, hang, and speak TLS with a certificate made on the spot. One
// request a connection unless keep_alive.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/test_certificate.h"

namespace pipewarden::test {

class HttpServer {
 public:
  struct Request {
    std::string method, target, version, body;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string Header(std::string_view name) const;  // case-insensitive, "" where absent
    std::string Path() const { return target.substr(0, target.find('?')); }
  };
  struct Response {
    int status = 200;
    std::string body = {};
    std::vector<std::pair<std::string, std::string>> headers = {};  // Content-Length and Connection are added
    std::chrono::milliseconds delay{};                              // before the first byte
    std::chrono::milliseconds body_delay{};                         // between headers and body
    bool hang = false;                                              // no answer until the server ends
    std::optional<std::string> raw = {};                            // sent instead of all that
    std::optional<std::size_t> cut_after = {};                      // bytes sent before the connection is closed
    bool reset = false;                                             // close by RST instead of FIN
  };
  using Handler = std::function<Response(const Request&)>;  // called on the server's threads
  struct Options {
    const TestCertificate* tls = nullptr;
    std::string unix_socket = {};
    bool keep_alive = false;
    bool accept = true;  // false: listens, and never answers anything
  };

  explicit HttpServer(Handler handler) : HttpServer(std::move(handler), Options{}) {}
  HttpServer(Handler handler, Options options);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const { return port_; }
  std::string Address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string Url(std::string_view path = "/") const;
  std::vector<Request> Requests() const;
  std::size_t Connections() const { return connections_; }
  // Waits until `count` requests have come; false after `limit`.
  bool WaitForRequests(std::size_t count, std::chrono::milliseconds limit = std::chrono::seconds(10)) const;

  static std::string Gzip(std::string_view text);

 private:
  struct Connection;
  void Accept();
  void Serve(Connection& connection);
  bool ServeOne(Connection& connection);
  bool SendAnswer(Connection& connection, const Response& response);
  bool Pause(std::chrono::milliseconds time);

  Handler handler_;
  Options options_;
  int listener_ = -1;
  int port_ = 0;
  void* tls_ = nullptr;  // SSL_CTX*
  std::atomic<bool> ending_{false};
  std::atomic<std::size_t> connections_{0};
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<Request> requests_;
  std::list<std::unique_ptr<Connection>> open_;
  std::thread acceptor_;
};

// A port on 127.0.0.1 on which nothing listens now.
int ClosedPort();

}  // namespace pipewarden::test
