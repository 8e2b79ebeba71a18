#include "tests/support/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zlib.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace pipewarden::test {
namespace {

void Check(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(std::string("test server: ") + what + ": " + strerror(errno));
}

int ListenOnLoopback(int& port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  Check(fd >= 0, "socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  Check(bind(fd, raw, sizeof address) == 0, "bind");
  socklen_t size = sizeof address;
  Check(getsockname(fd, raw, &size) == 0, "getsockname");
  port = ntohs(address.sin_port);
  return fd;
}

int ListenOnPath(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  Check(fd >= 0, "socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  Check(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "bind");
  return fd;
}

}  // namespace

std::string HttpServer::Request::Header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (key.size() == name.size() && strncasecmp(key.data(), name.data(), name.size()) == 0) return value;
  return "";
}

// A connection: its socket, its TLS state, its thread.
struct HttpServer::Connection {
  int fd = -1;
  SSL* ssl = nullptr;
  std::string received;
  std::thread thread;

  ~Connection() {
    if (thread.joinable()) thread.join();
    if (ssl != nullptr) SSL_free(ssl);
    if (fd >= 0) close(fd);
  }
  long Read(char* data, std::size_t size) const {
    return ssl != nullptr ? SSL_read(ssl, data, static_cast<int>(size)) : recv(fd, data, size, 0);
  }
  bool Write(std::string_view data) const {
    while (!data.empty()) {
      const long sent = ssl != nullptr ? SSL_write(ssl, data.data(), static_cast<int>(data.size()))
                                       : send(fd, data.data(), data.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      data.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
};

HttpServer::HttpServer(Handler handler, Options options) : handler_(std::move(handler)), options_(std::move(options)) {
  signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
  listener_ = options_.unix_socket.empty() ? ListenOnLoopback(port_) : ListenOnPath(options_.unix_socket);
  Check(listen(listener_, 128) == 0, "listen");
  if (options_.tls != nullptr) {
    SSL_CTX* context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate_chain_file(context, options_.tls->cert_file.c_str());
    SSL_CTX_use_PrivateKey_file(context, options_.tls->key_file.c_str(), SSL_FILETYPE_PEM);
    tls_ = context;
  }
  if (options_.accept) acceptor_ = std::thread([this] { Accept(); });
}

HttpServer::~HttpServer() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    changed_.notify_all();
    for (const auto& connection : open_) shutdown(connection->fd, SHUT_RDWR);
  }
  shutdown(listener_, SHUT_RDWR);
  if (acceptor_.joinable()) acceptor_.join();
  close(listener_);
  open_.clear();
  if (tls_ != nullptr) SSL_CTX_free(static_cast<SSL_CTX*>(tls_));
}

std::string HttpServer::Url(std::string_view path) const {
  const bool named = options_.tls != nullptr && options_.tls->name != "localhost";
  return (options_.tls != nullptr ? "https://" : "http://") +
         (port_ == 0 || named ? "localhost" + (port_ == 0 ? "" : ":" + std::to_string(port_)) : Address()) +
         std::string(path);
}

void HttpServer::Accept() {
  while (!ending_) {
    pollfd ready{.fd = listener_, .events = POLLIN, .revents = 0};
    if (poll(&ready, 1, 1000) <= 0 || ending_) continue;
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    ++connections_;
    auto connection = std::make_unique<Connection>();
    connection->fd = fd;
    Connection* raw = connection.get();
    const std::lock_guard lock(mutex_);
    open_.push_back(std::move(connection));
    if (ending_) shutdown(fd, SHUT_RDWR);
    raw->thread = std::thread([this, raw] { Serve(*raw); });
  }
}

void HttpServer::Serve(Connection& connection) {
  if (tls_ != nullptr) {
    connection.ssl = SSL_new(static_cast<SSL_CTX*>(tls_));
    SSL_set_fd(connection.ssl, connection.fd);
  }
  if (connection.ssl == nullptr || SSL_accept(connection.ssl) == 1) {
    while (ServeOne(connection) && options_.keep_alive) {
    }
    if (connection.ssl != nullptr && !ending_) SSL_shutdown(connection.ssl);
  }
  shutdown(connection.fd, SHUT_RDWR);
}

bool HttpServer::ServeOne(Connection& connection) {
  std::string& text = connection.received;
  char buffer[8192];
  const auto read_more = [&] {
    const long size = connection.Read(buffer, sizeof buffer);
    if (size > 0) text.append(buffer, static_cast<std::size_t>(size));
    return size > 0;
  };
  while (text.find("\r\n\r\n") == std::string::npos)
    if (!read_more()) return false;
  Request request;
  const std::size_t head_end = text.find("\r\n\r\n");
  std::string_view head = std::string_view(text).substr(0, head_end);
  const std::string_view first = head.substr(0, head.find("\r\n"));
  request.method = first.substr(0, first.find(' '));
  request.target = first.substr(request.method.size() + 1, first.rfind(' ') - request.method.size() - 1);
  request.version = first.substr(first.rfind(' ') + 1);
  head.remove_prefix(std::min(first.size() + 2, head.size()));
  while (!head.empty()) {
    const std::string_view line = head.substr(0, head.find("\r\n"));
    head.remove_prefix(std::min(line.size() + 2, head.size()));
    const std::size_t colon = line.find(':');
    std::string_view value = line.substr(colon + 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    request.headers.emplace_back(line.substr(0, colon), value);
  }
  const std::string length = request.Header("Content-Length");
  const std::size_t body_size = length.empty() ? 0 : std::stoul(length);
  while (text.size() < head_end + 4 + body_size)
    if (!read_more()) return false;
  request.body = text.substr(head_end + 4, body_size);
  text.erase(0, head_end + 4 + body_size);
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
    changed_.notify_all();
  }
  return SendAnswer(connection, handler_(request));
}

bool HttpServer::SendAnswer(Connection& connection, const Response& response) {
  if (response.hang) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ending_.load(); });
    return false;
  }
  if (!Pause(response.delay)) return false;
  std::string head;
  std::string body;
  if (response.raw) {
    head = *response.raw;
  } else {
    head = "HTTP/1.1 " + std::to_string(response.status) + " Status\r\n";
    for (const auto& [name, value] : response.headers) head += name + ": " + value + "\r\n";
    head += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
    if (!options_.keep_alive) head += "Connection: close\r\n";
    head += "\r\n";
    body = response.body;
  }
  if (response.cut_after) {
    const std::string whole = (head + body).substr(0, *response.cut_after);
    head = whole;
    body.clear();
  }
  bool open = connection.Write(head);
  if (open && response.body_delay.count() > 0) open = Pause(response.body_delay);
  if (open && !body.empty()) open = connection.Write(body);
  if (response.reset) {
    const linger now{.l_onoff = 1, .l_linger = 0};
    setsockopt(connection.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    const std::lock_guard lock(mutex_);
    const int null = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    dup2(null, connection.fd);  // closes the connection, the number stays ours
    close(null);
  }
  return open && !response.cut_after && !response.raw && !response.reset;
}

bool HttpServer::Pause(std::chrono::milliseconds time) {
  if (time.count() == 0) return true;
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, time, [this] { return ending_.load(); });
}

std::vector<HttpServer::Request> HttpServer::Requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

bool HttpServer::WaitForRequests(std::size_t count, std::chrono::milliseconds limit) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [&] { return requests_.size() >= count; });
}

std::string HttpServer::Gzip(std::string_view text) {
  z_stream stream{};
  deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

int ClosedPort() {
  int port = 0;
  close(ListenOnLoopback(port));
  return port;
}

}  // namespace pipewarden::test
