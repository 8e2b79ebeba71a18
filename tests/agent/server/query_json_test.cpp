#include <boost/test/unit_test.hpp>
#include <limits>

#include "agent/server/json_text.h"
#include "agent/server/query.h"

namespace pipewarden::agent {
namespace {

using rules::promql::QueryResult;
using rules::promql::ValueType;

std::string ValueText(double value) {
  std::string out;
  AppendJsonValue(out, value);
  return out;
}

BOOST_AUTO_TEST_SUITE(query_json)

BOOST_AUTO_TEST_CASE(times) {
  BOOST_TEST(ParseApiTime("1700000000").value() == 1'700'000'000'000);
  BOOST_TEST(ParseApiTime("1700000000.1235").value() == 1'700'000'000'124);
  BOOST_TEST(ParseApiTime("2023-11-14T22:13:20Z").value() == 1'700'000'000'000);
  BOOST_TEST(ParseApiTime("2023-11-14T23:13:20.5+01:00").value() == 1'700'000'000'500);
  BOOST_TEST(ParseApiTime("-1").value() == -1000);
  for (const char* bad : {"", "yesterday", "1e400", "17 ", "2023-11-14T22:13:20z", "+-1"})
    BOOST_TEST(!ParseApiTime(bad).has_value(), bad);
  BOOST_TEST(ParseApiTime("x").error().message == "cannot parse \"x\" to a valid timestamp");
  BOOST_TEST(ParseApiDuration("15").value() == 15'000);
  BOOST_TEST(ParseApiDuration("0.5").value() == 500);
  BOOST_TEST(ParseApiDuration("1h30m").value() == 5'400'000);
  for (const char* bad : {"", "5", "Inf", "1x"}) BOOST_TEST(ParseApiDuration(bad).has_value() == (*bad == '5'), bad);
}

BOOST_AUTO_TEST_CASE(values_read_as_prometheus_writes_them) {
  BOOST_TEST(ValueText(0) == "\"0\"");
  BOOST_TEST(ValueText(1.5) == "\"1.5\"");
  BOOST_TEST(ValueText(1e20) == "\"100000000000000000000\"");
  BOOST_TEST(ValueText(9223372036854775808.0) == "\"9223372036854776000\"");  // the shortest digits, then zeros
  BOOST_TEST(ValueText(1e21) == "\"1e+21\"");
  BOOST_TEST(ValueText(1e-6) == "\"0.000001\"");
  BOOST_TEST(ValueText(1e-7) == "\"1e-07\"");
  BOOST_TEST(ValueText(std::numeric_limits<double>::max()) == "\"1.7976931348623157e+308\"");
  BOOST_TEST(ValueText(-std::numeric_limits<double>::infinity()) == "\"-Inf\"");
  BOOST_TEST(ValueText(std::numeric_limits<double>::quiet_NaN()) == "\"NaN\"");
}

// Without the envelope.
std::string DataOf(const HttpResponse& response) {
  constexpr std::string_view kBegin = "{\"status\":\"success\",\"data\":";
  BOOST_REQUIRE(response.body.starts_with(kBegin));
  return response.body.substr(kBegin.size(), response.body.size() - kBegin.size() - 1);
}

BOOST_AUTO_TEST_CASE(results) {
  const auto labels = std::make_shared<const core::Labels>(core::Labels{{"__name__", "up"}, {"job", "a\"<b>"}});
  QueryResult vector;
  vector.type = ValueType::kVector;
  vector.vector = {{labels, 1'700'000'000'120, 1}, {labels, 1'700'000'000'000, 2}};
  BOOST_TEST(
      DataOf(ResultResponse(vector, 0)) ==
      R"({"resultType":"vector","result":[{"metric":{"__name__":"up","job":"a\"\u003cb\u003e"},"value":)"
      R"([1700000000.12,"1"]},{"metric":{"__name__":"up","job":"a\"\u003cb\u003e"},"value":[1700000000,"2"]}]})");
  BOOST_TEST(DataOf(ResultResponse(vector, 1)).find("\"2\"") == std::string::npos);
  BOOST_TEST(ResultResponse(vector, 1).body.ends_with(R"(,"warnings":["results truncated due to limit"]})"));
  QueryResult matrix;
  matrix.type = ValueType::kMatrix;
  matrix.matrix = {{std::make_shared<const core::Labels>(), {{1000, 1}, {2001, 2}}}};
  BOOST_TEST(DataOf(ResultResponse(matrix, 0)) ==
             R"({"resultType":"matrix","result":[{"metric":{},"values":[[1,"1"],[2.001,"2"]]}]})");
  QueryResult scalar;
  scalar.type = ValueType::kScalar;
  scalar.scalar = {1000, 2};
  BOOST_TEST(DataOf(ResultResponse(scalar, 0, "{\"a\":1}")) ==
             R"({"resultType":"scalar","result":[1,"2"],"stats":{"a":1}})");
  QueryResult text;
  text.type = ValueType::kString;
  text.string = "a\n";
  BOOST_TEST(DataOf(ResultResponse(text, 0)) == R"({"resultType":"string","result":[0,"a\n"]})");
}

BOOST_AUTO_TEST_CASE(a_large_result_comes_in_pieces_and_ends_where_nobody_listens) {
  QueryResult matrix;
  matrix.type = ValueType::kMatrix;
  for (int i = 0; i < 60; ++i) {
    matrix.matrix.push_back({std::make_shared<const core::Labels>(core::Labels{{"n", std::to_string(i)}}), {}});
    for (int k = 0; k < 1000; ++k) matrix.matrix.back().points.push_back({k * 1000, 0.5 * k});
  }
  const HttpResponse response = ResultResponse(matrix, 59);
  BOOST_REQUIRE(response.stream);
  std::string whole;
  std::size_t pieces = 0;
  std::size_t longest = 0;
  response.stream([&](std::string_view piece) {
    whole += piece;
    ++pieces;
    longest = std::max(longest, piece.size());
    return true;
  });
  BOOST_TEST(pieces > 5U);
  BOOST_TEST(longest < 70'000U);
  BOOST_TEST(whole.starts_with(
      R"({"status":"success","data":{"resultType":"matrix","result":[{"metric":{"n":"0"},"values":[[0,"0"])"));
  BOOST_TEST(whole.ends_with(R"([999,"499.5"]]}]},"warnings":["results truncated due to limit"]})"));
  pieces = 0;
  response.stream([&](std::string_view) { return ++pieces < 2; });
  BOOST_TEST(pieces == 2U);
}

BOOST_AUTO_TEST_CASE(native_histograms) {
  auto histogram = std::make_shared<core::FloatHistogram>();
  histogram->count = 6.5;
  histogram->sum = 3;
  histogram->zero_threshold = 0.25;
  histogram->zero_count = 1;
  histogram->positive = {{0, 2}, {1, 0}, {2, 2.5}};
  histogram->negative = {{1, 1}};
  const std::string text =
      R"({"count":"6.5","sum":"3","buckets":[[1,"-2","-1","1"],[3,"-0.25","0.25","1"],[0,"0.5","1","2"],[0,"2","4","2.5"]]})";
  const auto labels = std::make_shared<const core::Labels>();
  QueryResult vector;
  vector.type = ValueType::kVector;
  vector.vector = {{labels, 1000, 0, histogram}};
  BOOST_TEST(DataOf(ResultResponse(vector, 0)) ==
             R"({"resultType":"vector","result":[{"metric":{},"histogram":[1,)" + text + "]}]}");
  QueryResult matrix;
  matrix.type = ValueType::kMatrix;
  matrix.matrix = {{labels, {{1000, 7}}, {{2000, histogram}}}};
  BOOST_TEST(DataOf(ResultResponse(matrix, 0)) ==
             R"({"resultType":"matrix","result":[{"metric":{},"values":[[1,"7"]],"histograms":[[2,)" + text + "]]}]}");
  auto custom = std::make_shared<core::FloatHistogram>();
  custom->schema = core::FloatHistogram::kCustomSchema;
  custom->bounds = std::make_shared<const std::vector<double>>(std::vector<double>{1});
  custom->positive = {{0, 1}, {1, 2}};
  custom->count = 3;
  vector.vector = {{labels, 1000, 0, custom}};
  BOOST_TEST(DataOf(ResultResponse(vector, 0)).ends_with(R"("buckets":[[3,"-Inf","1","1"],[0,"1","+Inf","2"]]}]}]})"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::agent
