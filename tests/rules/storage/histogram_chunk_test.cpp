// Native histograms in chunks, logs, checkpoints and segments: what is read is what was written.
#include "rules/storage/histogram_chunk.h"

#include <prometheus/registry.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <random>

#include "rules/storage/storage.h"
#include "tests/support/temp_folder.h"

namespace pipewarden::rules {
namespace {

using core::CounterResetHint;
using core::FloatHistogram;

constexpr core::TimestampMs kStart = 1'700'000'000'000;

// Counts on; now and then a bucket more, a reset, another schema, counts that are not whole.
class RandomHistograms {
 public:
  explicit RandomHistograms(unsigned seed) : random_(seed) {}

  FloatHistogram Next() {
    if (random_() % 20 == 0) now_ = FloatHistogram();
    if (random_() % 10 == 0) now_.schema = static_cast<std::int32_t>(random_() % 5) - 2;
    if (random_() % 5 == 0)
      now_.positive.push_back(
          {now_.positive.empty() ? -3 : now_.positive.back().index + 1 + static_cast<std::int32_t>(random_() % 3), 0});
    if (random_() % 9 == 0) now_.negative.push_back({now_.negative.empty() ? 0 : now_.negative.back().index + 1, 0.5});
    for (auto* side : {&now_.positive, &now_.negative})
      for (core::HistogramBucket& bucket : *side) {
        const double more = static_cast<double>(random_() % 4);
        bucket.count += more;
        now_.count += more;
      }
    now_.sum += static_cast<double>(random_() % 1000) / 7;
    FloatHistogram out = now_;
    if (random_() % 15 == 0) out.hint = CounterResetHint::kGauge;
    if (random_() % 15 == 0) out = Custom();
    return out;
  }

 private:
  FloatHistogram Custom() {
    FloatHistogram custom;
    custom.schema = FloatHistogram::kCustomSchema;
    custom.bounds = std::make_shared<const std::vector<double>>(std::vector<double>{0.1, 1, 2.5});
    custom.positive = {{0, 3}, {3, 1e300}};
    custom.count = 4;
    return custom;
  }

  std::mt19937_64 random_;
  FloatHistogram now_;
};

BOOST_AUTO_TEST_SUITE(HistogramChunk)

BOOST_AUTO_TEST_CASE(reads_back_what_was_written) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    RandomHistograms random(seed);
    HistogramChunkWriter writer;
    std::vector<std::pair<core::TimestampMs, FloatHistogram>> written;
    for (core::TimestampMs time = kStart; !writer.full(); time += 1000 + (seed > 10 ? time % 7 : 0)) {
      written.emplace_back(time, random.Next());
      writer.Append(time, written.back().second);
    }
    const Chunk chunk = writer.Seal();
    BOOST_TEST((chunk.encoding() == ChunkEncoding::kHistogram));
    BOOST_TEST(chunk.last_time() == written.back().first);
    HistogramChunkReader reader(chunk);
    for (const auto& [time, histogram] : written) {
      BOOST_REQUIRE(reader.Next());
      BOOST_TEST(reader.time() == time);
      BOOST_TEST(core::SameHistogram(*reader.histogram(), histogram));
    }
    BOOST_TEST(!reader.Next());
  }
}

BOOST_AUTO_TEST_CASE(hints_come_of_the_sample_before) {
  FloatHistogram histogram;
  histogram.count = 2;
  histogram.positive = {{0, 2}};
  HistogramChunkWriter writer;
  writer.Append(kStart, histogram);
  writer.Append(kStart + 1, histogram);
  histogram.positive[0].count = histogram.count = 1;
  writer.Append(kStart + 2, histogram);
  const Chunk chunk = writer.Seal();
  HistogramChunkReader reader(chunk);
  for (const auto hint : {CounterResetHint::kUnknown, CounterResetHint::kNotReset, CounterResetHint::kUnknown}) {
    BOOST_REQUIRE(reader.Next());
    BOOST_TEST((reader.histogram()->hint == hint));
  }
}

BOOST_AUTO_TEST_CASE(an_unchanged_sample_is_small) {
  FloatHistogram histogram;
  for (std::int32_t i = 0; i < 20; ++i) histogram.positive.push_back({i, 1000.0 * i});
  histogram.count = 190'000;
  histogram.sum = 12.75;
  HistogramChunkWriter writer;
  writer.Append(kStart, histogram);
  writer.Append(kStart + 1000, histogram);
  const std::size_t before = writer.Seal().bytes().size();
  writer.Append(kStart + 2000, histogram);
  BOOST_TEST(writer.Seal().bytes().size() - before == 25U);
}

BOOST_AUTO_TEST_CASE(damage_ends_the_reading) {
  RandomHistograms random(3);
  HistogramChunkWriter writer;
  for (core::TimestampMs time = kStart; !writer.full(); time += 1000) writer.Append(time, random.Next());
  const Chunk chunk = writer.Seal();
  const std::string whole(reinterpret_cast<const char*>(chunk.bytes().data()), chunk.bytes().size());
  std::mt19937_64 noise(1);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = whole.substr(0, noise() % whole.size());
    for (int i = 0; i < 3 && !bytes.empty(); ++i) bytes[noise() % bytes.size()] = static_cast<char>(noise());
    HistogramChunkReader reader(kStart, 0xFFFF, bytes);
    while (reader.Next()) BOOST_REQUIRE(core::Validate(*reader.histogram()).has_value());
  }
}

struct Quiet {
  core::Logger logger{core::LogLevel::kError, core::LogFormat::kLogfmt, [](void*, std::string_view) {}, nullptr};
};

std::unique_ptr<Storage> OpenAt(const std::string& directory, const Quiet& quiet) {
  auto storage = Storage::Open({.path = directory}, quiet.logger, std::make_shared<prometheus::Registry>());
  BOOST_REQUIRE_MESSAGE(storage.has_value(), (storage ? "" : storage.error().message));
  return std::move(*storage);
}

// A histogram each second tick, floats between, and a series that ends.
using Written = std::map<core::TimestampMs, std::pair<double, core::HistogramPtr>>;

void CheckSame(const Storage& storage, const Written& written) {
  const core::TimestampMs from = written.begin()->first;
  const core::TimestampMs to = written.rbegin()->first;
  auto querier = storage.Open(from, to);
  auto set = (*querier)->Select({.from = from, .to = to}, {});
  BOOST_REQUIRE((*set)->size() == 1U);
  promql::SampleColumns samples;
  BOOST_REQUIRE((*set)->Read(0, from, to, samples).has_value());
  BOOST_REQUIRE(samples.size() == written.size());
  BOOST_REQUIRE(samples.histograms.size() == written.size());
  std::size_t at = 0;
  for (const auto& [time, sample] : written) {
    BOOST_TEST(samples.times[at] == time);
    if (sample.second != nullptr)
      BOOST_TEST(core::SameHistogram(*samples.histograms[at], *sample.second));
    else
      BOOST_TEST((samples.histograms[at] == nullptr && samples.values[at] == sample.first));
    ++at;
  }
  promql::SampleColumns last;
  BOOST_REQUIRE((*set)->ReadLast(0, from, to, last).has_value());
  BOOST_REQUIRE(last.size() == 1U);
  BOOST_TEST(last.times[0] == to);
  BOOST_TEST(last.histograms.empty() == (samples.histograms.back() == nullptr));
  if (!last.histograms.empty()) BOOST_TEST(core::SameHistogram(*last.histograms[0], *samples.histograms.back()));
}

BOOST_AUTO_TEST_CASE(the_storage_keeps_them_over_restarts_kills_and_seals) {
  test::TempFolder folder;
  const Quiet quiet;
  auto storage = OpenAt(folder.path(), quiet);
  const auto ref = storage->Resolve(core::Labels{{"__name__", "h"}}, "test");
  RandomHistograms random(7);
  Written written;
  core::TimestampMs time = kStart;
  for (int tick = 0; tick < 1200; ++tick, time += 15'000) {
    if (tick % 100 > 90) {
      const RefSample sample{*ref, static_cast<double>(tick)};
      BOOST_TEST(storage->Append(time, std::span(&sample, 1)) == 1U);
      written[time] = {sample.value, nullptr};
    } else {
      const RefHistogram sample{*ref, std::make_shared<const FloatHistogram>(random.Next())};
      BOOST_TEST(storage->Append(time, std::span(&sample, 1)) == 1U);
      written[time] = {0, sample.histogram};
    }
    storage->Maintain(time);
    if (tick % 300 == 250) {
      // As after a kill: what lies on disk is opened elsewhere.
      test::TempFolder copy;
      std::filesystem::copy(
          folder.path(), copy.path(),
          std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing);
      CheckSame(*OpenAt(copy.path(), quiet), written);
    }
  }
  CheckSame(*storage, written);
  storage->Close();
  storage.reset();
  storage = OpenAt(folder.path(), quiet);
  CheckSame(*storage, written);
}

BOOST_AUTO_TEST_CASE(what_is_no_histogram_is_dropped) {
  test::TempFolder folder;
  const Quiet quiet;
  const auto storage = OpenAt(folder.path(), quiet);
  const auto ref = storage->Resolve(core::Labels{{"__name__", "h"}}, "test");
  auto bad = std::make_shared<FloatHistogram>();
  bad->positive = {{0, -1}};
  auto large = std::make_shared<FloatHistogram>();
  for (std::int32_t i = 0; i < 5000; ++i) large->positive.push_back({i, 1});
  for (const core::HistogramPtr& histogram : {core::HistogramPtr(bad), core::HistogramPtr(large)}) {
    const RefHistogram sample{*ref, histogram};
    BOOST_TEST(storage->Append(kStart, std::span(&sample, 1)) == 0U);
  }
  const RefHistogram good{*ref, std::make_shared<const FloatHistogram>()};
  BOOST_TEST(storage->Append(kStart, std::span(&good, 1)) == 1U);
  BOOST_TEST(storage->Append(kStart, std::span(&good, 1)) == 0U);  // not after the newest
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::rules
