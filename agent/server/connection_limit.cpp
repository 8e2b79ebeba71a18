#include "agent/server/connection_limit.h"

#include <netinet/in.h>

namespace pipewarden::agent {
namespace {

std::string PeerKey(const sockaddr* peer) {
  if (peer->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(peer);
    return {reinterpret_cast<const char*>(&v4->sin_addr), sizeof v4->sin_addr};
  }
  if (peer->sa_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(peer);
    const auto* bytes = reinterpret_cast<const char*>(&v6->sin6_addr);
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) return {bytes + 12, 4};
    if (IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr)) return "loopback";
    return {bytes, 8};
  }
  return "unix";
}

}  // namespace

bool ConnectionLimit::Opened(int descriptor, const sockaddr* peer) {
  std::string key = PeerKey(peer);
  const core::MutexLock lock(mutex_);
  int& count = count_[key];
  if (count >= per_peer_) {
    ++refused_;
    return false;
  }
  ++count;
  peer_of_[descriptor] = std::move(key);
  return true;
}

void ConnectionLimit::Closed(int descriptor) {
  const core::MutexLock lock(mutex_);
  const auto found = peer_of_.find(descriptor);
  if (found == peer_of_.end()) return;
  const auto count = count_.find(found->second);
  if (--count->second == 0) count_.erase(count);
  peer_of_.erase(found);
}

int ConnectionLimit::open() const {
  const core::MutexLock lock(mutex_);
  return static_cast<int>(peer_of_.size());
}

std::uint64_t ConnectionLimit::refused() const {
  const core::MutexLock lock(mutex_);
  return refused_;
}

}  // namespace pipewarden::agent
