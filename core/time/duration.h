// Durations as Prometheus writes them: 1h30m, 500ms, 2w; units y w d h m s ms, largest first, each once, whole numbers.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"
#include "core/time/clock.h"

namespace pipewarden::core {

// kInvalid for anything else: "15" (no unit), "1m1h" (order), "-5s", "". "0" is the one number without a unit.
Result<Duration> ParseDuration(std::string_view text);
// As Prometheus' model.Duration prints: 5400s -> "1h30m", 0 -> "0s", 90d -> "90d", 14d -> "2w", 365d -> "1y".
// Below a millisecond nothing is shown.
std::string FormatDuration(Duration duration);

}  // namespace pipewarden::core
