#include "alertmanager/templates.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace pipewarden::alertmanager {
namespace {

namespace data = boost::unit_test::data;

core::WallTime At(std::string_view text) { return core::ParseRfc3339(text).value().ToWall(); }

Notification Sample() {
  Notification sample;
  sample.receiver = "team.x";
  sample.group_labels = {{"alertname", "DiskFull"}, {"cluster", "c1"}};
  sample.external_url = "http://am:9093";
  sample.now = At("2026-11-21T12:00:00Z");
  sample.alerts = {{.labels = {{"alertname", "DiskFull"}, {"cluster", "c1"}, {"disk", "sda"}, {"env", "prod"}},
                    .annotations = {{"summary", "sda <full>"}},
                    .starts_at = At("2026-11-21T10:30:00.5Z"),
                    .generator_url = "http://prom/graph?a=b&c=d"},
                   {.labels = {{"alertname", "DiskFull"}, {"cluster", "c1"}, {"disk", "sdb"}, {"env", "prod"}},
                    .annotations = {{"summary", "sdb"}},
                    .starts_at = At("2026-11-21T10:00:00Z"),
                    .ends_at = At("2026-11-21T11:00:00Z"),
                    .generator_url = ""}};
  SetCommon(sample);
  return sample;
}

std::string Render(std::string_view text, bool html = false, const std::vector<Templates::File>& files = {}) {
  const auto templates = Templates::Make(files);
  if (!templates) return templates.error().message;
  const auto out = (*templates)->Render(text, Sample(), html);
  return out ? *out : out.error().message;
}

struct Case {
  const char* text;
  const char* want;
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.text; }

const Case kCases[] = {
    {"{{ template \"__subject\" . }}", "[FIRING:1] DiskFull c1 (prod)"},
    {"{{ template \"slack.default.fallback\" . }}",
     "[FIRING:1] DiskFull c1 (prod) | http://am:9093/#/alerts?receiver=team%5C.x"},
    {"{{ template \"__text_alert_list\" .Alerts.Firing }}",
     "Labels:\n - alertname = DiskFull\n - cluster = c1\n - disk = sda\n - env = prod\nAnnotations:\n - summary = sda "
     "<full>\nSource: http://prom/graph?a=b&c=d\n"},
    {"{{ template \"opsgenie.default.description\" . }}",
     "\nAlerts Firing:\nLabels:\n - alertname = DiskFull\n - cluster = c1\n - disk = sda\n - env = "
     "prod\nAnnotations:\n - "
     "summary = sda <full>\nSource: http://prom/graph?a=b&c=d\n\nAlerts Resolved:\nLabels:\n - alertname = DiskFull\n "
     "- "
     "cluster = c1\n - disk = sdb\n - env = prod\nAnnotations:\n - summary = sdb\nSource: \n"},
    {"{{ .Receiver }} {{ .Status }} {{ len .Alerts }} {{ len .Alerts.Resolved }} {{ .ExternalURL }}",
     "team\\.x firing 2 1 http://am:9093"},
    {"{{ range .CommonLabels.SortedPairs }}{{ .Name }}={{ .Value }} {{ end }}",
     "alertname=DiskFull cluster=c1 env=prod "},
    {"{{ (.CommonLabels.Remove .GroupLabels.Names).Values | join \",\" }} {{ .GroupLabels.Values.Join \":\" }}",
     "prod DiskFull:c1"},
    {"{{ .CommonLabels }} {{ .GroupLabels.nope }}|{{ (index .Alerts 0).Labels.disk }}",
     "alertname=DiskFull, cluster=c1, env=prod |sda"},
    {"{{ (index .Alerts 0).StartsAt }} {{ (index .Alerts 0).EndsAt }} {{ (index .Alerts 1).EndsAt.Unix }}",
     "2026-11-21 10:30:00.5 +0000 UTC 0001-01-01 00:00:00 +0000 UTC 1795258800"},
    {"{{ with index .Alerts 1 }}{{ (.EndsAt.Sub .StartsAt).Truncate 60000000000 }}{{ end }}", "1h0m0s"},
    {"{{ since (index .Alerts 1).StartsAt | humanizeDuration }} {{ now.Year }}", "2h 0m 0s 2026"},
    {"{{ (index .Alerts 0).StartsAt | tz \"Europe/Berlin\" | date \"15:04 MST\" }}", "11:30 CET"},
    {"{{ toUpper \"a\" }}{{ title \"FOO bar\" }}{{ trimSpace \" x \" }}{{ stringSlice \"a\" \"b\" | join \"+\" }}",
     "AFoo Barxa+b"},
    {"{{ reReplaceAll \"(d)isk\" \"$1\" \"disk\" }} {{ match \"^D\" \"Disk\" }} {{ urlUnescape \"a%20b+c\" }}",
     "d true a b c"},
    {"{{ (index .Alerts 0).Labels | toJson }} {{ toJson 1.5 }} {{ list 1 \"a\" nil | toJson }} {{ dict \"k\" true | "
     "toJson }}",
     "{\"alertname\":\"DiskFull\",\"cluster\":\"c1\",\"disk\":\"sda\",\"env\":\"prod\"} 1.5 [1,\"a\",null] "
     "{\"k\":true}"},
    {"{{ (index .Alerts 1).EndsAt | toJson }} {{ .GroupLabels.SortedPairs | toJson }}",
     "\"2026-11-21T11:00:00Z\" "
     "[{\"Name\":\"alertname\",\"Value\":\"DiskFull\"},{\"Name\":\"cluster\",\"Value\":\"c1\"}]"},
    {"{{ base64encode \"a?~\" }} {{ base64decode \"YT9-\" }} {{ base64encode \"a\" }} {{ base64decode \"YQ==\" }}",
     "YT9- a?~ YQ== a"},
    {"{{ (toDate \"2006-01-02\" \"2026-01-05\").Weekday }} {{ (toDate \"2006\" \"x\").IsZero }}", "Monday true"},
    {"{{ template \"jira.default.priority\" . }}|", "|"},
    {"{{ .Foo }}", "template: :1:3: executing \"\" at <.Foo>: can't evaluate field Foo in type *template.Data"},
    {"{{ tz \"Nowhere\" now }}",
     "template: :1:3: executing \"\" at <tz \"Nowhere\" now>: error calling tz: unknown time zone Nowhere"},
    {"no action", "no action"}};

BOOST_DATA_TEST_CASE(notifications_are_rendered, data::make(kCases), c) { BOOST_TEST(Render(c.text) == c.want); }

BOOST_AUTO_TEST_CASE(to_json_names_fields_as_the_webhook_does) {
  const std::string json = Render("{{ toJson . }}");
  BOOST_TEST(json.starts_with(
                 "{\"receiver\":\"team\\\\.x\",\"status\":\"firing\",\"alerts\":[{\"status\":\"firing\",\"labels\":{"),
             json);
  BOOST_TEST(json.find("\"endsAt\":\"0001-01-01T00:00:00Z\",\"generatorURL\":\"http://prom/graph?a=b\\u0026c=d\"") !=
                 std::string::npos,
             json);
}

BOOST_AUTO_TEST_CASE(html_mail_is_escaped) {
  const std::string mail = Render("{{ template \"email.default.html\" . }}", true);
  BOOST_TEST(mail.find("<title>[FIRING:1] DiskFull c1 (prod)</title>") != std::string::npos, mail);
  BOOST_TEST(mail.find("sda &lt;full&gt;") != std::string::npos);
  BOOST_TEST(mail.find("href=\"http://prom/graph?a=b&amp;c=d\"") != std::string::npos);
  BOOST_TEST(mail.find("[1] Resolved") != std::string::npos);
  BOOST_TEST(Render("{{ safeHtml \"<b>x</b>\" }}<a href=\"{{ safeUrl \"tel:1\" }}\">{{ .Receiver }}</a>", true) ==
             "<b>x</b><a href=\"tel:1\">team\\.x</a>");
}

BOOST_AUTO_TEST_CASE(user_files_override_defaults) {
  const std::vector<Templates::File> files = {
      {"mine.tmpl", "{{ define \"slack.default.title\" }}mine {{ .Status }}{{ end }}"}};
  BOOST_TEST(Render("{{ template \"slack.default.title\" . }}", false, files) == "mine firing");
  BOOST_TEST(Render("x", false, {{"bad.tmpl", "{{ define \"a\" }}\n{{ nofunc }}{{ end }}"}}) ==
             "template: bad.tmpl:2: function \"nofunc\" not defined");
  BOOST_TEST(!Templates::Load({"/nonexistent/x.tmpl"}).has_value());
  const auto templates = Templates::Make({}).value();
  BOOST_TEST(templates->Check("{{ .X | toUpper }}").has_value());
  BOOST_TEST(!templates->Check("{{ if }}").has_value());
}

const char* const kDefaults[] = {"slack.default.title",
                                 "email.default.subject",
                                 "email.default.html",
                                 "email.default.text",
                                 "pagerduty.default.description",
                                 "opsgenie.default.message",
                                 "wechat.default.message",
                                 "victorops.default.state_message",
                                 "pushover.default.message",
                                 "sns.default.message",
                                 "telegram.default.message",
                                 "discord.default.message",
                                 "webex.default.message",
                                 "msteams.default.text",
                                 "msteamsv2.default.text",
                                 "jira.default.description",
                                 "rocketchat.default.title",
                                 "mattermost.default.text"};
BOOST_DATA_TEST_CASE(every_default_renders, data::make(kDefaults), name) {
  const std::string text = "{{ template \"" + std::string(name) + "\" . }}";
  const auto templates = Templates::Make({}).value();
  for (const bool html : {false, true}) {
    const auto out = templates->Render(text, Sample(), html);
    BOOST_REQUIRE_MESSAGE(out.has_value(), std::string(out ? "" : out.error().message));
    BOOST_TEST(out->find("DiskFull") != std::string::npos);
    BOOST_TEST(templates->Render(text, Notification(), html).has_value());
  }
}

}  // namespace
}  // namespace pipewarden::alertmanager
