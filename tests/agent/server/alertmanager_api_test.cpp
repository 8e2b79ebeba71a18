// Answers as Alertmanager 0.25 gives them, taken down from it.
#include "agent/server/alertmanager_api.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <ostream>
#include <thread>

#include "agent/server/faces.h"
#include "core/async/loop.h"
#include "core/net/http_client.h"
#include "tests/support/temp_folder.h"

namespace pipewarden::agent {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr const char* kConfig = R"(
global: {slack_api_url: 'http://hooks/PLANTED'}
route:
  receiver: def
  group_by: [alertname]
  routes:
  - {matchers: ['severity="page"'], receiver: team, group_wait: 1s, mute_time_intervals: [night]}
  - {matchers: ['env=~"p.*"'], receiver: team2, continue: true}
receivers:
- name: def
- {name: team, webhook_configs: [{url: 'http://127.0.0.1:1/PLANTED'}]}
- {name: team2, slack_configs: [{channel: c}]}
inhibit_rules: [{source_matchers: [a=b], target_matchers: [c=d], equal: [e]}]
time_intervals: [{name: night, time_intervals: [{years: ['2001'], times: [{start_time: '22:00', end_time: '24:00'}]}]}]
)";

struct Fixture {
  Fixture() {
    core::ConfigErrors errors;
    const auto root = core::ParseYaml(kConfig, "alertmanager.yml", errors);
    auto config = alertmanager::ReadAlertmanagerConfig(*root, errors);
    BOOST_REQUIRE(errors.empty());
    BOOST_REQUIRE(manager.Open().has_value());
    manager.Apply(std::move(config));
    context->clock = &clock;
    context->loop = &loop;
    context->alertmanager = &manager;
    context->put_alerts = [this](std::vector<core::Alert> alerts) { return manager.Put(std::move(alerts)); };
    for (Routes more : {AlertmanagerRoutes(context), SilenceRoutes(context)})
      routes.insert(routes.end(), more.begin(), more.end());
    thread = std::thread([this] { loop.Run(); });
  }
  ~Fixture() {
    loop.Stop();
    thread.join();
  }

  struct Answer {
    int status = 0;
    std::string body;
  };
  Answer Ask(const std::string& method, const std::string& target, std::string body = {},
             const std::string& type = "application/json") {
    HttpRequest request;
    request.method = method;
    request.path = target.substr(0, target.find('?'));
    if (request.path.size() < target.size()) request.query = target.substr(request.path.size() + 1);
    request.headers = {{"Host", "localhost"}, {"Content-Type", type}};
    request.loopback = true;
    request.body = std::move(body);
    const auto router = Router::Make(routes, {});
    const Router::Choice choice = router->Choose(request, clock.Monotonic());
    if (choice.refusal) return {choice.refusal->status, choice.refusal->body};
    request.deadline = clock.Monotonic() + 20s;
    const HttpResponse response = Router::Run(*choice.route, request);
    Answer answer{response.status, response.body};
    if (response.stream)
      response.stream([&](std::string_view piece) {
        answer.body += piece;
        return true;
      });
    while (answer.body.ends_with('\n')) answer.body.pop_back();
    return answer;
  }
  std::string Post(const std::string& path, std::string body) {
    const Answer answer = Ask("POST", path, std::move(body));
    return std::to_string(answer.status) + " " + answer.body;
  }
  std::vector<std::string> Names(const std::string& query) {
    const json list = json::parse(Ask("GET", "/api/v2/alerts" + query).body);
    std::vector<std::string> names;
    for (const json& alert : list) names.push_back(alert["labels"]["alertname"]);
    return names;
  }
  std::string Silence(const std::string& matchers, const std::string& more = "") {
    const json start = json::parse("{" + more + "\"matchers\": [" + matchers +
                                   "], \"startsAt\": \"2020-01-01T00:00:00Z\", \"endsAt\": \"2199-01-01T00:00:00Z\", "
                                   "\"createdBy\": \"me\", \"comment\": \"c\"}");
    const Answer answer = Ask("POST", "/api/v2/silences", start.dump());
    BOOST_REQUIRE_MESSAGE(answer.status == 200, answer.body);
    return json::parse(answer.body)["silenceID"];
  }

  core::SystemClock clock;
  core::Loop loop{clock, core::Logger(core::LogLevel::kError, core::LogFormat::kLogfmt), 1};
  core::HttpClient http{loop};
  test::TempFolder folder;
  alertmanager::Alertmanager manager{
      loop, http, core::Logger(core::LogLevel::kError, core::LogFormat::kLogfmt), nullptr, folder.path(), "http://am"};
  std::shared_ptr<ServerContext> context = std::make_shared<ServerContext>();
  Routes routes;
  std::thread thread;
};

constexpr const char* kTwo = R"([
  {"labels": {"alertname": "a", "severity": "page"}, "annotations": {"s": "x <&>"}, "generatorURL": "http://g/?a=1&b=2"},
  {"labels": {"alertname": "b", "env": "prod"}, "startsAt": "2026-01-01T00:00:00.123456789Z"}])";
constexpr const char* kMatchA = R"({"name": "alertname", "value": "a", "isRegex": false})";

BOOST_FIXTURE_TEST_SUITE(alertmanager_api, Fixture)

BOOST_AUTO_TEST_CASE(alerts_look_as_alertmanagers) {
  BOOST_TEST(Post("/api/v2/alerts", kTwo) == "200 ");
  const std::string body = Ask("GET", "/api/v2/alerts").body;
  json list = json::parse(body);
  BOOST_REQUIRE_EQUAL(list.size(), 2U);
  for (json& alert : list)
    for (const char* time : {"endsAt", "updatedAt"}) {
      BOOST_TEST(alert[time].get<std::string>().size() == 24U);
      alert.erase(time);
    }
  BOOST_TEST(list[1]["startsAt"].get<std::string>().ends_with("Z"));
  list[1].erase("startsAt");
  BOOST_TEST(list[0] == json::parse(R"({"annotations": {}, "fingerprint": "e0aa48755f5e0fa6", "labels": {
      "alertname": "b", "env": "prod"}, "receivers": [{"name": "team2"}], "startsAt": "2026-01-01T00:00:00.123Z",
      "status": {"inhibitedBy": [], "mutedBy": [], "silencedBy": [], "state": "active"}})"));
  BOOST_TEST(list[1] == json::parse(R"({"annotations": {"s": "x <&>"}, "fingerprint": "ed8c2826a0605a0b",
      "generatorURL": "http://g/?a=1&b=2", "labels": {"alertname": "a", "severity": "page"},
      "receivers": [{"name": "team"}],
      "status": {"inhibitedBy": [], "mutedBy": [], "silencedBy": [], "state": "active"}})"));
  BOOST_TEST(body.find(R"("s":"x \u003c\u0026\u003e")") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_is_not_there_is_told_in_its_words) {
  const Answer nothing = Ask("GET", "/api/v2/nothing");
  BOOST_TEST(nothing.status == 404);
  BOOST_TEST(nothing.body == R"({"code":404,"message":"path /api/v2/nothing was not found"})");
  const Answer method = Ask("PATCH", "/api/v2/status");
  BOOST_TEST(method.status == 405);
  BOOST_TEST(method.body == R"({"code":405,"message":"method PATCH is not allowed, but [GET, HEAD] are"})");
}

struct Refused {
  const char* body;
  const char* answer;
};
std::ostream& operator<<(std::ostream& out, const Refused& refused) { return out << refused.body; }

const Refused kRefused[] = {
    {R"([{"labels": {}}])", R"(400 ")"},
    {R"([{}])", R"(422 {"code":602,"message":"0.labels in body is required"})"},
    {R"([{"labels": {"a": 1}}])", R"(400 {"code":400,"message":"parsing alerts body from \"\" failed, because )"},
    {R"([{"labels": {"a": "b"}, "startsAt": "x"}])", R"(400 {"code":400,"message":"parsing alerts body from)"},
    {R"([{"labels": {"a": "b"}, "generatorURL": "::bad"}])",
     R"(422 {"code":601,"message":"0.generatorURL in body must be of type uri: \"::bad\""})"},
    {"{", R"(400 {"code":400,"message":"parsing alerts body from \"\" failed, because )"},
    {"{}", R"(400 {"code":400,"message":"parsing alerts body from \"\" failed, because a list is expected)"},
    {"", R"(422 {"code":602,"message":"alerts in body is required"})"},
    {"null", "200 "},
    {"[]", "200 "},
    {R"([{"labels": {"a": "b", "e": ""}, "unknown": 5, "startsAt": "2021-01-01T00:00:00Z", )"
     R"("endsAt": "2020-01-01T00:00:00Z"}])",
     R"(400 "alert {a=\"b\"}: it ends before it starts)"},
};

BOOST_DATA_TEST_CASE(what_is_refused, boost::unit_test::data::make(kRefused), refused) {
  const std::string answer = Post("/api/v2/alerts", refused.body);
  BOOST_TEST(answer.starts_with(refused.answer), answer);
}

BOOST_AUTO_TEST_CASE(good_alerts_are_taken_beside_bad_ones_and_bodies_are_json) {
  BOOST_TEST(Post("/api/v2/alerts", R"([{"labels": {}}, {"labels": {"alertname": "good"}}])").starts_with("400 "));
  BOOST_TEST(Names("") == std::vector<std::string>{"good"}, boost::test_tools::per_element());
  BOOST_TEST(Ask("POST", "/api/v2/alerts", "[]", "text/plain").body ==
             R"({"code":415,"message":"unsupported media type \"text/plain\", only [application/json] are allowed"})");
  BOOST_TEST(Ask("POST", "/api/v2/alerts", "[]", "application/json; charset=utf-8").status == 200);
  BOOST_TEST(Ask("GET", "/alertmanager/api/v2/status").status == 404);
}

BOOST_AUTO_TEST_CASE(alerts_are_filtered) {
  using Names_ = std::vector<std::string>;
  Post("/api/v2/alerts", kTwo);
  const std::string id = Silence(kMatchA);
  const auto is = [&](const char* query, const Names_& names) {
    BOOST_TEST(Names(query) == names, boost::test_tools::per_element());
  };
  is("", {"b", "a"});
  is("?filter=alertname%3D%22a%22", {"a"});
  is("?filter=alertname%3Da&filter=env%3Dprod", {});
  is("?filter=env%3D%22%22", {"a"});
  is("?receiver=te", {});
  is("?receiver=te.*", {"b", "a"});
  is("?receiver=team2", {"b"});
  is("?silenced=false", {"b"});
  is("?active=false", {"a"});
  is("?active=maybe", {"a"});
  is("?unprocessed=false&inhibited=false", {"b", "a"});
  BOOST_TEST(Ask("GET", "/api/v2/alerts?filter=x").status == 400);
  BOOST_TEST(Ask("GET", "/api/v2/alerts?receiver=(").body.starts_with("\"failed to parse receiver param: "));
  const json silenced = json::parse(Ask("GET", "/api/v2/alerts?active=false").body)[0];
  BOOST_TEST(silenced["status"]["silencedBy"] == json::array({id}));
  BOOST_TEST(silenced["status"]["state"] == "suppressed");
}

BOOST_AUTO_TEST_CASE(groups_hold_their_alerts) {
  Post("/api/v2/alerts", kTwo);
  Post("/api/v2/alerts", R"([{"labels": {"alertname": "a", "severity": "page", "x": "y"}}])");
  const json groups = json::parse(Ask("GET", "/api/v2/alerts/groups").body);
  BOOST_REQUIRE_EQUAL(groups.size(), 2U);
  BOOST_TEST(groups[0]["labels"] == json({{"alertname", "a"}}));
  BOOST_TEST(groups[0]["receiver"] == json({{"name", "team"}}));
  BOOST_TEST(groups[0]["alerts"].size() == 2U);
  BOOST_TEST(groups[1]["receiver"] == json({{"name", "team2"}}));
  BOOST_TEST(json::parse(Ask("GET", "/api/v2/alerts/groups?receiver=team2").body).size() == 1U);
  BOOST_TEST(Ask("GET", "/api/v2/alerts/groups?filter=a%3Db").body == "[]");
}

BOOST_AUTO_TEST_CASE(silences_come_and_go) {
  BOOST_TEST(Ask("GET", "/api/v2/silences").body == "[]");
  const std::string id = Silence(kMatchA);
  const json silence = json::parse(Ask("GET", "/api/v2/silence/" + id).body);
  BOOST_TEST(silence["status"] == json({{"state", "active"}}));
  BOOST_TEST(silence["matchers"] ==
             json::parse(R"([{"isEqual": true, "isRegex": false, "name": "alertname", "value": "a"}])"));
  BOOST_TEST(silence["endsAt"] == "2199-01-01T00:00:00.000Z");
  const auto count = [&](const char* filter) {
    return json::parse(Ask("GET", std::string("/api/v2/silences?filter=") + filter).body).size();
  };
  BOOST_TEST(count("alertname%3Da") == 1U);
  BOOST_TEST(count("alertname%3D~a") == 0U);
  BOOST_TEST(Ask("DELETE", "/api/v2/silence/" + id).status == 200);
  BOOST_TEST(Ask("DELETE", "/api/v2/silence/" + id).status == 200);
  BOOST_TEST(json::parse(Ask("GET", "/api/v2/silence/" + id).body)["status"]["state"] == "expired");
  const std::string other = Silence(R"({"name": "b", "value": "", "isRegex": false, "isEqual": false})");
  const json list = json::parse(Ask("GET", "/api/v2/silences").body);
  BOOST_TEST(list[0]["id"] == other);
  BOOST_TEST(list[1]["id"] == id);
  BOOST_TEST(list[0]["matchers"][0]["isEqual"] == false);
  // Edited in place: matchers and start are the same.
  json edited = list[0];
  edited["comment"] = "other";
  BOOST_TEST(json::parse(Ask("POST", "/api/v2/silences", edited.dump()).body)["silenceID"] == other);
  BOOST_TEST(json::parse(Ask("GET", "/api/v2/silence/" + other).body)["comment"] == "other");
}

BOOST_AUTO_TEST_CASE(silences_that_do_not_exist) {
  const std::string none = "/api/v2/silence/00000000-0000-4000-8000-000000000000";
  BOOST_TEST(Ask("GET", none).status == 404);
  BOOST_TEST(Ask("DELETE", none).status == 404);
  BOOST_TEST(Ask("GET", "/api/v2/silence/xx").body ==
             R"({"code":601,"message":"silenceID in path must be of type uuid: \"xx\""})");
}

const Refused kRefusedSilences[] = {
    {R"("matchers": [])", R"(422 {"code":612,"message":"matchers in body should have at least 1 items"})"},
    {R"("matchers": [{"name": "a", "isRegex": false}])",
     R"(422 {"code":602,"message":"matchers.0.value in body is required"})"},
    {R"("matchers": [{"name": "a", "value": "b"}])",
     R"(422 {"code":602,"message":"matchers.0.isRegex in body is required"})"},
    {R"("matchers": [{"name": "a", "value": "", "isRegex": false}])",
     R"(400 "invalid silence: at least one matcher must not match the empty string")"},
    {R"("matchers": [{"name": "a", "value": "(", "isRegex": true}])",
     R"(400 "invalid silence: invalid label matcher 0: )"},
    {R"("matchers": [{"name": "a", "value": "b", "isRegex": false}], "endsAt": "2021-01-01T00:00:00Z")",
     R"(400 "Failed to create silence: end time can't be in the past")"},
    {R"("matchers": [{"name": "a", "value": "b", "isRegex": false}], "startsAt": "2200-01-01T00:00:00Z")",
     R"(400 "Failed to create silence: start time must be before end time")"},
    {R"("comment": null)", R"(422 {"code":602,"message":"comment in body is required"})"},
    {R"("id": "00000000-0000-4000-8000-000000000000")", R"(404 )"},
};

BOOST_DATA_TEST_CASE(silences_that_are_refused, boost::unit_test::data::make(kRefusedSilences), refused) {
  json body = json::parse(R"({"startsAt": "2020-01-01T00:00:00Z", "endsAt": "2199-01-01T00:00:00Z", "createdBy": "me",
      "comment": "c", "matchers": [{"name": "a", "value": "b", "isRegex": false}]})");
  body.update(json::parse("{" + std::string(refused.body) + "}"));
  const std::string answer = Post("/api/v2/silences", body.dump());
  BOOST_TEST(answer.starts_with(refused.answer), answer);
}

BOOST_AUTO_TEST_CASE(the_status_shows_the_configuration_without_secrets) {
  const std::string body = Ask("GET", "/api/v2/status").body;
  const json status = json::parse(body);
  BOOST_TEST(status["cluster"] == json::parse(R"({"peers": [], "status": "disabled"})"));
  BOOST_TEST(status["versionInfo"].size() == 6U);
  BOOST_TEST(body.find("PLANTED") == std::string::npos);
  const std::string original = status["config"]["original"];
  core::ConfigErrors errors;
  const auto root = core::ParseYaml(original, "shown.yml", errors);
  const auto shown = alertmanager::ReadAlertmanagerConfig(*root, errors);
  BOOST_TEST(errors.empty(), original);
  BOOST_TEST(shown.original.starts_with("global:\n  resolve_timeout: 5m\nroute:\n  receiver: \"def\"\n"), original);
  BOOST_TEST(shown.route.routes.size() == 2U);
  BOOST_TEST(shown.route.routes[1].continue_matching);
  BOOST_TEST((shown.route.routes[0].group_wait == 1s));
  BOOST_TEST(shown.inhibit_rules[0].equal == std::vector<std::string>{"e"}, boost::test_tools::per_element());
  BOOST_TEST(shown.time_intervals.size() == 1U);
  BOOST_TEST(Ask("GET", "/api/v2/receivers").body == R"([{"name":"def"},{"name":"team"},{"name":"team2"}])");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::agent
