// When a pipeline's slots are, and which of those that have passed shall run: decisions without clock or database.
// Values; safe from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "agent/pipelines/pipeline.h"
#include "core/time/civil_time.h"

namespace pipewarden::agent {

class Schedule {
 public:
  Schedule() = default;  // no slots: by hand only
  // kNotFound where the machine does not know the zone.
  static core::Result<Schedule> Make(const PipelineConfig& config);

  // The first slot after `after`, of any of the expressions; nothing where there is none.
  std::optional<core::WallTime> Next(core::WallTime after) const;
  // The newest slot before `before`, not older than five years before it.
  std::optional<core::WallTime> Previous(core::WallTime before) const;
  // The data interval's begin of a slot: the slot before it, or a day before where there is none.
  core::WallTime IntervalStart(core::WallTime slot) const;
  // The first time of day (seconds, civil) at or after the slot.
  core::WallTime TimeOfDayAfter(core::WallTime slot, int seconds) const;

  const core::TimeZone& zone() const { return zone_; }
  // What identifies it in the database: expressions, dialects and zone.
  const std::string& text() const { return text_; }

 private:
  std::vector<Cron> crons_;
  core::TimeZone zone_;
  std::string text_;
};

struct DueSlots {
  std::vector<core::WallTime> live;         // as they fall due, oldest first
  std::vector<core::WallTime> caught;       // missed ones that run all the same, oldest first
  std::int64_t missed = 0;                  // that do not run; at most 1000 are counted
  std::optional<core::WallTime> watermark;  // the newest of all of them
};
// The slots in (watermark, now], judged by the pipeline's catch_up. What is at most kLive old is live.
inline constexpr core::Duration kLive = std::chrono::seconds(5);
DueSlots SlotsDue(const Schedule& schedule, const PipelineConfig& config, core::WallTime watermark, core::WallTime now);

}  // namespace pipewarden::agent
