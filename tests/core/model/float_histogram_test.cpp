#include "core/model/float_histogram.h"

#include <boost/test/unit_test.hpp>
#include <cmath>

namespace pipewarden::core {
namespace {

BOOST_AUTO_TEST_SUITE(FloatHistogramSuite)

FloatHistogram Exponential(std::int32_t schema, HistogramBuckets positive) {
  FloatHistogram histogram;
  histogram.schema = schema;
  for (const HistogramBucket& bucket : positive) histogram.count += bucket.count;
  histogram.positive = std::move(positive);
  return histogram;
}

FloatHistogram Custom(std::vector<double> bounds, HistogramBuckets positive) {
  FloatHistogram histogram = Exponential(FloatHistogram::kCustomSchema, std::move(positive));
  histogram.bounds = std::make_shared<const std::vector<double>>(std::move(bounds));
  return histogram;
}

BOOST_AUTO_TEST_CASE(bounds_are_those_of_prometheus) {
  FloatHistogram histogram;
  BOOST_TEST(histogram.UpperBound(0) == 1.0);
  BOOST_TEST(histogram.UpperBound(-3) == 0.125);
  BOOST_TEST(histogram.UpperBound(1024) == std::numeric_limits<double>::max());
  BOOST_TEST(std::isinf(histogram.UpperBound(1025)));
  histogram.schema = 1;
  BOOST_TEST(histogram.UpperBound(1) == 1.414213562373095);  // not the nearest double
  histogram.schema = 3;
  BOOST_TEST(histogram.UpperBound(1) == 1.0905077326652577);
  histogram.schema = -2;
  BOOST_TEST(histogram.UpperBound(2) == 256.0);
  BOOST_TEST(histogram.UpperBound(256) == std::numeric_limits<double>::max());
  const FloatHistogram custom = Custom({1, 2}, {});
  BOOST_TEST(std::isinf(-custom.UpperBound(-1)));
  BOOST_TEST(custom.UpperBound(1) == 2.0);
  BOOST_TEST(std::isinf(custom.UpperBound(2)));
}

BOOST_AUTO_TEST_CASE(resolution_goes_down_by_pairs) {
  FloatHistogram histogram = Exponential(2, {{-3, 1}, {-2, 2}, {0, 4}, {1, 8}, {2, 16}, {5, 32}});
  ReduceResolution(histogram, 1);
  BOOST_TEST_REQUIRE(histogram.positive.size() == 4U);
  BOOST_TEST(histogram.positive[0].index == -1);
  BOOST_TEST(histogram.positive[0].count == 3.0);
  BOOST_TEST(histogram.positive[1].index == 0);
  BOOST_TEST(histogram.positive[1].count == 4.0);
  BOOST_TEST(histogram.positive[2].index == 1);
  BOOST_TEST(histogram.positive[2].count == 24.0);
  BOOST_TEST(histogram.positive[3].index == 3);
}

BOOST_AUTO_TEST_CASE(a_wider_zero_bucket_cuts_no_bucket) {
  FloatHistogram histogram = Exponential(0, {{-1, 1}, {0, 2}, {1, 4}});  // (0.25,0.5] (0.5,1] (1,2]
  histogram.negative = {{1, 8}};                                         // [-2,-1)
  histogram.zero_count = 16;
  double threshold = 0.75;
  BOOST_TEST(ZeroCountWithin(histogram, threshold) == 19.0);
  BOOST_TEST(threshold == 1.0);
  threshold = 1.5;
  BOOST_TEST(ZeroCountWithin(histogram, threshold) == 31.0);
  BOOST_TEST(threshold == 2.0);
}

BOOST_AUTO_TEST_CASE(resets) {
  const FloatHistogram before = Exponential(0, {{0, 2}, {1, 3}});
  BOOST_TEST(!IsReset(Exponential(0, {{0, 2}, {1, 4}}), before));
  BOOST_TEST(IsReset(Exponential(0, {{0, 1}, {1, 9}}), before));
  BOOST_TEST(IsReset(Exponential(0, {{1, 9}}), before));
  BOOST_TEST(IsReset(Exponential(1, {{0, 2}, {1, 9}}), before));    // finer than before
  BOOST_TEST(!IsReset(Exponential(-1, {{0, 2}, {1, 9}}), before));  // coarser
  FloatHistogram hinted = Exponential(0, {{0, 1}});
  hinted.hint = CounterResetHint::kNotReset;
  BOOST_TEST(!IsReset(hinted, before));
  BOOST_TEST(IsReset(Custom({1}, {{0, 9}}), before));
  BOOST_TEST(!IsReset(Custom({1, 2}, {{0, 1}, {1, 2}}), Custom({2}, {{0, 3}})));
  BOOST_TEST(IsReset(Custom({1, 2}, {{0, 1}, {1, 1}, {2, 5}}), Custom({2}, {{0, 3}})));
}

BOOST_AUTO_TEST_CASE(a_stored_hint_tells_of_the_sample_before) {
  FloatHistogram first = Exponential(0, {{0, 2}});
  BOOST_TEST((StoredHint(first, nullptr) == CounterResetHint::kUnknown));
  BOOST_TEST((StoredHint(Exponential(0, {{0, 3}}), &first) == CounterResetHint::kNotReset));
  BOOST_TEST((StoredHint(Exponential(0, {{0, 1}}), &first) == CounterResetHint::kUnknown));
  BOOST_TEST((StoredHint(Exponential(1, {{0, 3}}), &first) == CounterResetHint::kUnknown));
  FloatHistogram gauge = first;
  gauge.hint = CounterResetHint::kGauge;
  BOOST_TEST((StoredHint(gauge, &first) == CounterResetHint::kGauge));
  BOOST_TEST((StoredHint(first, &gauge) == CounterResetHint::kUnknown));
}

BOOST_AUTO_TEST_CASE(what_is_no_histogram_is_refused) {
  BOOST_TEST(Validate(Exponential(0, {{0, 2}, {1, 0}})).has_value());
  BOOST_TEST(Validate(Custom({1, 2}, {{0, 2}, {2, 1}})).has_value());
  BOOST_TEST(!Validate(Exponential(9, {})).has_value());
  BOOST_TEST(!Validate(Exponential(0, {{1, 2}, {1, 2}})).has_value());
  BOOST_TEST(!Validate(Exponential(0, {{1, -2}})).has_value());
  BOOST_TEST(!Validate(Custom({1, 1}, {})).has_value());
  BOOST_TEST(!Validate(Custom({1}, {{2, 1}})).has_value());
  BOOST_TEST(!Validate(Custom({std::nan("")}, {})).has_value());
  FloatHistogram negative = Custom({1}, {});
  negative.negative = {{0, 1}};
  BOOST_TEST(!Validate(negative).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::core
