#include "core/time/duration.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace pipewarden::core {
namespace {

struct Case {
  const char* text;
  std::int64_t ms;
  const char* printed;
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.text; }

const Case kGood[] = {{"0", 0, "0s"},
                      {"0s", 0, "0s"},
                      {"324ms", 324, "324ms"},
                      {"3s", 3000, "3s"},
                      {"5m", 300'000, "5m"},
                      {"1h", 3'600'000, "1h"},
                      {"4d", 345'600'000, "4d"},
                      {"3w", 1'814'400'000, "3w"},
                      {"8d", 691'200'000, "8d"},
                      {"1y", 31'536'000'000, "1y"},
                      {"4d1h", 349'200'000, "4d1h"},
                      {"14d", 1'209'600'000, "2w"},
                      {"90m", 5'400'000, "1h30m"},
                      {"1h30m15s1ms", 5'415'001, "1h30m15s1ms"}};

BOOST_DATA_TEST_CASE(durations_read_and_print, boost::unit_test::data::make(kGood), c) {
  const auto parsed = ParseDuration(c.text);
  BOOST_REQUIRE(parsed.has_value());
  BOOST_TEST((*parsed == std::chrono::milliseconds(c.ms)));
  BOOST_TEST(FormatDuration(*parsed) == c.printed);
}

const char* const kBad[] = {"",     "1", "1y1m1d", "-1w", "1.5d", "d",
                            "1m1m", "3", " 1s",    "1s ", "294y", "99999999999999999999s"};

BOOST_DATA_TEST_CASE(what_is_no_duration_is_refused, boost::unit_test::data::make(kBad), text) {
  const auto parsed = ParseDuration(text);
  BOOST_REQUIRE(!parsed.has_value());
  BOOST_TEST((parsed.error().code == ErrorCode::kInvalid));
}

}  // namespace
}  // namespace pipewarden::core
