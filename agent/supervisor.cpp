#include "agent/supervisor.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>

// libsystemd does the same and brings four libraries and a megabyte with it.
namespace pipewarden::agent {
namespace {

// One datagram to the socket that the supervisor has named; an abstract one is written with an @.
void Notify(std::string_view state) {
  const char* path = std::getenv("NOTIFY_SOCKET");  // NOLINT(concurrency-mt-unsafe): nobody sets it
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path == nullptr || (path[0] != '/' && path[0] != '@') || std::strlen(path) >= sizeof address.sun_path) return;
  const std::size_t length = std::strlen(path);
  std::memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = '\0';
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return;
  ::sendto(fd, state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address),
           static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
  ::close(fd);
}

std::int64_t Number(const char* variable) {
  const char* text = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe)
  std::int64_t number = 0;
  if (text != nullptr) std::from_chars(text, text + std::strlen(text), number);
  return number;
}

}  // namespace

void NotifyReady() { Notify("READY=1"); }

void NotifyReloading() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  // systemd pairs the READY that follows with this reload by the time.
  Notify("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000));
}

void NotifyStopping() { Notify("STOPPING=1"); }
void NotifyWatchdog() { Notify("WATCHDOG=1"); }

std::optional<core::Duration> WatchdogInterval() {
  const std::int64_t microseconds = Number("WATCHDOG_USEC");
  const std::int64_t pid = Number("WATCHDOG_PID");
  if (microseconds <= 0 || (pid > 0 && pid != ::getpid())) return std::nullopt;
  return std::chrono::microseconds(microseconds / 2);
}

}  // namespace pipewarden::agent
