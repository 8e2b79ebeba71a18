#include "core/time/calendar.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace pipewarden::core {
namespace {

namespace data = boost::unit_test::data;

bool Contains(const TimeInterval& interval, std::string_view time) {
  return interval.Contains(ParseRfc3339(time).value().ToWall());
}

BOOST_AUTO_TEST_CASE(an_interval_holds_where_each_part_holds) {
  TimeInterval interval;
  BOOST_TEST(Contains(interval, "2026-11-21T12:00:00Z"));
  interval.times = {ParseTimeRange("09:00", "17:00").value()};
  interval.weekdays = {ParseWeekdayRange("monday:friday").value()};
  BOOST_TEST(Contains(interval, "2026-11-20T09:00:00Z"));
  BOOST_TEST(Contains(interval, "2026-11-20T16:59:59Z"));
  BOOST_TEST(!Contains(interval, "2026-11-20T17:00:00Z"));
  BOOST_TEST(!Contains(interval, "2026-11-21T12:00:00Z"));
  interval.zone = TimeZone::Find("Asia/Tokyo").value();
  BOOST_TEST(Contains(interval, "2026-11-20T00:00:00Z"));
  BOOST_TEST(!Contains(interval, "2026-11-20T09:00:00Z"));
  interval.months = {ParseMonthRange("june:august").value()};
  BOOST_TEST(!Contains(interval, "2026-11-20T00:00:00Z"));
}

struct DayCase {
  const char* range;
  const char* time;
  bool holds;
};
std::ostream& operator<<(std::ostream& out, const DayCase& c) { return out << c.range << ' ' << c.time; }
const DayCase kDays[] = {{"1:5", "2026-11-05T12:00:00Z", true},    {"1:5", "2026-11-06T12:00:00Z", false},
                         {"-3:-1", "2026-02-26T12:00:00Z", true},  {"-3:-1", "2026-02-25T12:00:00Z", false},
                         {"31", "2026-02-28T12:00:00Z", false},    {"25:31", "2026-02-28T12:00:00Z", true},
                         {"-31:-1", "2026-02-01T12:00:00Z", true}, {"10:-1", "2026-02-28T12:00:00Z", true},
                         {"10:-5", "2026-02-27T12:00:00Z", false}, {"-31:-30", "2026-02-01T12:00:00Z", false}};
BOOST_DATA_TEST_CASE(days_of_the_month_count_from_both_ends, data::make(kDays), c) {
  TimeInterval interval;
  interval.days_of_month = {ParseDayOfMonthRange(c.range).value()};
  BOOST_TEST(Contains(interval, c.time) == c.holds);
}

BOOST_AUTO_TEST_CASE(what_is_no_range_is_refused) {
  BOOST_TEST(!ParseTimeOfDay("9:00").has_value());
  BOOST_TEST(!ParseTimeOfDay("24:01").has_value());
  BOOST_TEST(ParseTimeOfDay("24:00").value() == 1440);
  BOOST_TEST(!ParseTimeRange("22:00", "06:00").has_value());
  BOOST_TEST(!ParseWeekdayRange("friday:monday").has_value());
  BOOST_TEST(!ParseWeekdayRange("mon").has_value());
  BOOST_TEST(!ParseDayOfMonthRange("0").has_value());
  BOOST_TEST(!ParseDayOfMonthRange("-1:5").has_value());
  BOOST_TEST(!ParseMonthRange("13").has_value());
  BOOST_TEST((ParseMonthRange("march:5").value() == IntRange{3, 5}));
  BOOST_TEST((ParseYearRange("2026:2028").value() == IntRange{2026, 2028}));
}

BOOST_AUTO_TEST_CASE(working_days_leave_out_weekends_and_holidays) {
  WorkCalendar calendar{.weekdays = ParseWeekdays("weekdays").value(),
                        .holidays = ParseHolidays("# ours\n2026-12-25 Christmas\n2026-12-24\n").value()};
  BOOST_TEST(calendar.IsWorkingDay({2026, 12, 23}));
  BOOST_TEST(!calendar.IsWorkingDay({2026, 12, 24}));
  BOOST_TEST(!calendar.IsWorkingDay({2026, 12, 26}));
  BOOST_TEST((calendar.NextWorkingDay({2026, 12, 23}) == CivilDate{2026, 12, 28}));
  BOOST_TEST((ParseWeekdays("sat-mon,wed").value() == std::array{true, true, false, true, false, false, true}));
  BOOST_TEST(!ParseWeekdays("someday").has_value());
  BOOST_TEST(!ParseHolidays("2026-02-30").has_value());
}

BOOST_AUTO_TEST_CASE(holidays_come_from_icalendar) {
  const auto days = ParseHolidays(
      "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20261224\r\nDTEND;VALUE=DATE:20261227\r\nSUMMARY:x\r\n"
      "END:VEVENT\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20270101\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n");
  BOOST_REQUIRE(days.has_value());
  BOOST_TEST(days->size() == 4u);
  BOOST_TEST(days->contains({2026, 12, 26}));
  BOOST_TEST(!ParseHolidays("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260101\nRRULE:FREQ=YEARLY\n").has_value());
}

}  // namespace
}  // namespace pipewarden::core
