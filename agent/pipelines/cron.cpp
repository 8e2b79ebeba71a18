#include "agent/pipelines/cron.h"

#include <algorithm>
#include <bit>

namespace pipewarden::agent {
namespace {

constexpr std::int64_t kDay = 86'400;
constexpr std::int64_t kEnd = 9'214'646'400;  // 2262-01-01: WallTime ends in that year
constexpr std::int64_t kLongestDaylightSaving = 3 * 3600;

// The weekday nearest to a day of the month, within the month; 0 is Sunday.
int NearestWeekday(int day, int weekday, int days_in_month) {
  if (weekday == 6) return day > 1 ? day - 1 : day + 2;
  if (weekday == 0) return day < days_in_month ? day + 1 : day - 2;
  return day;
}

// The lowest set bit at or after `from`, or -1.
int NextBit(std::uint64_t bits, int from) {
  const std::uint64_t rest = from > 63 ? 0 : bits >> from << from;
  return rest == 0 ? -1 : std::countr_zero(rest);
}

std::int64_t FloorDiv(std::int64_t a, std::int64_t b) { return a / b - (a % b != 0 && a < 0); }

}  // namespace

bool Cron::DayOfMonthMatches(int year, int month, int day, int weekday) const {
  if ((days_of_month_ >> day & 1) != 0) return true;
  if (special_days_of_month_.empty()) return false;
  const int last = core::DaysInMonth(year, month);
  const auto weekday_of = [&](int other) { return ((weekday + other - day) % 7 + 7) % 7; };
  return std::ranges::any_of(special_days_of_month_, [&](const DayRuleItem& item) {
    const int target = item.kind == Special::kNearestWeekday ? item.value : last - item.value;
    if (target < 1 || target > last) return false;
    if (item.kind == Special::kLast) return day == target;
    return day == NearestWeekday(target, weekday_of(target), last);
  });
}

bool Cron::DayOfWeekMatches(int year, int month, int day, int weekday) const {
  if ((days_of_week_ >> weekday & 1) != 0) return true;
  return std::ranges::any_of(special_days_of_week_, [&](const DayRuleItem& item) {
    if (item.value != weekday) return false;
    if (item.kind == Special::kNthOf) return (day - 1) / 7 + 1 == item.nth;
    return day + 7 > core::DaysInMonth(year, month);
  });
}

bool Cron::DayMatches(int year, int month, int day) const {
  const int weekday = core::CivilTime{.year = year, .month = month, .day = day}.weekday();
  const bool by_month = DayOfMonthMatches(year, month, day, weekday);
  const bool by_week = DayOfWeekMatches(year, month, day, weekday);
  if (options_.day_rule == DayRule::kAnd || any_day_of_month_ || any_day_of_week_) return by_month && by_week;
  return by_month || by_week;
}

int Cron::TimeOfDay(int from) const {
  int hour = NextBit(hours_, from / 3600);
  if (hour < 0) return -1;
  if (hour == from / 3600) {
    int minute = NextBit(minutes_, from / 60 % 60);
    if (minute == from / 60 % 60) {
      if (const int second = NextBit(seconds_, from % 60); second >= 0) return hour * 3600 + minute * 60 + second;
      minute = NextBit(minutes_, minute + 1);
    }
    if (minute >= 0) return hour * 3600 + minute * 60 + NextBit(seconds_, 0);
    hour = NextBit(hours_, hour + 1);
    if (hour < 0) return -1;
  }
  return hour * 3600 + NextBit(minutes_, 0) * 60 + NextBit(seconds_, 0);
}

std::optional<std::int64_t> Cron::FindLocal(std::int64_t from, std::int64_t to) const {
  std::int64_t day_start = FloorDiv(from, kDay) * kDay;
  core::CivilTime date = core::CivilFromSeconds(day_start);
  int of_day = static_cast<int>(from - day_start);
  while (day_start < to) {
    if (!MonthMatches(date.month)) {
      day_start += std::int64_t{core::DaysInMonth(date.year, date.month) - date.day + 1} * kDay;
      date.day = 1;
      date.year += date.month == 12;
      date.month = date.month % 12 + 1;
      of_day = 0;
      continue;
    }
    if (DayMatches(date.year, date.month, date.day)) {
      if (const int found = TimeOfDay(of_day); found >= 0) {
        return day_start + found < to ? std::optional(day_start + found) : std::nullopt;
      }
    }
    day_start += kDay;
    of_day = 0;
    if (++date.day > core::DaysInMonth(date.year, date.month)) {
      date.day = 1;
      date.year += date.month == 12;
      date.month = date.month % 12 + 1;
    }
  }
  return std::nullopt;
}

std::optional<core::WallTime> Cron::Next(core::WallTime after, const core::TimeZone& zone) const {
  const auto wall = [](std::int64_t seconds) { return core::WallTime{std::chrono::seconds{seconds}}; };
  const std::int64_t first = std::chrono::floor<std::chrono::seconds>(after).time_since_epoch().count() + 1;
  if (every_seconds_ > 0) {
    const std::int64_t anchor =
        std::chrono::floor<std::chrono::seconds>(options_.every_anchor).time_since_epoch().count();
    const std::int64_t next = anchor + (FloorDiv(first - 1 - anchor, every_seconds_) + 1) * every_seconds_;
    return next < kEnd ? std::optional(wall(next)) : std::nullopt;
  }
  // Within a period of one offset the schedule is searched in local time; only the borders need thought.
  for (std::int64_t from = first; from < kEnd;) {
    const core::TimeZone::Period period = zone.PeriodAt(from);
    std::int64_t local_from = from + period.offset;
    if (period.begin != core::TimeZone::kNoBegin) {
      const std::int64_t change = period.offset - zone.PeriodAt(period.begin - 1).offset;
      const bool made_up =
          options_.dst == DstDialect::kCronos ||
          (options_.dst == DstDialect::kDebian && !follows_real_time_ && std::abs(change) <= kLongestDaylightSaving);
      const std::int64_t local_begin = period.begin + period.offset;
      if (change > 0 && from == period.begin && made_up && FindLocal(local_begin - change, local_begin)) {
        return wall(period.begin);
      }
      if (change < 0 && made_up && !follows_real_time_) local_from = std::max(local_from, local_begin - change);
    }
    const std::int64_t end = std::min(period.end, kEnd);
    if (const auto found = FindLocal(local_from, end + period.offset)) return wall(*found - period.offset);
    from = end;
  }
  return std::nullopt;
}

}  // namespace pipewarden::agent
