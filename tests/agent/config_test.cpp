#include "agent/config.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "rules/rule_pack.h"
#include "tests/support/temp_folder.h"

namespace pipewarden::agent {
namespace {

struct PackCase {
  const char* packs;
  const char* outcome;  // the threshold of HostMemoryHigh, or the first mistake after the file's name
};
std::ostream& operator<<(std::ostream& out, const PackCase& c) { return out << c.packs; }

const PackCase kPacks[] = {
    {"[host]", "0.8"},
    {"host", "0.8"},
    {"{host: }", "0.8"},
    {"{host: {memory_used: 0.95, disk_full_within: 8h}, agent: }", "0.95"},
    {"{host: {disk_full_within: 8h}}", "0.8"},
    {"{host: {memory_use: 1}}",
     ":1:21: no parameter of pack:host is called 'memory_use' (did you mean 'memory_used'?)"},
    {"{host: {memory_used: much}}", ":1:34: 'memory_used' of rule pack 'host' takes a number or a duration"},
    {"{host: 0.9}", ":1:20: rule pack 'host' takes a map of thresholds, not a number"},
    {"[{host: {memory_used: 1}}]", ":1:14: a rule pack is a name, not a map"},
    {"[hosts]", ":1:14: no rule pack is called 'hosts' (did you mean 'host'?)"},
};

BOOST_DATA_TEST_CASE(thresholds_of_packs_are_configured, boost::unit_test::data::make(kPacks), c) {
  const test::TempFolder folder;
  folder.Write("pipewarden.yml", "rule_packs: " + std::string(c.packs) + "\n");
  core::ConfigErrors errors;
  const auto config = LoadConfig(folder / "pipewarden.yml", errors);
  if (c.outcome[0] == ':') {
    BOOST_REQUIRE(!errors.empty());
    BOOST_TEST(errors.Lines()[0].starts_with((folder / "pipewarden.yml") + c.outcome), errors.Lines()[0]);
    return;
  }
  BOOST_REQUIRE_MESSAGE(errors.empty(), errors.ToError().message);
  BOOST_TEST(rules::RulePackParameters(config->rule_files.at(0)).at(1).text == c.outcome);
}

struct Mistake {
  const char* yaml;
  const char* told;  // after the file's name; "" is none
};
std::ostream& operator<<(std::ostream& out, const Mistake& mistake) { return out << mistake.yaml; }

constexpr const char* kProbe = "probes: [{name: p, kind: exec, component: pg, command: [true]}]\n";
const Mistake kReferences[] = {
    {"pipelines: {a: {steps: {s: {run: [true], requires: [pg]}}}}", ""},
    {"pipelines: {a: {steps: {s: {run: [true], requires: [pgg]}}}}",
     ":2:13: 'requires' of step 's' in pipeline 'a' names 'pgg', which is no component, neither listed nor of a probe "
     "(did you mean 'pg'?)"},
    {"components: {x: {}}", ":1:10: component of probe 'p' names 'pg', which is not under components"},
    {"components: {pg: {}, x: {}}\npipelines: {a: {steps: {s: {run: [true], requires: [x, y]}}}}",
     ":3:13: 'requires' of step 's' in pipeline 'a' names 'y', which is no component"},
    {"freshness: [{name: f, source: file, glob: /x, max_age: 1h, depends_on: [pg]}]", ""},
    {"freshness: [{name: f, source: file, glob: /x, max_age: 1h, depends_on: [nope]}]",
     ":2:13: 'depends_on' of freshness 'f' names 'nope', which is neither a pipeline nor a component"},
    {"rule_files: [gone.yml]", ":2:13: open "},
    {"alerting: {config_file: gone.yml}", ":2:25: open "},
    {"include: [gone.yml]", ":2:10: open "},
};

BOOST_DATA_TEST_CASE(what_is_named_is_there, boost::unit_test::data::make(kReferences), c) {
  const test::TempFolder folder;
  folder.Write("pipewarden.yml", std::string(kProbe) + c.yaml + "\n");
  core::ConfigErrors errors;
  LoadConfig(folder / "pipewarden.yml", errors);
  const std::string told = errors.empty() ? "" : errors.Lines()[0];
  BOOST_TEST(told.starts_with(*c.told == '\0' ? "" : (folder / "pipewarden.yml") + c.told), told);
  BOOST_TEST(errors.empty() == (*c.told == '\0'), told);
}

}  // namespace
}  // namespace pipewarden::agent
