// Civil time: what a clock on the wall shows in a zone. Zones come from the system's tz database through Howard
// Hinnant's date library, whose headers stay in civil_time.cpp. All types are values; everything is safe from any
// thread.
//
// Seconds here are whole seconds since 1970 as int64, because WallTime (nanoseconds in an int64) ends in 2262 and
// cannot hold Go's zero time (year 1), which templates print.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "core/time/clock.h"

namespace date {
class time_zone;
}

namespace pipewarden::core {

// A point on the calendar without a zone, proleptic Gregorian. month and day count from 1; weekday: 0 is Sunday.
struct CivilTime {
  int year = 1970;
  int month = 1;
  int day = 1;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int nanosecond = 0;

  int weekday() const;
  int year_day() const;  // 1..366
  auto operator<=>(const CivilTime&) const = default;
};

// Seconds since 1970-01-01T00:00:00 of the same civil calendar (no zone involved), and back. The fields are not
// checked: months and days out of range carry over, as in Go's time.Date.
std::int64_t CivilSeconds(const CivilTime& civil);
CivilTime CivilFromSeconds(std::int64_t seconds, int nanosecond = 0);
int DaysInMonth(int year, int month);
bool IsLeapYear(int year);
// 0 is Sunday. "Monday", "January" (months from 1); abbreviations are the first three letters.
std::string_view WeekdayName(int weekday);
std::string_view MonthName(int month);

class TimeZone {
 public:
  static constexpr std::int64_t kNoBegin = std::numeric_limits<std::int64_t>::min();
  static constexpr std::int64_t kNoEnd = std::numeric_limits<std::int64_t>::max();

  TimeZone() = default;  // UTC
  // An IANA name ("Europe/Berlin"), "UTC" (also ""), or "Local" (TZ of the environment, else /etc/localtime, else UTC).
  // kNotFound where the machine's tz database has no such zone.
  static Result<TimeZone> Find(std::string_view name);
  // Always the same offset; `name` may be empty, the abbreviation is then "+0200".
  static TimeZone Fixed(std::int32_t offset_seconds, std::string name = "");

  // A stretch of time with one offset: [begin, end) in seconds UTC.
  struct Period {
    std::int64_t begin = kNoBegin;
    std::int64_t end = kNoEnd;
    std::int32_t offset = 0;  // seconds east of UTC
    bool daylight = false;
    std::string abbreviation;
  };
  // Beyond the tables (2037) the rules of the last tabled years go on.
  Period PeriodAt(std::int64_t seconds) const;

  // What UTC times show this local time. A gap (clocks go forward) has none: `earlier` is then the time by the offset
  // before the gap, `later` by the one after it, and `gap_end` the instant the gap is over. A fold (clocks go back) has
  // two.
  enum class Kind { kUnique, kGap, kFold };
  struct Instants {
    Kind kind = Kind::kUnique;
    std::int64_t earlier = 0;
    std::int64_t later = 0;
    std::int64_t gap_end = 0;
  };
  Instants ToUtc(std::int64_t local_seconds) const;
  CivilTime ToLocal(WallTime time) const;

  const std::string& name() const { return name_; }
  bool is_utc() const { return zone_ == nullptr && offset_ == 0 && name_ == "UTC"; }
  bool operator==(const TimeZone&) const = default;

 private:
  const date::time_zone* zone_ = nullptr;  // owned by the library, for ever; null: fixed offset
  std::int32_t offset_ = 0;
  std::string name_ = "UTC";
};

// An instant as seen in a zone: Go's time.Time. The default is Go's zero time, 0001-01-01T00:00:00Z.
struct ZonedTime {
  static constexpr std::int64_t kZeroSeconds = -62'135'596'800;

  std::int64_t seconds = kZeroSeconds;
  std::int32_t nanosecond = 0;  // 0..999'999'999
  TimeZone zone{};

  static ZonedTime From(WallTime time, TimeZone zone = {});
  // Clamped to what WallTime can hold.
  WallTime ToWall() const;
  CivilTime Civil() const;
  bool IsZero() const { return seconds == kZeroSeconds && nanosecond == 0; }
  bool SameInstant(const ZonedTime& other) const { return seconds == other.seconds && nanosecond == other.nanosecond; }
};

// Go's time.Format: "2006-01-02T15:04:05Z07:00" and so on; what is no part of a layout is copied.
std::string FormatGoTime(const ZonedTime& time, std::string_view layout);
// As Go's time.String(): 2006-01-02 15:04:05.999999999 -0700 MST.
std::string GoTimeString(const ZonedTime& time);
// Go's time.Parse in UTC (ParseInLocation where a zone is given). kInvalid names the part that does not fit.
Result<ZonedTime> ParseGoTime(std::string_view layout, std::string_view text, const TimeZone& zone = {});
// strftime(3)'s conversions in the C locale: aAbBCdDeFGgHIjklmMnpPrRsStTuUVwWyYzZ%; an unknown one is copied.
std::string FormatStrftime(const ZonedTime& time, std::string_view format);

// RFC 3339, with a fraction of up to nine digits; `t`, `z` and a space for T are taken too. The zone is UTC or a fixed
// offset. kInvalid says what is wrong and shows an example.
Result<ZonedTime> ParseRfc3339(std::string_view text);
// "2026-01-02T03:04:05Z", with a fraction only where there is one.
std::string FormatRfc3339(WallTime time);
std::string FormatRfc3339(const ZonedTime& time);

}  // namespace pipewarden::core
