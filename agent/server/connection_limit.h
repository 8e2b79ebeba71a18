// Caps the open connections of each peer, before a connection gets one of the web server's threads: civetweb has one
// thread a connection, so that half-sent requests of one address would else hold all of them. Safe from any thread.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>

#include "core/async/mutex.h"

namespace pipewarden::agent {

class ConnectionLimit {
 public:
  explicit ConnectionLimit(int per_peer) : per_peer_(per_peer) {}

  // False: the peer has as many as it may; the caller closes the connection. Peers are IPv4 addresses, IPv6 /64
  // networks, and the Unix socket as one.
  bool Opened(int descriptor, const sockaddr* peer);
  void Closed(int descriptor);  // others than those of Opened are ignored

  int open() const;
  std::uint64_t refused() const;

 private:
  const int per_peer_;
  mutable core::Mutex mutex_;
  std::unordered_map<int, std::string> peer_of_ GUARDED_BY(mutex_);
  std::map<std::string, int> count_ GUARDED_BY(mutex_);
  std::uint64_t refused_ GUARDED_BY(mutex_) = 0;
};

}  // namespace pipewarden::agent
