#include "agent/pipelines/scheduler.h"

#include <algorithm>
#include <deque>

namespace pipewarden::agent {
namespace {

using core::Duration;
using core::WallTime;
using namespace std::chrono_literals;

constexpr Duration kFarthestBack = 24h * 366 * 5;
constexpr std::int64_t kMaxCounted = 1000;

}  // namespace

core::Result<Schedule> Schedule::Make(const PipelineConfig& config) {
  Schedule schedule;
  auto zone = core::TimeZone::Find(config.timezone);
  if (!zone) return core::Fail(zone.error().Within("pipeline '" + config.name + "'"));
  schedule.zone_ = std::move(*zone);
  schedule.crons_ = config.schedules;
  for (const Cron& cron : config.schedules)
    schedule.text_ += cron.expression() + "|" + std::to_string(static_cast<int>(cron.options().dst)) +
                      std::to_string(static_cast<int>(cron.options().day_rule)) + "|";
  if (!schedule.text_.empty()) schedule.text_ += config.timezone;
  return schedule;
}

std::optional<WallTime> Schedule::Next(WallTime after) const {
  std::optional<WallTime> next;
  for (const Cron& cron : crons_) {
    const auto one = cron.Next(after, zone_);
    if (one && (!next || *one < *next)) next = one;
  }
  return next;
}

// Looks back twice as far each time until there is a slot, then forward to the newest: two or three slots are seen.
std::optional<WallTime> Schedule::Previous(WallTime before) const {
  for (Duration back = 1s; back <= kFarthestBack; back *= 2) {
    std::optional<WallTime> slot = Next(before - back);
    if (!slot) return std::nullopt;
    if (*slot >= before) continue;
    for (auto later = Next(*slot); later && *later < before; later = Next(*later)) slot = later;
    return slot;
  }
  return std::nullopt;
}

WallTime Schedule::IntervalStart(WallTime slot) const { return Previous(slot).value_or(slot - 24h); }

WallTime Schedule::TimeOfDayAfter(WallTime slot, int seconds) const {
  core::CivilTime civil = zone_.ToLocal(slot);
  const std::int64_t midnight = core::CivilSeconds({.year = civil.year, .month = civil.month, .day = civil.day});
  for (std::int64_t day = 0;; ++day) {
    const WallTime at{std::chrono::seconds{zone_.ToUtc(midnight + day * 86400 + seconds).earlier}};
    if (at >= slot) return at;
  }
}

DueSlots SlotsDue(const Schedule& schedule, const PipelineConfig& config, WallTime watermark, WallTime now) {
  DueSlots due;
  const auto newest = schedule.Previous(now + 1ns);
  if (!newest || *newest <= watermark) return due;
  due.watermark = newest;
  // What is live, and what was missed but may be caught up.
  const WallTime window_start = std::max(watermark, now - std::max(config.catch_up_window, kLive) - 1ns);
  std::deque<WallTime> missed;
  if (config.catch_up == CatchUp::kAll) {
    for (auto slot = schedule.Next(window_start); slot && *slot < now - kLive; slot = schedule.Next(*slot)) {
      missed.push_back(*slot);
      if (missed.size() > static_cast<std::size_t>(config.catch_up_max)) missed.pop_front();
    }
  } else if (*newest < now - kLive && *newest > window_start) {
    missed.push_back(*newest);
  }
  due.caught.assign(missed.begin(), missed.end());
  for (auto slot = schedule.Next(std::max(watermark, now - kLive - 1ns)); slot && *slot <= now;
       slot = schedule.Next(*slot))
    due.live.push_back(*slot);

  const WallTime oldest_run = !due.caught.empty() ? due.caught.front()
                              : !due.live.empty() ? due.live.front()
                                                  : WallTime::max();
  for (auto slot = schedule.Next(watermark); slot && *slot <= now && *slot < oldest_run && due.missed < kMaxCounted;
       slot = schedule.Next(*slot))
    ++due.missed;
  return due;
}

}  // namespace pipewarden::agent
