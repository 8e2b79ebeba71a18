#include <boost/test/unit_test.hpp>

#include "tests/alertmanager/support/fixture.h"

namespace pipewarden::alertmanager {
namespace {

std::string With(const std::string& rules) {
  return R"(
route: {receiver: team, group_by: [alertname], group_wait: 10s, group_interval: 1m}
receivers: [{name: team, webhook_configs: [{url: 'http://x/'}]}]
inhibit_rules:
)" + rules;
}

const std::string kBySeverity =
    "- {source_matchers: [severity=\"critical\"], target_matchers: [severity=\"warning\"], equal: [cluster]}\n";

BOOST_FIXTURE_TEST_SUITE(inhibition, AlertmanagerFixture)

BOOST_AUTO_TEST_CASE(a_source_keeps_targets_with_equal_labels_quiet_until_it_resolves) {
  Apply(With(kBySeverity));
  Fire("down", {{"severity", "critical"}, {"cluster", "x"}});
  Fire("slow", {{"severity", "warning"}, {"cluster", "x"}});
  Fire("late", {{"severity", "warning"}, {"cluster", "y"}});
  loop.Advance(30s);
  BOOST_TEST(Heard() == "10s firing down; 10s firing late");
  const auto views = manager->Alerts();
  for (const AlertView& view : views) BOOST_TEST(view.inhibited_by.empty() == (view.alert->Name() != "slow"));
  Resolve("down", {{"severity", "critical"}, {"cluster", "x"}});
  loop.Advance(1min);
  BOOST_TEST(Heard() == "70s resolved down; 70s firing slow");
}

BOOST_AUTO_TEST_CASE(equal_labels_that_both_lack_are_equal) {
  Apply(With(kBySeverity));
  Fire("down", {{"severity", "critical"}});
  Fire("slow", {{"severity", "warning"}});
  Fire("late", {{"severity", "warning"}, {"cluster", "y"}});
  loop.Advance(30s);
  BOOST_TEST(Heard() == "10s firing down; 10s firing late");
}

BOOST_AUTO_TEST_CASE(no_equal_labels_match_always) {
  Apply(With("- {source_matchers: [severity=\"critical\"], target_matchers: [severity=\"warning\"]}\n"));
  Fire("down", {{"severity", "critical"}, {"cluster", "x"}});
  Fire("slow", {{"severity", "warning"}, {"cluster", "y"}});
  loop.Advance(30s);
  BOOST_TEST(Heard() == "10s firing down");
}

BOOST_AUTO_TEST_CASE(an_alert_on_both_sides_is_inhibited_only_by_those_on_the_source_side_alone) {
  Apply(With("- {source_matchers: ['a=~\".+\"'], target_matchers: ['b=~\".+\"']}\n"));
  Fire("both1", {{"a", "1"}, {"b", "1"}});
  Fire("both2", {{"a", "1"}, {"b", "2"}});
  loop.Advance(30s);
  BOOST_TEST(Heard() == "10s firing both1; 10s firing both2");
  Fire("target", {{"b", "1"}});
  Fire("source", {{"a", "1"}});
  loop.Advance(5min);
  BOOST_TEST(Heard() == "40s firing source");
  const auto views = manager->Alerts();
  for (const AlertView& view : views)
    BOOST_TEST((view.state == AlertState::kSuppressed) == (view.alert->Name() != "source"));
}

BOOST_AUTO_TEST_CASE(a_silenced_source_still_inhibits) {
  Apply(With(kBySeverity));
  Silence("alertname=down", 1h);
  Fire("down", {{"severity", "critical"}});
  Fire("slow", {{"severity", "warning"}});
  loop.Advance(5min);
  BOOST_TEST(Heard() == "");
}

BOOST_AUTO_TEST_CASE(two_sources_of_one_key_and_one_resolves) {
  Apply(With(kBySeverity));
  Fire("down1", {{"severity", "critical"}});
  Fire("down2", {{"severity", "critical"}});
  Fire("slow", {{"severity", "warning"}});
  Resolve("down2", {{"severity", "critical"}});
  loop.Advance(5min);
  BOOST_TEST(Heard() == "10s firing down1");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::alertmanager
