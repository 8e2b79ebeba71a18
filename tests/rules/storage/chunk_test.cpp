#include "rules/storage/chunk.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "rules/storage/read_chunk.h"

namespace pipewarden::rules {
namespace {

std::vector<core::Sample> ReadAll(ChunkReader reader) {
  std::vector<core::Sample> out;
  while (reader.Next()) out.push_back(reader.sample());
  return out;
}

std::vector<core::Sample> ReadAll(const Chunk& chunk) {
  constexpr auto kEver = std::numeric_limits<core::TimestampMs>::max();
  promql::SampleColumns samples;
  ReadChunk(chunk.view(), -kEver, kEver, samples);
  std::vector<core::Sample> out;
  for (std::size_t i = 0; i < samples.size(); ++i) out.push_back({samples.times[i], samples.values[i]});
  return out;
}

void CheckSame(const std::vector<core::Sample>& got, const std::vector<core::Sample>& want) {
  BOOST_REQUIRE_EQUAL(got.size(), want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    BOOST_TEST(got[i].time == want[i].time);
    BOOST_TEST(std::bit_cast<std::uint64_t>(got[i].value) == std::bit_cast<std::uint64_t>(want[i].value));
  }
}

struct Shape {
  const char* name;
  std::int64_t jitter_ms;
  int values;  // 0 constant, 1 counter, 2 two decimals, 3 random bits
};
std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << shape.name; }
const Shape kShapes[] = {{"constant", 0, 0},
                         {"counter", 0, 1},
                         {"gauge", 0, 2},
                         {"any bits", 0, 3},
                         {"constant, jitter", 3, 0},
                         {"counter, jitter", 1500, 1},
                         {"gauge, long gaps", 1'000'000'000, 2}};

BOOST_DATA_TEST_CASE(what_goes_in_comes_out, boost::unit_test::data::make(kShapes), shape) {
  std::mt19937_64 random(7);
  ChunkWriter writer;
  std::vector<core::Sample> wanted;
  core::TimestampMs time = 1'700'000'000'000;
  double counter = 0;
  for (int i = 0; i < ChunkWriter::kMaxSamples; ++i) {
    time += 15'000;
    if (shape.jitter_ms > 0) time += static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(shape.jitter_ms));
    double value = 1;
    if (shape.values == 1) value = counter += static_cast<double>(random() % 100);
    if (shape.values == 2) value = std::round(static_cast<double>(random() % 10000)) / 100;
    if (shape.values == 3) value = std::bit_cast<double>(random());
    writer.Append(time, value);
    wanted.push_back({time, value});
    CheckSame(ReadAll(ChunkReader(writer)), wanted);
  }
  std::vector<core::TimestampMs> times;
  std::vector<double> values;
  for (const core::Sample& sample : wanted) {
    times.push_back(sample.time);
    values.push_back(sample.value);
  }
  for (const bool packed : {false, true}) {
    const Chunk sealed = packed ? Chunk::Of(times, values) : writer.Seal();
    CheckSame(ReadAll(sealed), wanted);
    BOOST_TEST(sealed.first_time() == wanted.front().time);
    BOOST_TEST(sealed.last_time() == wanted.back().time);
  }
}

BOOST_AUTO_TEST_CASE(a_constant_on_our_own_clock_costs_two_bits_a_sample) {
  ChunkWriter writer;
  for (int i = 0; i < ChunkWriter::kMaxSamples; ++i) writer.Append(15'000 * i, 1);
  BOOST_TEST(writer.bytes().size() <= 8U + 3U + ChunkWriter::kMaxSamples * 2U / 8U + 1U);
}

BOOST_AUTO_TEST_CASE(extreme_times_and_values_survive) {
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  const std::vector<core::Sample> wanted = {{-kMax, 0.0},
                                            {-5, -0.0},
                                            {0, core::StaleNaN()},
                                            {1, core::NormalNaN()},
                                            {kMax - 1, std::numeric_limits<double>::infinity()},
                                            {kMax, std::numeric_limits<double>::denorm_min()}};
  ChunkWriter writer;
  for (const core::Sample& sample : wanted) writer.Append(sample.time, sample.value);
  CheckSame(ReadAll(ChunkReader(writer)), wanted);
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_chunk_end_the_reading) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::uint8_t> bytes(random() % 64);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
    ChunkReader reader(0, 65535, bytes);
    std::size_t read = 0;
    while (reader.Next()) ++read;
    BOOST_TEST(read <= bytes.size() * 8);
  }
}

}  // namespace
}  // namespace pipewarden::rules
