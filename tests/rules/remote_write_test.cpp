#include "rules/remote_write.h"

#include <prometheus/registry.h>

#include <boost/test/unit_test.hpp>

#include "tests/support/temp_folder.h"

namespace pipewarden::rules {
namespace {

constexpr core::TimestampMs kNow = 1'700'000'000'000;

BOOST_AUTO_TEST_CASE(what_can_be_stored_of_a_remote_write_is) {
  test::TempFolder folder;
  auto storage = std::move(*Storage::Open({.path = folder.path(), .max_series = 1000},
                                          core::Logger(core::LogLevel::kError, core::LogFormat::kLogfmt),
                                          std::make_shared<prometheus::Registry>()));
  const core::Labels a{{"__name__", "x"}, {"job", "a"}};
  const core::Labels b{{"__name__", "x"}, {"job", "b"}};
  std::vector<core::RemoteWriteSeries> series{
      {.labels = a, .samples = {{kNow - 2000, 1}, {kNow - 1000, 2}, {kNow + 700'000, 3}}},
      {.labels = b, .samples = {{kNow - 1000, 4}}},
      {.labels = {}, .samples = {{kNow, 1}}, .invalid = "there is no metric name"}};
  const RemoteWriteOutcome first = AppendRemote(*storage, series, kNow);
  BOOST_TEST(first.samples == 3U);
  BOOST_TEST(first.refused == 2U);
  BOOST_TEST(first.why == "out of bounds: the sample is too far in the future: x{job=\"a\"}");

  const std::vector<core::RemoteWriteSeries> again{{.labels = b, .samples = {{kNow - 1000, 5}, {kNow, 6}}}};
  const RemoteWriteOutcome second = AppendRemote(*storage, again, kNow);
  BOOST_TEST(second.samples == 1U);
  BOOST_TEST(second.refused == 1U);
  BOOST_TEST(second.why.starts_with("out of order sample"));
}

}  // namespace
}  // namespace pipewarden::rules
