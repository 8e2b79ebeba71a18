// alertmanager's own metrics, pipewarden_alertmanager_…, in the registry that is handed in (or in none). Loop thread
// only; the registry may be collected from any thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "core/time/clock.h"

namespace prometheus {
class Registry;
}

namespace pipewarden::alertmanager {

class Metrics {
 public:
  explicit Metrics(std::shared_ptr<prometheus::Registry> registry);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  void Received(bool resolved);
  void Invalid();
  void Notified(std::string_view integration, std::string_view receiver, core::Duration took);
  void Failed(std::string_view integration, std::string_view receiver);  // one flush's telling, after its retries
  void Attempt(std::string_view integration);                            // each request
  void AttemptFailed(std::string_view integration);
  void GivenUp(std::string_view integration, std::string_view receiver);  // never told, and nothing left to tell
  void Suppressed(std::string_view reason, std::size_t alerts);           // inhibition, silence, mute_time, active_time
  void JournalError();
  void SetAlerts(std::size_t active, std::size_t suppressed, std::size_t resolved);
  void SetSizes(std::size_t groups, std::size_t inbox, std::size_t silences, std::size_t log);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pipewarden::alertmanager
