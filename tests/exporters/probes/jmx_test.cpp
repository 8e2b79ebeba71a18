#include <boost/test/data/test_case.hpp>

#include "tests/exporters/probe_fixture.h"

namespace pipewarden::exporters {
namespace {

using test::HttpServer;
using Answer = HttpServer::Response;

constexpr const char* kBeans = R"({"beans": [
  {"name": "java.lang:type=Memory", "HeapMemoryUsage": {"used": 52000000, "max": 238000000}, "Verbose": false,
   "tag.HAState": "active", "Name": "x"}]})";

struct Case {
  const char* options;
  std::string_view error;
  std::optional<double> value;
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.options; }

const Case kCases[] = {
    {"attributes: HeapMemoryUsage.used", "", 52000000},
    {"attributes: HeapMemoryUsage.used, max: 1e9", "", 52000000},
    {"attributes: HeapMemoryUsage.used, max: 1000",
     "HeapMemoryUsage.used of java.lang:type=Memory is 52000000, above 1000", 52000000},
    {"attributes: HeapMemoryUsage.used, min: 1e9",
     "HeapMemoryUsage.used of java.lang:type=Memory is 52000000, below 1000000000", 52000000},
    {"attributes: Verbose", "", 0},
    {"attributes: tag.HAState, equals: active", "", 1},
    {"attributes: tag.HAState, equals: standby", "tag.HAState of java.lang:type=Memory is 'active', expected 'standby'",
     0},
    {"attributes: Name", "", std::nullopt},
    {"attributes: Name, min: 1", "Name of java.lang:type=Memory is 'x', which is no number", std::nullopt},
    {"attributes: [Verbose, Absent]", "bean java.lang:type=Memory has no attribute Absent", 0},
};

BOOST_FIXTURE_TEST_SUITE(probe_jmx, ProbeFixture)

BOOST_DATA_TEST_CASE(attributes_are_exported_and_judged, boost::unit_test::data::make(kCases), c) {
  HttpServer server([](const auto&) { return Answer{.body = kBeans}; });
  const ProbeResult result = Probe("jmx", "url: '" + server.Url() + "', bean: 'java.lang:type=Memory', " + c.options);
  BOOST_TEST(result.error == c.error);
  BOOST_TEST((Value(result, "probe_jmx_value") == c.value));
  BOOST_TEST(server.Requests().at(0).target == "/jmx?qry=java.lang:type=Memory");
}

struct BadAnswer {
  const char* name;
  Answer answer;
  std::string_view says;
};
std::ostream& operator<<(std::ostream& out, const BadAnswer& c) { return out << c.name; }
const BadAnswer kBadAnswers[] = {
    {"missing bean",
     {.body = R"({"beans" : [ ]})"},
     "the server has no bean a:type=B (its answer is 200 with an empty list)"},
    {"not found", {.status = 404, .body = "{}"}, "status 404, expected 200"},
    {"no json", {.body = "<html>"}, "the answer is not that of a JMX servlet"},
    {"other json", {.body = "[1]"}, "the answer is not that of a JMX servlet"},
};

BOOST_DATA_TEST_CASE(what_is_no_bean_is_a_failure, boost::unit_test::data::make(kBadAnswers), c) {
  HttpServer server([&](const auto&) { return c.answer; });
  const ProbeResult result = Probe("jmx", "url: '" + server.Url("/jmx") + "', bean: 'a:type=B', attributes: [X]");
  BOOST_TEST(result.error.starts_with("GET " + server.Url("/jmx") + ": " + std::string(c.says)), result.error);
  BOOST_TEST(server.Requests().at(0).Path() == "/jmx");
}

BOOST_AUTO_TEST_CASE(a_bean_is_an_object_name) {
  std::vector<std::string> errors;
  ReadProbeText("[{name: p, kind: jmx, url: 'http://x', bean: Memory, attributes: [a]}]", errors);
  BOOST_REQUIRE(errors.size() == 1U);
  BOOST_TEST(errors[0].find("'Memory' is no ObjectName") != std::string::npos, errors[0]);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::exporters
