#include "rules/promql/memory_series.h"

#include <boost/test/unit_test.hpp>

namespace pipewarden::rules::promql {
namespace {

BOOST_AUTO_TEST_CASE(a_memory_series_is_read_by_matchers_and_time) {
  MemorySeries data;
  const core::Labels up{{"__name__", "up"}, {"job", "a"}};
  data.Add(up, 2000, 2);
  data.Add(up, 1000, 1);
  data.Add({{"__name__", "down"}}, 1000, 5);
  const auto querier = data.Open(0, 5000);
  BOOST_REQUIRE(querier.has_value());
  const std::vector<core::Matcher> matchers{*core::Matcher::Make("__name__", core::MatchOp::kEqual, "up")};
  const auto set = (*querier)->Select({.from = 0, .to = 5000}, matchers);
  BOOST_REQUIRE(set.has_value());
  BOOST_REQUIRE((*set)->size() == 1U);
  BOOST_TEST((*(*set)->labels(0) == up));
  SampleColumns samples;
  BOOST_REQUIRE((*set)->Read(0, 1000, 2000, samples).has_value());
  BOOST_TEST(samples.times == (std::vector<TimestampMs>{1000, 2000}), boost::test_tools::per_element());
  samples.Clear();
  BOOST_REQUIRE((*set)->ReadLast(0, 0, 1500, samples).has_value());
  BOOST_TEST(samples.values == std::vector<double>{1}, boost::test_tools::per_element());
}

}  // namespace
}  // namespace pipewarden::rules::promql
