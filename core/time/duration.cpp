#include "core/time/duration.h"

#include <array>
#include <cstdint>
#include <limits>

namespace pipewarden::core {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t ms;
  bool exact;  // printed only where it divides what is left without a rest (years and weeks)
};
constexpr std::array<Unit, 7> kUnits = {{{"y", 365LL * 24 * 3600 * 1000, true},
                                         {"w", 7LL * 24 * 3600 * 1000, true},
                                         {"d", 24LL * 3600 * 1000, false},
                                         {"h", 3600LL * 1000, false},
                                         {"m", 60LL * 1000, false},
                                         {"s", 1000, false},
                                         {"ms", 1, false}}};
constexpr std::int64_t kMaxMs = std::numeric_limits<std::int64_t>::max() / 1'000'000;

}  // namespace

Result<Duration> ParseDuration(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return Fail(ErrorCode::kInvalid, "bad duration '" + std::string(text) + "': " + std::string(why));
  };
  if (text == "0") return Duration::zero();
  if (text.empty()) return bad("it is empty (write for example 30s, 5m or 1h30m)");
  std::int64_t total = 0;
  std::size_t next_unit = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    std::size_t digits = 0;
    std::int64_t number = 0;
    while (digits < rest.size() && rest[digits] >= '0' && rest[digits] <= '9') {
      if (number > kMaxMs / 10 - 10) return bad("it is too long");
      number = number * 10 + (rest[digits] - '0');
      ++digits;
    }
    if (digits == 0) return bad("write a whole number and a unit, for example 30s, 5m or 1h30m");
    rest.remove_prefix(digits);
    std::size_t letters = 0;
    while (letters < rest.size() && rest[letters] >= 'a' && rest[letters] <= 'z') ++letters;
    const std::string_view name = rest.substr(0, letters);
    if (name.empty()) return bad("a unit is missing (y, w, d, h, m, s or ms)");
    std::size_t unit = 0;
    while (unit < kUnits.size() && kUnits[unit].name != name) ++unit;
    if (unit == kUnits.size()) return bad("unknown unit '" + std::string(name) + "' (y, w, d, h, m, s or ms)");
    if (unit < next_unit) return bad("units go from the largest to the smallest, each once");
    next_unit = unit + 1;
    if (number > (kMaxMs - total) / kUnits[unit].ms) return bad("it is too long");
    total += number * kUnits[unit].ms;
    rest.remove_prefix(letters);
  }
  return std::chrono::milliseconds(total);
}

std::string FormatDuration(Duration duration) {
  std::int64_t ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  if (ms == 0) return "0s";
  std::string out;
  if (ms < 0) {
    out = "-";
    ms = -ms;
  }
  for (const Unit& unit : kUnits) {
    if (unit.exact && ms % unit.ms != 0) continue;
    if (const std::int64_t count = ms / unit.ms; count > 0) {
      out += std::to_string(count);
      out += unit.name;
      ms -= count * unit.ms;
    }
  }
  return out;
}

}  // namespace pipewarden::core
