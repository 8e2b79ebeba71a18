// A client of a server under test: raw bytes over a socket, from a chosen loopback address, and what came back. IPv4,
// IPv6, TLS (the certificate is not verified) and Unix sockets.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace pipewarden::test {

struct HttpReply {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // chunks joined, not decompressed
};

class HttpPeer {
 public:
  // "127.0.0.1", "::1", or a path of a Unix socket. `from` binds to a loopback address first ("127.0.0.2").
  HttpPeer(const std::string& host, int port, const std::string& from = "", bool tls = false);
  ~HttpPeer();
  bool connected() const { return descriptor_ >= 0; }
  void Send(std::string_view bytes);
  // Reads to the end of the stream, five seconds at most.
  HttpReply Receive();

 private:
  struct Tls;
  int descriptor_ = -1;
  std::unique_ptr<Tls> tls_;
};

int PortOfUrl(const std::string& url);  // "http://127.0.0.1:4711" -> 4711

}  // namespace pipewarden::test
