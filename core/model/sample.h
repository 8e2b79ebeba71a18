// A sample: a value at a time. Times are milliseconds since the epoch, as in Prometheus' storage and wire formats.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

namespace pipewarden::core {

using TimestampMs = std::int64_t;

struct Sample {
  TimestampMs time = 0;
  double value = 0;
};

// Prometheus' staleness marker, a NaN with these bits: "the series ended here". An ordinary NaN has others.
inline constexpr std::uint64_t kStaleNaNBits = 0x7ff0000000000002U;
inline constexpr std::uint64_t kNormalNaNBits = 0x7ff8000000000001U;
inline double StaleNaN() { return std::bit_cast<double>(kStaleNaNBits); }
inline double NormalNaN() { return std::bit_cast<double>(kNormalNaNBits); }
inline bool IsStaleNaN(double value) { return std::bit_cast<std::uint64_t>(value) == kStaleNaNBits; }

}  // namespace pipewarden::core
