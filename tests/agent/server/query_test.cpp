#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <ostream>

#include "agent/server/faces.h"
#include "rules/promql/engine.h"
#include "rules/promql/memory_series.h"

namespace pipewarden::agent {
namespace {

using nlohmann::json;

struct Fixture {
  core::JumpingClock clock{core::WallTime{std::chrono::seconds{1'000}}};
  rules::promql::Engine engine;
  rules::promql::MemorySeries storage;
  std::shared_ptr<ServerContext> context = std::make_shared<ServerContext>();

  Fixture() {
    context->clock = &clock;
    context->engine = &engine;
    context->storage = &storage;
    for (core::TimestampMs t = 0; t <= 1'000'000; t += 10'000) {
      storage.Add({{"__name__", "up"}, {"job", "a"}}, t, 1);
      storage.Add({{"__name__", "up"}, {"job", "b"}}, t, 0);
      storage.Add({{"__name__", "rows_total"}, {"job", "a"}}, t, static_cast<double>(t) / 1000);
    }
  }

  HttpResponse Ask(std::string method, std::string path, std::string query, std::string body = "",
                   std::string accept = "") const {
    Routes routes = QueryRoutes(context);
    for (Route& route : FederateRoutes(context)) routes.push_back(std::move(route));
    auto router = Router::Make(std::move(routes), {});
    BOOST_REQUIRE(router.has_value());
    HttpRequest request{.method = std::move(method), .path = std::move(path), .query = std::move(query)};
    request.body = std::move(body);
    request.unix_socket = true;
    request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}, {"Accept", std::move(accept)}};
    auto choice = router->Choose(request, clock.Monotonic());
    return choice.refusal ? *choice.refusal : Router::Run(*choice.route, request);
  }
};

struct Case {
  const char* path;
  const char* query;
  int status;
  const char* body;  // the whole answer where it begins with '{', else a part of it
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.path << '?' << c.query; }

const Case kCases[] = {
    {"/api/v1/query", "query=1%2B1", 200, R"({"status":"success","data":{"resultType":"scalar","result":[1000,"2"]}})"},
    {"/api/v1/query", "query=up%7Bjob%3D%22b%22%7D&time=500", 200,
     R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"b"},"value":[500,"0"]}]}})"},
    {"/api/v1/query", "query=sum(up)&time=1970-01-01T00:08:20Z", 200, R"("value":[500,"1"])"},
    {"/api/v1/query", "query=%22a%22", 200, R"("resultType":"string","result":[1000,"a"])"},
    {"/api/v1/query", "query=up[25s]", 200, R"("values":[[980,"1"],[990,"1"],[1000,"1"]])"},
    {"/api/v1/query", "query=up&limit=1", 200, R"("warnings":["results truncated due to limit"])"},
    {"/api/v1/query", "", 400, R"("errorType":"bad_data")"},
    {"/api/v1/query", "query=up%7B", 400, R"(invalid parameter \"query\": 1:4: parse error)"},
    {"/api/v1/query", "query=up&time=x", 400,
     R"(invalid parameter \"time\": invalid time value for 'time': cannot parse \"x\" to a valid timestamp)"},
    {"/api/v1/query", "query=up&timeout=x", 400, R"(invalid parameter \"timeout\")"},
    {"/api/v1/query", "query=up&limit=-1", 400, R"(invalid parameter \"limit\": limit must be non-negative)"},
    {"/api/v1/query", "query=up&limit=x", 400,
     R"(invalid parameter \"limit\": strconv.Atoi: parsing \"x\": invalid syntax)"},
    {"/api/v1/query", "query=up&lookback_delta=x", 400,
     R"(error parsing lookback delta duration: cannot parse \"x\" to a valid duration)"},
    {"/api/v1/query", "query=1&stats=all", 200, R"("samples":{"totalQueryableSamples":)"},
    {"/api/v1/query_exemplars", "query=up", 200, R"({"status":"success","data":[]})"},
    {"/api/v1/query_exemplars", "query=up{", 400, "parse error"},
    {"/api/v1/query", "query=up[step()]", 400, R"(invalid parameter \"query\": 3:9: duration must be greater than 0)"},
    {"/api/v1/query", "query=time()&time=NaN", 200, R"([-9223372036.854,"-9223372036.854"])"},
    {"/api/v1/query", "query=time()&time=1e14", 200, R"([200376420.52,"200376420.52"])"},
    {"/api/v1/query", "query=time()&time=1e11", 200, R"([7766279631.452,"7766279631.452"])"},
    {"/api/v1/query", "query=time()&time=9223372036.9", 200, R"([-9223372036.809,"-9223372036.809"])"},
    {"/api/v1/query", "query=time()&time=1_000", 200, R"([1000,"1000"])"},
    {"/api/v1/query", "query=time()&time=1__0", 400, "to a valid timestamp"},
    {"/api/v1/query", "query=time()&time=0x10", 400, "to a valid timestamp"},
    {"/api/v1/query", "query=time()&time=1e400", 400, "to a valid timestamp"},
    {"/api/v1/query", "query=time()&time=1970-01-01T00:00:05z", 400, "to a valid timestamp"},
    {"/api/v1/query", "query=up&lookback_delta=0", 200, R"("value":[1000,"1"])"},
    {"/api/v1/query", "query=up&lookback_delta=-1", 200, R"("value":[1000,"1"])"},
    {"/api/v1/query", "query=up&lookback_delta=NaN", 200, R"("value":[1000,"1"])"},
    {"/api/v1/query", "query=up&timeout=Inf", 400, "It overflows int64"},
    {"/api/v1/query_range", "query=up&start=1&end=2&step=NaN", 400, "zero or negative query resolution"},
    {"/api/v1/query", "query=time()&time=5;6", 200, R"([1000,"1000"])"},
    {"/api/v1/query", "query=mad_over_time(up[1m])", 400, "is not enabled"},
    {"/api/v1/label/U__job/values", "", 200, R"({"status":"success","data":["a","b"]})"},
    {"/federate", "match[]=up", 200,
     "# TYPE up untyped\nup{instance=\"\",job=\"a\"} 1 1000000\nup{instance=\"\",job=\"b\"} 0 1000000\n"},
    {"/federate", "match[]=up{", 400, "parse error"},
    {"/federate", "match[]=up{__name__=%22up%22,job=%22a%22}", 200, "up{instance=\"\",job=\"a\"} 1 1000000\n"},
    {"/federate", "match[]={nope=%22%22,job=%22b%22}", 200, "# TYPE up untyped\n"},
    {"/api/v1/series", "match[]={job=%22%22}", 400, "match[] must contain at least one non-empty matcher"},
    {"/api/v1/query", "query=up+on()+up", 400, "parse error"},
    {"/api/v1/query", "query=up+%2B+on()+up", 422, R"("errorType":"execution","error":"found duplicate series)"},
    {"/api/v1/query_range", "query=up%7Bjob%3D%22a%22%7D&start=0&end=20&step=10", 200,
     R"("values":[[0,"1"],[10,"1"],[20,"1"]])"},
    {"/api/v1/query_range", "query=1&start=0&end=1&step=0.5", 200, R"("values":[[0,"1"],[0.5,"1"],[1,"1"]])"},
    {"/api/v1/query_range", "query=up&start=20&end=0&step=10", 400, "end timestamp must not be before start time"},
    {"/api/v1/query_range", "query=up&start=0&end=20&step=0", 400, "zero or negative query resolution"},
    {"/api/v1/query_range", "query=up&start=0&end=20&step=-1", 400, "zero or negative query resolution"},
    {"/api/v1/query_range", "query=up&start=0&end=1000000&step=1", 400, "exceeded maximum resolution of 11,000 points"},
    {"/api/v1/query_range", "query=up&end=20&step=1", 400,
     R"(invalid parameter \"start\": cannot parse \"\" to a valid timestamp)"},
    {"/api/v1/query_range", "query=up[5m]&start=0&end=20&step=1", 400, "must be Scalar or instant Vector"},
    {"/api/v1/series", "match[]=up&match[]=rows_total", 200,
     R"({"status":"success","data":[{"__name__":"rows_total","job":"a"},{"__name__":"up","job":"a"},{"__name__":"up","job":"b"}]})"},
    {"/api/v1/series", "", 400, "no match[] parameter provided"},
    {"/api/v1/series", "match[]=%7B%7D", 400, R"(invalid parameter \"match[]\")"},
    {"/api/v1/labels", "", 200, R"({"status":"success","data":["__name__","job"]})"},
    {"/api/v1/label/job/values", "", 200, R"({"status":"success","data":["a","b"]})"},
    {"/api/v1/label/job/values", "match[]=rows_total", 200, R"({"status":"success","data":["a"]})"},
    {"/api/v1/label/none/values", "", 200, R"({"status":"success","data":[]})"},
    {"/api/v1/parse_query", "query=-up%5B5m%5D%20offset%201m", 400, "invalid parameter"},
    {"/api/v1/parse_query", "query=sum(rate(up%7Bjob%3D~%22a%22%7D%5B5m*2%5D%20offset%201m))by(job)", 200,
     R"q({"status":"success","data":{"expr":{"args":[{"anchored":false,"matchers":[{"name":"job","type":"=~","value":"a"},{"name":"__name__","type":"=","value":"up"}],"name":"up","offset":60000,"offsetExpr":null,"range":0,"rangeExpr":{"lhs":{"duration":true,"type":"numberLiteral","val":"300"},"op":"*","rhs":{"duration":false,"type":"numberLiteral","val":"2"},"type":"durationExpr","wrapped":false},"smoothed":false,"startOrEnd":null,"timestamp":null,"type":"matrixSelector"}],"func":{"argTypes":["matrix"],"name":"rate","returnType":"vector","variadic":0},"type":"call"},"grouping":["job"],"op":"sum","param":null,"type":"aggregation","without":false}})q"},
    {"/api/v1/format_query", "query=sum(up)by(job)", 200, R"q({"status":"success","data":"sum by (job) (up)"})q"},
};

BOOST_FIXTURE_TEST_SUITE(query, Fixture)

BOOST_DATA_TEST_CASE_F(Fixture, the_api_answers_as_prometheus, kCases, c) {
  const HttpResponse response = Ask("GET", c.path, c.query);
  BOOST_TEST_CONTEXT(response.body) {
    BOOST_TEST(response.status == c.status);
    BOOST_TEST(json::accept(response.body) == (std::string_view(c.path) != "/federate"));
    if (*c.body == '{') {
      BOOST_TEST(response.body == c.body);
    } else {
      BOOST_TEST(response.body.find(c.body) != std::string::npos);
    }
  }
}

// Grafana's health check.
BOOST_AUTO_TEST_CASE(a_form_is_a_query_too) {
  const HttpResponse response = Ask("POST", "/api/v1/query", "", "query=1%2B1&time=4");
  BOOST_TEST(response.body == R"({"status":"success","data":{"resultType":"scalar","result":[4,"2"]}})");
}

BOOST_AUTO_TEST_CASE(statistics_are_told) {
  const json stats = json::parse(Ask("GET", "/api/v1/query", "query=up%5B25s%5D&stats=all").body)["data"]["stats"];
  BOOST_TEST(stats["samples"]["samplesRead"] == 6);
  BOOST_TEST(stats["samples"]["totalQueryableSamples"] == 6);
  BOOST_TEST(stats["samples"]["peakSamples"] >= 3);
  BOOST_TEST(stats["timings"].size() == 6U);
}

BOOST_AUTO_TEST_CASE(a_multipart_form_is_a_query_too) {
  HttpRequest request{.method = "POST", .path = "/api/v1/query", .query = "query=2"};
  request.headers = {{"Content-Type", "multipart/form-data; boundary=\"XX\""}};
  request.body =
      "--XX\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\n1+1\r\n--XX\r\nContent-Type: text/plain\r\n"
      "content-disposition: form-data; name=time\r\n\r\n4\r\n--XX\r\nContent-Disposition: form-data; name=\"file\"; "
      "filename=\"x\"\r\n\r\nz\r\n--XX--\r\n";
  BOOST_TEST(request.Params("query") == (std::vector<std::string>{"2", "1+1"}), boost::test_tools::per_element());
  BOOST_TEST(request.Param("time").value() == "4");
  BOOST_TEST(!request.Param("file").has_value());
  request.body = "--XX\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\n1+1";
  BOOST_TEST(request.Params("query").size() == 1U);
}

BOOST_AUTO_TEST_CASE(federation_escapes_names_as_the_scraper_asks) {
  storage.Add({{"__name__", "utf.8 fr"}, {"l_a.x", "1"}}, 1'000'000, 123456789);
  struct Row {
    std::string_view accept;
    std::string_view scheme;
    std::string_view text;
  };
  const Row table[] = {
      {"", "underscores", "# TYPE utf_8_fr untyped\nutf_8_fr{instance=\"\",l_a_x=\"1\"} 1.23456789e+08 1000000\n"},
      {"text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "underscores", "utf_8_fr{"},
      {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5",
       "allow-utf-8",
       "# TYPE \"utf.8 fr\" untyped\n{\"utf.8 fr\",instance=\"\",\"l_a.x\"=\"1\"} 1.23456789e+08 1000000\n"},
      {"text/plain;q=0.9,application/openmetrics-text;escaping=allow-utf-8;q=0.6", "underscores", "utf_8_fr{"},
      {"text/plain;escaping=dots", "dots", "utf_dot_8__fr{instance=\"\",l__a_dot_x=\"1\"}"},
      {"text/plain;escaping=values", "values", "U__utf_2e_8_20_fr{instance=\"\",U__l__a_2e_x=\"1\"}"},
      {"text/plain;escaping=other", "underscores", "utf_8_fr{"},
  };
  for (const Row& row : table) {
    const HttpResponse response =
        Ask("GET", "/federate", "match[]={__name__=~%22utf.*%22}", "", std::string(row.accept));
    BOOST_TEST(response.content_type ==
               "text/plain; version=0.0.4; charset=utf-8; escaping=" + std::string(row.scheme));
    BOOST_TEST_CONTEXT(response.body) { BOOST_TEST(response.body.find(row.text) != std::string::npos); }
  }
}

BOOST_AUTO_TEST_CASE(the_links_of_alerts_lead_to_a_page) {
  const HttpResponse moved = Ask("GET", "/graph", "g0.expr=up&g0.tab=1");
  BOOST_TEST(moved.status == 302);
  const Headers location{{"Location", "/query?g0.expr=up&g0.tab=1"}};
  BOOST_TEST((moved.headers == location));
  struct Row {
    std::string_view query;
    std::string_view part;
  };
  const Row table[] = {
      {"", "<textarea name=\"g0.expr\""},
      {"g0.expr=up&g0.tab=1", "<td>up{job=&#34;a&#34;}</td><td class=\"tight\">1</td>"},
      {"g0.expr=up%20%3E%205", "Empty query result"},
      {"g0.expr=1%2B1", "<td class=\"tight\">2</td>"},
      {"g0.expr=up%7B&g0.tab=1", "parse error"},
      {"g0.expr=%3Cscript%3E", "&lt;script&gt;"},
      {"g0.expr=up&g0.tab=0&g0.range_input=5m&g0.end_input=1970-01-01%2000:10:00", "<path d=\"M0.0 "},
      {"g0.expr=up&g0.tab=0&g0.end_input=x", "cannot parse"},
      {"g0.expr=up[5m]&g0.tab=0", "invalid expression type"},
  };
  for (const Row& row : table) {
    const HttpResponse response = Ask("GET", "/query", std::string(row.query));
    BOOST_TEST(response.status == 200);
    BOOST_TEST_CONTEXT(response.body) { BOOST_TEST(response.body.find(row.part) != std::string::npos); }
    BOOST_TEST(response.body.find("<script") == std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_query_ends_at_its_deadline) {
  const HttpResponse response = Ask("GET", "/api/v1/query", "query=up&timeout=0");
  BOOST_TEST(response.status == 400);
  BOOST_TEST(json::parse(response.body)["error"] == "invalid parameter \"query\": context deadline exceeded");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::agent
