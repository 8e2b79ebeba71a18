#include "tests/support/http_peer.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cctype>
#include <cstring>

namespace pipewarden::test {

struct HttpPeer::Tls {
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context{SSL_CTX_new(TLS_client_method()), SSL_CTX_free};
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl{nullptr, SSL_free};
};

HttpPeer::HttpPeer(const std::string& host, int port, const std::string& from, bool tls) {
  sockaddr_storage address{};
  socklen_t length = 0;
  if (host.starts_with('/')) {
    auto* unix_address = reinterpret_cast<sockaddr_un*>(&address);
    unix_address->sun_family = AF_UNIX;
    std::strncpy(unix_address->sun_path, host.c_str(), sizeof unix_address->sun_path - 1);
    length = sizeof *unix_address;
  } else if (host.find(':') != std::string::npos) {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&address);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(static_cast<std::uint16_t>(port));
    inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr);
    length = sizeof *v6;
  } else {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(static_cast<std::uint16_t>(port));
    inet_pton(AF_INET, host.c_str(), &v4->sin_addr);
    length = sizeof *v4;
  }
  descriptor_ = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval limit{.tv_sec = 5, .tv_usec = 0};
  setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (!from.empty()) {
    sockaddr_in source{};
    source.sin_family = AF_INET;
    inet_pton(AF_INET, from.c_str(), &source.sin_addr);
    bind(descriptor_, reinterpret_cast<sockaddr*>(&source), sizeof source);
  }
  if (connect(descriptor_, reinterpret_cast<sockaddr*>(&address), length) != 0) {
    close(descriptor_);
    descriptor_ = -1;
    return;
  }
  if (tls) {
    tls_ = std::make_unique<Tls>();
    tls_->ssl.reset(SSL_new(tls_->context.get()));
    SSL_set_fd(tls_->ssl.get(), descriptor_);
    if (SSL_connect(tls_->ssl.get()) != 1) {
      close(descriptor_);
      descriptor_ = -1;
    }
  }
}

HttpPeer::~HttpPeer() {
  if (descriptor_ >= 0) close(descriptor_);
}

void HttpPeer::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = tls_ ? SSL_write(tls_->ssl.get(), bytes.data(), static_cast<int>(bytes.size()))
                           : send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

HttpReply HttpPeer::Receive() {
  std::string text;
  char buffer[16384];
  while (true) {
    const auto got =
        tls_ ? SSL_read(tls_->ssl.get(), buffer, sizeof buffer) : recv(descriptor_, buffer, sizeof buffer, 0);
    if (got <= 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
  }
  HttpReply reply;
  if (text.size() < 12 || !text.starts_with("HTTP/1.1 ")) return reply;
  if (text.starts_with("HTTP/1.1 100")) text.erase(0, text.find("\r\n\r\n") + 4);
  reply.status = std::atoi(text.c_str() + 9);
  std::size_t at = text.find("\r\n") + 2;
  while (at < text.size() && text.compare(at, 2, "\r\n") != 0) {
    const std::size_t end = text.find("\r\n", at);
    const std::size_t colon = text.find(": ", at);
    std::string name = text.substr(at, colon - at);
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    reply.headers[name] = text.substr(colon + 2, end - colon - 2);
    at = end + 2;
  }
  std::string body = text.substr(std::min(text.size(), at + 2));
  if (reply.headers["transfer-encoding"] != "chunked") {
    reply.body = std::move(body);
    return reply;
  }
  for (std::size_t pos = 0; pos < body.size();) {
    const std::size_t size = std::stoul(body.substr(pos), nullptr, 16);
    if (size == 0) break;
    pos = body.find("\r\n", pos) + 2;
    reply.body += body.substr(pos, size);
    pos += size + 2;
  }
  return reply;
}

int PortOfUrl(const std::string& url) { return std::atoi(url.c_str() + url.rfind(':') + 1); }

}  // namespace pipewarden::test
