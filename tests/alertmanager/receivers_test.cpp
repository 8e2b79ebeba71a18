// What the receivers send, byte for byte, and how they judge answers.
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <sstream>

#include "tests/alertmanager/support/harness.h"
#include "tests/support/conformance.h"
#include "tests/support/http_server.h"

namespace pipewarden::alertmanager {
namespace {

using test::HttpServer;

// Bodies captured from Alertmanager, by path: the firing one, then the resolved one.
std::map<std::string, std::vector<std::string>> Captured() {
  std::map<std::string, std::vector<std::string>> bodies;
  const std::string path = test::ConformancePath("alerting/http-notifications.txt");
  if (path.empty()) return bodies;
  std::ifstream file(path);
  std::string line;
  std::string section;
  while (std::getline(file, line)) {
    if (line.starts_with("=== POST ")) section = line.substr(9);
    if (line.starts_with("{")) bodies[section].push_back(line);
  }
  return bodies;
}

BOOST_AUTO_TEST_SUITE(receivers)

BOOST_AUTO_TEST_CASE(bodies_are_alertmanagers_byte_for_byte) {
  const auto captured = Captured();
  if (captured.empty()) return;
  HttpServer server([](const HttpServer::Request&) { return HttpServer::Response{.status = 200, .body = "ok"}; });
  const std::string receiver =
      "webhook_configs: [{url: '" + server.Url("/wh") + "'}], slack_configs: [{api_url: '" + server.Url("/slack") +
      "', channel: '#c', send_resolved: true, actions: [{type: button, text: Run, url: 'http://x'}], "
      "fields: [{title: T, value: '{{ .Status }}'}]}], pagerduty_configs: [{routing_key: K}]";
  std::size_t sent = 0;
  for (const bool resolved : {false, true}) {
    Harness harness(receiver, "pagerduty_url: '" + server.Url("/pd") + "'", nullptr);
    for (std::size_t i = 0; i < 3; ++i) {
      const NotifyOutcome outcome = harness.Notify(ConformanceNotification(resolved), i);
      BOOST_REQUIRE_MESSAGE(outcome.ok, outcome.error);
      const HttpServer::Request request = server.Requests().at(sent++);
      BOOST_TEST(request.body == captured.at(request.Path()).at(resolved ? 1 : 0) + "\n");
      BOOST_TEST(request.Header("Content-Type") == "application/json");
      BOOST_TEST(request.Header("User-Agent").starts_with("Alertmanager/"));
    }
  }
}

BOOST_AUTO_TEST_CASE(go_escapes_what_html_would_misread) {
  HttpServer server([](const HttpServer::Request&) { return HttpServer::Response{}; });
  Harness harness("webhook_configs: [{url: '" + server.Url() + "'}]", "", nullptr);
  Notification notification = ConformanceNotification(false);
  notification.receiver = "a.b*c";
  notification.alerts[0].annotations = {{"x", "\x01\x1f\"\\\n\r\t\u2028\u00e9\x7f"}};
  SetCommon(notification);
  BOOST_TEST(harness.Notify(notification).ok);
  const std::string body = server.Requests().at(0).body;
  BOOST_TEST(body.find(R"("x":"\u0001\u001f\"\\\n\r\t\u2028é)") != std::string::npos, body);
  BOOST_TEST(body.starts_with(R"({"receiver":"a\\.b\\*c",)"), body);
}

BOOST_AUTO_TEST_CASE(max_alerts_cuts_and_says_so) {
  HttpServer server([](const HttpServer::Request&) { return HttpServer::Response{}; });
  Harness harness("webhook_configs: [{url: '" + server.Url() + "', max_alerts: 1}]", "", nullptr);
  Notification notification = ConformanceNotification(false);
  core::Alert second = notification.alerts[0];
  second.labels.Set("cluster", "c2");
  notification.alerts.push_back(second);
  SetCommon(notification);
  BOOST_TEST(harness.Notify(notification).ok);
  const std::string body = server.Requests().at(0).body;
  BOOST_TEST(body.find("\"truncatedAlerts\":1}") != std::string::npos);
  BOOST_TEST(body.find("c2") == std::string::npos);
  BOOST_TEST(body.find(R"("commonLabels":{"alertname":"foo","cluster":"c1")") != std::string::npos);
}

NotifyOutcome Answered(const std::string& kind, HttpServer::Response answer) {
  HttpServer server([&](const HttpServer::Request&) { return answer; });
  const std::string options = kind == "webhook"     ? "url: '" + server.Url() + "'"
                              : kind == "slack"     ? "api_url: '" + server.Url() + "'"
                              : kind == "pagerduty" ? "routing_key: K, url: '" + server.Url() + "'"
                                                    : "api_key: K, api_url: '" + server.Url() + "'";
  return Harness(kind + "_configs: [{" + options + "}]", "", nullptr).Notify(ConformanceNotification(false));
}

BOOST_AUTO_TEST_CASE(answers_are_judged) {
  BOOST_TEST(Answered("webhook", {.status = 204}).ok);
  BOOST_TEST(Answered("webhook", {.status = 500}).retry);
  BOOST_TEST(!Answered("webhook", {.status = 429}).retry);
  BOOST_TEST(!Answered("webhook", {.status = 404}).retry);
  BOOST_TEST(Answered("webhook", {.cut_after = 0}).retry);
  BOOST_TEST(Answered("pagerduty", {.status = 429}).retry);
  BOOST_TEST(Answered("opsgenie", {.status = 429}).retry);
  const NotifyOutcome busy = Answered("pagerduty", {.status = 429, .headers = {{"Retry-After", "7"}}});
  BOOST_TEST((busy.retry_after == std::chrono::seconds(7)));
  BOOST_TEST(Answered("webhook", {.status = 503, .body = "come later"}).error.find("503: come later") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(slack_says_no_with_status_200) {
  BOOST_TEST(Answered("slack", {.body = "ok"}).ok);
  BOOST_TEST(Answered("slack", {.body = "{\"ok\": true, \"ts\": \"1\"}"}).ok);
  const NotifyOutcome no = Answered("slack", {.body = "{\"ok\": false, \"error\": \"channel_not_found\"}"});
  BOOST_TEST((!no.ok && !no.retry));
  BOOST_TEST(no.error.find("channel_not_found") != std::string::npos);
  BOOST_TEST(!Answered("slack", {.body = "invalid_payload"}).ok);
  BOOST_TEST(!Answered("slack", {.status = 429}).retry);
}

BOOST_AUTO_TEST_CASE(a_label_cannot_write_a_slack_link) {
  HttpServer server([](const HttpServer::Request&) { return HttpServer::Response{.body = "ok"}; });
  const auto render = std::make_shared<const RenderTemplate>(
      [](std::string_view text, const Notification& n, bool) -> core::Result<std::string> {
        if (text == "{{ text }}")
          return std::string(n.common_labels.Get("line")) + "|" + std::string(n.common_annotations.Get("a"));
        return std::string(n.common_labels.Get("line"));
      });
  Harness harness("slack_configs: [{api_url: '" + server.Url() + "', text: '{{ text }}', title_link: '{{ link }}'}]",
                  "", render);
  Notification notification = ConformanceNotification(false);
  notification.alerts[0].labels.Set("line", "<http://evil|Reset & go>");
  notification.alerts[0].annotations.Set("a", "see <http://good|runbook>: <http://evil|Reset & go>");
  SetCommon(notification);
  BOOST_TEST(harness.Notify(notification).ok);
  const std::string body = server.Requests().at(0).body;
  const std::string safe = R"(\u0026lt;http://evil|Reset \u0026amp; go\u0026gt;)";
  BOOST_TEST(body.find("\"text\":\"" + safe + R"(|see \u003chttp://good|runbook\u003e: )" + safe) != std::string::npos,
             body);
}

BOOST_AUTO_TEST_CASE(a_template_that_fails_is_not_tried_again) {
  const auto broken = std::make_shared<const RenderTemplate>(
      [](std::string_view, const Notification&, bool) -> core::Result<std::string> {
        return core::Fail(core::ErrorCode::kInvalid, "template: :1: bad");
      });
  Harness harness("slack_configs: [{api_url: 'http://127.0.0.1:1/'}]", "", broken);
  const NotifyOutcome outcome = harness.Notify(ConformanceNotification(false));
  BOOST_TEST((!outcome.ok && !outcome.retry));
  BOOST_TEST(outcome.error == "slack: template: template: :1: bad");
}

BOOST_AUTO_TEST_CASE(http_config_is_applied) {
  HttpServer server([](const HttpServer::Request& request) {
    if (request.Path() == "/token") return HttpServer::Response{.body = R"({"access_token": "T", "expires_in": 60})"};
    return HttpServer::Response{};
  });
  const auto notify = [&](const std::string& http_config) {
    Harness harness("webhook_configs: [{url: '" + server.Url() + "', http_config: {" + http_config + "}}]", "",
                    nullptr);
    BOOST_TEST(harness.Notify(ConformanceNotification(false)).ok);
    BOOST_TEST(harness.Notify(ConformanceNotification(false)).ok);
    return server.Requests().back();
  };
  BOOST_TEST(notify("basic_auth: {username: u, password: p}").Header("Authorization") == "Basic dTpw");
  BOOST_TEST(notify("authorization: {credentials: c}").Header("Authorization") == "Bearer c");
  BOOST_TEST(notify("http_headers: {X-A: {values: [b]}}").Header("X-A") == "b");
  const std::size_t before = server.Requests().size();
  BOOST_TEST(
      notify("oauth2: {client_id: i, client_secret: s, scopes: [a, b], token_url: '" + server.Url("/token") + "'}")
          .Header("Authorization") == "Bearer T");
  BOOST_TEST(server.Requests().size() == before + 3);  // one token for both
  BOOST_TEST(server.Requests().at(before).body == "grant_type=client_credentials&scope=a%20b");
}

BOOST_AUTO_TEST_CASE(http_configs_tls_and_proxies_are_applied) {
  const test::TestCertificate certificate;
  HttpServer secure([](const HttpServer::Request&) { return HttpServer::Response{}; }, {.tls = &certificate});
  HttpServer proxy([](const HttpServer::Request& request) {
    if (request.method == "CONNECT") return HttpServer::Response{.status = 403};
    return HttpServer::Response{.body = R"({"access_token": "T"})"};
  });
  const auto notify = [&](const std::string& url, const std::string& http_config) {
    Harness harness("webhook_configs: [{url: '" + url + "', http_config: {" + http_config + "}}]", "", nullptr);
    return harness.Notify(ConformanceNotification(false));
  };
  const std::string trusted = "tls_config: {ca_file: " + certificate.cert_file;
  BOOST_TEST(notify(secure.Url(), trusted + ", min_version: TLS12, max_version: TLS13}, enable_http2: false").ok);
  // The server speaks 1.2 and 1.3: a bound of 1.1 shows by the handshake that fails.
  BOOST_TEST(!notify(secure.Url(), trusted + ", max_version: TLS11}").ok);

  const std::string proxied = "proxy_url: 'http://" + proxy.Address() + "', proxy_connect_header: {X-P: [a]}";
  BOOST_TEST(!notify(secure.Url(), proxied).ok);
  BOOST_TEST(proxy.Requests().back().method == "CONNECT");
  BOOST_TEST(proxy.Requests().back().Header("X-P") == "a");

  const std::string oauth2 = "oauth2: {client_id: i, token_url: 'http://token.invalid/', proxy_url: 'http://" +
                             proxy.Address() + "', no_proxy: 'localhost'}";
  BOOST_TEST(notify(secure.Url(), trusted + "}, " + oauth2).ok);
  BOOST_TEST(proxy.Requests().back().target == "http://token.invalid/");
  BOOST_TEST(secure.Requests().back().Header("Authorization") == "Bearer T");
  setenv("http_proxy", ("http://" + proxy.Address()).c_str(), 1);
  BOOST_TEST(notify(secure.Url(), trusted + "}, oauth2: {client_id: i, token_url: 'http://token.invalid/env', "
                                            "proxy_from_environment: true}")
                 .ok);
  unsetenv("http_proxy");
  BOOST_TEST(proxy.Requests().back().target == "http://token.invalid/env");
}

BOOST_AUTO_TEST_CASE(opsgenie_opens_and_closes) {
  HttpServer server([](const HttpServer::Request&) { return HttpServer::Response{.status = 202}; });
  Harness harness("opsgenie_configs: [{api_key: K, api_url: '" + server.Url() +
                      "', message: m, description: d, source: s, tags: 'a, b', priority: P1, details: {x: y}, "
                      "responders: [{name: 't1,t2', type: teams}, {username: u, type: User}]}]",
                  "", nullptr);
  BOOST_TEST(harness.Notify(ConformanceNotification(false)).ok);
  BOOST_TEST(harness.Notify(ConformanceNotification(true)).ok);
  const auto requests = server.Requests();
  const std::string alias = "f2dada7ea447d70c5fb96350a4d8fc9503efa4dff18fb5f9762e00f7e3a0d29a";
  BOOST_TEST(requests.at(0).target == "/v2/alerts");
  BOOST_TEST(requests.at(0).Header("Authorization") == "GenieKey K");
  BOOST_TEST(
      requests.at(0).body ==
      R"({"alias":")" + alias + R"(","message":"m","description":"d","details":{"alertname":"foo","cluster":"c1",)" +
          R"("env":"prod","severity":"x","x":"y"},"source":"s","responders":[{"name":"t1","type":"team"},)" +
          R"({"name":"t2","type":"team"},{"username":"u","type":"user"}],"tags":["a","b"],"priority":"P1"})" + "\n");
  BOOST_TEST(requests.at(1).target == "/v2/alerts/" + alias + "/close?identifierType=alias");
  BOOST_TEST(requests.at(1).body == "{\"source\":\"s\"}\n");
}

BOOST_AUTO_TEST_CASE(the_chat_receivers_send_their_json) {
  HttpServer server([](const HttpServer::Request&) { return HttpServer::Response{}; });
  Harness harness("discord_configs: [{webhook_url: '" + server.Url("/discord") +
                      "', title: t, message: m}], "
                      "telegram_configs: [{api_url: '" +
                      server.Url("/tg") +
                      "', bot_token: B, chat_id: -5, message: m}], "
                      "webex_configs: [{api_url: '" +
                      server.Url("/webex") +
                      "', room_id: r, message: m, "
                      "http_config: {authorization: {credentials: c}}}], "
                      "msteamsv2_configs: [{webhook_url: '" +
                      server.Url("/teams") +
                      "', title: t, text: m}], "
                      "mattermost_configs: [{webhook_url: '" +
                      server.Url("/mm") +
                      "', username: u, text: m, "
                      "attachments: [{title: t, fields: [{title: a, value: b, short: true}]}]}], "
                      "victorops_configs: [{api_url: '" +
                      server.Url("/vo") +
                      "', api_key: K, routing_key: R, "
                      "state_message: s, entity_display_name: n, monitoring_tool: t, custom_fields: {z: y}}]",
                  "", nullptr);
  std::map<std::string, std::string> bodies;
  for (std::size_t i = 0; i < 6; ++i) BOOST_TEST(harness.Notify(ConformanceNotification(false), i).ok);
  for (const HttpServer::Request& request : server.Requests()) bodies[request.target] = request.body;
  BOOST_TEST(bodies["/discord"] ==
             "{\"content\":\"\",\"embeds\":[{\"title\":\"t\",\"description\":\"m\",\"color\":10038562}]}\n");
  BOOST_TEST(bodies["/tg/botB/sendMessage"] ==
             R"({"chat_id":"-5","text":"m","parse_mode":"HTML","disable_web_page_preview":true})");
  BOOST_TEST(bodies["/webex"] == "{\"markdown\":\"m\",\"roomId\":\"r\"}\n");
  BOOST_TEST(bodies["/teams"].find(R"("text":"t","weight":"Bolder","size":"Medium","wrap":true)") != std::string::npos);
  BOOST_TEST(bodies["/mm"] ==
             "{\"username\":\"u\",\"text\":\"m\",\"attachments\":[{\"title\":\"t\",\"fields\":[{\"title\":\"a\","
             "\"value\":\"b\",\"short\":true}]}]}\n");
  BOOST_TEST(bodies["/vo/K/R"] ==
             "{\"entity_display_name\":\"n\",\"entity_id\":"
             "\"f2dada7ea447d70c5fb96350a4d8fc9503efa4dff18fb5f9762e00f7e3a0d29a\","
             "\"message_type\":\"CRITICAL\",\"monitoring_tool\":\"t\",\"state_message\":\"s\",\"z\":\"y\"}\n");
}

BOOST_AUTO_TEST_CASE(sns_publishes_a_signed_form) {
  HttpServer server([](const HttpServer::Request&) { return HttpServer::Response{}; });
  Harness harness("sns_configs: [{api_url: '" + server.Url("/") +
                      "', topic_arn: 'arn:aws:sns:us-east-2:1:t.fifo', subject: s, message: 'a b', attributes: {k: v}, "
                      "sigv4: {access_key: A, secret_key: S}}]",
                  "", nullptr);
  BOOST_TEST(harness.Notify(ConformanceNotification(false)).ok);
  const HttpServer::Request request = server.Requests().at(0);
  BOOST_TEST(
      request.body.starts_with("Action=Publish&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3Aus-east-2%3A1%3At.fifo&"
                               "Subject=s&Message=a%20b&MessageGroupId=f2dada7e"),
      request.body);
  BOOST_TEST(request.Header("Authorization").starts_with("AWS4-HMAC-SHA256 Credential=A/"));
  BOOST_TEST(
      request.Header("Authorization").find("/us-east-2/sns/aws4_request, SignedHeaders=content-type;host;x-amz-date") !=
      std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::alertmanager
