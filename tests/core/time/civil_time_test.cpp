#include "core/time/civil_time.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace pipewarden::core {
namespace {

namespace data = boost::unit_test::data;

ZonedTime At(std::string_view text, std::string_view zone = "UTC") {
  ZonedTime time = ParseRfc3339(text).value();
  time.zone = TimeZone::Find(zone).value();
  return time;
}

BOOST_AUTO_TEST_CASE(the_calendar_goes_there_and_back) {
  for (std::int64_t day = -800'000; day < 400'000; day += 37) {
    const CivilTime civil = CivilFromSeconds(day * 86'400 + 3'661);
    BOOST_REQUIRE(CivilSeconds(civil) == day * 86'400 + 3'661);
  }
  BOOST_TEST(FormatRfc3339(ZonedTime()) == "0001-01-01T00:00:00Z");
  BOOST_TEST((CivilTime{.year = 2026, .month = 11, .day = 21}.weekday()) == 6);
  BOOST_TEST((CivilTime{.year = 2024, .month = 12, .day = 31}.year_day()) == 366);
  BOOST_TEST(CivilSeconds({.year = 2026, .month = 14, .day = 0}) ==
             CivilSeconds({.year = 2027, .month = 1, .day = 31}));
}

BOOST_AUTO_TEST_CASE(an_unknown_zone_is_refused) {
  const auto zone = TimeZone::Find("Europe/Atlantis");
  BOOST_REQUIRE(!zone.has_value());
  BOOST_TEST(zone.error().message.find("Europe/Atlantis") != std::string::npos);
  BOOST_TEST(TimeZone::Find("UTC")->is_utc());
}

struct LocalCase {
  const char* zone;
  const char* local;
  TimeZone::Kind kind;
  const char* earlier;
  const char* later;
};
std::ostream& operator<<(std::ostream& out, const LocalCase& c) { return out << c.zone << ' ' << c.local; }

using Kind = TimeZone::Kind;
const LocalCase kLocal[] = {
    {"UTC", "2026-03-29T02:30:00Z", Kind::kUnique, "2026-03-29T02:30:00Z", "2026-03-29T02:30:00Z"},
    {"Europe/Berlin", "2026-07-01T12:00:00Z", Kind::kUnique, "2026-07-01T10:00:00Z", "2026-07-01T10:00:00Z"},
    {"Europe/Berlin", "2026-03-29T02:30:00Z", Kind::kGap, "2026-03-29T01:30:00Z", "2026-03-29T00:30:00Z"},
    {"Europe/Berlin", "2026-10-25T02:30:00Z", Kind::kFold, "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"},
    {"Australia/Lord_Howe", "2017-10-01T02:15:00Z", Kind::kGap, "2017-09-30T15:45:00Z", "2017-09-30T15:15:00Z"},
    {"Pacific/Apia", "2011-12-30T12:00:00Z", Kind::kGap, "2011-12-30T22:00:00Z", "2011-12-29T22:00:00Z"},
    {"Europe/Berlin", "2050-07-01T12:00:00Z", Kind::kUnique, "2050-07-01T10:00:00Z", "2050-07-01T10:00:00Z"},
    {"Europe/Berlin", "2050-01-01T00:00:00Z", Kind::kUnique, "2049-12-31T23:00:00Z", "2049-12-31T23:00:00Z"},
    {"America/New_York", "2040-03-11T02:30:00Z", Kind::kGap, "2040-03-11T07:30:00Z", "2040-03-11T06:30:00Z"},
    {"Asia/Kolkata", "2050-07-01T12:00:00Z", Kind::kUnique, "2050-07-01T06:30:00Z", "2050-07-01T06:30:00Z"}};

BOOST_DATA_TEST_CASE(local_times_meet_gaps_and_folds, data::make(kLocal), c) {
  const TimeZone zone = TimeZone::Find(c.zone).value();
  const TimeZone::Instants got = zone.ToUtc(At(c.local).seconds);
  BOOST_TEST((got.kind == c.kind));
  BOOST_TEST(FormatRfc3339(ZonedTime{.seconds = got.earlier}) == c.earlier);
  BOOST_TEST(FormatRfc3339(ZonedTime{.seconds = got.later}) == c.later);
}

BOOST_AUTO_TEST_CASE(a_gap_ends_where_the_offset_changes) {
  const TimeZone zone = TimeZone::Find("Europe/Berlin").value();
  const auto got = zone.ToUtc(At("2026-03-29T02:30:00Z").seconds);
  BOOST_TEST(FormatRfc3339(ZonedTime{.seconds = got.gap_end}) == "2026-03-29T01:00:00Z");
}

struct LayoutCase {
  const char* layout;
  const char* text;
};
std::ostream& operator<<(std::ostream& out, const LayoutCase& c) { return out << c.layout; }

const LayoutCase kLayouts[] = {{"2006-01-02T15:04:05Z07:00", "2026-07-04T17:03:09+02:00"},
                               {"Mon Jan _2 15:04:05 2006", "Sat Jul  4 17:03:09 2026"},
                               {"Monday, 02-Jan-06 15:04:05 MST", "Saturday, 04-Jul-26 17:03:09 CEST"},
                               {"Mon, 02 Jan 2006 15:04:05 -0700", "Sat, 04 Jul 2026 17:03:09 +0200"},
                               {"3:04PM", "5:03PM"},
                               {"03:04pm", "05:03pm"},
                               {"Jan _2 15:04:05.000", "Jul  4 17:03:09.120"},
                               {"15:04:05.999999999", "17:03:09.12"},
                               {"15h4m5s", "17h3m9s"},
                               {"2006 002 __2", "2026 185 185"},
                               {"Z07 Z0700 Z07:00:00 -07 -070000", "+02 +0200 +02:00:00 +02 +020000"},
                               {"Month of _2006", "Month of _2026"},
                               {"January 1 2", "July 7 4"}};

BOOST_DATA_TEST_CASE(go_layouts_print, data::make(kLayouts), c) {
  ZonedTime time = At("2026-07-04T15:03:09.12Z", "Europe/Berlin");
  BOOST_TEST(FormatGoTime(time, c.layout) == c.text);
}

BOOST_AUTO_TEST_CASE(go_times_print_as_go_prints_them) {
  BOOST_TEST(GoTimeString(ZonedTime()) == "0001-01-01 00:00:00 +0000 UTC");
  BOOST_TEST(GoTimeString(ParseRfc3339("2026-07-04T15:03:09.5+05:30").value()) == "2026-07-04 15:03:09.5 +0530 +0530");
  BOOST_TEST(FormatStrftime(At("2026-01-02T03:04:05Z"), "%F %T %j %a %b %e %V %G %s %z %Z %% %Q") ==
             "2026-01-02 03:04:05 002 Fri Jan  2 01 2026 1767323045 +0000 UTC % %Q");
}

const char* const kRoundTrips[] = {"2026-01-02T03:04:05Z", "2026-01-02T03:04:05.123456789Z",
                                   "2026-01-02T03:04:05+01:00", "1969-12-31T23:59:59.5Z", "2024-02-29T00:00:00-12:45"};
BOOST_DATA_TEST_CASE(rfc3339_goes_there_and_back, data::make(kRoundTrips), text) {
  const auto time = ParseRfc3339(text);
  BOOST_REQUIRE(time.has_value());
  BOOST_TEST(FormatRfc3339(*time) == text);
}

const char* const kBadTimes[] = {"",
                                 "2026-01-02",
                                 "2026-02-29T00:00:00Z",
                                 "2026-01-02T24:00:00Z",
                                 "2026-1-2T00:00:00Z",
                                 "2026-01-02T00:00:00",
                                 "2026-01-02T00:00:00+0100",
                                 "x2026-01-02T00:00:00Z",
                                 "2026-01-02T00:00:00ZZ"};
BOOST_DATA_TEST_CASE(what_is_no_rfc3339_is_refused, data::make(kBadTimes), text) {
  const auto time = ParseRfc3339(text);
  BOOST_REQUIRE(!time.has_value());
  BOOST_TEST(time.error().message.find("RFC 3339") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(go_layouts_read) {
  BOOST_TEST(FormatRfc3339(*ParseGoTime("Jan 2, 2006 at 3:04pm (MST)", "Feb 3, 2013 at 7:54pm (UTC)")) ==
             "2013-02-03T19:54:00Z");
  BOOST_TEST(FormatRfc3339(*ParseGoTime("2006-01-02", "2026-12-24", TimeZone::Find("Europe/Berlin").value())) ==
             "2026-12-24T00:00:00+01:00");
  const auto bad = ParseGoTime("2006-01-02", "2026-13-24");
  BOOST_REQUIRE(!bad.has_value());
  BOOST_TEST(bad.error().message == "parsing time \"2026-13-24\": month out of range");
}

}  // namespace
}  // namespace pipewarden::core
