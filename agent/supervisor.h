// What the agent tells its supervisor: sd_notify(3). Nothing happens where no supervisor asked for it ($NOTIFY_SOCKET).
#pragma once

#include <optional>
#include <string>

#include "core/time/clock.h"

namespace pipewarden::agent {

void NotifyReady();
void NotifyReloading();  // followed by NotifyReady
void NotifyStopping();
void NotifyWatchdog();
// How often the watchdog wants a ping: half of what the supervisor allows; nullopt where it wants none.
std::optional<core::Duration> WatchdogInterval();

}  // namespace pipewarden::agent
