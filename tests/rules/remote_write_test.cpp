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
  BOOST_TEST(first.why == "out of bounds: timestamp is too far in the future");

  const core::Sample more_of_b[] = {{kNow - 1000, 5}, {kNow, 6}};
  const RemoteWriteOutcome second = AppendRemote(*storage, Request({{.labels = kB, .samples = more_of_b}}), kNow);
  BOOST_TEST(second.samples == 1U);
  BOOST_TEST(second.refused == 1U);
  BOOST_TEST(second.each ==
             "duplicate sample for timestamp 1699999999000; overrides not allowed: existing 4, new value 5 for series "
             "{__name__=\"x\", job=\"b\"}");
}

core::HistogramPtr Histogram(double count) {
  core::FloatHistogram histogram;
  histogram.count = histogram.sum = count;
  histogram.positive = {{1, count}};
  return std::make_shared<const core::FloatHistogram>(histogram);
}

// What is sent to a storage that has "f" with 2 at kNow - 1000 and "h" with a histogram of 2 there.
struct Sent {
  core::LabelView labels[1];
  std::vector<core::Sample> samples;
  std::vector<core::RemoteWriteHistogram> histograms;
  std::string_view why;
  std::size_t written;
};

BOOST_AUTO_TEST_CASE(what_is_sent_again_is_well_and_what_is_older_is_not) {
  constexpr core::TimestampMs kDay = 24LL * 60 * 60 * 1000;
  constexpr core::LabelView f{"__name__", "f"};
  constexpr core::LabelView h{"__name__", "h"};
  constexpr core::LabelView fresh{"__name__", "fresh"};
  const std::vector<Sent> table{
      {{f}, {{kNow - 1000, 2}}, {}, "", 1},
      {{f}, {{kNow - 1000, 2}, {kNow, 5}, {kNow, 5}}, {}, "", 3},
      {{f}, {{kNow, 5}, {kNow, 6}}, {}, "", 2},
      {{f},
       {{kNow - 1000, 3}},
       {},
       "duplicate sample for timestamp 1699999999000; overrides not allowed: existing 2, new value 3",
       0},
      {{f}, {{kNow - 1001, 2}}, {}, "out of order sample", 0},
      {{f}, {{kNow - 2 * 3600 * 1000, 2}}, {}, "out of bounds", 0},
      {{f}, {}, {{kNow - 1000, Histogram(1), ""}}, "duplicate sample for timestamp", 0},
      {{h}, {}, {{kNow - 1000, Histogram(2), ""}}, "", 1},
      {{h}, {}, {{kNow, Histogram(2), ""}, {kNow, Histogram(2), ""}}, "", 2},
      {{h}, {}, {{kNow - 1000, Histogram(3), ""}}, "duplicate sample for timestamp", 0},
      {{h},
       {{kNow - 1000, 3}},
       {},
       "duplicate sample for timestamp 1699999999000; overrides not allowed: existing is a histogram, new value 3",
       0},
      {{fresh}, {{0, 1}}, {}, "out of bounds", 0},
      {{fresh}, {{-1, 1}}, {}, "out of bounds", 0},
      {{fresh}, {{kNow - 40 * kDay, 1}}, {}, "out of bounds", 0},
      {{fresh}, {{kNow - 2000, 1}, {kNow - 3000, 1}}, {}, "", 2},
  };
  for (const Sent& sent : table) {
    test::TempFolder folder;
    auto storage = std::move(*Storage::Open({.path = folder.path()},
                                            core::Logger(core::LogLevel::kError, core::LogFormat::kLogfmt),
                                            std::make_shared<prometheus::Registry>()));
    const core::Sample two[] = {{kNow - 1000, 2}};
    const core::RemoteWriteHistogram histogram[] = {{kNow - 1000, Histogram(2), ""}};
    const RemoteWriteOutcome before = AppendRemote(
        *storage,
        Request({{.labels = std::span(&f, 1), .samples = two}, {.labels = std::span(&h, 1), .histograms = histogram}}),
        kNow);
    BOOST_TEST(before.refused == 0U);
    const RemoteWriteOutcome outcome = AppendRemote(
        *storage, Request({{.labels = sent.labels, .samples = sent.samples, .histograms = sent.histograms}}), kNow);
    BOOST_TEST(outcome.why == sent.why);
    BOOST_TEST(outcome.samples + outcome.histograms == sent.written);
    BOOST_TEST(outcome.samples + outcome.histograms + outcome.refused == sent.samples.size() + sent.histograms.size());
  }
}

BOOST_AUTO_TEST_CASE(a_series_that_is_none_is_told_to_version_2_alone) {
  test::TempFolder folder;
  auto storage =
      std::move(*Storage::Open({.path = folder.path()}, core::Logger(core::LogLevel::kError, core::LogFormat::kLogfmt),
                               std::make_shared<prometheus::Registry>()));
  const core::Sample sample[] = {{kNow, 1}};
  constexpr core::LabelView nameless[] = {{"job", "a"}};
  constexpr core::LabelView twice[] = {{"__name__", "x"}, {"job", "a"}, {"job", "b"}};
  constexpr core::LabelView empty[] = {{"__name__", "x"}, {"l.x", "\n"}};
  const RemoteWriteOutcome outcome =
      AppendRemote(*storage,
                   Request({{.labels = nameless, .samples = sample, .invalid = "there is no metric name"},
                            {.labels = twice, .samples = sample, .invalid = "a label stands twice"},
                            {.labels = empty}}),
                   kNow);
  BOOST_TEST(outcome.why.empty());
  BOOST_TEST(outcome.each ==
             "invalid metric name or labels, got {job=\"a\"}\n"
             "invalid labels for series, labels {__name__=\"x\", job=\"a\", job=\"b\"}, duplicated label job\n"
             "TimeSeries must contain at least one sample or histogram for series {__name__=\"x\", "
             "\"l.x\"=\"\\n\"}");
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
  BOOST_TEST(outcome.why == "bad histogram: x");
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
