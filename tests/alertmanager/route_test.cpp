// Generated route trees against what amtool 0.25 says of them (data/generate_routes.py).
#include "alertmanager/route.h"

#include <boost/test/unit_test.hpp>

namespace pipewarden::alertmanager {
namespace {

BOOST_AUTO_TEST_CASE(routes_as_amtool_says) {
  core::ConfigErrors errors;
  const auto cases = core::ReadYamlFile(PIPEWARDEN_SOURCE_DIR "/tests/alertmanager/data/routes.yml", errors);
  BOOST_REQUIRE_MESSAGE(cases.has_value(), errors.ToError().message);
  BOOST_TEST(cases->items().size() == 300U);
  for (const core::YamlNode& one : cases->items()) {
    auto config = std::make_shared<Config>(ReadAlertmanagerConfig(*one.Find("config"), errors));
    BOOST_REQUIRE_MESSAGE(errors.empty(), errors.ToError().message);
    core::Labels labels;
    for (const core::YamlNode::Entry& label : one.Find("labels")->entries()) labels.Set(label.key, label.value.text());
    std::string want;
    for (const core::YamlNode& receiver : one.Find("receivers")->items()) want += receiver.text() + " ";
    std::string got;
    const RouteTree tree(config);
    for (const Route* route : tree.Match(labels)) got += route->receiver->name + " ";
    BOOST_TEST(got == want, one.where().ToString() << " " << one.Canonical());
  }
}

}  // namespace
}  // namespace pipewarden::alertmanager
