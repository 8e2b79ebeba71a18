// Bounds how many queries run at once: each may hold memory and burns a core. Safe from any thread.
#pragma once

#include <chrono>

#include "core/async/mutex.h"
#include "core/time/clock.h"

namespace pipewarden::agent {

class QueryGate {
 public:
  explicit QueryGate(int places) : places_(places) {}
  // False where no place came free in time. Who has entered leaves.
  bool Enter(core::Duration patience) {
    const core::MutexLock lock(mutex_);
    const auto until = std::chrono::steady_clock::now() + patience;
    while (places_ == 0) {
      const auto left = until - std::chrono::steady_clock::now();
      if (left <= core::Duration::zero() || !freed_.WaitFor(mutex_, left)) break;
    }
    if (places_ == 0) return false;
    --places_;
    return true;
  }
  void Leave() {
    const core::MutexLock lock(mutex_);
    ++places_;
    freed_.NotifyOne();
  }

 private:
  core::Mutex mutex_;
  core::CondVar freed_;
  int places_ GUARDED_BY(mutex_);
};

}  // namespace pipewarden::agent
