// Where civetweb's own hooks do not reach: its callbacks come after the TLS handshake, and it looks whether it shall
// stop every two seconds. Its calls of accept(), close() and poll() lead here (cmake/Civetweb.cmake).
#pragma once

#include "agent/server/connection_limit.h"

namespace pipewarden::agent {

// Of one civetweb context; outlives it. Safe from any thread.
class CivetwebHooks {
 public:
  explicit CivetwebHooks(int connections_per_peer);
  ~CivetwebHooks();
  CivetwebHooks(const CivetwebHooks&) = delete;
  CivetwebHooks& operator=(const CivetwebHooks&) = delete;

  // The calling thread of civetweb belongs to this from now on.
  void UseInThisThread();
  // From now on no thread waits in poll(): call it before mg_stop, which is then quick.
  void WakeAll();

  ConnectionLimit limit;
  int stop_event() const { return stop_event_; }

 private:
  int stop_event_;
};

}  // namespace pipewarden::agent
