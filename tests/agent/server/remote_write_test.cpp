#include <boost/test/unit_test.hpp>

#include "agent/server/faces.h"
#include "core/net/remote_write_codec.h"
#include "rules/remote_write.h"
#include "tests/support/protobuf.h"

namespace pipewarden::agent {
namespace {

using namespace test;

struct Fixture {
  std::shared_ptr<ServerContext> context = std::make_shared<ServerContext>();
  core::RemoteWriteRequest taken;
  rules::RemoteWriteOutcome outcome{.samples = 1, .refused = 0, .why = "", .each = ""};

  Fixture() {
    context->remote_write = [this](core::RemoteWriteRequest request,
                                   core::MonoTime) -> core::Result<rules::RemoteWriteOutcome> {
      taken = std::move(request);
      return outcome;
    };
  }
  HttpResponse Send(std::string body, std::string type = "application/x-protobuf", std::string encoding = "snappy") {
    HttpRequest request{.method = "POST", .path = "/api/v1/write"};
    request.body = std::move(body);
    request.headers = {{"Content-Type", std::move(type)}, {"Content-Encoding", std::move(encoding)}};
    return RemoteWriteRoutes(context)[0].handle(request);
  }
};

const std::string kSeries =
    Bytes(1, Bytes(1, Bytes(1, "__name__") + Bytes(2, "up")) + Bytes(2, Double(1, 1) + Int(2, 1000)));

BOOST_FIXTURE_TEST_SUITE(remote_write, Fixture)

BOOST_AUTO_TEST_CASE(both_versions_are_taken) {
  BOOST_TEST(Send(Snappy(kSeries)).status == 204);
  BOOST_REQUIRE(taken.series.size() == 1U);
  BOOST_TEST(core::Labels(taken.series[0].labels).ToString() == "up");
  const std::string second = Bytes(4, "") + Bytes(4, "__name__") + Bytes(4, "up") +
                             Bytes(5, Bytes(1, Varint(1) + Varint(2)) + Bytes(2, Double(1, 1) + Int(2, 1000)));
  const HttpResponse response = Send(Snappy(second), "application/x-protobuf; proto=io.prometheus.write.v2.Request");
  BOOST_TEST(response.status == 204);
  const Headers expected{{"X-Prometheus-Remote-Write-Samples-Written", "1"},
                         {"X-Prometheus-Remote-Write-Histograms-Written", "0"},
                         {"X-Prometheus-Remote-Write-Exemplars-Written", "0"}};
  BOOST_TEST((response.headers == expected));
}

BOOST_AUTO_TEST_CASE(what_is_of_another_kind_is_refused) {
  BOOST_TEST(Send(Snappy(kSeries), "application/json").status == 415);
  BOOST_TEST(Send(Snappy(kSeries), "application/x-protobuf;proto=other").status == 415);
  BOOST_TEST(Send(Snappy(kSeries), "application/x-protobuf", "gzip").status == 415);
  BOOST_TEST(Send("no snappy").status == 400);
  BOOST_TEST(Send(Snappy("\xff\xff")).status == 400);
  BOOST_TEST(taken.series.empty());
  outcome = {.samples = 1, .refused = 1, .why = "out of order sample", .each = "out of order sample for series {}"};
  const HttpResponse part = Send(Snappy(kSeries));
  BOOST_TEST(part.status == 400);
  BOOST_TEST(part.body == "out of order sample\n");
}

BOOST_AUTO_TEST_CASE(it_is_off_unless_asked_for) {
  context->remote_write = nullptr;
  const HttpResponse response = Send(Snappy(kSeries));
  BOOST_TEST(response.status == 404);
  BOOST_TEST(response.body == "remote write receiver needs to be enabled with --web.enable-remote-write-receiver\n");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::agent
