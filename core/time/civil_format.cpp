// Writing of civil time: Go's layouts, strftime(3), RFC 3339.
#include "core/time/civil_time.h"
#include "core/time/go_layout.h"

namespace pipewarden::core {
namespace {

using go_layout::Part;
using go_layout::Token;

void Number(std::string& out, std::int64_t value, int width = 0, char fill = '0') {
  std::string digits = std::to_string(value < 0 ? -value : value);
  if (value < 0) out += '-';
  for (int missing = width - static_cast<int>(digits.size()); missing > 0; --missing) out += fill;
  out += digits;
}

void Offset(std::string& out, std::int32_t offset, bool colon, bool seconds, bool minutes = true) {
  out += offset < 0 ? '-' : '+';
  const std::int32_t size = offset < 0 ? -offset : offset;
  Number(out, size / 3600, 2);
  if (minutes) {
    if (colon) out += ':';
    Number(out, size / 60 % 60, 2);
  }
  if (seconds) {
    if (colon) out += ':';
    Number(out, size % 60, 2);
  }
}

void Fraction(std::string& out, const Token& token, int nanosecond) {
  std::string digits;
  Number(digits, nanosecond, 9);
  digits.resize(static_cast<std::size_t>(std::min(token.digits, 9)), '0');
  if (token.part == Part::kFraction9) {
    while (!digits.empty() && digits.back() == '0') digits.pop_back();
    if (digits.empty()) return;
  } else {
    digits.resize(static_cast<std::size_t>(token.digits), '0');
  }
  out += token.point;
  out += digits;
}

int Hour12(int hour) { return hour % 12 == 0 ? 12 : hour % 12; }

void WriteZone(std::string& out, Part part, const TimeZone::Period& period) {
  switch (part) {
    case Part::kZoneName:
      return void(out += period.abbreviation);
    case Part::kIsoZone:
    case Part::kIsoSecondsZone:
    case Part::kIsoShortZone:
    case Part::kIsoColonZone:
    case Part::kIsoColonSecondsZone:
      if (period.offset == 0) return void(out += 'Z');
      break;
    default:
      break;
  }
  const bool colon = part == Part::kIsoColonZone || part == Part::kIsoColonSecondsZone || part == Part::kNumColonZone ||
                     part == Part::kNumColonSecondsZone;
  const bool seconds = part == Part::kIsoSecondsZone || part == Part::kIsoColonSecondsZone ||
                       part == Part::kNumSecondsZone || part == Part::kNumColonSecondsZone;
  const bool minutes = part != Part::kIsoShortZone && part != Part::kNumShortZone;
  Offset(out, period.offset, colon, seconds, minutes);
}

void WritePart(std::string& out, const Token& token, const CivilTime& civil, const TimeZone::Period& period) {
  switch (token.part) {
    case Part::kNone:
      return;
    case Part::kLongMonth:
      return void(out += MonthName(civil.month));
    case Part::kMonth:
      return void(out += MonthName(civil.month).substr(0, 3));
    case Part::kNumMonth:
      return Number(out, civil.month);
    case Part::kZeroMonth:
      return Number(out, civil.month, 2);
    case Part::kLongWeekday:
      return void(out += WeekdayName(civil.weekday()));
    case Part::kWeekday:
      return void(out += WeekdayName(civil.weekday()).substr(0, 3));
    case Part::kDay:
      return Number(out, civil.day);
    case Part::kUnderDay:
      return Number(out, civil.day, 2, ' ');
    case Part::kZeroDay:
      return Number(out, civil.day, 2);
    case Part::kUnderYearDay:
      return Number(out, civil.year_day(), 3, ' ');
    case Part::kZeroYearDay:
      return Number(out, civil.year_day(), 3);
    case Part::kHour:
      return Number(out, civil.hour, 2);
    case Part::kHour12:
      return Number(out, Hour12(civil.hour));
    case Part::kZeroHour12:
      return Number(out, Hour12(civil.hour), 2);
    case Part::kMinute:
      return Number(out, civil.minute);
    case Part::kZeroMinute:
      return Number(out, civil.minute, 2);
    case Part::kSecond:
      return Number(out, civil.second);
    case Part::kZeroSecond:
      return Number(out, civil.second, 2);
    case Part::kLongYear:
      return Number(out, civil.year, 4);
    case Part::kYear:
      return Number(out, (civil.year % 100 + 100) % 100, 2);
    case Part::kPM:
      return void(out += civil.hour >= 12 ? "PM" : "AM");
    case Part::kpm:
      return void(out += civil.hour >= 12 ? "pm" : "am");
    case Part::kFraction0:
    case Part::kFraction9:
      return Fraction(out, token, civil.nanosecond);
    default:
      return WriteZone(out, token.part, period);
  }
}

void WriteStrftime(std::string& out, char conversion, const ZonedTime& time, const CivilTime& civil,
                   const TimeZone::Period& period) {
  const auto expand = [&](std::string_view format) { out += FormatStrftime(time, format); };
  const int weekday = civil.weekday();
  switch (conversion) {
    case 'a':
      return void(out += WeekdayName(weekday).substr(0, 3));
    case 'A':
      return void(out += WeekdayName(weekday));
    case 'b':
    case 'h':
      return void(out += MonthName(civil.month).substr(0, 3));
    case 'B':
      return void(out += MonthName(civil.month));
    case 'C':
      return Number(out, civil.year / 100, 2);
    case 'd':
      return Number(out, civil.day, 2);
    case 'D':
      return expand("%m/%d/%y");
    case 'e':
      return Number(out, civil.day, 2, ' ');
    case 'F':
      return expand("%Y-%m-%d");
    case 'H':
      return Number(out, civil.hour, 2);
    case 'I':
      return Number(out, Hour12(civil.hour), 2);
    case 'j':
      return Number(out, civil.year_day(), 3);
    case 'k':
      return Number(out, civil.hour, 2, ' ');
    case 'l':
      return Number(out, Hour12(civil.hour), 2, ' ');
    case 'm':
      return Number(out, civil.month, 2);
    case 'M':
      return Number(out, civil.minute, 2);
    case 'n':
      return void(out += '\n');
    case 'p':
      return void(out += civil.hour >= 12 ? "PM" : "AM");
    case 'P':
      return void(out += civil.hour >= 12 ? "pm" : "am");
    case 'r':
      return expand("%I:%M:%S %p");
    case 'R':
      return expand("%H:%M");
    case 's':
      return Number(out, time.seconds);
    case 'S':
      return Number(out, civil.second, 2);
    case 't':
      return void(out += '\t');
    case 'T':
      return expand("%H:%M:%S");
    case 'u':
      return Number(out, weekday == 0 ? 7 : weekday);
    case 'U':
      return Number(out, (civil.year_day() + 6 - weekday) / 7, 2);
    case 'W':
      return Number(out, (civil.year_day() + 6 - (weekday + 6) % 7) / 7, 2);
    case 'w':
      return Number(out, weekday);
    case 'y':
      return Number(out, (civil.year % 100 + 100) % 100, 2);
    case 'Y':
      return Number(out, civil.year);
    case 'z':
      return Offset(out, period.offset, false, false);
    case 'Z':
      return void(out += period.abbreviation);
    case '%':
      return void(out += '%');
    case 'G':
    case 'g':
    case 'V': {
      // ISO 8601: the week belongs to the year of its Thursday.
      const CivilTime thursday = CivilFromSeconds(CivilSeconds(civil) + (3 - (weekday + 6) % 7) * 86'400);
      if (conversion == 'V') return Number(out, (thursday.year_day() - 1) / 7 + 1, 2);
      return conversion == 'G' ? Number(out, thursday.year) : Number(out, (thursday.year % 100 + 100) % 100, 2);
    }
    default:
      out += '%';
      out += conversion;
  }
}

}  // namespace

std::string FormatGoTime(const ZonedTime& time, std::string_view layout) {
  const TimeZone::Period period = time.zone.PeriodAt(time.seconds);
  const CivilTime civil = CivilFromSeconds(time.seconds + period.offset, time.nanosecond);
  std::string out;
  while (!layout.empty()) {
    const Token token = go_layout::NextToken(layout);
    out += token.literal;
    WritePart(out, token, civil, period);
  }
  return out;
}

std::string GoTimeString(const ZonedTime& time) {
  return FormatGoTime(time, "2006-01-02 15:04:05.999999999 -0700 MST");
}

std::string FormatStrftime(const ZonedTime& time, std::string_view format) {
  const TimeZone::Period period = time.zone.PeriodAt(time.seconds);
  const CivilTime civil = CivilFromSeconds(time.seconds + period.offset, time.nanosecond);
  std::string out;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] == '%' && i + 1 < format.size()) {
      WriteStrftime(out, format[++i], time, civil, period);
    } else {
      out += format[i];
    }
  }
  return out;
}

std::string FormatRfc3339(const ZonedTime& time) { return FormatGoTime(time, "2006-01-02T15:04:05.999999999Z07:00"); }
std::string FormatRfc3339(WallTime time) { return FormatRfc3339(ZonedTime::From(time)); }

}  // namespace pipewarden::core
