#include "rules/promql/engine.h"

#include <boost/test/unit_test.hpp>

#include "rules/promql/memory_series.h"
#include "rules/promql/parser.h"

namespace pipewarden::rules::promql {
namespace {

MemorySeries TenSeries() {
  MemorySeries data;
  for (int i = 0; i < 10; ++i)
    for (int t = 0; t < 100; ++t)
      data.Add({{"__name__", "m"}, {"i", std::to_string(i)}}, t * 1000, static_cast<double>(t));
  return data;
}

core::Result<QueryResult> Ask(const Engine& engine, const MemorySeries& data, std::string_view query,
                              const EvalLimits& limits = {}) {
  const auto expr = ParseExpr(query);
  BOOST_REQUIRE_MESSAGE(expr.has_value(), expr.error().message);
  return engine.Range(**expr, data, 0, 99'000, 1000, limits);
}

BOOST_AUTO_TEST_CASE(too_many_samples_are_refused) {
  const MemorySeries data = TenSeries();
  const Engine small(EngineOptions{.max_samples = 500});
  const auto result = Ask(small, data, "m + m");
  BOOST_REQUIRE(!result.has_value());
  BOOST_TEST((result.error().code == core::ErrorCode::kLimit));
  BOOST_TEST(result.error().message == "query processing would load too many samples into memory in query execution");
  BOOST_TEST(Ask(small, data, "sum(m{i=\"1\"})").has_value());
  const auto subquery = Ask(small, data, "sum_over_time(vector(1)[1000d:1ms])");
  BOOST_REQUIRE(!subquery.has_value());
  BOOST_TEST((subquery.error().code == core::ErrorCode::kLimit));
}

BOOST_AUTO_TEST_CASE(a_cancelled_query_and_one_out_of_time_end) {
  const MemorySeries data = TenSeries();
  const std::atomic<bool> cancel{true};
  EvalLimits limits;
  limits.cancel = &cancel;
  const auto cancelled = Ask(Engine(), data, "m", limits);
  BOOST_REQUIRE(!cancelled.has_value());
  BOOST_TEST((cancelled.error().code == core::ErrorCode::kUnavailable));
  const core::JumpingClock clock;
  limits = {};
  limits.clock = &clock;
  limits.deadline = clock.Monotonic();
  const auto late = Ask(Engine(), data, "m", limits);
  BOOST_REQUIRE(!late.has_value());
  BOOST_TEST((late.error().code == core::ErrorCode::kTimeout));
}

// A moment passes with each question.
class CountingClock final : public core::Clock {
 public:
  core::WallTime Now() const override { return {}; }
  core::MonoTime Monotonic() const override { return core::MonoTime(core::Duration(++asked)); }
  mutable std::int64_t asked = 0;
};

BOOST_AUTO_TEST_CASE(a_long_subquery_looks_at_its_limits_while_it_is_read) {
  const MemorySeries data = TenSeries();
  const CountingClock clock;
  EvalLimits limits;
  limits.clock = &clock;
  limits.deadline = core::MonoTime::max();
  const auto expr = ParseExpr("sum_over_time(vector(1)[1000s:1ms])");
  BOOST_REQUIRE(expr.has_value());
  BOOST_REQUIRE(Engine().Instant(**expr, data, 1'000'000, limits).has_value());
  BOOST_TEST(clock.asked >= 1'000'000 / 4096);
}

BOOST_AUTO_TEST_CASE(a_range_query_is_sorted_by_labels_and_takes_no_ranges_or_strings) {
  const MemorySeries data = TenSeries();
  const auto result = Ask(Engine(), data, "-m");
  BOOST_REQUIRE(result.has_value());
  BOOST_REQUIRE(result->matrix.size() == 10U);
  for (std::size_t i = 0; i < 10; ++i)
    BOOST_TEST((*result->matrix[i].labels == core::Labels{{"i", std::to_string(i)}}));
  BOOST_TEST(result->matrix[0].points.size() == 100U);
  const auto ranges = Ask(Engine(), data, "m[5m]");
  BOOST_REQUIRE(!ranges.has_value());
  BOOST_TEST(ranges.error().message ==
             "invalid expression type \"range vector\" for range query, must be Scalar or instant Vector");
}

BOOST_AUTO_TEST_CASE(names_go_at_once_or_at_the_end) {
  const MemorySeries data = TenSeries();
  const auto expr = ParseExpr("sum by (__name__) (-m)");
  BOOST_REQUIRE(expr.has_value());
  const auto at_once = Engine().Instant(**expr, data, 5000);
  BOOST_REQUIRE(at_once.has_value());
  BOOST_TEST(at_once->vector.size() == 1U);
  BOOST_TEST(at_once->vector[0].labels->empty());
  const auto replace = ParseExpr("label_replace(-m{i=\"1\"}, \"was\", \"$1\", \"__name__\", \"(.*)\")");
  BOOST_REQUIRE(replace.has_value());
  const auto early = Engine().Instant(**replace, data, 5000);
  BOOST_REQUIRE(early.has_value());
  BOOST_TEST((*early->vector[0].labels == core::Labels{{"i", "1"}}));
  const auto delayed = Engine(EngineOptions{.delayed_name_removal = true}).Instant(**replace, data, 5000);
  BOOST_REQUIRE(delayed.has_value());
  BOOST_TEST((*delayed->vector[0].labels == core::Labels{{"i", "1"}, {"was", "m"}}));
}

}  // namespace
}  // namespace pipewarden::rules::promql
