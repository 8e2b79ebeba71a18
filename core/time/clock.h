// The only way to read the time. Production has SystemClock; tests and simulations have JumpingClock, which stands
// still until it is told to jump. Wall time is for people, samples and schedules; monotonic time for timeouts and
// waits. Safe from any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace pipewarden::core {

using Duration = std::chrono::nanoseconds;
using WallTime = std::chrono::system_clock::time_point;  // nanoseconds since the epoch
using MonoTime = std::chrono::steady_clock::time_point;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime Now() const = 0;
  virtual MonoTime Monotonic() const = 0;
  // True where time moves only by JumpTo: waits are then kept by the Loop instead of the kernel.
  virtual bool jumps() const { return false; }
};

class SystemClock final : public Clock {
 public:
  WallTime Now() const override { return std::chrono::system_clock::now(); }
  MonoTime Monotonic() const override { return std::chrono::steady_clock::now(); }
};

class JumpingClock final : public Clock {
 public:
  explicit JumpingClock(WallTime start = WallTime{std::chrono::seconds{1'700'000'000}}) : wall_(Nanoseconds(start)) {}

  WallTime Now() const override { return WallTime{Duration{wall_.load()}}; }
  MonoTime Monotonic() const override { return MonoTime{Duration{mono_.load()}}; }
  bool jumps() const override { return true; }

  // Both clocks go forward by this much. Loop::Advance calls it, so that due timers run; call it alone only where no
  // Loop is involved.
  void Jump(Duration by) {
    mono_ += by.count();
    wall_ += by.count();
  }
  // The wall clock alone is stepped, forward or backward, as by an administrator or NTP.
  void StepWall(Duration by) { wall_ += by.count(); }

 private:
  static std::int64_t Nanoseconds(WallTime time) { return time.time_since_epoch().count(); }
  std::atomic<std::int64_t> wall_;
  std::atomic<std::int64_t> mono_{1'000'000'000'000};
};

inline std::int64_t ToMs(WallTime time) {
  return std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch()).count();
}
inline WallTime FromMs(std::int64_t ms) { return WallTime{std::chrono::milliseconds{ms}}; }
inline double ToSeconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace pipewarden::core
