#include "agent/pipelines/environment.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <fstream>

#include "core/time/civil_time.h"
#include "tests/support/temp_folder.h"

namespace pipewarden::agent {
namespace {

struct Fixture {
  PipelineConfig config;
  Run run;
  StepConfig step;

  Fixture() {
    config.name = "daily";
    config.timezone = "Europe/Berlin";
    config.params = {{"window", "7"}};
    step.name = "ingestion";
    run.id = 42;
    run.slot = core::ParseRfc3339("2026-03-29T22:30:00Z")->ToWall();  // 2026-03-30 00:30 in Berlin
    run.interval_start = core::ParseRfc3339("2026-03-28T23:30:00Z")->ToWall();
  }
  core::Result<StepEnvironment> Build(const std::vector<SecretVariable>& secrets = {}) {
    run.config = std::make_shared<const PipelineConfig>(config);
    return BuildEnvironment(run, step, 2, secrets);
  }
  std::string Value(const std::string& name, const std::vector<SecretVariable>& secrets = {}) {
    const auto environment = Build(secrets);
    if (!environment) return "error: " + environment.error().message;
    for (const std::string& variable : environment->variables)
      if (variable.starts_with(name + "=")) return variable.substr(name.size() + 1);
    return "absent";
  }
};

struct TemplateCase {
  std::string text, expected;
};
std::ostream& operator<<(std::ostream& out, const TemplateCase& test) { return out << test.text; }
const TemplateCase kTemplateCases[] = {
    {"plain $HOME", "plain $HOME"},
    {"{{ .IntervalStart | date \"2006-01-02\" }}", "2026-03-29"},
    {"{{ .Slot | date \"2006-01-02T15:04Z07:00\" }}", "2026-03-30T00:30+02:00"},
    {"{{ .Slot | tz \"UTC\" | date \"2006-01-02 15:04\" }}", "2026-03-29 22:30"},
    {"{{ .Slot | addDays -1 | date \"2006-01-02 15:04\" }}", "2026-03-29 00:30"},
    {"{{ .IntervalEnd.Unix }}", "1774823400"},
    {"{{ .Pipeline }}/{{ .Step }}/{{ .RunID }}/{{ .Attempt }}", "daily/ingestion/42/2"},
    {"{{ .Params.window }}", "7"},
    {"{{ .Slot | tz \"Mars\" }}", "error: template: X:1:11: executing \"X\" at <tz \"Mars\">: error calling tz: "},
};

BOOST_FIXTURE_TEST_SUITE(step_environment, Fixture)

BOOST_DATA_TEST_CASE(templates_see_slot_and_interval_in_the_zone, boost::unit_test::data::make(kTemplateCases), test) {
  step.env = {{"X", test.text}};
  const std::string value = Value("X");
  if (test.expected.starts_with("error")) {
    BOOST_TEST(value.starts_with(test.expected), value);
  } else {
    BOOST_TEST(value == test.expected);
  }
}

BOOST_AUTO_TEST_CASE(the_event_date_is_the_day_before_in_utc) {
  BOOST_TEST(Value("EVENT_DATE") == "2026-03-28");
  config.env = {{"EVENT_DATE", "mine"}};
  BOOST_TEST(Value("EVENT_DATE") == "mine");
}

BOOST_AUTO_TEST_CASE(the_request_wins_over_the_step_over_the_pipeline) {
  config.env = {{"A", "pipeline"}, {"B", "pipeline"}, {"C", "pipeline"}};
  step.env = {{"B", "step"}, {"C", "step"}};
  run.env = {{"C", "request {{ not a template }}"}};
  BOOST_TEST(Value("A") == "pipeline");
  BOOST_TEST(Value("B") == "step");
  BOOST_TEST(Value("C") == "request {{ not a template }}");
}

BOOST_AUTO_TEST_CASE(nothing_of_the_agents_own_environment_but_what_is_named) {
  setenv("PW_TEST_MINE", "x", 1);
  BOOST_TEST(Value("PW_TEST_MINE") == "absent");
  config.inherit_env = {"PW_TEST_MINE"};
  BOOST_TEST(Value("PW_TEST_MINE") == "x");
  BOOST_TEST(Value("PATH") != "absent");
}

BOOST_AUTO_TEST_CASE(secrets_are_masked_and_read_when_needed) {
  const test::TempFolder folder;
  const std::string path = folder / "secret";
  folder.Write("secret", "from-file\n");
  const std::vector<SecretVariable> secrets = {{.name = "PW", .value = core::Secret("hunter2"), .file = ""},
                                               {.name = "KEY", .value = core::Secret(), .file = path}};
  config.env = {{"API_TOKEN", "looks-secret"}, {"PLAIN", "looks-plain"}};
  BOOST_TEST(Value("PW", secrets) == "hunter2");
  BOOST_TEST(Value("KEY", secrets) == "from-file");
  const auto environment = Build(secrets);
  BOOST_TEST(environment->secrets == (std::vector<std::string>{"hunter2", "from-file", "looks-secret"}),
             boost::test_tools::per_element());
  const auto missing = Build({{.name = "KEY", .value = core::Secret(), .file = "/no/such/file"}});
  BOOST_TEST((missing.error().code == core::ErrorCode::kDenied));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::agent
