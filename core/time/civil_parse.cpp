// Reading of civil time: Go's layouts, RFC 3339. Messages are Go's.
#include <cctype>
#include <cstdlib>
#include <optional>
#include <utility>

#include "core/time/civil_time.h"
#include "core/time/go_layout.h"

namespace pipewarden::core {
namespace {

using go_layout::Part;
using go_layout::Token;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Reading: what has been found of a time so far.
struct Found {
  CivilTime civil{.year = 0};
  std::optional<std::int32_t> offset;
  std::string zone_name;
  std::optional<int> year_day;
  bool pm_set = false;
  bool pm = false;
  std::string_view out_of_range;  // what was read, but cannot be
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
    if (!value) return false;
    if (*value > (field == 0 ? 24 : 60)) {
      found.out_of_range = field == 0   ? "time zone offset hour"
                           : field == 1 ? "time zone offset minute"
                                        : "time zone offset second";
      return false;
    }
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

bool Store(std::optional<int> value, int& into) {
  if (value) into = *value;
  return value.has_value();
}

bool StoreWithin(std::optional<int> value, int lowest, int highest, int& into, std::string_view what, Found& found) {
  if (value && (*value < lowest || *value > highest)) found.out_of_range = what;
  return Store(value, into) && found.out_of_range.empty();
}

// Go's time.quote: bytes outside of ASCII as \xNN.
std::string Quoted(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x80) {
      out += "\\x";
      out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out + '"';
}

// As far as they agree; a space stands for any number of them, also for none at the end.
bool TakeLiteral(std::string_view& text, std::string_view literal) {
  const auto spaces = [](std::string_view& from) {
    while (from.starts_with(' ')) from.remove_prefix(1);
  };
  while (!literal.empty()) {
    if (literal[0] == ' ') {
      if (!text.empty() && text[0] != ' ') return false;
      spaces(literal);
      spaces(text);
      continue;
    }
    if (!text.starts_with(literal[0])) return false;
    text.remove_prefix(1);
    literal.remove_prefix(1);
  }
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
      return Store(TakeName(text, MonthName, 1, 12, token.part == Part::kLongMonth), civil.month);
    case Part::kLongWeekday:
    case Part::kWeekday:
      return Store(TakeName(text, WeekdayName, 0, 6, token.part == Part::kLongWeekday), ignored);
    case Part::kNumMonth:
      return StoreWithin(TakeNumber(text, 1, 2), 1, 12, civil.month, "month", found);
    case Part::kZeroMonth:
      return StoreWithin(TakeNumber(text, 2, 2), 1, 12, civil.month, "month", found);
    case Part::kUnderDay:
      if (text.starts_with(' ')) text.remove_prefix(1);
      [[fallthrough]];
    case Part::kDay:
      return Store(TakeNumber(text, 1, 2), civil.day);
    case Part::kZeroDay:
      return Store(TakeNumber(text, 2, 2), civil.day);
    case Part::kUnderYearDay:
    case Part::kZeroYearDay:
      while (token.part == Part::kUnderYearDay && text.starts_with(' ')) text.remove_prefix(1);
      found.year_day = 0;
      return Store(TakeNumber(text, token.part == Part::kZeroYearDay ? 3 : 1, 3), *found.year_day);
    case Part::kHour:
      return StoreWithin(TakeNumber(text, 1, 2), 0, 23, civil.hour, "hour", found);
    case Part::kHour12:
      return StoreWithin(TakeNumber(text, 1, 2), 0, 12, civil.hour, "hour", found);
    case Part::kZeroHour12:
      return StoreWithin(TakeNumber(text, 2, 2), 0, 12, civil.hour, "hour", found);
    case Part::kMinute:
      return StoreWithin(TakeNumber(text, 1, 2), 0, 59, civil.minute, "minute", found);
    case Part::kZeroMinute:
      return StoreWithin(TakeNumber(text, 2, 2), 0, 59, civil.minute, "minute", found);
    case Part::kSecond:
    case Part::kZeroSecond: {
      const auto second = TakeNumber(text, token.part == Part::kZeroSecond ? 2 : 1, 2);
      if (!StoreWithin(second, 0, 59, civil.second, "second", found)) return false;
      // A fraction may follow the seconds although the layout has none.
      std::string_view next = rest_of_layout;
      const Token following = go_layout::NextToken(next);
      const bool named =
          following.literal.empty() && (following.part == Part::kFraction0 || following.part == Part::kFraction9);
      return named || TakeFraction(text, {.part = Part::kFraction9}, found);
    }
    case Part::kLongYear:
      return Store(TakeNumber(text, 4, 4), civil.year);
    case Part::kYear:
      if (!Store(TakeNumber(text, 2, 2), civil.year)) return false;
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
  if (civil.day < 1 || civil.day > DaysInMonth(civil.year, civil.month))
    return Fail(ErrorCode::kInvalid, "day out of range");
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

}  // namespace

Result<ZonedTime> ParseGoTime(std::string_view layout, std::string_view text, const TimeZone& zone) {
  const std::string_view whole_layout = layout;
  const std::string_view whole_text = text;
  const auto bad = [&](const std::string& why) {
    return Fail(ErrorCode::kInvalid, "parsing time " + Quoted(whole_text) + why);
  };
  const auto mismatch = [&](std::string_view at, std::string_view part) {
    return bad(" as " + Quoted(whole_layout) + ": cannot parse " + Quoted(at) + " as " + Quoted(part));
  };
  Found found;
  while (!layout.empty()) {
    const std::string_view before = layout;
    const Token token = go_layout::NextToken(layout);
    if (!TakeLiteral(text, token.literal)) return mismatch(text, token.literal);
    const std::string_view at = text;
    if (!TakePart(text, token, layout, found)) {
      if (!found.out_of_range.empty()) return bad(": " + std::string(found.out_of_range) + " out of range");
      return mismatch(at, before.substr(token.literal.size(), before.size() - token.literal.size() - layout.size()));
    }
  }
  if (!text.empty()) return bad(": extra text: " + Quoted(text));
  auto time = ToTime(std::move(found), zone);
  if (!time) return bad(": " + time.error().message);
  return time;
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

}  // namespace pipewarden::core
