// Calendars: days of the week, holidays and working days (when data is expected), and Alertmanager's time intervals
// (when a route is muted or active; https://prometheus.io/docs/alerting/latest/configuration/#time_interval). Values;
// safe from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/time/civil_time.h"

namespace pipewarden::core {

// Both ends belong to it.
struct IntRange {
  int first = 0;
  int last = 0;
  bool operator==(const IntRange&) const = default;
};

// Minutes of the day; the end does not belong to it and may be 1440 (24:00).
struct TimeRange {
  int start_minute = 0;
  int end_minute = 0;
  bool operator==(const TimeRange&) const = default;
};

// What is empty does not restrict; what is not must each hold.
struct TimeInterval {
  std::vector<TimeRange> times;
  std::vector<IntRange> weekdays;       // 0 is Sunday
  std::vector<IntRange> days_of_month;  // 1..31, or -31..-1 from the end of the month; clamped to the month
  std::vector<IntRange> months;         // 1..12
  std::vector<IntRange> years;
  TimeZone zone{};  // location; UTC unless told

  bool Contains(WallTime time) const;
  bool operator==(const TimeInterval&) const = default;
};

// The texts of alertmanager.yml. kInvalid says what is allowed. A range never runs backwards.
Result<int> ParseTimeOfDay(std::string_view text);  // "09:30" -> 570; "24:00" -> 1440
Result<TimeRange> ParseTimeRange(std::string_view start, std::string_view end);
Result<IntRange> ParseWeekdayRange(std::string_view text);     // "monday:friday", "sunday"; any case
Result<IntRange> ParseDayOfMonthRange(std::string_view text);  // "1:5", "-3:-1", "15"
Result<IntRange> ParseMonthRange(std::string_view text);       // "january:march", "1:3", "may"
Result<IntRange> ParseYearRange(std::string_view text);        // "2026:2028", "2026"

// A day without a zone, ordered as (year, month, day).
struct CivilDate {
  int year = 1970;
  int month = 1;
  int day = 1;

  static CivilDate Of(const CivilTime& civil) { return {civil.year, civil.month, civil.day}; }
  CivilDate Plus(int days) const;
  int weekday() const;
  auto operator<=>(const CivilDate&) const = default;
};

Result<CivilDate> ParseCivilDate(std::string_view text);  // "2026-12-24", checked

// Which days count: days of the week less holidays. The default is every day.
struct WorkCalendar {
  std::array<bool, 7> weekdays = {true, true, true, true, true, true, true};  // 0 is Sunday
  std::set<CivilDate> holidays;

  bool IsWorkingDay(const CivilDate& date) const;
  // The first working day after `date`, or `date` itself where nothing is found within ten years.
  CivilDate NextWorkingDay(const CivilDate& date) const;
  bool operator==(const WorkCalendar&) const = default;
};

// "weekdays", "weekends", "daily" (also "all"), or names and ranges: "mon,wed,fri", "mon-fri", "sat-tue".
Result<std::array<bool, 7>> ParseWeekdays(std::string_view text);
// A holidays file's content: a date a line ("2026-12-25", then whatever tells what it is), # begins a comment; or
// iCalendar (RFC 5545), of which the all-day events' DTSTART and DTEND count, not their repetition rules: such a file
// is kInvalid, because holidays would be missing. Errors name the line.
Result<std::set<CivilDate>> ParseHolidays(std::string_view content);

}  // namespace pipewarden::core
