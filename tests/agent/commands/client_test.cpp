#include "agent/commands/client.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <ostream>

#include "agent/commands/command.h"
#include "tests/support/http_server.h"

namespace pipewarden::agent {
namespace {

struct StatusCase {
  int status;
  int exit_code;
};
std::ostream& operator<<(std::ostream& out, const StatusCase& c) { return out << c.status; }

const std::vector<StatusCase> kStatusCases = {
    {400, kExitUsage},   // the request itself is wrong
    {403, kExitFailed},  //
    {404, kExitFailed},  //
    {409, kExitFailed},  //
    {422, kExitFailed},  // understood and refused: a pipeline that runs once, a full disk, a query that fails
    {503, kExitFailed},
};

BOOST_AUTO_TEST_SUITE(client)

BOOST_DATA_TEST_CASE(what_the_agent_refuses_has_failed_and_is_no_bad_usage, boost::unit_test::data::make(kStatusCases),
                     sample) {
  test::HttpServer server([&](const test::HttpServer::Request&) {
    return test::HttpServer::Response{.status = sample.status, .body = R"({"status":"error","error":"because"})"};
  });
  ClientOptions options;
  options.url = "http://" + server.Address();
  const auto answer = Client(options).Post("/x", nlohmann::json::object());
  BOOST_REQUIRE(!answer);
  BOOST_TEST(PrintError(answer.error()) == sample.exit_code);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::agent
