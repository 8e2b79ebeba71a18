#include "rules/remote_write.h"

#include <prometheus/registry.h>

#include <boost/test/unit_test.hpp>

#include "tests/support/temp_folder.h"

namespace pipewarden::rules {
namespace {

constexpr core::TimestampMs kNow = 1'700'000'000'000;
constexpr core::LabelView kA[] = {{"__name__", "x"}, {"job", "a"}};
constexpr core::LabelView kB[] = {{"__name__", "x"}, {"job", "b"}};

core::RemoteWriteRequest Request(std::vector<core::RemoteWriteSeries> series) {
  core::RemoteWriteRequest request;
  request.series = std::move(series);
  return request;
}

BOOST_AUTO_TEST_CASE(what_can_be_stored_of_a_remote_write_is) {
  test::TempFolder folder;
  auto storage = std::move(*Storage::Open({.path = folder.path(), .max_series = 1000},
                                          core::Logger(core::LogLevel::kError, core::LogFormat::kLogfmt),
                                          std::make_shared<prometheus::Registry>()));
  const core::Sample of_a[] = {{kNow - 2000, 1}, {kNow - 1000, 2}, {kNow + 700'000, 3}};
  const core::Sample of_b[] = {{kNow - 1000, 4}};
  const RemoteWriteOutcome first =
      AppendRemote(*storage,
                   Request({{.labels = kA, .samples = of_a},
                            {.labels = kB, .samples = of_b},
                            {.labels = {}, .samples = of_b, .invalid = "there is no metric name"}}),
                   kNow);
  BOOST_TEST(first.samples == 3U);
  BOOST_TEST(first.refused == 2U);
  BOOST_TEST(first.why == "out of bounds: the sample is too far in the future: x{job=\"a\"}");

  const core::Sample more_of_b[] = {{kNow - 1000, 5}, {kNow, 6}};
  const RemoteWriteOutcome second = AppendRemote(*storage, Request({{.labels = kB, .samples = more_of_b}}), kNow);
  BOOST_TEST(second.samples == 1U);
  BOOST_TEST(second.refused == 1U);
  BOOST_TEST(second.why.starts_with("out of order sample"));
}

BOOST_AUTO_TEST_CASE(native_histograms_are_stored_beside_floats) {
  test::TempFolder folder;
  auto storage = std::move(*Storage::Open({.path = folder.path(), .max_series = 1000},
                                          core::Logger(core::LogLevel::kError, core::LogFormat::kLogfmt),
                                          std::make_shared<prometheus::Registry>()));
  core::FloatHistogram histogram;
  histogram.count = histogram.sum = 3;
  histogram.positive = {{1, 3}};
  const auto shared = std::make_shared<const core::FloatHistogram>(histogram);
  const core::LabelView h[] = {{"__name__", "h"}};
  const core::LabelView f[] = {{"__name__", "f"}};
  const core::Sample stale[] = {{kNow - 1000, core::StaleNaN()}};
  const core::Sample one[] = {{kNow, 1}};
  const core::RemoteWriteHistogram histograms[] = {
      {kNow - 2000, shared, ""}, {kNow, shared, ""}, {kNow, nullptr, "bad histogram: x"}};
  const RemoteWriteOutcome outcome = AppendRemote(
      *storage, Request({{.labels = h, .samples = stale, .histograms = histograms}, {.labels = f, .samples = one}}),
      kNow);
  BOOST_TEST(outcome.samples == 2U);
  BOOST_TEST(outcome.histograms == 2U);
  BOOST_TEST(outcome.refused == 1U);
  BOOST_TEST(outcome.why == "invalid histogram of series h: bad histogram: x");
  auto querier = storage->Open(kNow - 5000, kNow);
  BOOST_REQUIRE(querier.has_value());
  const std::vector matchers{*core::Matcher::Make("__name__", core::MatchOp::kEqual, "h")};
  auto set = (*querier)->Select({.from = kNow - 5000, .to = kNow}, matchers);
  BOOST_REQUIRE(set.has_value());
  promql::SampleColumns last;
  BOOST_REQUIRE((*set)->ReadLast(0, kNow - 5000, kNow, last).has_value());
  BOOST_REQUIRE(last.histograms.size() == 1U);
  BOOST_TEST(core::SameHistogram(*last.histograms[0], histogram));
}

}  // namespace
}  // namespace pipewarden::rules
