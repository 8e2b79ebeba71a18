// What explain tells of an alert's way, and the history of notifications.
#include "alertmanager/explain.h"

#include <boost/test/unit_test.hpp>

#include "tests/alertmanager/support/fixture.h"

namespace pipewarden::alertmanager {
namespace {

const std::string kPlain = R"(
route:
  receiver: all
  routes:
    - {receiver: team, matchers: ['severity="page"'], group_by: [job], group_wait: 30s, group_interval: 5m,
       repeat_interval: 4h, mute_time_intervals: [never]}
receivers: [{name: all}, {name: team, webhook_configs: [{url: 'http://x/'}]}]
inhibit_rules: [{source_matchers: [alertname=root], target_matchers: [alertname=a]}]
time_intervals: [{name: never, time_intervals: [{years: ['2001']}]}]
)";

struct ExplainFixture : AlertmanagerFixture {
  void FirePage(const std::string& name) { Fire(name, {{"severity", "page"}}); }
  std::uint64_t Fingerprint() const { return Alert("a", {{"severity", "page"}}).Fingerprint(); }
  std::string Words() {
    const auto explained = manager->Explain(Fingerprint());
    if (!explained) return "unknown";
    std::string all;
    for (const std::string& sentence : explained->words) all += sentence + "\n";
    return all;
  }
  bool Says(const std::string& part) {
    const std::string words = Words();
    if (words.find(part) != std::string::npos) return true;
    BOOST_TEST_MESSAGE(words);
    return false;
  }
};

BOOST_FIXTURE_TEST_SUITE(explain, ExplainFixture)

BOOST_AUTO_TEST_CASE(the_way_of_an_alert_from_held_to_told_to_forgotten) {
  Apply(kPlain);
  FirePage("a");
  BOOST_TEST(Says("It fires since 2023-11-14T22:13:20Z"));
  BOOST_TEST(Says(
      R"(Route {}/{severity="page"} takes it to receiver 'team', in the group {} (group key {}/{severity="page"}:{}).)"));
  BOOST_TEST(Says("The group is held until 2023-11-14T22:13:50Z (group_wait 30s)."));
  BOOST_TEST(Says("webhook[0] has not been told of it; it is told at 2023-11-14T22:13:50Z."));
  loop.Advance(1min);
  BOOST_TEST(
      Says("webhook[0] was told that it fires, last at 2023-11-14T22:13:50Z; it is told again at "
           "2023-11-15T02:18:50Z (repeat_interval 4h), or sooner when the group changes: its next tick is "
           "2023-11-14T22:18:50Z."));
  BOOST_TEST(Says("At 2023-11-14T22:13:50Z '[FIRING:1]  (a page)' to team/webhook[0] was sent (the group is new)."));
  Resolve("a", {{"severity", "page"}});
  BOOST_TEST(Says("and resolved at 2023-11-14T22:14:20Z"));
  BOOST_TEST(Says("that it has resolved is told at 2023-11-14T22:18:50Z"));
  loop.Advance(1h);
  BOOST_TEST(Says("It has resolved and is forgotten"));
  BOOST_TEST(Says("(all alerts have resolved)."));
  BOOST_TEST(!manager->Explain(42).has_value());
}

BOOST_AUTO_TEST_CASE(the_predicted_repeat_is_when_it_comes) {
  Apply(kPlain);
  FirePage("a");
  loop.Advance(10min);
  Heard();
  const auto explained = manager->Explain(Fingerprint());
  const core::WallTime repeat = explained->routes.at(0).integrations.at(1).repeat_at;
  loop.Advance(5h);
  BOOST_TEST(Heard() == std::to_string((repeat - teller.start) / 1s) + "s firing a");
}

BOOST_AUTO_TEST_CASE(what_keeps_it_quiet) {
  Apply(kPlain);
  FirePage("a");
  Fire("root");
  const std::string id = Silence("alertname=a", 2h);
  loop.Advance(1min);
  BOOST_TEST(Says("It is inhibited by {alertname=\"root\"} ("));
  BOOST_TEST(Says("It is silenced by " + id + " {alertname=\"a\"}"));
  BOOST_TEST(
      Says("nothing goes out while it is quiet; the group looks again at 2023-11-14T22:18:50Z and then every 5m"));
}

BOOST_AUTO_TEST_CASE(a_receiver_that_fails) {
  Apply(kPlain);
  for (int i = 0; i < 1000; ++i) teller.outcomes["team/webhook[0]"].push_back(TryAgain("answered 503: on strike"));
  FirePage("a");
  loop.Advance(1min);
  BOOST_TEST(Says("webhook[0] has not been told of it; a notification is under way right now"));
  loop.Advance(4min + 31s);
  BOOST_TEST(Says("attempts: answered 503: on strike (the group is new)."));
  const auto history = manager->NotificationHistory();
  BOOST_REQUIRE(history.size() == 1U);
  BOOST_TEST((history[0].result == NotifyResult::kFailed));
  BOOST_TEST(history[0].attempts > 3);
  // It resolves before anyone hears of it.
  Resolve("a", {{"severity", "page"}});
  loop.Advance(11min);
  BOOST_TEST((manager->NotificationHistory()[0].result == NotifyResult::kGivenUp));
}

BOOST_AUTO_TEST_CASE(the_history_is_kept_over_a_kill_and_bounded) {
  Apply(kPlain);
  for (int i = 0; i < 30; ++i) {
    FirePage("a");
    loop.Advance(5min);
    Resolve("a", {{"severity", "page"}});
    loop.Advance(10min);
  }
  const auto before = manager->NotificationHistory();
  BOOST_TEST(before.size() > 20U);
  Kill();
  Apply(kPlain);
  loop.Advance(1s);
  const auto after = manager->NotificationHistory();
  BOOST_REQUIRE(after.size() == before.size());
  BOOST_TEST(after[0].title == before[0].title);
  BOOST_TEST(after[0].id == before[0].id);
  BOOST_TEST((after.back().at == before.back().at));

  History history;
  HistoryEntry entry;
  entry.firing.resize(1000, 1);
  for (std::size_t i = 0; i < History::kMaxEntries + 5; ++i) history.Add(entry);
  BOOST_TEST(history.size() == History::kMaxEntries);
  BOOST_TEST(history.List(1)[0].firing.size() == History::kMaxFingerprints);
  BOOST_TEST(history.List(1)[0].firing_count == 1000U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::alertmanager
