#include "core/time/civil_time.h"

#include <date/tz.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace pipewarden::core {
namespace {

constexpr std::int64_t kDay = 86'400;

// Days since 1970-01-01 and back: http://howardhinnant.github.io/date_algorithms.html
std::int64_t DaysFromCivil(std::int64_t year, int month, int day) {
  year -= month <= 2;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const std::int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

std::int64_t FloorDiv(std::int64_t a, std::int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

void SetDate(CivilTime& civil, std::int64_t days) {
  days += 719'468;
  const std::int64_t era = FloorDiv(days, 146'097);
  const std::int64_t day_of_era = days - era * 146'097;
  const std::int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t shifted_month = (5 * day_of_year + 2) / 153;
  civil.day = static_cast<int>(day_of_year - (153 * shifted_month + 2) / 5 + 1);
  civil.month = static_cast<int>(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
  civil.year = static_cast<int>(year_of_era + era * 400 + (civil.month <= 2));
}

// Debian's tables name each change up to 2037; after it a zone's rules repeat. A year with the same weekdays and the
// same length has the same changes, and 2010..2037 holds all fourteen kinds of year.
constexpr int kLastTabledYear = 2037;

int TwinYear(int year) {
  const int weekday = CivilTime{.year = year}.weekday();
  for (int twin = kLastTabledYear - 1; twin > kLastTabledYear - 30; --twin) {
    if (IsLeapYear(twin) == IsLeapYear(year) && CivilTime{.year = twin}.weekday() == weekday) return twin;
  }
  return kLastTabledYear;
}

TimeZone::Period Lookup(const date::time_zone& zone, std::int64_t seconds) {
  const auto clamp = [](date::sys_seconds time, std::int64_t lowest, std::int64_t highest) {
    const std::int64_t value = time.time_since_epoch().count();
    if (value <= -9'000'000'000'000) return lowest;
    if (value >= 250'000'000'000) return highest;  // after the year 9000: the library's "for ever"
    return value;
  };
  const date::sys_info info = zone.get_info(date::sys_seconds(std::chrono::seconds(seconds)));
  return {.begin = clamp(info.begin, TimeZone::kNoBegin, TimeZone::kNoEnd),
          .end = clamp(info.end, TimeZone::kNoBegin, TimeZone::kNoEnd),
          .offset = static_cast<std::int32_t>(info.offset.count()),
          .daylight = info.save.count() != 0,
          .abbreviation = info.abbrev};
}

}  // namespace

int CivilTime::weekday() const {
  const std::int64_t days = DaysFromCivil(year, month, day) + 4;  // 1970-01-01 was a Thursday
  return static_cast<int>(days - FloorDiv(days, 7) * 7);
}

int CivilTime::year_day() const {
  return static_cast<int>(DaysFromCivil(year, month, day) - DaysFromCivil(year, 1, 1)) + 1;
}

std::int64_t CivilSeconds(const CivilTime& civil) {
  const std::int64_t months = civil.month - 1;
  const std::int64_t year = civil.year + FloorDiv(months, 12);
  const int month = static_cast<int>(months - FloorDiv(months, 12) * 12) + 1;
  return (DaysFromCivil(year, month, 1) + civil.day - 1) * kDay + std::int64_t{civil.hour} * 3600 +
         std::int64_t{civil.minute} * 60 + civil.second;
}

CivilTime CivilFromSeconds(std::int64_t seconds, int nanosecond) {
  const std::int64_t days = FloorDiv(seconds, kDay);
  const int rest = static_cast<int>(seconds - days * kDay);
  CivilTime civil;
  SetDate(civil, days);
  civil.hour = rest / 3600;
  civil.minute = rest / 60 % 60;
  civil.second = rest % 60;
  civil.nanosecond = nanosecond;
  return civil;
}

bool IsLeapYear(int year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

int DaysInMonth(int year, int month) {
  constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && IsLeapYear(year) ? 29 : kDays[static_cast<std::size_t>(month - 1)];
}

std::string_view WeekdayName(int weekday) {
  constexpr std::array<std::string_view, 7> kNames = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                      "Thursday", "Friday", "Saturday"};
  return kNames[static_cast<std::size_t>(weekday)];
}

std::string_view MonthName(int month) {
  constexpr std::array<std::string_view, 12> kNames = {"January",   "February", "March",    "April",
                                                       "May",       "June",     "July",     "August",
                                                       "September", "October",  "November", "December"};
  return kNames[static_cast<std::size_t>(month - 1)];
}

Result<TimeZone> TimeZone::Find(std::string_view name) {
  TimeZone zone;
  if (name.empty() || name == "UTC") return zone;
  zone.name_ = std::string(name);
  try {
    if (name == "Local") {
      const char* variable = std::getenv("TZ");
      if (variable == nullptr) {
        zone.zone_ = date::current_zone();
      } else if (const std::string_view text = variable; !text.empty() && text != "UTC") {
        zone.zone_ = date::locate_zone(text.starts_with(':') ? text.substr(1) : text);
      }
    } else {
      zone.zone_ = date::locate_zone(name);
    }
    return zone;
  } catch (const std::exception&) {
    if (name == "Local") return zone;  // a machine without /etc/localtime runs on UTC
    return Fail(ErrorCode::kNotFound,
                "unknown time zone '" + std::string(name) +
                    "': write an IANA name such as Europe/Berlin, UTC or Local (the names are the "
                    "files below /usr/share/zoneinfo, package tzdata)");
  }
}

TimeZone TimeZone::Fixed(std::int32_t offset_seconds, std::string name) {
  TimeZone zone;
  zone.offset_ = offset_seconds;
  zone.name_ = std::move(name);
  return zone;
}

TimeZone::Period TimeZone::PeriodAt(std::int64_t seconds) const {
  if (zone_ == nullptr) {
    Period period{.offset = offset_, .abbreviation = name_};
    if (name_.empty() || name_ == "Local") {
      period.abbreviation =
          name_.empty() ? FormatGoTime({.seconds = seconds, .zone = Fixed(offset_, "x")}, "-0700") : "UTC";
    }
    return period;
  }
  // Outside of these bounds (years -32000, 32000) the library has nothing; offsets are constant there.
  constexpr std::int64_t kBound = 900'000'000'000;
  Period period = Lookup(*zone_, std::clamp(seconds, -kBound, kBound));
  if (period.end != kNoEnd) return period;
  const CivilTime civil = CivilFromSeconds(std::clamp(seconds, -kBound, kBound));
  if (civil.year <= kLastTabledYear) {
    // The last tabled period: it ends where the twin of the next year has its first change.
    const std::int64_t new_year = CivilSeconds({.year = kLastTabledYear + 1});
    const Period next = PeriodAt(new_year);
    period.end = next.offset == period.offset ? next.end : new_year;
    return period;
  }
  if (Lookup(*zone_, CivilSeconds({.year = kLastTabledYear - 1, .month = 1, .day = 5})).end == kNoEnd) return period;
  const std::int64_t shift = CivilSeconds({.year = civil.year}) - CivilSeconds({.year = TwinYear(civil.year)});
  Period twin = Lookup(*zone_, seconds - shift);
  if (twin.begin != kNoBegin) twin.begin += shift;
  if (twin.end != kNoEnd) twin.end += shift;
  // A period across New Year is cut there on the side that belongs to another year, whose twin is another one; the
  // offset is the same on both sides, so that a cut is no change.
  const std::int64_t new_year = CivilSeconds({.year = civil.year});
  const std::int64_t next_year = CivilSeconds({.year = civil.year + 1});
  twin.begin = std::max(twin.begin, new_year);
  twin.end = std::min(twin.end, next_year);
  return twin;
}

TimeZone::Instants TimeZone::ToUtc(std::int64_t local_seconds) const {
  if (zone_ == nullptr) {
    return {.earlier = local_seconds - offset_, .later = local_seconds - offset_, .gap_end = local_seconds - offset_};
  }
  // Offsets before and after any change within a day of it: a zone does not change twice in two days.
  const Period before = PeriodAt(local_seconds - kDay);
  const Period after = PeriodAt(local_seconds + kDay);
  const std::int64_t by_before = local_seconds - before.offset;
  const std::int64_t by_after = local_seconds - after.offset;
  const bool before_holds = PeriodAt(by_before).offset == before.offset;
  const bool after_holds = PeriodAt(by_after).offset == after.offset;
  if (before_holds && after_holds && by_before != by_after) {
    return {.kind = Kind::kFold, .earlier = std::min(by_before, by_after), .later = std::max(by_before, by_after)};
  }
  if (before_holds) return {.earlier = by_before, .later = by_before};
  if (after_holds) return {.earlier = by_after, .later = by_after};
  return {.kind = Kind::kGap, .earlier = by_before, .later = by_after, .gap_end = PeriodAt(by_before).begin};
}

CivilTime TimeZone::ToLocal(WallTime time) const { return ZonedTime::From(time, *this).Civil(); }

ZonedTime ZonedTime::From(WallTime time, TimeZone zone) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  return {.seconds = whole.time_since_epoch().count(),
          .nanosecond = static_cast<std::int32_t>((time - whole).count()),
          .zone = std::move(zone)};
}

WallTime ZonedTime::ToWall() const {
  constexpr std::int64_t kBound = std::numeric_limits<std::int64_t>::max() / 1'000'000'000 - 1;
  return WallTime{std::chrono::seconds{std::clamp(seconds, -kBound, kBound)}} + std::chrono::nanoseconds{nanosecond};
}

CivilTime ZonedTime::Civil() const { return CivilFromSeconds(seconds + zone.PeriodAt(seconds).offset, nanosecond); }

}  // namespace pipewarden::core
