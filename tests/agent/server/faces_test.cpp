#include "agent/server/faces.h"

#include <prometheus/registry.h>

#include <boost/test/unit_test.hpp>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "agent/commands/command_line.h"
#include "agent/server/ask.h"
#include "agent/server/html.h"
#include "agent/server/server.h"
#include "rules/promql/memory_series.h"
#include "rules/snapshot.h"
#include "tests/support/http_peer.h"
#include "tests/support/temp_folder.h"

namespace pipewarden::agent {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr const char* kEvil = "<script>alert('x')</script>";

struct Fixture {
  core::JumpingClock clock;
  test::TempFolder folder;
  std::shared_ptr<ServerContext> context = std::make_shared<ServerContext>();
  RunPipelineRequest asked;

  Fixture() {
    const core::WallTime now = clock.Now();
    folder.Write("step.log", "line one\nline two\n");
    context->clock = &clock;
    context->sources = [] { return std::vector<std::shared_ptr<core::SampleSource>>{}; };
    context->probes = [now](core::MonoTime) -> core::Result<std::vector<ProbeView>> {
      ProbeView probe{.name = kEvil, .kind = "http", .state = "unhealthy", .message = kEvil, .since = now - 3h};
      probe.history = {true, false};
      return std::vector{probe, ProbeView{.name = "postgres", .kind = "postgres", .state = "healthy", .success = true}};
    };
    context->run_probe = [](std::string name, core::MonoTime) -> core::Result<ProbeView> {
      if (name != "postgres") return core::Fail(core::ErrorCode::kNotFound, "there is no probe '" + name + "'");
      return ProbeView{
          .name = name, .kind = "postgres", .success = true, .duration = 12ms, .values = {{"probe_x", 2.5}}};
    };
    context->pipelines = [now](core::MonoTime) -> core::Result<std::vector<PipelineView>> {
      RunView run{.id = 7,
                  .pipeline = "daily",
                  .cause = "schedule",
                  .state = "failed",
                  .started = now - 2min,
                  .ended = now - 1min,
                  .error = kEvil};
      run.steps = {{.name = "ingestion", .state = "success", .attempts = 2, .started = now - 2min, .ended = now - 90s}};
      return std::vector{PipelineView{.name = "daily", .schedule = "0 2 * * *", .next_run = now + 5h, .last_run = run},
                         PipelineView{.name = "initial", .once = true, .steps = {"load"}}};
    };
    context->runs = [this](std::string pipeline, int limit,
                           core::MonoTime deadline) -> core::Result<std::vector<RunView>> {
      BOOST_TEST(limit == 20);
      if (pipeline != "daily") return core::Fail(core::ErrorCode::kNotFound, "there is no pipeline '" + pipeline + "'");
      return std::vector{*(*context->pipelines(deadline))[0].last_run};
    };
    context->run_pipeline = [this](RunPipelineRequest request, core::MonoTime) -> core::Result<std::int64_t> {
      asked = std::move(request);
      return 8;
    };
    context->log_path = [this](LogRequest request, core::MonoTime) -> core::Result<std::string> {
      if (request.step != "ingestion") return core::Fail(core::ErrorCode::kNotFound, "no such step");
      return folder / "step.log";
    };
    context->alerts = [now](core::MonoTime) -> core::Result<std::vector<AlertView>> {
      AlertView view{.state = "active", .receivers = {"team"}};
      view.alert.labels = {{"alertname", "Down"}, {"evil", kEvil}};
      view.alert.annotations = {{"summary", kEvil}};
      view.alert.starts_at = now - 10min;
      return std::vector{view};
    };
    context->inbox = [now](int, core::MonoTime) -> core::Result<std::vector<InboxView>> {
      return std::vector{InboxView{
          .id = 1, .at = now, .receiver = "team", .status = "firing", .subject = kEvil, .text = kEvil, .firing = 1}};
    };
    context->rules = [now] {
      auto group = std::make_shared<rules::RuleGroupView>();
      *group = {.name = "g", .file = "rules.yml", .interval_seconds = 15, .rules = {{}}};
      group->rules[0].alerting = true;
      group->rules[0].name = "Late";
      group->rules[0].query = "up == 0";
      group->rules[0].for_seconds = 300;
      group->rules[0].labels = {{"team", "data"}};
      group->rules[0].state = rules::AlertState::kPending;
      group->rules[0].health = "ok";
      rules::AlertView alert;
      alert.labels = {{"alertname", "Late"}};
      alert.value = 1;
      alert.active_at = core::ToMs(now);
      group->rules[0].alerts = {alert};
      auto snapshot = std::make_shared<rules::RulesSnapshot>();
      snapshot->groups = {group};
      return snapshot;
    };
  }

  HttpResponse Ask(const Routes& routes, std::string method, std::string target, std::string body = "") const {
    auto router = Router::Make(routes, {});
    BOOST_REQUIRE(router.has_value());
    const std::size_t mark = target.find('?');
    HttpRequest request{.method = std::move(method), .path = target.substr(0, mark), .body = std::move(body)};
    if (mark != std::string::npos) request.query = target.substr(mark + 1);
    request.unix_socket = true;
    auto choice = router->Choose(request, clock.Monotonic());
    return choice.refusal ? *choice.refusal : Router::Run(*choice.route, request);
  }
};

BOOST_FIXTURE_TEST_SUITE(faces, Fixture)

BOOST_AUTO_TEST_CASE(every_row_of_the_table_has_a_role_and_bounds) {
  auto router = Router::Make(AllRoutes(context), {});
  BOOST_REQUIRE_MESSAGE(router.has_value(), "the table is refused");
  for (const Route& route : router->routes()) {
    BOOST_TEST_CONTEXT(route.methods << ' ' << route.path) {
      BOOST_TEST((route.role != Role::kUnset));
      BOOST_TEST((route.deadline > core::Duration::zero() && route.deadline <= 5min));
      BOOST_TEST(route.max_body_bytes <= 64U << 20U);
      BOOST_TEST((!route.open || !route.mutates));
      // What changes something is no matter of reading.
      BOOST_TEST((!route.mutates || route.role > Role::kRead));
    }
  }
}

// Grafana takes a server that answers there for an Alertmanager.
BOOST_AUTO_TEST_CASE(there_is_no_catch_all) {
  for (const char* path : {"/alertmanager/api/v2/status", "/rules/test/test", "/api/v1/nothing", "/-/", "//"}) {
    const HttpResponse response = Ask(AllRoutes(context), "GET", path);
    BOOST_TEST(response.status == 404);
    BOOST_TEST(response.body == "404 page not found\n");
  }
}

BOOST_AUTO_TEST_CASE(the_first_page_shows_all_and_escapes_it) {
  const HttpResponse page = Ask(PageRoutes(context), "GET", "/");
  BOOST_TEST(page.status == 200);
  BOOST_TEST(page.body.find("<script") == std::string::npos);
  BOOST_TEST(page.body.find("style=") == std::string::npos);
  BOOST_TEST(page.body.find("{{") == std::string::npos);
  for (const char* text : {"postgres", "daily", "ingestion", "0 2 * * *", "Down", "Late", "&lt;script&gt;", "never ran",
                           "1 alert fires, 1 probe is unhealthy", "1 of the last 2 runs failed", "/metrics"}) {
    BOOST_TEST(page.body.find(text) != std::string::npos, text);
  }
  const auto policy = std::ranges::find(page.headers, std::string("Content-Security-Policy"),
                                        &std::pair<std::string, std::string>::first);
  BOOST_REQUIRE(policy != page.headers.end());
  BOOST_TEST(policy->second.find("default-src 'none'") != std::string::npos);
  BOOST_TEST(policy->second.find("unsafe") == std::string::npos);
  BOOST_TEST(Ask(PageRoutes(context), "GET", "/-/style.css").body.find("prefers-color-scheme") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_part_that_fails_is_told_in_its_place) {
  context->probes = [](core::MonoTime) -> core::Result<std::vector<ProbeView>> {
    return core::Fail(core::ErrorCode::kTimeout, "the agent is <busy>");
  };
  context->pipelines = {};
  const HttpResponse page = Ask(PageRoutes(context), "GET", "/");
  BOOST_TEST(page.status == 200);
  BOOST_TEST(page.body.find("the agent is &lt;busy&gt;") != std::string::npos);
  BOOST_TEST(page.body.find("daily") == std::string::npos);
  BOOST_TEST(Ask(ProbeRoutes(context), "GET", "/api/pipewarden/v1/probes").status == 503);
  BOOST_TEST(Ask(PipelineRoutes(context), "GET", "/api/pipewarden/v1/pipelines").status == 404);
}

BOOST_AUTO_TEST_CASE(rules_as_prometheus_shows_them) {
  const auto ask = [&](const std::string& target) { return Ask(RuleRoutes(context), "GET", target); };
  const json rules = json::parse(ask("/api/v1/rules").body);
  const json& rule = rules["data"]["groups"][0]["rules"][0];
  BOOST_TEST(rule["state"] == "pending");
  BOOST_TEST(rule["duration"] == 300);
  BOOST_TEST(rule["alerts"][0]["value"] == "1e+00");
  BOOST_TEST(rule["alerts"][0]["activeAt"] == "2023-11-14T22:13:20Z");
  BOOST_TEST(json::parse(ask("/api/v1/alerts").body)["data"]["alerts"].size() == 1U);
  for (const char* none : {"type=record", "rule_name[]=Other", "file[]=x.yml", "match[]={team=\"ops\"}"})
    BOOST_TEST(json::parse(ask(std::string("/api/v1/rules?") + none).body)["data"]["groups"].empty(), none);
  for (const char* all : {"type=alert", "type=ALERT", "rule_name[]=Late", "match[]={team=\"data\"}", "group_limit=1"})
    BOOST_TEST(json::parse(ask(std::string("/api/v1/rules?") + all).body)["data"]["groups"].size() == 1U, all);
  BOOST_TEST(
      json::parse(ask("/api/v1/rules?exclude_alerts=1").body)["data"]["groups"][0]["rules"][0]["alerts"].is_null());
  for (const auto& [query, error] : std::map<std::string, std::string>{
           {"type=x", R"(invalid parameter "type": not supported value "x")"},
           {"exclude_alerts=x", R"(invalid parameter "exclude_alerts": error converting exclude_alerts: )"
                                R"(strconv.ParseBool: parsing "x": invalid syntax)"},
           {"group_limit=0", R"(invalid parameter "group_limit": group_limit needs to be greater than 0)"},
           {"group_limit=1&group_next_token=no",
            R"(invalid parameter "group_next_token": invalid group_next_token 'no'. were rule groups changed?)"}}) {
    const HttpResponse refused = ask("/api/v1/rules?" + query);
    BOOST_TEST(refused.status == 400);
    BOOST_TEST(json::parse(refused.body)["error"] == error);
  }
}

// Groups in pages.
BOOST_AUTO_TEST_CASE(rules_come_in_pages) {
  context->rules = [] {
    auto snapshot = std::make_shared<rules::RulesSnapshot>();
    for (const char* name : {"c", "a", "b", "empty"}) {
      auto group = std::make_shared<rules::RuleGroupView>();
      group->name = name;
      if (group->name != "empty") group->rules.emplace_back();
      snapshot->groups.push_back(group);
    }
    return snapshot;
  };
  std::string names;
  std::string token;
  for (int page = 0; page < 3; ++page) {
    const std::string next = token.empty() ? "" : "&group_next_token=" + token;
    const json data = json::parse(Ask(RuleRoutes(context), "GET", "/api/v1/rules?group_limit=2" + next).body)["data"];
    for (const json& group : data["groups"]) names += group["name"];
    names += ' ';
    token = data.value("groupNextToken", "");
    if (token.empty()) break;
  }
  BOOST_TEST(names == "ab c ");
}

BOOST_AUTO_TEST_CASE(status_as_prometheus_shows_it) {
  context->settings = [](core::MonoTime) -> core::Result<SettingsView> {
    return SettingsView{.external_labels = {{"node", "n1"}},
                        .evaluation_interval = "15s",
                        .flags = {{"storage.path", "data"}},
                        .storage_retention = "15d"};
  };
  const auto data = [&](const std::string& target) {
    return json::parse(Ask(StatusRoutes(context), "GET", target).body)["data"];
  };
  BOOST_TEST(data("/api/v1/notifications").empty());
  BOOST_TEST(data("/api/v1/features")["promql_functions"]["rate"] == true);
  BOOST_TEST(data("/api/v1/features")["promql_functions"]["info"] == false);
  BOOST_TEST(json::parse(Ask(StatusRoutes(context), "GET", "/version").body).size() == 6U);
  BOOST_TEST(data("/api/v1/status/config")["yaml"] ==
             "global:\n  evaluation_interval: 15s\n  external_labels:\n    \"node\": \"n1\"\n");
  BOOST_TEST(data("/api/v1/status/flags")["storage.path"] == "data");
  BOOST_TEST(data("/api/v1/status/runtimeinfo")["storageRetention"] == "15d");
  BOOST_TEST(data("/api/v1/targets")["activeTargets"].empty());
  BOOST_TEST(data("/api/v1/alertmanagers")["activeAlertmanagers"].empty());
  BOOST_TEST(data("/api/v1/status/buildinfo")["application"] == "pipewarden");
}

BOOST_AUTO_TEST_CASE(a_run_takes_what_it_knows) {
  const auto run = [&](std::string body) {
    return Ask(PipelineRoutes(context), "POST", "/api/pipewarden/v1/pipelines/daily/run", std::move(body));
  };
  BOOST_TEST(run("").status == 200);
  BOOST_TEST(run(R"({"env": {"MODE": "initial_load"}, "again": true})").status == 200);
  BOOST_TEST(asked.pipeline == "daily");
  BOOST_TEST(asked.env.at("MODE") == "initial_load");
  BOOST_TEST(asked.again);
  for (const char* bad : {"[]", "{", R"({"envs": {}})", R"({"env": {"A": 1}})", R"({"env": {"A=B": "x"}})",
                          R"({"again": "yes"})", R"({"env": {"A": "x\u0000y"}})"}) {
    BOOST_TEST(run(bad).status == 400, bad);
  }
}

BOOST_AUTO_TEST_CASE(reload_tells_what_is_wrong) {
  BOOST_TEST(Ask(HealthRoutes(context), "POST", "/-/reload").status == 404);
  context->reload = [](core::MonoTime) -> core::Result<void> {
    return core::Fail(core::ErrorCode::kInvalid, "pipewarden.yml:3:1: unknown key 'prob'");
  };
  const HttpResponse refused = Ask(HealthRoutes(context), "POST", "/-/reload");
  BOOST_TEST(refused.status == 400);
  BOOST_TEST(refused.body.find("pipewarden.yml:3:1") != std::string::npos);
  context->ready = [] { return false; };
  BOOST_TEST(Ask(HealthRoutes(context), "GET", "/-/ready").status == 503);
}

// The client commands against a server with these faces, over its Unix socket.
BOOST_AUTO_TEST_CASE(the_command_line_reaches_the_faces) {
  core::SystemClock real;
  Routes routes = ProbeRoutes(context);
  for (Routes more : {PipelineRoutes(context), HealthRoutes(context)}) {
    routes.insert(routes.end(), more.begin(), more.end());
  }
  auto server = Server::Start({.listen_addresses = {}, .storage_path = folder.path()}, routes, real,
                              core::Logger(core::LogLevel::kError, core::LogFormat::kLogfmt),
                              std::make_shared<prometheus::Registry>());
  BOOST_REQUIRE_EQUAL(server.has_value() ? std::string() : server.error().message, "");
  std::string out;
  const auto run = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "pipewarden");
    words.insert(words.end(), {"--storage.path", folder.path()});
    std::vector<const char*> arguments;
    for (const std::string& word : words) arguments.push_back(word.c_str());
    std::ostringstream text;
    auto* before = std::cout.rdbuf(text.rdbuf());
    auto* before_errors = std::cerr.rdbuf(text.rdbuf());
    const int code = RunCommandLine(static_cast<int>(arguments.size()), arguments.data());
    std::cout.rdbuf(before);
    std::cerr.rdbuf(before_errors);
    out = text.str();
    return code;
  };
  BOOST_TEST(run({"probe"}) == 1);  // one is unhealthy
  BOOST_TEST(out.find("postgres") != std::string::npos);
  BOOST_TEST(run({"probe", "postgres"}) == 0);
  BOOST_TEST(out == "postgres (postgres): success in 12ms\n  probe_x 2.5\n");
  BOOST_TEST(run({"probe", "nothing"}) == 1);
  BOOST_TEST(out == "pipewarden: there is no probe 'nothing'\n");
  BOOST_TEST(run({"pipeline", "list"}) == 0);
  BOOST_TEST(out.find("0 2 * * *") != std::string::npos);
  BOOST_TEST(run({"pipeline", "run", "daily", "--env", "MODE=initial_load", "--env", "B=x=y", "--again"}) == 0);
  BOOST_TEST(asked.env.at("B") == "x=y");
  BOOST_TEST(run({"pipeline", "history", "daily"}) == 0);
  BOOST_TEST(out.find("ingestion") != std::string::npos);
  BOOST_TEST(run({"pipeline", "history", "none"}) == 1);
  BOOST_TEST(run({"pipeline", "logs", "daily", "ingestion"}) == 0);
  BOOST_TEST(out == "line one\nline two\n");
  BOOST_TEST(run({"pipeline", "logs", "daily", "none"}) == 1);
}

BOOST_AUTO_TEST_CASE(html_text_is_escaped) {
  BOOST_TEST(Html("<a href=\"x\">'&'</a>\xff") == "&lt;a href=&#34;x&#34;&gt;&#39;&amp;&#39;&lt;/a&gt;\xef\xbf\xbd");
  BOOST_TEST(Page("{{body}}", "<p>{{title}}</p>").find("<title>{{body}} · Pipewarden</title>") != std::string::npos);
}

core::Task<core::Result<int>> ThrowLater() {
  throw std::runtime_error("thrown by a test");
  co_return 1;
}

core::Task<core::Result<int>> SleepLong(core::Loop& loop) {
  co_await loop.Sleep(1h);
  co_return 1;
}

BOOST_AUTO_TEST_CASE(the_loop_is_asked_until_the_deadline) {
  core::SystemClock real;
  core::Loop loop(real, core::Logger(core::LogLevel::kError, core::LogFormat::kLogfmt));
  // Not running yet: no answer comes.
  auto late = AskLoop<int>(loop, real.Monotonic() + 1ms, []() -> core::Result<int> { return 1; });
  BOOST_REQUIRE(!late.has_value());
  BOOST_TEST((late.error().code == core::ErrorCode::kTimeout));
  core::TaskGroup group(loop);
  std::thread thread([&] { loop.Run(); });
  auto answer = AskLoop<int>(loop, real.Monotonic() + 5s, []() -> core::Result<int> { return 2; });
  BOOST_TEST(answer.value() == 2);
  auto task = AskTask<int>(loop, group, "ask", real.Monotonic() + 5s,
                           []() -> core::Task<core::Result<int>> { co_return core::Result<int>(3); });
  BOOST_TEST(task.value() == 3);
  // Whatever happens to the work, the asker has an answer.
  auto thrown = AskLoop<int>(loop, real.Monotonic() + 1h,
                             []() -> core::Result<int> { throw std::runtime_error("thrown by a test"); });
  BOOST_TEST(thrown.error().message == "internal error: thrown by a test");
  auto task_thrown = AskTask<int>(loop, group, "ask", real.Monotonic() + 1h, &ThrowLater);
  BOOST_TEST((task_thrown.error().code == core::ErrorCode::kInternal));
  loop.Post([&] { loop.Post([&] { group.Cancel(); }); });
  auto cancelled = AskTask<int>(loop, group, "ask", real.Monotonic() + 1h,
                                [&loop]() -> core::Task<core::Result<int>> { return SleepLong(loop); });
  BOOST_TEST((cancelled.error().code == core::ErrorCode::kUnavailable));
  auto never_begun = AskTask<int>(loop, group, "ask", real.Monotonic() + 1h,
                                  [&loop]() -> core::Task<core::Result<int>> { return SleepLong(loop); });
  BOOST_TEST((never_begun.error().code == core::ErrorCode::kUnavailable));
  // The task ends a moment after its answer is there.
  while (AskLoop<std::size_t>(loop, real.Monotonic() + 5s, [&]() -> core::Result<std::size_t> {
           return group.size();
         }).value_or(0) > 0) {
  }
  loop.Stop();
  thread.join();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::agent
