#include "agent/pipelines/scheduler.h"

#include <boost/test/unit_test.hpp>

namespace pipewarden::agent {
namespace {

using namespace std::chrono_literals;
using core::WallTime;

WallTime At(const std::string& text) { return core::ParseRfc3339(text)->ToWall(); }

PipelineConfig Config(const std::vector<std::string>& expressions, CatchUp catch_up, core::Duration window) {
  PipelineConfig config;
  config.name = "p";
  for (const std::string& expression : expressions) config.schedules.push_back(*Cron::Parse(expression));
  config.catch_up = catch_up;
  config.catch_up_window = window;
  return config;
}

std::string Show(const std::vector<WallTime>& slots) {
  std::string text;
  for (const WallTime slot : slots) text += (text.empty() ? "" : " ") + core::FormatRfc3339(slot).substr(5, 14);
  return text;
}

struct Due {
  std::string live, caught;
  std::int64_t missed;
  DueSlots slots;
};
Due Judge(const PipelineConfig& config, const std::string& watermark, const std::string& now) {
  const Schedule schedule = *Schedule::Make(config);
  const DueSlots due = SlotsDue(schedule, config, At(watermark), At(now));
  return {Show(due.live), Show(due.caught), due.missed, due};
}

BOOST_AUTO_TEST_SUITE(scheduler)

BOOST_AUTO_TEST_CASE(several_expressions_make_one_schedule) {
  const Schedule schedule = *Schedule::Make(Config({"0 2 * * *", "30 1 * * *"}, CatchUp::kNone, 5min));
  BOOST_TEST((schedule.Next(At("2026-01-01T00:00:00Z")) == At("2026-01-01T01:30:00Z")));
  BOOST_TEST((schedule.Next(At("2026-01-01T01:30:00Z")) == At("2026-01-01T02:00:00Z")));
  BOOST_TEST((schedule.Previous(At("2026-01-01T01:30:00Z")) == At("2025-12-31T02:00:00Z")));
  BOOST_TEST((schedule.IntervalStart(At("2026-01-01T02:00:00Z")) == At("2026-01-01T01:30:00Z")));
}

BOOST_AUTO_TEST_CASE(without_a_schedule_there_is_no_slot) {
  const Schedule schedule = *Schedule::Make(Config({}, CatchUp::kNone, 5min));
  BOOST_TEST(!schedule.Next(At("2026-01-01T00:00:00Z")));
  BOOST_TEST(!schedule.Previous(At("2026-01-01T00:00:00Z")));
  BOOST_TEST((schedule.IntervalStart(At("2026-01-02T00:00:00Z")) == At("2026-01-01T00:00:00Z")));
}

BOOST_AUTO_TEST_CASE(a_rare_slot_is_found_looking_back) {
  const Schedule schedule = *Schedule::Make(Config({"0 0 29 2 *"}, CatchUp::kNone, 5min));
  BOOST_TEST((schedule.Previous(At("2027-06-01T00:00:00Z")) == At("2024-02-29T00:00:00Z")));
}

BOOST_AUTO_TEST_CASE(a_time_of_day_after_the_slot) {
  PipelineConfig config = Config({"0 22 * * *"}, CatchUp::kNone, 5min);
  config.timezone = "Europe/Berlin";
  const Schedule schedule = *Schedule::Make(config);
  BOOST_TEST((schedule.TimeOfDayAfter(At("2026-01-01T21:00:00Z"), 5 * 3600) == At("2026-01-02T04:00:00Z")));
  BOOST_TEST((schedule.TimeOfDayAfter(At("2026-01-01T21:00:00Z"), 23 * 3600) == At("2026-01-01T22:00:00Z")));
}

BOOST_AUTO_TEST_CASE(a_slot_is_live_as_it_falls_due) {
  const Due due = Judge(Config({"* * * * *"}, CatchUp::kNone, 5min), "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z");
  BOOST_TEST(due.live == "01-01T00:01:00");
  BOOST_TEST(due.caught == "");
  BOOST_TEST(due.missed == 0);
  BOOST_TEST((*due.slots.watermark == At("2026-01-01T00:01:00Z")));
}

BOOST_AUTO_TEST_CASE(nothing_at_or_before_the_watermark) {
  const Due due = Judge(Config({"* * * * *"}, CatchUp::kAll, 24h), "2026-01-01T01:00:00Z", "2026-01-01T00:30:00Z");
  BOOST_TEST(!due.slots.watermark);
  BOOST_TEST(due.live + due.caught == "");
}

BOOST_AUTO_TEST_CASE(a_short_lag_loses_no_slot) {
  const Due due = Judge(Config({"* * * * * *"}, CatchUp::kNone, 5min), "2026-01-01T00:00:00Z", "2026-01-01T00:00:03Z");
  BOOST_TEST(due.live == "01-01T00:00:01 01-01T00:00:02 01-01T00:00:03");
}

BOOST_AUTO_TEST_CASE(none_runs_the_one_just_missed) {
  const PipelineConfig config = Config({"0 2 * * *"}, CatchUp::kNone, 5min);
  BOOST_TEST(Judge(config, "2026-01-01T02:00:00Z", "2026-01-02T02:04:00Z").caught == "01-02T02:00:00");
  const Due old = Judge(config, "2026-01-01T02:00:00Z", "2026-01-02T02:06:00Z");
  BOOST_TEST(old.caught == "");
  BOOST_TEST(old.missed == 1);
  BOOST_TEST((*old.slots.watermark == At("2026-01-02T02:00:00Z")));
  const Due minutely =
      Judge(Config({"* * * * *"}, CatchUp::kNone, 5min), "2026-01-01T00:00:00Z", "2026-01-01T00:04:30Z");
  BOOST_TEST(minutely.caught == "01-01T00:04:00");
  BOOST_TEST(minutely.missed == 3);
}

BOOST_AUTO_TEST_CASE(latest_runs_the_newest_within_the_window) {
  const PipelineConfig config = Config({"0 2 * * *"}, CatchUp::kLatest, 168h);
  const Due due = Judge(config, "2026-01-01T02:00:00Z", "2026-01-05T12:00:00Z");
  BOOST_TEST(due.caught == "01-05T02:00:00");
  BOOST_TEST(due.missed == 3);
}

BOOST_AUTO_TEST_CASE(all_runs_each_oldest_first_up_to_the_cap) {
  PipelineConfig config = Config({"0 * * * *"}, CatchUp::kAll, 24h);
  const Due due = Judge(config, "2026-01-01T00:00:00Z", "2026-01-01T04:00:02Z");
  BOOST_TEST(due.caught == "01-01T01:00:00 01-01T02:00:00 01-01T03:00:00");
  BOOST_TEST(due.live == "01-01T04:00:00");
  BOOST_TEST(due.missed == 0);
  config.catch_up_max = 2;
  const Due capped = Judge(config, "2026-01-01T00:00:00Z", "2026-01-01T04:30:00Z");
  BOOST_TEST(capped.caught == "01-01T03:00:00 01-01T04:00:00");
  BOOST_TEST(capped.missed == 2);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::agent
