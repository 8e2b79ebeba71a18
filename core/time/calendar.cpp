#include "core/time/calendar.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

namespace pipewarden::core {
namespace {

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  return text;
}

std::optional<int> ToInt(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

template <class Name>
std::optional<int> ByName(const std::string& lower, int first, int last, bool short_too, Name name) {
  for (int i = first; i <= last; ++i) {
    const std::string full = Lower(name(i));
    if (lower == full || (short_too && lower == full.substr(0, 3))) return i;
  }
  return std::nullopt;
}

// "a:b" or "a", each read by `read`.
template <class Read>
Result<IntRange> ParseRange(std::string_view text, std::string_view what, std::string_view allowed, Read read) {
  const auto bad = [&](std::string_view why) {
    return Fail(ErrorCode::kInvalid, "bad " + std::string(what) + " '" + std::string(text) + "': " + std::string(why));
  };
  const std::size_t colon = text.find(':');
  const std::optional<int> first = read(Lower(text.substr(0, colon)));
  const std::optional<int> last = colon == std::string_view::npos ? first : read(Lower(text.substr(colon + 1)));
  if (!first || !last) return bad(allowed);
  if (*first > *last) return bad("the start is after the end; write two ranges instead");
  return IntRange{*first, *last};
}

bool Within(const std::vector<IntRange>& ranges, int value) {
  return ranges.empty() || std::ranges::any_of(ranges, [&](const IntRange& range) {
           return range.first <= value && value <= range.last;
         });
}

bool DayOfMonthWithin(const std::vector<IntRange>& ranges, const CivilTime& civil) {
  if (ranges.empty()) return true;
  const int days = DaysInMonth(civil.year, civil.month);
  const auto day = [&](int value) { return value < 0 ? days + value + 1 : value; };
  return std::ranges::any_of(ranges, [&](const IntRange& range) {
    const int first = day(range.first);
    const int last = day(range.last);
    if (first > days || last < 1) return false;  // all of it lies outside of this month
    return std::max(first, 1) <= civil.day && civil.day <= std::min(last, days);
  });
}

}  // namespace

bool TimeInterval::Contains(WallTime time) const {
  const CivilTime civil = zone.ToLocal(time);
  const int minute = civil.hour * 60 + civil.minute;
  const bool in_times = times.empty() || std::ranges::any_of(times, [&](const TimeRange& range) {
                          return range.start_minute <= minute && minute < range.end_minute;
                        });
  return in_times && DayOfMonthWithin(days_of_month, civil) && Within(months, civil.month) &&
         Within(weekdays, civil.weekday()) && Within(years, civil.year);
}

Result<int> ParseTimeOfDay(std::string_view text) {
  const auto digit = [&](std::size_t i) { return text[i] >= '0' && text[i] <= '9'; };
  if (text.size() == 5 && text[2] == ':' && digit(0) && digit(1) && digit(3) && digit(4)) {
    const int hour = (text[0] - '0') * 10 + (text[1] - '0');
    const int minute = (text[3] - '0') * 10 + (text[4] - '0');
    if (minute < 60 && (hour < 24 || (hour == 24 && minute == 0))) return hour * 60 + minute;
  }
  return Fail(ErrorCode::kInvalid, "bad time of day '" + std::string(text) + "': write HH:MM, from 00:00 to 24:00");
}

Result<TimeRange> ParseTimeRange(std::string_view start, std::string_view end) {
  const auto from = ParseTimeOfDay(start);
  if (!from) return std::unexpected(from.error());
  const auto to = ParseTimeOfDay(end);
  if (!to) return std::unexpected(to.error());
  if (*from >= *to) {
    return Fail(ErrorCode::kInvalid, "bad time range " + std::string(start) + "-" + std::string(end) +
                                         ": the end must be after the start; over midnight write two ranges");
  }
  return TimeRange{*from, *to};
}

Result<IntRange> ParseWeekdayRange(std::string_view text) {
  return ParseRange(text, "weekday", "write sunday, monday, … saturday or a range such as monday:friday",
                    [](const std::string& name) { return ByName(name, 0, 6, false, WeekdayName); });
}

Result<IntRange> ParseDayOfMonthRange(std::string_view text) {
  constexpr std::string_view kAllowed = "write 1 to 31, or -1 to -31 from the end of the month, or a range such as 1:5";
  const auto read = [](const std::string& number) -> std::optional<int> {
    const auto day = ToInt(number);
    return day && *day != 0 && *day >= -31 && *day <= 31 ? day : std::nullopt;
  };
  const std::size_t colon = text.find(':');
  // "5:-1" reads to the end of the month: its ends cannot be compared as numbers.
  if (colon != std::string_view::npos) {
    const auto first = read(std::string(text.substr(0, colon)));
    const auto last = read(std::string(text.substr(colon + 1)));
    if (first && last && *first > 0 && *last < 0) {
      if (*first <= 31 + *last + 1) return IntRange{*first, *last};
      return Fail(ErrorCode::kInvalid,
                  "bad day of month '" + std::string(text) + "': the end is before the start in every month");
    }
    if (first && last && *first < 0 && *last > 0) {
      return Fail(ErrorCode::kInvalid, "bad day of month '" + std::string(text) +
                                           "': the end must be negative too where the start is negative");
    }
  }
  return ParseRange(text, "day of month", kAllowed, read);
}

Result<IntRange> ParseMonthRange(std::string_view text) {
  return ParseRange(text, "month", "write 1 to 12, a month's English name, or a range such as january:march",
                    [](const std::string& name) -> std::optional<int> {
                      if (const auto number = ToInt(name)) {
                        return *number >= 1 && *number <= 12 ? number : std::nullopt;
                      }
                      return ByName(name, 1, 12, false, MonthName);
                    });
}

Result<IntRange> ParseYearRange(std::string_view text) {
  return ParseRange(text, "year", "write a year, or a range such as 2026:2028",
                    [](const std::string& number) -> std::optional<int> {
                      const auto year = ToInt(number);
                      return year && *year >= 0 && *year <= 9999 ? year : std::nullopt;
                    });
}

CivilDate CivilDate::Plus(int days) const {
  return Of(CivilFromSeconds(CivilSeconds({.year = year, .month = month, .day = day}) + std::int64_t{days} * 86'400));
}

int CivilDate::weekday() const { return CivilTime{.year = year, .month = month, .day = day}.weekday(); }

Result<CivilDate> ParseCivilDate(std::string_view text) {
  const auto time = ParseGoTime("2006-01-02", text);
  if (!time)
    return Fail(ErrorCode::kInvalid, "bad date '" + std::string(text) + "': write YYYY-MM-DD, a day that exists");
  return CivilDate::Of(time->Civil());
}

bool WorkCalendar::IsWorkingDay(const CivilDate& date) const {
  return weekdays[static_cast<std::size_t>(date.weekday())] && !holidays.contains(date);
}

CivilDate WorkCalendar::NextWorkingDay(const CivilDate& date) const {
  CivilDate next = date;
  for (int i = 0; i < 3660; ++i) {
    next = next.Plus(1);
    if (IsWorkingDay(next)) return next;
  }
  return date;
}

Result<std::array<bool, 7>> ParseWeekdays(std::string_view text) {
  const std::string lower = Lower(Trim(text));
  if (lower == "daily" || lower == "all") return std::array{true, true, true, true, true, true, true};
  if (lower == "weekdays") return std::array{false, true, true, true, true, true, false};
  if (lower == "weekends") return std::array{true, false, false, false, false, false, true};
  std::array<bool, 7> days{};
  std::string_view rest = lower;
  const auto day = [](std::string_view name) { return ByName(std::string(Trim(name)), 0, 6, true, WeekdayName); };
  do {
    const std::size_t comma = rest.find(',');
    const std::string_view item = rest.substr(0, comma);
    const std::size_t dash = item.find('-');
    const auto first = day(item.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : day(item.substr(dash + 1));
    if (!first || !last) {
      return Fail(ErrorCode::kInvalid,
                  "bad days '" + std::string(text) +
                      "': write weekdays, weekends, daily, or names and ranges such as mon-fri,sun");
    }
    for (int i = *first;; i = (i + 1) % 7) {
      days[static_cast<std::size_t>(i)] = true;
      if (i == *last) break;
    }
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
  } while (!rest.empty());
  return days;
}

namespace {

constexpr std::size_t kMaxHolidays = 100'000;

// 20261225 of "DTSTART;VALUE=DATE:20261225".
std::optional<CivilDate> CalendarDate(std::string_view line) {
  const std::string_view value = line.substr(std::min(line.size(), line.find(':') + 1));
  if (value.size() < 8) return std::nullopt;
  std::string date(value.substr(0, 8));
  date.insert(6, "-").insert(4, "-");
  const auto parsed = ParseCivilDate(date);
  return parsed ? std::optional(*parsed) : std::nullopt;
}

// Reads one file line by line; `number` counts from 1.
struct HolidayReader {
  std::set<CivilDate> days;
  bool calendar = false;
  std::optional<CivilDate> start, end;

  Result<void> Line(std::string_view line, int number) {
    const auto bad = [&](const std::string& why) {
      return Fail(ErrorCode::kInvalid, "line " + std::to_string(number) + ": " + why);
    };
    if (line == "BEGIN:VCALENDAR") calendar = true;
    if (calendar) {
      if (line.starts_with("RRULE")) return bad("repetition rules are not read; list the days themselves");
      if (line.starts_with("DTSTART") && !(start = CalendarDate(line)))
        return bad("bad DTSTART '" + std::string(line) + "'");
      if (line.starts_with("DTEND") && !(end = CalendarDate(line))) return bad("bad DTEND '" + std::string(line) + "'");
      if (line == "END:VEVENT") return EndEvent(number);
      return {};
    }
    line = Trim(line.substr(0, line.find('#')));
    if (line.empty()) return {};
    const auto date = ParseCivilDate(line.substr(0, line.find_first_of(" \t")));
    if (!date) return bad(date.error().message);
    days.insert(*date);
    return {};
  }

  Result<void> EndEvent(int number) {
    if (start) {
      const CivilDate last = end && *end > *start ? end->Plus(-1) : *start;  // DTEND does not belong to the event
      for (CivilDate day = *start; day <= last; day = day.Plus(1)) {
        days.insert(day);
        if (days.size() > kMaxHolidays) {
          return Fail(ErrorCode::kLimit, "line " + std::to_string(number) + ": more than 100000 holidays");
        }
      }
    }
    start.reset();
    end.reset();
    return {};
  }
};

}  // namespace

Result<std::set<CivilDate>> ParseHolidays(std::string_view content) {
  HolidayReader reader;
  for (int number = 1; !content.empty(); ++number) {
    const std::size_t newline = content.find('\n');
    if (auto read = reader.Line(Trim(content.substr(0, newline)), number); !read) return std::unexpected(read.error());
    if (newline == std::string_view::npos) break;
    content.remove_prefix(newline + 1);
  }
  return std::move(reader.days);
}

}  // namespace pipewarden::core
