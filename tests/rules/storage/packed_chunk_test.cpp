#include "rules/storage/packed_chunk.h"

#include <bit>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <limits>
#include <random>
#include <vector>

namespace pipewarden::rules {
namespace {

constexpr core::TimestampMs kEver = std::numeric_limits<core::TimestampMs>::max();
constexpr core::TimestampMs kStart = 1'700'000'000'000;

std::span<const std::uint8_t> Bytes(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

bool Same(double a, double b) { return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b); }

struct Column {
  std::vector<core::TimestampMs> times;
  std::vector<double> values;

  std::string Pack() const { return PackSamples(times, values); }
  promql::SampleColumns Read(const std::string& bytes, core::TimestampMs from, core::TimestampMs to) const {
    promql::SampleColumns out;
    BOOST_TEST(ReadPacked(times.front(), times.back(), times.size(), Bytes(bytes), from, to, out));
    return out;
  }
  // Every range between two samples' times, and a little beyond.
  void CheckRanges(const std::string& bytes) const {
    for (std::size_t begin = 0; begin < times.size(); ++begin) {
      for (std::size_t end = begin; end <= times.size(); ++end) {
        const auto out = Read(bytes, times[begin], end == times.size() ? kEver : times[end] - 1);
        BOOST_REQUIRE_EQUAL(out.size(), end - begin);
        for (std::size_t i = 0; i < out.size(); ++i) {
          BOOST_REQUIRE_EQUAL(out.times[i], times[begin + i]);
          BOOST_REQUIRE(Same(out.values[i], values[begin + i]));
        }
      }
    }
  }
};

struct Shape {
  const char* name;
  double (*value)(int i, std::mt19937_64& random);
  core::TimestampMs jitter_ms;
  std::size_t most_bytes;  // of 120 samples
};
std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << shape.name; }
const Shape kShapes[] = {
    {"constant", [](int, auto&) { return 17179869184.0; }, 0, 10},
    {"counts up evenly", [](int i, auto&) { return 1e6 + 15.0 * i; }, 0, 10},
    {"counts up", [](int i, auto& random) { return 1000.0 * i + static_cast<double>(random() % 1000); }, 0, 180},
    {"is reset", [](int i, auto&) { return static_cast<double>(i % 70); }, 0, 120},
    {"whole", [](int, auto& random) { return static_cast<double>(random() % 2000); }, 0, 170},
    {"below zero", [](int, auto& random) { return -1 - static_cast<double>(random() % 200); }, 0, 130},
    {"two decimals", [](int, auto& random) { return static_cast<double>(random() % 10000) / 100; }, 0, 220},
    {"tenths and sixths", [](int i, auto&) { return i % 2 == 0 ? 0.1 : 0.000001; }, 0, 270},
    {"large", [](int i, auto&) { return i % 2 == 0 ? 9007199254740991.0 : -9007199254740991.0; }, 0, 850},
    {"jitter", [](int, auto&) { return 1.0; }, 4, 60},
};

BOOST_DATA_TEST_CASE(what_goes_in_comes_out_of_any_range, boost::unit_test::data::make(kShapes), shape) {
  std::mt19937_64 random(7);
  for (const int count : {1, 2, 3, 120, 128}) {
    Column column;
    for (int i = 0; i < count; ++i) {
      core::TimestampMs time = kStart + 15'000 * i;
      if (shape.jitter_ms > 0)
        time += static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(shape.jitter_ms));
      column.times.push_back(time);
      column.values.push_back(shape.value(i, random));
    }
    const std::string bytes = column.Pack();
    BOOST_REQUIRE(!bytes.empty());
    if (count == 120) BOOST_TEST(bytes.size() <= shape.most_bytes);
    column.CheckRanges(bytes);
  }
}

BOOST_AUTO_TEST_CASE(other_numbers_are_left_alone) {
  for (const double value : {core::StaleNaN(), core::NormalNaN(), -0.0, 1.0 / 3, 0.0000001, 9007199254740992.0, 1e300,
                             std::numeric_limits<double>::infinity(), std::numeric_limits<double>::denorm_min()}) {
    const Column column{{kStart, kStart + 1}, {1, value}};
    BOOST_TEST(column.Pack().empty(), value);
  }
  constexpr auto kFar = std::numeric_limits<core::TimestampMs>::max();
  BOOST_TEST((Column{{-kFar, kFar}, {1, 1}}).Pack().empty());
  BOOST_TEST((Column{{-kFar, 0, 5}, {1, 1, 1}}).Pack().empty());
}

BOOST_AUTO_TEST_CASE(histograms_before_keep_their_places) {
  const Column column{{kStart, kStart + 1}, {1, 2}};
  promql::SampleColumns out;
  out.Add(kStart - 1, std::make_shared<const core::FloatHistogram>());
  BOOST_TEST(ReadPacked(kStart, kStart + 1, 2, Bytes(column.Pack()), 0, kEver, out));
  BOOST_REQUIRE_EQUAL(out.histograms.size(), 3U);
  BOOST_TEST(out.histograms[0] != nullptr);
  BOOST_TEST(out.histograms[2] == nullptr);
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_chunk_are_refused_or_end_within_it) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(random() % 64, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    if (!bytes.empty()) bytes[0] = static_cast<char>(random() % 0x40);
    const std::size_t count = random() % 200;
    promql::SampleColumns out;
    const bool good =
        ReadPacked(kStart, kStart + static_cast<std::int64_t>(random() % 100'000), count, Bytes(bytes), 0, kEver, out);
    BOOST_TEST(out.size() == (good ? count : 0U));
    BOOST_TEST(out.times.size() == out.values.size());
  }
}

}  // namespace
}  // namespace pipewarden::rules
