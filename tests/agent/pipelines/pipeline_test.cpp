#include "agent/pipelines/pipeline.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace pipewarden::agent {
namespace {

using namespace std::chrono_literals;

std::vector<PipelineConfig> Read(const std::string& yaml, core::ConfigErrors& errors) {
  const auto node = core::ParseYaml(yaml, "/etc/pw/p.yml");
  BOOST_REQUIRE(node.has_value());
  return ReadPipelines(*node, errors);
}

BOOST_AUTO_TEST_SUITE(pipeline_config)

BOOST_AUTO_TEST_CASE(a_pipeline_is_read_whole) {
  core::ConfigErrors errors;
  const auto configs = Read(R"(
daily:
  schedule: ["0 2 * * *", "@every 6h"]
  timezone: Europe/Berlin
  env: {MODE: incremental}
  secret_env: {PGPASSWORD: hunter2}
  retries: {count: 3, delay: 60s, backoff: 2, max_delay: 3m}
  timeout: 1h
  overlap: queue
  sla: {finish_by: "05:30", max_duration: 2h}
  steps:
    loader:     {run: [python3, load.py], after: [processing], requires: [postgres], retries: 0}
    ingestion:  {run: "spark-submit ingest.py", timeout: 2h, env: {A: b}}
    processing: {run: [spark-submit, process.py], after: ingestion, cwd: work}
)",
                            errors);
  for (const std::string& line : errors.Lines()) BOOST_TEST_MESSAGE(line);
  BOOST_REQUIRE(errors.empty());
  BOOST_REQUIRE(configs.size() == 1U);
  const PipelineConfig& daily = configs[0];
  BOOST_TEST(daily.name == "daily");
  BOOST_TEST(daily.ScheduleText() == "0 2 * * * | @every 6h");
  BOOST_TEST(daily.timezone == "Europe/Berlin");
  BOOST_TEST((daily.overlap == Overlap::kQueue));
  BOOST_TEST((daily.catch_up_window == 5min));
  BOOST_TEST(daily.sla.finish_by.value() == 5 * 3600 + 30 * 60);
  BOOST_REQUIRE(daily.steps.size() == 3U);
  const StepConfig& ingestion = daily.steps[0];
  BOOST_TEST(ingestion.name == "ingestion");  // in the order of `after`
  BOOST_TEST(ingestion.argv == (std::vector<std::string>{"/bin/sh", "-c", "spark-submit ingest.py"}),
             boost::test_tools::per_element());
  BOOST_TEST((ingestion.timeout == 2h));
  BOOST_TEST(ingestion.cwd == "/etc/pw");
  BOOST_TEST(ingestion.retries.count == 3);
  BOOST_TEST((ingestion.retries.DelayAfter(1) == 60s));
  BOOST_TEST((ingestion.retries.DelayAfter(2) == 2min));
  BOOST_TEST((ingestion.retries.DelayAfter(9) == 3min));
  BOOST_TEST(daily.steps[1].name == "processing");
  BOOST_TEST(daily.steps[1].cwd == "/etc/pw/work");
  BOOST_TEST((daily.steps[1].timeout == 1h));
  BOOST_TEST(daily.steps[2].retries.count == 0);
  BOOST_TEST(daily.steps[2].needs[0] == "postgres");
}

struct BadCase {
  std::string yaml, place, words;
};
std::ostream& operator<<(std::ostream& out, const BadCase& test) { return out << test.yaml; }
const BadCase kBadCases[] = {
    {"p: {steps: {a: {run: x, after: [b]}, b: {run: x, after: [c]}, c: {run: x, after: [a]}}}", ":1:12",
     "a -> b -> c -> a"},
    {"p: {steps: {a: {run: x, after: [a]}}}", ":1:12", "a -> a"},
    {"p: {steps: {load: {run: x}, b: {run: x, after: [laod]}}}", ":1:49", "did you mean 'load'?"},
    {"p:\n  schedule: '0 25 * * *'\n  steps: {a: {run: x}}", ":2:13", "'schedule' in pipeline 'p'"},
    {"p:\n  schedule: ['0 2 * * *', 'x']\n  steps: {a: {run: x}}", ":2:27", "'schedule' in pipeline 'p'"},
    {"p: {steps: {a: {run: x, aftr: b}}}", ":1:25", "did you mean 'after'?"},
    {"p: {step: {a: {run: x}}}", ":1:5", "did you mean 'steps'?"},
    {"p: {steps: {}}", ":1:12", "an empty map"},
    {"p: {steps: {a: {run: []}}}", ":1:22", "a list of arguments"},
    {"p: {steps: {a: {run: x, timeout: soon}}}", ":1:34", "'timeout'"},
    {"p: {steps: {a: {run: x, retries: many}}}", ":1:34", "{count: 3, delay: 60s}"},
    {"p: {steps: {a: {run: x, retries: {count: 1, exit_codes: [256]}}}}", ":1:", "'256' is no exit code"},
    {"p: {steps: {'a b': {run: x}}}", ":1:13", "is no name that works everywhere"},
    {"p: {steps: {a: {run: x}}, timezone: Mars/Olympus}", ":1:37", "Mars/Olympus"},
    {"p: {steps: {a: {run: x}}, sla: {finish_by: '25:00'}}", ":1:44", "not a time of day"},
    {"p: {steps: {a: {run: x}}, env: {PIPEWARDEN_SLOT: x}}", ":1:", "set by the agent"},
    {"p: {steps: {a: {run: x}}, secret_env_files: {PW: /no/such/file}}", ":1:", "/no/such/file"},
    {"p: {steps: {a: {run: x}}, env: {D: '{{ .Slott }}'}}", ":1:", "'D' in env of pipeline 'p': template: D:1"},
    {"p: {steps: {a: {run: x, env: {D: '{{ .Slot | dat \"2006\" }}'}}}}", ":1:", "function \"dat\" not defined"},
    {"[p]", ":1:1", "must be a map"},
};

BOOST_DATA_TEST_CASE(mistakes_are_told_with_their_place, boost::unit_test::data::make(kBadCases), test) {
  core::ConfigErrors errors;
  const auto configs = Read(test.yaml, errors);
  BOOST_TEST(configs.empty());
  std::string all;
  bool told = false;
  for (const std::string& line : errors.Lines()) {
    all += line + "\n";
    told = told || (line.starts_with("/etc/pw/p.yml" + test.place) && line.find(test.words) != std::string::npos);
  }
  BOOST_TEST_CONTEXT(all) BOOST_TEST(told);
}

BOOST_AUTO_TEST_CASE(what_a_run_keeps_comes_back) {
  core::ConfigErrors errors;
  auto configs = Read(
      "p: {env: {A: 'b\n'}, params: {x: y}, timezone: Asia/Tokyo, secret_env: {S: hush}, secret_env_files: {F: "
      "/dev/null}, "
      "steps: {a: {run: [x, ''], retries: {count: 1, exit_codes: [75]}}, b: {run: y, after: [a], on_lost: retry}}}",
      errors);
  BOOST_REQUIRE(configs.size() == 1U);
  const std::string json = PipelineToJson(configs[0]);
  BOOST_TEST(json.find("hush") == std::string::npos);
  const auto back = PipelineFromJson(json);
  BOOST_REQUIRE(back.has_value());
  BOOST_TEST((back->steps == configs[0].steps));
  BOOST_TEST((back->env == configs[0].env));
  BOOST_TEST((back->params == configs[0].params));
  BOOST_TEST(back->timezone == "Asia/Tokyo");
  BOOST_REQUIRE(back->secrets.size() == 1U);
  BOOST_TEST(back->secrets[0].file == "/dev/null");
  BOOST_TEST((PipelineFromJson("{}").error().code == core::ErrorCode::kCorrupt));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::agent
