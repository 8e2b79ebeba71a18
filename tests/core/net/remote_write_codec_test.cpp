#include "core/net/remote_write_codec.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <sstream>

#include "tests/support/protobuf.h"

namespace pipewarden::core {
namespace {

using namespace test;

BOOST_AUTO_TEST_SUITE(remote_write_codec)

BOOST_AUTO_TEST_CASE(snappy_copies_reach_into_what_they_write) {
  using namespace std::string_literals;
  // "ab", then 8 bytes from 2 back (tag 1, length 4 + 4), then a copy of tag 2.
  const std::string block = Varint(14) + "\x04"s + "ab" + "\x11\x02"s + "\x0e\x0a\x00"s;
  const auto plain = SnappyDecompress(block, 100);
  BOOST_REQUIRE_MESSAGE(plain.has_value(), plain.error().message);
  BOOST_TEST(*plain == "ababababababab");
  BOOST_TEST(SnappyDecompress(Snappy(std::string(100'000, 'x')), 1 << 20)->size() == 100'000U);
}

BOOST_AUTO_TEST_CASE(broken_snappy_is_refused_before_it_costs_memory) {
  using namespace std::string_literals;
  for (const std::string& block : {""s, "\xff"s, "\x05\x00"s, Varint(4) + "\x05\x01"s, Varint(1U << 30U) + "\x00x"s,
                                   Varint(2) + "\x00xx"s, Varint(1) + "\xf0"s})
    BOOST_TEST(!SnappyDecompress(block, 1U << 31U).has_value());
  const auto large = SnappyDecompress(Snappy(std::string(2000, 'x')), 1000);
  BOOST_REQUIRE(!large.has_value());
  BOOST_TEST((large.error().code == ErrorCode::kLimit));
}

BOOST_AUTO_TEST_CASE(version_1_reads) {
  const std::string series = Bytes(1, Bytes(1, "__name__") + Bytes(2, "up")) +
                             Bytes(1, Bytes(1, "job") + Bytes(2, "a")) + Bytes(2, Double(1, 1.5) + Int(2, 1000)) +
                             Bytes(2, Double(1, -2) + Int(2, -5));
  const auto read = DecodeRemoteWrite(Bytes(1, series) + Bytes(3, "metadata"), RemoteWriteVersion::k1);
  BOOST_REQUIRE(read.has_value());
  BOOST_REQUIRE(read->series.size() == 1U);
  BOOST_TEST(Labels(read->series[0].labels).ToString() == R"(up{job="a"})");
  BOOST_REQUIRE(read->series[0].samples.size() == 2U);
  BOOST_TEST(read->series[0].samples[0].value == 1.5);
  BOOST_TEST(read->series[0].samples[1].time == -5);
  BOOST_TEST(read->series[0].invalid == "");
}

BOOST_AUTO_TEST_CASE(version_2_reads) {
  const std::string symbols = Bytes(4, "") + Bytes(4, "__name__") + Bytes(4, "up") + Bytes(4, "job") + Bytes(4, "b");
  const std::string series = Bytes(1, Varint(1) + Varint(2) + Varint(3) + Varint(4)) +
                             Bytes(2, Double(1, 7) + Int(2, 2000)) + Bytes(3, Int(1, 0) + Int(15, 3000)) +
                             Bytes(5, "metadata");
  for (const std::string& message : {symbols + Bytes(5, series), Bytes(5, series) + symbols}) {
    const auto read = DecodeRemoteWrite(message, RemoteWriteVersion::k2);
    BOOST_REQUIRE(read.has_value());
    BOOST_TEST(Labels(read->series[0].labels).ToString() == R"(up{job="b"})");
    BOOST_TEST(read->series[0].samples[0].time == 2000);
    BOOST_REQUIRE(read->series[0].histograms.size() == 1U);
    BOOST_TEST(read->series[0].histograms[0].time == 3000);
    BOOST_TEST((read->series[0].histograms[0].histogram != nullptr));
  }
  BOOST_TEST(!DecodeRemoteWrite(symbols + Bytes(5, Bytes(1, Varint(1) + Varint(9))), RemoteWriteVersion::k2));
  BOOST_TEST(!DecodeRemoteWrite(symbols + Bytes(5, Bytes(1, Varint(1))), RemoteWriteVersion::k2));
}

std::string ZigZag(std::int64_t value) {
  return Varint(static_cast<std::uint64_t>(value) << 1U ^ static_cast<std::uint64_t>(value >> 63U));
}
std::string Signed(std::uint64_t field, std::int64_t value) { return Varint(field << 3U) + ZigZag(value); }
std::string Span(std::int64_t offset, std::int64_t length) { return Signed(1, offset) + Int(2, length); }
std::string Doubles(std::initializer_list<double> values) {
  std::string out;
  for (const double value : values) out += Double(1, value).substr(1);
  return out;
}

std::string Repeated(std::string_view text, std::size_t times) {
  std::string out;
  for (; times > 0; --times) out += text;
  return out;
}

struct HistogramCase {
  std::string message;
  const char* expected;  // schema, zero bucket, count, sum, buckets, bounds; or why not
};
std::ostream& operator<<(std::ostream& out, const HistogramCase& c) { return out << c.expected; }

const HistogramCase kHistograms[] = {
    {Int(1, 9) + Double(3, 4.5) + Signed(4, -1) + Double(5, 0.001) + Int(6, 2) + Bytes(8, Span(-1, 1)) +
         Bytes(9, ZigZag(1)) + Bytes(11, Span(-2, 2)) + Bytes(11, Span(1, 1)) +
         Bytes(12, ZigZag(1) + ZigZag(2) + ZigZag(-1)) + Int(14, 3),
     "-1 2@0.001 9 4.5 +-2:1 +-1:3 +1:2 --1:1 gauge"},
    {Double(2, 2.5) + Double(3, 1) + Signed(4, 3) + Double(7, 0.5) + Bytes(11, Span(4, 2)) + Double(13, 1.5) +
         Double(13, 0.5),
     "3 0.5@0 2.5 1 +4:1.5 +5:0.5"},
    {Int(1, 3) + Double(3, 7) + Signed(4, -53) + Bytes(11, Span(0, 3)) + Bytes(12, ZigZag(1) + ZigZag(0) + ZigZag(0)) +
         Bytes(16, Doubles({0.5, 1})),
     "-53 0@0 3 7 +0:1 +1:1 +2:1 le0.5 le1"},
    {Int(1, 4) + Double(3, 7) + Signed(4, 9) + Bytes(11, Span(1, 4)) + Bytes(12, ZigZag(1) + Repeated(ZigZag(0), 3)),
     "8 0@0 4 7 +1:2 +2:2"},
    {Int(1, 4) + Double(3, std::nan("")) + Bytes(11, Span(1, 1)) + Bytes(12, ZigZag(3)), "0 0@0 4 nan +1:3"},
    {Int(1, 1) + Bytes(11, Span(0, 2)) + Bytes(12, ZigZag(1)),
     "positive side: spans need 2 buckets, have 1 buckets: histogram spans specify different number of buckets than "
     "provided"},
    {Int(1, 1) + Bytes(8, Span(0, 1)) + Bytes(9, ZigZag(1) + ZigZag(1)),
     "negative side: spans need 1 buckets, have 2 buckets: histogram spans specify different number of buckets than "
     "provided"},
    {Int(1, 2) + Bytes(11, Span(0, 1)) + Bytes(11, Span(-1, 1)) + Bytes(12, ZigZag(1) + ZigZag(0)),
     "positive side: span number 2 with offset -1: histogram has a span whose offset is negative"},
    {Int(1, 2) + Bytes(11, Span(0, 2)) + Bytes(12, ZigZag(1) + ZigZag(-2)),
     "positive side: bucket number 2 has observation count of -1: histogram has a bucket whose observation count is "
     "negative"},
    {Int(1, 5) + Bytes(11, Span(0, 1)) + Bytes(12, ZigZag(1)),
     "1 observations found in buckets, but the Count field is 5: histogram's observation count should equal the number "
     "of observations found in the buckets (in absence of NaN)"},
    {Int(1, 1) + Double(3, std::nan("")) + Int(6, 2),
     "2 observations found in buckets, but the Count field is 1: histogram's observation count should be at least the "
     "number of observations found in the buckets"},
    {Double(2, -1), "observation count is  -1: histogram's observation count is negative"},
    {Double(2, 1) + Double(7, -2),
     "zero bucket has observation count of -2: histogram has a bucket whose observation count is negative"},
    {Signed(4, -53) + Bytes(16, Doubles({1, 1})),
     "custom buckets: previous bound is 1.000000 and current is 1.000000: histogram custom bounds must be in strictly "
     "increasing order"},
    {Int(1, 3) + Signed(4, -53) + Bytes(11, Span(0, 3)) + Bytes(12, ZigZag(1) + ZigZag(0) + ZigZag(0)) +
         Bytes(16, Doubles({0.5})),
     "custom buckets: only 1 custom bounds defined which is insufficient to cover total span length of 3: histogram "
     "custom bounds are too few"},
    {Signed(4, -53) + Int(6, 1), "custom buckets: must have zero count of 0"},
    {Bytes(16, Doubles({0.5})), "histogram with exponential schema must not have custom bounds"},
    {Signed(4, 99),
     "histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, or -53 for custom "
     "buckets, got schema 99"},
    {Int(1, 2) + Bytes(11, Span(2147483647, 2)) + Bytes(12, ZigZag(1) + ZigZag(0)), "a bucket lies beyond all numbers"},
};

BOOST_DATA_TEST_CASE(a_native_histogram_reads, boost::unit_test::data::make(kHistograms), c) {
  const auto read = DecodeRemoteWrite(Bytes(1, Bytes(1, Bytes(1, "__name__") + Bytes(2, "h")) + Bytes(4, c.message)),
                                      RemoteWriteVersion::k1);
  BOOST_REQUIRE(read.has_value());
  BOOST_REQUIRE(read->series[0].histograms.size() == 1U);
  const RemoteWriteHistogram& sample = read->series[0].histograms[0];
  if (sample.histogram == nullptr) {
    BOOST_TEST(sample.invalid == c.expected);
    return;
  }
  const FloatHistogram& h = *sample.histogram;
  std::ostringstream out;
  out << h.schema << " " << h.zero_count << "@" << h.zero_threshold << " " << h.count << " " << h.sum;
  for (const HistogramBucket& bucket : h.positive) out << " +" << bucket.index << ":" << bucket.count;
  for (const HistogramBucket& bucket : h.negative) out << " -" << bucket.index << ":" << bucket.count;
  for (const double bound : h.custom_bounds()) out << " le" << bound;
  if (h.hint == CounterResetHint::kGauge) out << " gauge";
  BOOST_TEST(out.str() == c.expected);
}

BOOST_AUTO_TEST_CASE(a_histogram_that_ends_its_series_is_a_staleness_marker) {
  const auto read = DecodeRemoteWrite(
      Bytes(1, Bytes(1, Bytes(1, "__name__") + Bytes(2, "h")) + Bytes(4, Double(3, StaleNaN()) + Int(15, 7))),
      RemoteWriteVersion::k1);
  BOOST_REQUIRE(read.has_value());
  BOOST_TEST(read->series[0].histograms.empty());
  BOOST_REQUIRE(read->series[0].samples.size() == 1U);
  BOOST_TEST(IsStaleNaN(read->series[0].samples[0].value));
}

BOOST_AUTO_TEST_CASE(histograms_are_bounded) {
  const auto one = [](const std::string& histogram) {
    return DecodeRemoteWrite(Bytes(1, Bytes(1, Bytes(1, "__name__") + Bytes(2, "h")) + Bytes(4, histogram)),
                             RemoteWriteVersion::k1);
  };
  for (const std::string& long_list :
       {Bytes(12, std::string(20'000, '\0')), Bytes(13, std::string(160'000, '\0')), Repeated(Bytes(11, ""), 10'001)}) {
    const auto read = one(long_list);
    BOOST_REQUIRE(read.has_value());
    BOOST_TEST(read->series[0].histograms[0].invalid ==
               "it has more than 10000 buckets or bounds, and 2000 are taken at most");
  }
  const std::string beyond = Bytes(11, Span(std::numeric_limits<std::int64_t>::max(), 0));
  BOOST_TEST(!one(beyond).has_value());
  BOOST_TEST(!one(beyond + beyond).has_value());
  const auto most = one(Bytes(11, Span(0, 2000)) + Bytes(12, std::string(2000, '\0')));
  BOOST_REQUIRE(most.has_value());
  BOOST_TEST(most->series[0].histograms[0].invalid == "");
  const auto parts = one(Bytes(11, Span(0, 2001)) + Bytes(12, std::string(2001, '\0')));
  BOOST_REQUIRE(parts.has_value());
  BOOST_TEST(parts->series[0].histograms[0].invalid == "it has 2001 buckets and bounds, and 2000 are taken at most");
  std::string many;
  for (int i = 0; i < 600'000; ++i) many += Bytes(4, "");
  const auto read =
      DecodeRemoteWrite(Bytes(1, Bytes(1, Bytes(1, "__name__") + Bytes(2, "h")) + many), RemoteWriteVersion::k1);
  BOOST_REQUIRE(!read.has_value());
  BOOST_TEST((read.error().code == ErrorCode::kLimit));
}

// What the message makes of itself is refused before it has been made: what is broken behind that is not come to.
BOOST_AUTO_TEST_CASE(what_a_request_decodes_to_is_bounded) {
  const std::string symbols = Bytes(4, std::string(1 << 20, 'x'));
  const std::string refs = Repeated(Varint(0) + Varint(0), 40) + Varint(9) + Varint(9);
  const std::string empty_label = Bytes(1, "");
  const std::string empty_sample = Bytes(2, "");
  const std::pair<std::string, RemoteWriteVersion> cases[] = {
      {symbols + Bytes(5, Bytes(1, refs)), RemoteWriteVersion::k2},
      {Repeated(Bytes(4, ""), 4'500'000), RemoteWriteVersion::k2},
      {Bytes(5, Repeated(empty_sample, 4'500'000)), RemoteWriteVersion::k2},
      {Bytes(1, Repeated(empty_sample, 4'500'000)), RemoteWriteVersion::k1},
      {Bytes(1, Repeated(empty_label, 1'500'000) + Bytes(1, "\xff")), RemoteWriteVersion::k1}};
  for (const auto& [message, version] : cases) {
    const auto read = DecodeRemoteWrite(message, version);
    BOOST_REQUIRE(!read.has_value());
    BOOST_TEST((read.error().code == ErrorCode::kLimit), read.error().message);
  }
}

BOOST_AUTO_TEST_CASE(wrong_labels_are_told_and_leave_others_alone) {
  const auto label = [](std::string_view name, std::string_view value) {
    return Bytes(1, Bytes(1, name) + Bytes(2, value));
  };
  const auto read = DecodeRemoteWrite(Bytes(1, label("job", "a")) +
                                          Bytes(1, label("__name__", "x") + label("a", "1") + label("a", "2")) +
                                          Bytes(1, label("__name__", "\xff")) + Bytes(1, label("__name__", "fine")),
                                      RemoteWriteVersion::k1);
  BOOST_REQUIRE(read.has_value());
  BOOST_TEST(read->series[0].invalid == "there is no metric name");
  BOOST_TEST(read->series[1].invalid == "label 'a' stands twice");
  BOOST_TEST(read->series[2].invalid != "");
  BOOST_TEST(read->series[3].invalid == "");
}

BOOST_AUTO_TEST_CASE(a_torn_message_is_refused) {
  const std::string whole =
      Bytes(1, Bytes(1, Bytes(1, "__name__") + Bytes(2, "up")) + Bytes(2, Double(1, 1) + Int(2, 300)));
  for (std::size_t size = 1; size < whole.size(); ++size)
    BOOST_TEST(!DecodeRemoteWrite(whole.substr(0, size), RemoteWriteVersion::k1).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::core
