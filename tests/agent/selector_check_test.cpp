#include "agent/selector_check.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "rules/rule_pack.h"
#include "tests/support/temp_folder.h"

namespace pipewarden::agent {
namespace {

constexpr const char* kConfig = R"(
components: {postgres: {}, namenode: {}}
probes:
  - {name: pg, kind: tcp, component: postgres, address: "127.0.0.1:1", labels: {team: data}}
  - {name: page, kind: http, url: "http://127.0.0.1/"}
logs:
  - path: /tmp/nothing/*.log
    patterns:
      - {match: 'rows=(?P<rows>\d+) stage=(?P<stage>\w+)', counter: rows_total, value: rows, labels: [stage]}
      - {match: 'took (?P<ms>\d+)', histogram: took_seconds, value: ms}
freshness: [{name: orders, source: file, glob: /tmp/nothing/*, max_age: 1h}]
pipelines: {daily: {steps: {load: {run: /bin/true}}}}
host: {collectors: [load]}
rule_packs: [host]
)";

struct Case {
  const char* expr;
  const char* warning;  // after "r.yml:LINE:COLUMN: 'A' reads what is never there: "; nullptr: none
  int column = 7;
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.expr; }

const Case kCases[] = {
    {"probe_up == 0", nullptr},
    {"probe_up{probe=\"pg\", team=\"data\"} == 0", nullptr},
    {"probe_up{component=\"\"}", nullptr},
    {"probe_up{component=~\"post.*\", kind!=\"http\"}", nullptr},
    {"probe_upp", "nothing in this configuration makes a metric 'probe_upp' (did you mean 'probe_up'?)"},
    {"1 - probe_upp", "nothing in this configuration makes a metric 'probe_upp' (did you mean 'probe_up'?)", 11},
    {"sum(rate(row_total[5m])) > 1",
     "nothing in this configuration makes a metric 'row_total' (did you mean 'rows_total'?)", 16},
    {"probe_up{probe=\"pq\"}", "no series of 'probe_up' has probe=\"pq\" (did you mean 'pg'?)"},
    {"probe_up{probe=\"postgres-replica\"}",
     "no series of 'probe_up' has probe=\"postgres-replica\" (there are 'page', 'pg')"},
    {"probe_up{component=\"postgras\"}",
     "no series of 'probe_up' has component=\"postgras\" (did you mean 'postgres'?)"},
    {"probe_up{job=\"x\"}",
     "no series of 'probe_up' has a label 'job' (there are 'component', 'kind', 'probe', 'team')"},
    {"probe_up{probe=\"page\", component=\"postgres\"}",
     "no series of 'probe_up' has all of probe=\"page\", component=\"postgres\""},
    {"probe_http_status_code", nullptr},
    {"probe_hdfs_missing_blocks", "nothing in this configuration makes a metric 'probe_hdfs_missing_blocks'"},
    {"rows_total{stage=\"any\"}", nullptr},
    {"rows_total{stge=\"any\"}", "no series of 'rows_total' has a label 'stge' (there are 'stage')"},
    {"histogram_quantile(0.9, rate(took_seconds_bucket{le=\"1\"}[5m]))", nullptr},
    {"took_seconds", "nothing in this configuration makes a metric 'took_seconds' (did you mean 'took_seconds_sum'?)"},
    {"node_load1", nullptr},
    {"node_memory_MemFree_bytes", "nothing in this configuration makes a metric 'node_memory_MemFree_bytes'"},
    {"pipewarden_pipeline_run_late{pipeline=\"daily\"}", nullptr},
    {"pipewarden_pipeline_run_late{pipeline=\"dialy\"}",
     "no series of 'pipewarden_pipeline_run_late' has pipeline=\"dialy\" (did you mean 'daily'?)"},
    {"pipewarden_pipeline_run_last_status{step=\"\"}", nullptr},
    {"pipewarden_pipeline_run_last_status{step=\"laod\"}",
     "no series of 'pipewarden_pipeline_run_last_status' has step=\"laod\" (did you mean 'load'?)"},
    {"pipewarden_freshness_due{freshness=\"orders\"} == 1", nullptr},
    {"pipewarden_loop_stall_seconds{node=\"a\"}",
     "no series of 'pipewarden_loop_stall_seconds' has a label 'node', nor any other"},
    {"ALERTS{alertname=\"A\", alertstate=\"firing\"}", nullptr},
    {"ALERTS{alertname=\"HostDiskLow\"}", nullptr},
    {"ALERTS{alertname=\"HostDiskLaw\"}",
     "no series of 'ALERTS' has alertname=\"HostDiskLaw\" (did you mean 'HostDiskLow'?)"},
    {"ALERTS{alertstate=\"inactive\"}",
     "no series of 'ALERTS' has alertstate=\"inactive\" (there are 'firing', 'pending')"},
    {"recorded{team=\"data\", anything=\"x\"}", nullptr},
    {"recorded{team=\"dota\"}", "no series of 'recorded' has team=\"dota\" (did you mean 'data'?)"},
    {"{__name__=~\"probe_.*\"}", nullptr},
    {"{__name__=~\"prob_.*\"}", "nothing in this configuration makes a metric __name__=~\"prob_.*\""},
    {"{probe=\"pg\"}", nullptr},
    {"vector(1)", nullptr},
};

BOOST_DATA_TEST_CASE(a_selector_that_can_match_nothing_is_told, boost::unit_test::data::make(kCases), c) {
  const test::TempFolder folder;
  folder.Write("pipewarden.yml", kConfig);
  core::ConfigErrors errors;
  const auto config = LoadConfig(folder / "pipewarden.yml", errors);
  const std::string text = std::string(R"(groups:
- name: g
  rules:
  - record: recorded
    expr: 1
    labels: {team: data}
  - alert: A
    expr: )") + "|\n      " +
                           c.expr + "\n";
  const std::vector<rules::RuleFile> files{rules::ParseRuleFile(text, "r.yml", errors)};
  BOOST_REQUIRE_MESSAGE(errors.empty(), errors.ToError().message);
  const auto warnings = UnmatchedSelectors(*config, files);
  if (c.warning == nullptr) {
    BOOST_TEST(warnings == std::vector<std::string>{}, boost::test_tools::per_element());
    return;
  }
  BOOST_REQUIRE(warnings.size() == 1U);
  BOOST_TEST(warnings[0] == "r.yml:9:" + std::to_string(c.column) + ": 'A' reads what is never there: " + c.warning);
}

BOOST_AUTO_TEST_CASE(packs_read_what_an_agent_may_have_and_what_they_say_users_make) {
  const test::TempFolder folder;
  std::string logs;
  for (const char* name : {"pipeline_quality_score_ratio", "pipeline_source_records", "pipeline_target_records",
                           "pipeline_processing_lag_seconds"})
    logs += "{match: '(?P<x>.)', gauge: " + std::string(name) + ", value: x}, ";
  for (const char* name : {"pipeline_records_total", "pipeline_record_errors_total", "pipeline_log_errors_total"})
    logs += "{match: x, counter: " + std::string(name) + "}, ";
  folder.Write("pipewarden.yml", R"(
probes: [{name: a, kind: hdfs, url: "http://127.0.0.1/"}, {name: b, kind: http, url: "https://127.0.0.1/"}]
freshness: [{name: orders, source: file, glob: /tmp/nothing/*, max_age: 1h}]
pipelines: {daily: {steps: {load: {run: /bin/true}}}}
logs: [{path: /tmp/nothing, patterns: [)" +
                                     logs + "]}]\n");
  core::ConfigErrors errors;
  const auto config = LoadConfig(folder / "pipewarden.yml", errors);
  BOOST_REQUIRE_MESSAGE(errors.empty(), errors.ToError().message);
  for (const std::string& name : rules::RulePackNames()) {
    auto pack = rules::ReadRulePack(name);
    BOOST_REQUIRE(pack.has_value());
    pack->path = name;  // or it would be left out
    for (const std::string& warning : UnmatchedSelectors(*config, {&*pack, 1})) BOOST_ERROR(warning);
  }
}

BOOST_AUTO_TEST_CASE(each_is_told_once_in_a_rule_and_packs_are_left_out) {
  const test::TempFolder folder;
  folder.Write("pipewarden.yml", "rule_files: [r.yml]\nrule_packs: [component, pipeline]\n");
  folder.Write("r.yml", "groups: [{name: g, rules: [{alert: A, expr: 'nothing + nothing'}]}]\n");
  core::ConfigErrors errors;
  const auto config = LoadConfig(folder / "pipewarden.yml", errors);
  BOOST_REQUIRE(errors.empty());
  const auto warnings = UnmatchedSelectors(*config, config->rule_files);
  BOOST_REQUIRE(warnings.size() == 1U);
  BOOST_TEST(warnings[0].find("r.yml:1:46: 'A'") != std::string::npos, warnings[0]);
}

}  // namespace
}  // namespace pipewarden::agent
