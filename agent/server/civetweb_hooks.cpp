#include "agent/server/civetweb_hooks.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

namespace pipewarden::agent {
namespace {

thread_local CivetwebHooks* hooks_of_this_thread = nullptr;

}  // namespace

CivetwebHooks::CivetwebHooks(int connections_per_peer)
    : limit(connections_per_peer), stop_event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
CivetwebHooks::~CivetwebHooks() { close(stop_event_); }

void CivetwebHooks::UseInThisThread() { hooks_of_this_thread = this; }

void CivetwebHooks::WakeAll() { (void)eventfd_write(stop_event_, 1); }

}  // namespace pipewarden::agent

extern "C" {

int pipewarden_civetweb_accept(int listener, sockaddr* peer, socklen_t* length);
int pipewarden_civetweb_close(int descriptor);
int pipewarden_civetweb_poll(pollfd* descriptors, nfds_t count, int milliseconds);

int pipewarden_civetweb_accept(int listener, sockaddr* peer, socklen_t* length) {
  const int descriptor = accept(listener, peer, length);
  auto* hooks = pipewarden::agent::hooks_of_this_thread;
  if (descriptor < 0 || hooks == nullptr || hooks->limit.Opened(descriptor, peer)) return descriptor;
  // Best effort: a plain HTTP client learns why; the thread that accepts never waits.
  static constexpr std::string_view kTooMany =
      "HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 38\r\n\r\n"
      "too many connections from this address";
  (void)send(descriptor, kTooMany.data(), kTooMany.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  close(descriptor);
  errno = EAGAIN;
  return -1;
}

int pipewarden_civetweb_close(int descriptor) {
  // Before the close: right after it the number may be another connection's.
  if (auto* hooks = pipewarden::agent::hooks_of_this_thread) hooks->limit.Closed(descriptor);
  return close(descriptor);
}

int pipewarden_civetweb_poll(pollfd* descriptors, nfds_t count, int milliseconds) {
  auto* hooks = pipewarden::agent::hooks_of_this_thread;
  std::array<pollfd, 64> with_stop{};
  if (hooks == nullptr || count >= with_stop.size()) return poll(descriptors, count, milliseconds);
  std::copy_n(descriptors, count, with_stop.begin());
  with_stop[count] = {.fd = hooks->stop_event(), .events = POLLIN, .revents = 0};
  int ready = poll(with_stop.data(), count + 1, milliseconds);
  std::copy_n(with_stop.begin(), count, descriptors);
  if (ready > 0 && with_stop[count].revents != 0) {
    // As a timeout: civetweb then looks at its stop flag, which is set a moment later.
    if (--ready == 0) usleep(200);
  }
  return ready;
}
}
