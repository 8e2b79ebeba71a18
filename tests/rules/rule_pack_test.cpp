#include "rules/rule_pack.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <iterator>

namespace pipewarden::rules {
namespace {

BOOST_AUTO_TEST_CASE(the_shipped_packs_read_and_are_the_files_of_the_folder) {
  const std::vector<std::string> names = RulePackNames();
  for (const char* wanted : {"agent", "component", "freshness", "host", "logs", "pipeline", "quality"})
    BOOST_TEST((std::ranges::find(names, wanted) != names.end()), wanted);
  for (const std::string& name : names) {
    const auto pack = ReadRulePack(name);
    BOOST_REQUIRE_MESSAGE(pack.has_value(), name << ": " << (pack ? "" : pack.error().message));
    BOOST_TEST(pack->path == "pack:" + name);
    BOOST_TEST(!pack->groups.empty());
    std::ifstream in(std::string(PIPEWARDEN_SOURCE_DIR) + "/rules/packs/" + name + ".yml");
    BOOST_TEST(RulePackText(name) == std::string(std::istreambuf_iterator<char>(in), {}));
  }
  const auto wrong = ReadRulePack("hosts");
  BOOST_REQUIRE(!wrong.has_value());
  BOOST_TEST(wrong.error().message.find("did you mean 'host'?") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(thresholds_are_parameters) {
  auto pack = ReadRulePack("host");
  BOOST_REQUIRE(pack.has_value());
  const auto parameters = RulePackParameters(*pack);
  BOOST_REQUIRE(parameters.size() == 4U);
  BOOST_TEST(parameters[1].name == "memory_used");
  BOOST_TEST(parameters[1].text == "0.8");
  BOOST_REQUIRE(parameters[1].alerts.size() == 1U);
  BOOST_TEST(parameters[1].alerts[0] == "HostMemoryHigh");
  BOOST_TEST(SetRulePackParameter(*pack, "memory_used", 0.95).has_value());
  BOOST_TEST(RulePackParameters(*pack)[1].text == "0.95");
  const auto unknown = SetRulePackParameter(*pack, "memory_use", 1);
  BOOST_REQUIRE(!unknown.has_value());
  BOOST_TEST(unknown.error().message ==
             "no parameter of pack:host is called 'memory_use' (did you mean 'memory_used'?); there are cpu_busy, "
             "memory_used, disk_free, disk_full_within");
  // Each is read by an alert, so that none has no meaning.
  for (const std::string& name : RulePackNames())
    for (const RulePackParameter& parameter : RulePackParameters(*ReadRulePack(name)))
      BOOST_TEST(!parameter.alerts.empty(), name << " " << parameter.name);
}

}  // namespace
}  // namespace pipewarden::rules
