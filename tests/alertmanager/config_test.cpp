#include "alertmanager/config.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "alertmanager/route.h"
#include "tests/support/temp_folder.h"

namespace pipewarden::alertmanager {
namespace {

namespace data = boost::unit_test::data;
using namespace std::chrono_literals;

struct Read {
  explicit Read(const std::string& text) {
    const auto root = core::ParseYaml(text, "am.yml", errors);
    if (root) config = ReadAlertmanagerConfig(*root, errors);
    for (const std::string& line : errors.Lines()) all += line + "\n";
  }
  core::ConfigErrors errors;
  Config config;
  std::string all;
};

const std::string kReceivers = "receivers: [{name: d}, {name: e}]\n";

BOOST_AUTO_TEST_SUITE(config)

BOOST_AUTO_TEST_CASE(children_inherit_all_but_times_matchers_and_continue) {
  Read read(kReceivers + R"(
time_intervals: [{name: night, time_intervals: [{weekdays: ['monday:friday']}]}]
route:
  receiver: d
  group_by: [b, a]
  group_wait: 1s
  repeat_interval: 1h
  routes:
    - matchers: [x="1"]
      continue: true
      mute_time_intervals: [night]
      group_interval: 2m
      routes: [{receiver: e, group_by: ['...']}, {group_by: []}]
)");
  BOOST_REQUIRE_MESSAGE(read.errors.empty(), read.all);
  const RouteConfig& root = read.config.route;
  const RouteConfig& child = root.routes.at(0);
  const RouteConfig& grandchild = child.routes.at(0);
  BOOST_TEST((root.group_by == std::vector<std::string>{"a", "b"}));
  BOOST_TEST((root.group_interval == 5min && root.repeat_interval == 1h));
  BOOST_TEST(child.receiver == "d");
  BOOST_TEST((child.group_wait == 1s && child.group_interval == 2min && child.group_by == root.group_by));
  BOOST_TEST((grandchild.group_interval == 2min && grandchild.mute_time_intervals.empty()));
  BOOST_TEST((!grandchild.continue_matching && grandchild.matchers.empty() && grandchild.group_by_all));
  BOOST_TEST((!child.routes.at(1).group_by_all && child.routes.at(1).group_by.empty()));
}

BOOST_AUTO_TEST_CASE(group_keys_as_alertmanager_writes_them) {
  Read read(kReceivers + R"(
route:
  receiver: d
  routes:
    - matchers: ['severity="x"', 'env=~"p.*"']
      group_by: [alertname, cluster]
      routes:
        - {match: {b: '2"'}, match_re: {a: 'x|y'}, matchers: ['{c!="3",b=~"1"}']}
)");
  BOOST_REQUIRE_MESSAGE(read.errors.empty(), read.all);
  const RouteTree tree(std::make_shared<const Config>(read.config));
  const core::Labels labels{{"alertname", "foo"}, {"cluster", "c1"}, {"env", "prod"}, {"severity", "x"}};
  const auto routes = tree.Match(labels);
  BOOST_REQUIRE(routes.size() == 1U);
  BOOST_TEST(routes[0]->GroupKey(routes[0]->GroupLabels(labels)) ==
             R"({}/{env=~"p.*",severity="x"}:{alertname="foo", cluster="c1"})");
  BOOST_TEST(routes[0]->children.at(0).key == R"({}/{env=~"p.*",severity="x"}/{a=~"^(?:x|y)$",b=~"1",b="2\"",c!="3"})");
}

BOOST_AUTO_TEST_CASE(depth_first_and_continue) {
  Read read(R"(
receivers: [{name: d}, {name: a}, {name: b}, {name: c}]
route:
  receiver: d
  routes:
    - {matchers: [x="1"], receiver: a, continue: true, routes: [{matchers: [y="1"], receiver: b}]}
    - {matchers: [x="1"], receiver: c}
    - {matchers: [x="1"], receiver: d}
)");
  BOOST_REQUIRE_MESSAGE(read.errors.empty(), read.all);
  const RouteTree tree(std::make_shared<const Config>(read.config));
  const auto names = [&](const core::Labels& labels) {
    std::string out;
    for (const Route* route : tree.Match(labels)) out += route->receiver->name;
    return out;
  };
  BOOST_TEST(names({{"x", "1"}}) == "ac");
  BOOST_TEST(names({{"x", "1"}, {"y", "1"}}) == "bc");
  BOOST_TEST(names({{"x", "2"}}) == "d");
}

BOOST_AUTO_TEST_CASE(all_that_may_be_empty_loads) {
  Read read(
      "global:\nroute: {receiver: d, routes: }\nreceivers: [{name: d, slack_configs: }]\n"
      "inhibit_rules:\n- \n- {source_match: {a: b}, target_match_re: {c: d}, equal: [e, e]}\ntemplates: \n"
      "time_intervals:\nmute_time_intervals: []\n");
  BOOST_REQUIRE_MESSAGE(read.errors.empty(), read.all);
  BOOST_TEST(read.config.inhibit_rules.size() == 2U);
  BOOST_TEST(read.config.inhibit_rules[1].equal.size() == 1U);
  BOOST_TEST(read.config.warnings.size() == 3U);
}

struct Mistake {
  const char* text;
  const char* line;  // what one of the lines holds
};
std::ostream& operator<<(std::ostream& out, const Mistake& m) { return out << m.line; }

const Mistake kMistakes[] = {
    {"templates: []", "key 'route' is missing"},
    {"route: {}", "root route must specify a default receiver"},
    {"rout: {receiver: d}",
     "am.yml:1:1: unknown key 'rout' in the configuration of alertmanager (did you mean 'route'?)"},
    {"route: {receiver: dd}", "am.yml:1:19: undefined receiver 'dd' used in route (did you mean 'd'?)"},
    {"route: {receiver: d, matchers: [a=b]}", "root route must not have any matchers"},
    {"route: {receiver: d, continue: true}", "cannot have continue in root route"},
    {"route: {receiver: d, mute_time_intervals: [x]}", "root route must not have any mute time intervals"},
    {"route: {receiver: d, group_interval: 0s}", "group_interval cannot be zero"},
    {"route: {receiver: d, repeat_interval: 0s}", "repeat_interval cannot be zero"},
    {"route: {receiver: d, group_wait: 30}", "'group_wait' in the root route is no duration"},
    {"route: {receiver: d, group_by: [a, a]}", "duplicated label 'a' in group_by"},
    {"route: {receiver: d, group_by: [a, '...']}", "cannot have wildcard group_by"},
    {"route: {receiver: d, routes: [{matchers: ['a=~\"[\"']}]}", "bad regular expression"},
    {"route: {receiver: d, routes: [{matchers: ['a']}]}", "bad matcher 'a'"},
    {"route: {receiver: d, routes: [{active_time_intervals: [x]}]}", "undefined time interval 'x' used in route"},
    {"route: {receiver: d}\ntime_intervals: [{name: a, time_intervals: [{weekdays: [mittwoch]}]}]", "weekdays"},
    {"route: {receiver: d}\ntime_intervals: [{name: a, time_intervals: [{times: [{start_time: '22:00', end_time: "
     "'06:00'}]}]}]",
     "times"},
    {"route: {receiver: d}\ntime_intervals: [{name: a}, {name: a}]", "time interval 'a' is not unique"},
    {"route: {receiver: d}\ntemplates: [missing.tmpl]", "template file 'missing.tmpl' does not exist"},
};

BOOST_DATA_TEST_CASE(mistakes_have_a_place_and_a_remedy, data::make(kMistakes), mistake) {
  const Read read(std::string(mistake.text) + "\nreceivers: [{name: d}]\n");
  BOOST_TEST(read.all.find(mistake.line) != std::string::npos, read.all << " lacks " << mistake.line);
}

const Mistake kReceiverMistakes[] = {
    {"webhook_configs: [{}]", "key 'url' is missing"},
    {"webhook_configs: [{url: 'ftp://x'}]", "'url' must be an http:// or https:// address"},
    {"webhook_configs: [{url: 'http://x', url_file: y}]", "exclude each other"},
    {"webhook_configs: [{url: 'http://x', max_alerts: -1}]", "max_alerts"},
    {"webhook_configs: [{url_file: /does/not/exist}]", "open /does/not/exist: No such file or directory"},
    {"slack_configs: [{}]", "no Slack address"},
    {"slack_configs: [{api_url: 'http://x', fields: [{title: t}]}]", "key 'value' is missing"},
    {"slack_configs: [{api_url: 'http://x', actions: [{type: button, text: t}]}]", "missing name or url"},
    {"slack_configs: [{api_url: 'http://x', http_config: {basic_auth: {}, authorization: {}}}]",
     "at most one of basic_auth"},
    {"webhook_configs: [{url: 'http://x', http_config: {no_proxy: y}}]", "'no_proxy' needs 'proxy_url' in http_config"},
    {"webhook_configs: [{url: 'http://x', http_config: {proxy_url: 'http://p', proxy_from_environment: true}}]",
     "exclude each other in http_config"},
    {"webhook_configs: [{url: 'http://x', http_config: {proxy_connect_header: {a: [b]}}}]",
     "'proxy_connect_header' needs 'proxy_url' or 'proxy_from_environment' in http_config"},
    {"webhook_configs: [{url: 'http://x', http_config: {proxy_url: 'http://p', proxy_connect_header: {a: b}}}]",
     "each with a list of values"},
    {"webhook_configs: [{url: 'http://x', http_config: {oauth2: {client_id: i, token_url: 'http://t', "
     "proxy_from_environment: true, no_proxy: y}}}]",
     "exclude each other in oauth2"},
    {"webhook_configs: [{url: 'http://x', http_config: {tls_config: {min_version: TLS13, max_version: TLS12}}}]",
     "'max_version' in tls_config is below 'min_version'"},
    {"email_configs: [{}]", "key 'to' is missing"},
    {"email_configs: [{to: a@b.c}]", "no mail server"},
    {"email_configs: [{to: nobody, smarthost: 'h:25', from: a@b.c}]", "'nobody' is no mail address"},
    {"email_configs: [{to: a@b.c, smarthost: 'h:25', from: a@b.c, headers: {subject: a, Subject: b}}]",
     "duplicate header 'Subject'"},
    {"pagerduty_configs: [{}]", "missing service or routing key"},
    {"wechat_configs: [{api_secret: x}]", "wechat is not sent by Pipewarden yet"},
    {"jira_configs: [{project: x, issue_type: y}]", "am.yml:2:38: jira is not sent"},
    {"carrier_pigeon_configs: [{}]", "unknown key 'carrier_pigeon_configs' in a receiver"},
};

BOOST_DATA_TEST_CASE(mistakes_of_receivers, data::make(kReceiverMistakes), mistake) {
  const Read read("route: {receiver: d}\nreceivers: [{name: d, " + std::string(mistake.text) + "}]\n");
  BOOST_TEST(read.all.find(mistake.line) != std::string::npos, read.all << " lacks " << mistake.line);
}

BOOST_AUTO_TEST_CASE(no_message_shows_a_secret) {
  const Read read(R"(
route: {receiver: d}
global: {slack_api_url: {PLANTED: 1}, smtp_auth_password: [PLANTED], opsgenie_api_url: 'ftp://x'}
receivers:
  - name: d
    webhook_configs: [{url: 'PLANTED'}, {url: 'http://', urll: x}]
    slack_configs: [{api_url: 'gopher://PLANTED'}]
    pagerduty_configs: [{routing_key: PLANTED, routing_keys: x}]
)");
  BOOST_TEST(read.errors.size() >= 6U);
  BOOST_TEST(read.all.find("PLANTED") == std::string::npos, read.all);
}

BOOST_AUTO_TEST_CASE(identity_follows_the_content_of_secret_files) {
  const auto folder = std::filesystem::temp_directory_path() / ("pipewarden-am-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "url") << "http://one/\n";
  std::ofstream(folder / "am.yml")
      << "route: {receiver: d}\nreceivers: [{name: d, webhook_configs: [{url_file: url}]}]\n";
  const auto first = ReadAlertmanagerConfig((folder / "am.yml").string());
  const auto same = ReadAlertmanagerConfig((folder / "am.yml").string());
  std::ofstream(folder / "url") << "http://two/\n";
  const auto other = ReadAlertmanagerConfig((folder / "am.yml").string());
  std::filesystem::remove_all(folder);
  BOOST_REQUIRE((first && same && other));
  BOOST_TEST(first->identity == same->identity);
  BOOST_TEST(first->identity != other->identity);
}

BOOST_AUTO_TEST_CASE(a_broken_template_of_a_field_is_told) {
  const Read read(
      "route: {receiver: d}\nreceivers:\n- name: d\n  slack_configs: [{api_url: 'http://x/', title: '{{ .X'}]\n");
  BOOST_REQUIRE_MESSAGE(read.errors.empty(), read.all);
  BOOST_REQUIRE(read.config.warnings.size() == 1U);
  BOOST_TEST(
      read.config.warnings[0].starts_with("am.yml:4:49: 'title' in slack_configs of receiver 'd' will fail: template"),
      read.config.warnings[0]);
}

BOOST_AUTO_TEST_CASE(template_files_are_read_and_belong_to_the_identity) {
  const test::TempFolder folder;
  folder.Write("am.yml", "route: {receiver: d}\nreceivers: [{name: d}]\ntemplates: ['*.tmpl']\n");
  folder.Write("a.tmpl", "{{ define \"slack.default.title\" }}mine{{ end }}");
  const auto first = ReadAlertmanagerConfig(folder.path() + "/am.yml");
  BOOST_REQUIRE_MESSAGE(first.has_value(), (first ? "" : first.error().message));
  BOOST_TEST((*first->render)("{{ template \"slack.default.title\" . }}", Notification{}, false).value() == "mine");
  folder.Write("a.tmpl", "{{ define \"slack.default.title\" }}other{{ end }}");
  const auto second = ReadAlertmanagerConfig(folder.path() + "/am.yml");
  BOOST_TEST(first->identity != second->identity);
  folder.Write("a.tmpl", "{{ define }}");
  const auto broken = ReadAlertmanagerConfig(folder.path() + "/am.yml");
  BOOST_REQUIRE(!broken.has_value());
  BOOST_TEST(broken.error().message.find("am.yml:3:12: template: a.tmpl:1:") != std::string::npos,
             broken.error().message);
}

BOOST_AUTO_TEST_CASE(the_list_of_kinds_is_the_folder) {
  std::set<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(PIPEWARDEN_SOURCE_DIR "/alertmanager/receivers"))
    if (entry.path().extension() == ".cpp") files.insert(entry.path().stem());
  std::set<std::string> listed;
  for (const ReceiverKind* kind : ReceiverKinds()) listed.insert(std::string(kind->name));
  BOOST_TEST(files == listed, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::alertmanager
