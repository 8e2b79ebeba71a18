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

}  // namespace
}  // namespace pipewarden::agent
