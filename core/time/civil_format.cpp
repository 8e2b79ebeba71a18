// Writing and reading of civil time: Go's layouts (package time, format.go: the reference time is
// Mon Jan 2 15:04:05 MST 2006), strftime(3), RFC 3339.
#include <array>
#include <cctype>
#include <cstdlib>
#include <utility>

#include "core/time/civil_time.h"

namespace pipewarden::core {
namespace {

enum class Part {
  kNone,
  kLongMonth,
  kMonth,
  kNumMonth,
  kZeroMonth,
  kLongWeekday,
  kWeekday,
  kDay,
  kUnderDay,
  kZeroDay,
  kUnderYearDay,
  kZeroYearDay,
  kHour,
  kHour12,
  kZeroHour12,
  kMinute,
  kZeroMinute,
  kSecond,
  kZeroSecond,
  kLongYear,
  kYear,
  kPM,
  kpm,
  kZoneName,
  kIsoZone,         // Z0700
  kIsoSecondsZone,  // Z070000
  kIsoShortZone,    // Z07
  kIsoColonZone,    // Z07:00
  kIsoColonSecondsZone,
  kNumZone,         // -0700
  kNumSecondsZone,  // -070000
  kNumShortZone,    // -07
  kNumColonZone,    // -07:00
  kNumColonSecondsZone,
  kFraction0,  // .000: as many digits as zeros
  kFraction9,  // .999: trailing zeros are cut
};

// Longest first where one begins with another.
constexpr std::array<std::pair<std::string_view, Part>, 32> kParts = {{{"January", Part::kLongMonth},
                                                                       {"Jan", Part::kMonth},
                                                                       {"Monday", Part::kLongWeekday},
                                                                       {"Mon", Part::kWeekday},
                                                                       {"MST", Part::kZoneName},
                                                                       {"002", Part::kZeroYearDay},
                                                                       {"01", Part::kZeroMonth},
                                                                       {"02", Part::kZeroDay},
                                                                       {"03", Part::kZeroHour12},
                                                                       {"04", Part::kZeroMinute},
                                                                       {"05", Part::kZeroSecond},
                                                                       {"06", Part::kYear},
                                                                       {"15", Part::kHour},
                                                                       {"1", Part::kNumMonth},
                                                                       {"2006", Part::kLongYear},
                                                                       {"2", Part::kDay},
                                                                       {"__2", Part::kUnderYearDay},
                                                                       {"_2", Part::kUnderDay},
                                                                       {"3", Part::kHour12},
                                                                       {"4", Part::kMinute},
                                                                       {"5", Part::kSecond},
                                                                       {"PM", Part::kPM},
                                                                       {"pm", Part::kpm},
                                                                       {"Z07:00:00", Part::kIsoColonSecondsZone},
                                                                       {"Z070000", Part::kIsoSecondsZone},
                                                                       {"Z07:00", Part::kIsoColonZone},
                                                                       {"Z0700", Part::kIsoZone},
                                                                       {"Z07", Part::kIsoShortZone},
                                                                       {"-07:00:00", Part::kNumColonSecondsZone},
                                                                       {"-070000", Part::kNumSecondsZone},
                                                                       {"-07:00", Part::kNumColonZone},
                                                                       {"-0700", Part::kNumZone}}};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

struct Token {
  std::string_view literal{};  // what stands before the part
  Part part = Part::kNone;
  int digits = 0;  // of a fraction
  char point = '.';
};

// Takes the first part off `layout`.
Token NextToken(std::string_view& layout) {
  for (std::size_t i = 0; i < layout.size(); ++i) {
    const std::string_view rest = layout.substr(i);
    const auto token = [&](Part part, std::size_t length, int digits = 0) {
      const Token found{.literal = layout.substr(0, i), .part = part, .digits = digits, .point = rest[0]};
      layout.remove_prefix(i + length);
      return found;
    };
    for (const auto& [text, part] : kParts) {
      if (!rest.starts_with(text)) continue;
      // "Jan" and "Mon" only where no lower-case letter follows ("Month"); "_2006" is an underscore and a year.
      if ((part == Part::kMonth || part == Part::kWeekday) && rest.size() > 3 && rest[3] >= 'a' && rest[3] <= 'z')
        break;
      if (part == Part::kUnderDay && rest.starts_with("_2006")) break;
      return token(part, text.size());
    }
    if (rest.starts_with("-07")) return token(Part::kNumShortZone, 3);
    if ((rest[0] == '.' || rest[0] == ',') && rest.size() > 1 && (rest[1] == '0' || rest[1] == '9')) {
      std::size_t end = 1;
      while (end < rest.size() && rest[end] == rest[1]) ++end;
      if (end == rest.size() || !IsDigit(rest[end])) {
        return token(rest[1] == '0' ? Part::kFraction0 : Part::kFraction9, end, static_cast<int>(end - 1));
      }
    }
  }
  const Token last{.literal = layout};
  layout = {};
  return last;
}

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

// Reading: what has been found of a time so far.
struct Found {
  CivilTime civil{.year = 0};
  std::optional<std::int32_t> offset;
  std::string zone_name;
  std::optional<int> year_day;
  bool pm_set = false;
  bool pm = false;
};

std::optional<int> TakeNumber(std::string_view& text, std::size_t least, std::size_t most) {
  std::size_t count = 0;
  int value = 0;
  while (count < most && count < text.size() && IsDigit(text[count])) value = value * 10 + (text[count++] - '0');
  if (count < least) return std::nullopt;
  text.remove_prefix(count);
  return value;
}

bool SameLetters(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::tolower(static_cast<unsigned char>(a[i])) != std::tolower(static_cast<unsigned char>(b[i]))) return false;
  }
  return true;
}

std::optional<int> TakeName(std::string_view& text, std::string_view (*name)(int), int first, int last, bool whole) {
  for (int i = first; i <= last; ++i) {
    const std::string_view full = whole ? name(i) : name(i).substr(0, 3);
    if (!SameLetters(text.substr(0, full.size()), full)) continue;
    text.remove_prefix(full.size());
    return i;
  }
  return std::nullopt;
}

bool TakeOffset(std::string_view& text, Part part, Found& found) {
  const bool iso = part >= Part::kIsoZone && part <= Part::kIsoColonSecondsZone;
  if (iso && text.starts_with('Z')) {
    text.remove_prefix(1);
    found.offset = 0;
    return true;
  }
  if (text.empty() || (text[0] != '+' && text[0] != '-')) return false;
  const int sign = text[0] == '-' ? -1 : 1;
  text.remove_prefix(1);
  const bool colon = part == Part::kIsoColonZone || part == Part::kIsoColonSecondsZone || part == Part::kNumColonZone ||
                     part == Part::kNumColonSecondsZone;
  const bool short_form = part == Part::kIsoShortZone || part == Part::kNumShortZone;
  const bool seconds = part == Part::kIsoSecondsZone || part == Part::kIsoColonSecondsZone ||
                       part == Part::kNumSecondsZone || part == Part::kNumColonSecondsZone;
  int total = 0;
  const int fields = short_form ? 1 : seconds ? 3 : 2;
  for (int field = 0; field < fields; ++field) {
    if (field > 0 && colon) {
      if (!text.starts_with(':')) return false;
      text.remove_prefix(1);
    }
    const auto value = TakeNumber(text, 2, 2);
    if (!value || *value > (field == 0 ? 24 : 60)) return false;
    total += *value * (field == 0 ? 3600 : field == 1 ? 60 : 1);
  }
  found.offset = sign * total;
  return true;
}

bool TakeFraction(std::string_view& text, const Token& token, Found& found) {
  const bool present = text.size() > 1 && (text[0] == '.' || text[0] == ',') && IsDigit(text[1]);
  if (!present) return token.part == Part::kFraction9;
  text.remove_prefix(1);
  int nanosecond = 0;
  int digits = 0;
  const int most = token.part == Part::kFraction0 ? token.digits : 1000;
  while (digits < most && !text.empty() && IsDigit(text[0])) {
    if (digits < 9) nanosecond = nanosecond * 10 + (text[0] - '0');
    ++digits;
    text.remove_prefix(1);
  }
  if (token.part == Part::kFraction0 && digits != token.digits) return false;
  for (; digits < 9; ++digits) nanosecond *= 10;
  found.civil.nanosecond = nanosecond;
  return true;
}

bool Store(std::optional<int> value, int lowest, int highest, int& into) {
  if (!value || *value < lowest || *value > highest) return false;
  into = *value;
  return true;
}

bool TakePart(std::string_view& text, const Token& token, std::string_view rest_of_layout, Found& found) {
  CivilTime& civil = found.civil;
  int ignored = 0;
  switch (token.part) {
    case Part::kNone:
      return true;
    case Part::kLongMonth:
    case Part::kMonth:
      return Store(TakeName(text, MonthName, 1, 12, token.part == Part::kLongMonth), 1, 12, civil.month);
    case Part::kLongWeekday:
    case Part::kWeekday:
      return Store(TakeName(text, WeekdayName, 0, 6, token.part == Part::kLongWeekday), 0, 6, ignored);
    case Part::kNumMonth:
      return Store(TakeNumber(text, 1, 2), 1, 12, civil.month);
    case Part::kZeroMonth:
      return Store(TakeNumber(text, 2, 2), 1, 12, civil.month);
    case Part::kUnderDay:
      if (text.starts_with(' ')) text.remove_prefix(1);
      [[fallthrough]];
    case Part::kDay:
      return Store(TakeNumber(text, 1, 2), 1, 31, civil.day);
    case Part::kZeroDay:
      return Store(TakeNumber(text, 2, 2), 1, 31, civil.day);
    case Part::kUnderYearDay:
    case Part::kZeroYearDay:
      while (token.part == Part::kUnderYearDay && text.starts_with(' ')) text.remove_prefix(1);
      found.year_day = 0;
      return Store(TakeNumber(text, token.part == Part::kZeroYearDay ? 3 : 1, 3), 1, 366, *found.year_day);
    case Part::kHour:
      return Store(TakeNumber(text, 2, 2), 0, 23, civil.hour);
    case Part::kHour12:
      return Store(TakeNumber(text, 1, 2), 0, 12, civil.hour);
    case Part::kZeroHour12:
      return Store(TakeNumber(text, 2, 2), 0, 12, civil.hour);
    case Part::kMinute:
      return Store(TakeNumber(text, 1, 2), 0, 59, civil.minute);
    case Part::kZeroMinute:
      return Store(TakeNumber(text, 2, 2), 0, 59, civil.minute);
    case Part::kSecond:
    case Part::kZeroSecond: {
      if (!Store(TakeNumber(text, token.part == Part::kZeroSecond ? 2 : 1, 2), 0, 59, civil.second)) return false;
      // A fraction may follow the seconds although the layout has none.
      std::string_view next = rest_of_layout;
      const Token following = NextToken(next);
      const bool named =
          following.literal.empty() && (following.part == Part::kFraction0 || following.part == Part::kFraction9);
      return named || TakeFraction(text, {.part = Part::kFraction9}, found);
    }
    case Part::kLongYear:
      return Store(TakeNumber(text, 4, 4), 0, 9999, civil.year);
    case Part::kYear:
      if (!Store(TakeNumber(text, 2, 2), 0, 99, civil.year)) return false;
      civil.year += civil.year >= 69 ? 1900 : 2000;
      return true;
    case Part::kPM:
    case Part::kpm: {
      const std::string_view am = token.part == Part::kPM ? "AM" : "am";
      const std::string_view pm = token.part == Part::kPM ? "PM" : "pm";
      if (!text.starts_with(am) && !text.starts_with(pm)) return false;
      found.pm_set = true;
      found.pm = text.starts_with(pm);
      text.remove_prefix(2);
      return true;
    }
    case Part::kFraction0:
    case Part::kFraction9:
      return TakeFraction(text, token, found);
    case Part::kZoneName: {
      std::size_t length = 0;
      while (length < text.size() && length < 5 && text[length] >= 'A' && text[length] <= 'Z') ++length;
      if (length < 3) return false;
      found.zone_name = std::string(text.substr(0, length));
      text.remove_prefix(length);
      return true;
    }
    default:
      return TakeOffset(text, token.part, found);
  }
}

Result<ZonedTime> ToTime(Found found, const TimeZone& zone) {
  CivilTime& civil = found.civil;
  if (found.pm_set) {
    if (found.pm && civil.hour < 12) civil.hour += 12;
    if (!found.pm && civil.hour == 12) civil.hour = 0;
  }
  if (found.year_day) {
    const int year = civil.year;
    const int nanosecond = civil.nanosecond;
    const CivilTime date = CivilFromSeconds(CivilSeconds({.year = year, .month = 1, .day = *found.year_day}));
    if (date.year != year) return Fail(ErrorCode::kInvalid, "day-of-year out of range");
    civil.month = date.month;
    civil.day = date.day;
    civil.nanosecond = nanosecond;
  }
  if (civil.day > DaysInMonth(civil.year, civil.month)) return Fail(ErrorCode::kInvalid, "day out of range");
  const std::int64_t local = CivilSeconds(civil);
  ZonedTime time{.nanosecond = civil.nanosecond, .zone = zone};
  if (found.offset) {
    time.seconds = local - *found.offset;
    const TimeZone::Period period = zone.PeriodAt(time.seconds);
    if (*found.offset == 0) {
      time.zone = TimeZone();
    } else if (period.offset != *found.offset) {
      time.zone = TimeZone::Fixed(*found.offset, found.zone_name);
    }
    return time;
  }
  time.seconds = zone.ToUtc(local).earlier;
  if (found.zone_name == "UTC") {
    time.seconds = local;
    time.zone = TimeZone();
  } else if (!found.zone_name.empty() && zone.PeriodAt(time.seconds).abbreviation != found.zone_name) {
    time.seconds = local;  // as Go: an unknown abbreviation is a fabricated zone of offset 0
    time.zone = TimeZone::Fixed(0, found.zone_name);
  }
  return time;
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
    const Token token = NextToken(layout);
    out += token.literal;
    WritePart(out, token, civil, period);
  }
  return out;
}

std::string GoTimeString(const ZonedTime& time) {
  return FormatGoTime(time, "2006-01-02 15:04:05.999999999 -0700 MST");
}

Result<ZonedTime> ParseGoTime(std::string_view layout, std::string_view text, const TimeZone& zone) {
  const std::string_view whole_layout = layout;
  const std::string_view whole_text = text;
  const auto bad = [&](std::string_view why) {
    return Fail(ErrorCode::kInvalid, "parsing time \"" + std::string(whole_text) + "\" as \"" +
                                         std::string(whole_layout) + "\": " + std::string(why));
  };
  Found found;
  while (!layout.empty()) {
    const std::string_view before = layout;
    const Token token = NextToken(layout);
    if (!text.starts_with(token.literal)) {
      return bad("cannot parse \"" + std::string(text) + "\" as \"" + std::string(token.literal) + "\"");
    }
    text.remove_prefix(token.literal.size());
    const std::string_view at = text;
    if (!TakePart(text, token, layout, found)) {
      const std::string_view part =
          before.substr(token.literal.size(), before.size() - token.literal.size() - layout.size());
      return bad("cannot parse \"" + std::string(at) + "\" as \"" + std::string(part) + "\"");
    }
  }
  if (!text.empty()) return bad("extra text: \"" + std::string(text) + "\"");
  auto time = ToTime(std::move(found), zone);
  if (!time) return bad(time.error().message);
  return time;
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

Result<ZonedTime> ParseRfc3339(std::string_view text) {
  std::string upper(text);
  if (upper.size() > 10 && (upper[10] == 't' || upper[10] == ' ')) upper[10] = 'T';
  if (!upper.empty() && upper.back() == 'z') upper.back() = 'Z';
  auto time = ParseGoTime("2006-01-02T15:04:05Z07:00", upper);
  if (time) return time;
  return Fail(ErrorCode::kInvalid, "bad time '" + std::string(text) +
                                       "': write it as RFC 3339, for example 2026-01-02T15:04:05Z or "
                                       "2026-01-02T15:04:05+01:00");
}

std::string FormatRfc3339(const ZonedTime& time) { return FormatGoTime(time, "2006-01-02T15:04:05.999999999Z07:00"); }
std::string FormatRfc3339(WallTime time) { return FormatRfc3339(ZonedTime::From(time)); }

}  // namespace pipewarden::core
