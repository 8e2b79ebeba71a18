// Alerts of what stands on a component that is down: shown as suppressed, not told, and their resolve passes.
#include "alertmanager/causes.h"

#include <boost/test/unit_test.hpp>

#include "tests/alertmanager/support/fixture.h"

namespace pipewarden::alertmanager {
namespace {

const std::string kPlain = R"(
route: {receiver: team, group_by: [group], group_wait: 30s, group_interval: 5m, repeat_interval: 4h}
receivers: [{name: team, webhook_configs: [{url: 'http://x/'}]}]
)";

struct CausesFixture : AlertmanagerFixture {
  CausesFixture() {
    Start();
    Depend();
  }
  void Depend() {
    Dependencies dependencies;
    dependencies.stands_on[{"component", "hive"}] = {"namenode"};
    dependencies.stands_on[{"component", "api"}] = {"namenode", "hive"};
    dependencies.stands_on[{"pipeline", "daily"}] = {"namenode", "hive"};
    dependencies.watched = {"namenode", "hive", "api"};
    manager->ApplyDependencies(dependencies);
  }
  void Down(const std::string& component) { manager->SetComponent(component, clock.Now()); }
  void Up(const std::string& component) { manager->SetComponent(component, std::nullopt); }
  void FireOf(const std::string& component, const std::string& name) { Fire(name, {{"component", component}}); }
  void ResolveOf(const std::string& component, const std::string& name) { Resolve(name, {{"component", component}}); }
};

BOOST_FIXTURE_TEST_SUITE(causes, CausesFixture)

BOOST_AUTO_TEST_CASE(only_the_root_is_told_and_who_fires_still_is_told_when_it_is_up_again) {
  Apply(kPlain);
  Down("namenode");
  FireOf("namenode", "root");
  FireOf("hive", "a");
  FireOf("api", "b");
  Fire("c", {{"pipeline", "daily"}});
  Fire("other", {{"component", "elsewhere"}});
  loop.Advance(1h);
  BOOST_TEST(Heard() == "30s firing other root");
  for (const AlertView& view : manager->Alerts()) {
    const bool stands_on_it = view.alert->Name() != "root" && view.alert->Name() != "other";
    BOOST_TEST((view.state == AlertState::kSuppressed) == stands_on_it);
    if (stands_on_it) BOOST_TEST(DownText(view.suppressed_by.value()) == "namenode (down since 2023-11-14T22:13:20Z)");
  }
  Up("namenode");
  ResolveOf("namenode", "root");
  loop.Advance(5min);
  const std::string heard = Heard();
  BOOST_TEST(heard.find("resolved root") != std::string::npos, heard);
  for (const char* name : {" a", " b", " c"}) BOOST_TEST(heard.find(name) != std::string::npos, heard);
}

BOOST_AUTO_TEST_CASE(the_nearest_to_the_ground_is_the_cause) {
  Apply(kPlain);
  loop.Advance(1s);
  Down("hive");
  FireOf("api", "b");
  BOOST_TEST(manager->Alerts()[0].suppressed_by->name == "hive");
  Down("namenode");
  BOOST_TEST(manager->Alerts()[0].suppressed_by->name == "namenode");
  Up("namenode");
  BOOST_TEST(manager->Alerts()[0].suppressed_by->name == "hive");
  loop.Advance(1min);
}

BOOST_AUTO_TEST_CASE(what_was_told_before_is_not_told_again_and_its_resolve_passes) {
  Apply(kPlain);
  FireOf("hive", "a");
  loop.Advance(1min);
  BOOST_TEST(Heard() == "30s firing a");
  Down("namenode");
  loop.Advance(20h);  // far beyond what the log of notifications would keep
  BOOST_TEST(Heard() == "");
  ResolveOf("hive", "a");
  loop.Advance(5min);
  BOOST_TEST(Heard().ends_with("resolved a"));
}

BOOST_AUTO_TEST_CASE(what_was_never_told_has_no_resolve) {
  Apply(kPlain);
  Down("namenode");
  FireOf("hive", "a");
  loop.Advance(10min);
  ResolveOf("hive", "a");
  loop.Advance(30min);
  BOOST_TEST(Heard() == "");
}

BOOST_AUTO_TEST_CASE(the_resolve_of_a_sibling_does_not_swallow_it) {
  Apply(kPlain);
  FireOf("hive", "a");
  Fire("b");
  loop.Advance(1min);
  Down("namenode");
  Resolve("b");
  loop.Advance(5min);
  BOOST_TEST(Heard() == "30s firing b a; 330s resolved b");
  loop.Advance(30min);
  ResolveOf("hive", "a");
  loop.Advance(5min);
  BOOST_TEST(Heard() == "2430s resolved a");
}

BOOST_AUTO_TEST_CASE(after_such_a_resolve_of_the_group_who_fires_still_is_told_anew) {
  Apply(kPlain);
  FireOf("hive", "a");
  Fire("b");
  loop.Advance(1min);
  Down("namenode");
  Resolve("b");
  loop.Advance(5min);
  Heard();
  Up("namenode");
  loop.Advance(5min);
  BOOST_TEST(Heard() == "630s firing a");
}

BOOST_AUTO_TEST_CASE(a_kill_is_no_recovery) {
  Apply(kPlain);
  Down("namenode");
  FireOf("hive", "a");
  loop.Advance(1min);
  Kill();
  Start();
  Depend();
  Apply(kPlain);
  loop.Advance(1h);
  BOOST_TEST(Heard() == "");
  BOOST_TEST(manager->Alerts()[0].suppressed_by->since.time_since_epoch() / 1s == 1'700'000'000);
  // A configuration that does not watch it any more lets the alert go.
  manager->ApplyDependencies({});
  loop.Advance(5min);
  BOOST_TEST(Heard().ends_with("firing a"));
}

BOOST_AUTO_TEST_CASE(explain_says_so) {
  Apply(kPlain);
  Down("namenode");
  FireOf("hive", "a");
  const auto explained = manager->Explain(manager->Alerts()[0].fingerprint);
  loop.Advance(1min);
  BOOST_TEST(explained->words.at(1).starts_with("It is suppressed by namenode (down since 2023-11-14T22:13:20Z)"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::alertmanager
