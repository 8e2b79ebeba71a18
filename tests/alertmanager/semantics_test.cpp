// What implementers of Alertmanager get wrong, one test each, on a jumping clock.
#include <boost/test/unit_test.hpp>

#include "tests/alertmanager/support/fixture.h"

namespace pipewarden::alertmanager {
namespace {

const std::string kPlain = R"(
route: {receiver: team, group_by: [job], group_wait: 30s, group_interval: 5m, repeat_interval: 4h}
receivers: [{name: team, webhook_configs: [{url: 'http://x/'}]}]
)";
const std::string kTwo = R"(
route: {receiver: team, group_by: [job], group_wait: 30s, group_interval: 5m, repeat_interval: 4h}
receivers: [{name: team, webhook_configs: [{url: 'http://x/'}, {url: 'http://y/'}]}]
)";
const std::string kNoResolved = R"(
route: {receiver: team, group_by: [job], group_wait: 30s, group_interval: 5m, repeat_interval: 4h}
receivers: [{name: team, webhook_configs: [{url: 'http://x/', send_resolved: false}]}]
)";

BOOST_FIXTURE_TEST_SUITE(semantics, AlertmanagerFixture)

BOOST_AUTO_TEST_CASE(group_wait_then_a_fixed_cadence_and_latecomers_wait_for_the_tick) {
  Apply(kPlain);
  Fire("a");
  loop.Advance(20s);
  Fire("b");
  loop.Advance(15s);  // 35 s
  BOOST_TEST(Heard() == "30s firing a b");
  Fire("c");
  loop.Advance(5min);  // 335 s: the tick was at 330
  BOOST_TEST(Heard() == "330s firing a b c");
  loop.Advance(1h);
  BOOST_TEST(Heard() == "");
}

BOOST_AUTO_TEST_CASE(the_cadence_is_not_moved_by_slow_sending) {
  Apply(kPlain);
  teller.takes["team/webhook[0]"] = 40s;
  Fire("a");
  loop.Advance(2min);
  Fire("b");
  loop.Advance(10min);
  BOOST_TEST(Heard() == "70s firing a; 370s firing a b");
}

BOOST_AUTO_TEST_CASE(an_alert_older_than_group_wait_is_told_at_once) {
  Apply(kPlain);
  core::Alert old = Alert("a");
  old.starts_at = clock.Now() - 1min;
  Put(old);
  loop.Advance(1s);
  BOOST_TEST(Heard() == "0s firing a");
}

BOOST_AUTO_TEST_CASE(after_a_reload_too) {
  Apply(kPlain);
  Fire("a");
  loop.Advance(20s);
  Apply(std::string(kPlain).replace(kPlain.find("30s"), 3, "10s"));  // the group starts anew, its alert is 20 s old
  loop.Advance(1s);
  BOOST_TEST(Heard() == "20s firing a");
}

BOOST_AUTO_TEST_CASE(a_reload_keeps_the_rhythm_of_what_has_not_changed) {
  Apply(kPlain);
  Fire("a");
  loop.Advance(31s);
  Apply(kPlain + "inhibit_rules: []\n");
  Fire("b");
  loop.Advance(10min);
  BOOST_TEST(Heard() == "30s firing a; 330s firing a b");
}

BOOST_AUTO_TEST_CASE(firing_set_grows_shrinks_resolves) {
  Apply(kPlain);
  Fire("a");
  Fire("b");
  loop.Advance(1min);
  Resolve("b");
  loop.Advance(5min);
  Resolve("a");
  loop.Advance(10min);
  BOOST_TEST(Heard() == "30s firing a b; 330s firing a | resolved b; 630s resolved a");
}

BOOST_AUTO_TEST_CASE(the_repeat_is_strictly_older_and_rounds_up_to_the_interval) {
  Apply(R"(
route: {receiver: team, group_wait: 30s, group_interval: 5m, repeat_interval: 15m}
receivers: [{name: team, webhook_configs: [{url: 'http://x/'}]}]
)");
  Fire("a");
  loop.Advance(45min);
  // Told at 30 s; at 930 s it is exactly 15 min old, which is not older.
  BOOST_TEST(Heard() == "30s firing a; 1230s firing a; 2430s firing a");
}

BOOST_AUTO_TEST_CASE(a_flap_within_group_wait_tells_nothing) {
  Apply(kPlain);
  Fire("a");
  loop.Advance(10s);
  Resolve("a");
  loop.Advance(1h);
  BOOST_TEST(Heard() == "");
}

BOOST_AUTO_TEST_CASE(a_flap_between_two_ticks_is_invisible) {
  Apply(kPlain);
  Fire("a");
  loop.Advance(1min);
  Resolve("a");
  loop.Advance(1min);
  Fire("a");
  loop.Advance(1h);
  BOOST_TEST(Heard() == "30s firing a");
}

BOOST_AUTO_TEST_CASE(what_changes_while_it_is_told_is_not_deleted) {
  Apply(kPlain);
  teller.takes["team/webhook[0]"] = 1min;
  Fire("a");
  loop.Advance(2min);
  Resolve("a");
  loop.Advance(3min + 40s);  // 340 s: the resolve is being told since 330 s
  Fire("a");
  loop.Advance(15min);
  BOOST_TEST(Heard() == "90s firing a; 390s resolved a; 690s firing a");
}

BOOST_AUTO_TEST_CASE(without_send_resolved_the_resolve_is_logged_all_the_same) {
  Apply(kNoResolved);
  Fire("a");
  loop.Advance(1min);
  Resolve("a");
  loop.Advance(6min);
  Fire("a");
  loop.Advance(10min);
  BOOST_TEST(Heard() == "30s firing a; 450s firing a");  // 420 s + group_wait: the empty group has gone meanwhile
}

BOOST_AUTO_TEST_CASE(without_send_resolved_the_message_holds_firing_ones_alone) {
  Apply(kNoResolved);
  Fire("a");
  Fire("b");
  loop.Advance(1min);
  Resolve("a");
  Fire("c");
  loop.Advance(10min);
  BOOST_TEST(Heard() == "30s firing a b; 330s firing b c");
}

BOOST_AUTO_TEST_CASE(a_failing_integration_keeps_resolved_alerts_and_siblings_are_told_once) {
  Apply(kTwo);
  Fire("a");
  loop.Advance(1min);
  BOOST_TEST(Heard(true) == "30s team/webhook[0] firing a; 30s team/webhook[1] firing a");
  teller.outcomes["team/webhook[1]"].push_back(GiveUp("no"));
  Resolve("a");
  loop.Advance(20min);
  BOOST_TEST(Heard(true) == "330s team/webhook[0] resolved a; 630s team/webhook[1] resolved a");
}

BOOST_AUTO_TEST_CASE(retries_back_off_until_the_deadline_and_the_next_tick_goes_on) {
  Apply(kPlain);
  for (int i = 0; i < 1000; ++i) teller.outcomes["team/webhook[0]"].push_back(TryAgain("down"));
  Fire("a");
  loop.Advance(30s + 5min);
  // 0.5 s growing by half up to a minute: about sixteen attempts in five minutes.
  const std::size_t left = teller.outcomes["team/webhook[0]"].size();
  BOOST_TEST(left < 990U);
  BOOST_TEST(left > 970U);
  teller.outcomes["team/webhook[0]"].clear();
  loop.Advance(5min);
  BOOST_TEST(!Heard().empty());
  BOOST_TEST(teller.told.size() == 1U);
}

BOOST_AUTO_TEST_CASE(retry_after_is_honoured) {
  Apply(kPlain);
  NotifyOutcome busy = TryAgain("429");
  busy.retry_after = 100s;
  teller.outcomes["team/webhook[0]"].push_back(busy);
  Fire("a");
  loop.Advance(5min);
  BOOST_TEST(Heard() == "130s firing a");
}

BOOST_AUTO_TEST_CASE(what_is_no_use_to_retry_waits_for_the_next_tick) {
  Apply(kPlain);
  teller.outcomes["team/webhook[0]"].push_back(GiveUp("400"));
  Fire("a");
  loop.Advance(10min);
  BOOST_TEST(Heard() == "330s firing a");
}

BOOST_AUTO_TEST_CASE(what_resolves_before_it_got_through_is_given_up_and_not_told) {
  Apply(kTwo);
  for (int i = 0; i < 100; ++i) teller.outcomes["team/webhook[1]"].push_back(TryAgain("down"));
  Fire("a");
  loop.Advance(4min);
  Resolve("a");
  loop.Advance(2min);
  teller.outcomes.clear();
  loop.Advance(30min);
  BOOST_TEST(Heard(true) == "30s team/webhook[0] firing a; 330s team/webhook[0] resolved a");
}

BOOST_AUTO_TEST_CASE(a_silenced_alert_is_not_told_and_told_when_the_silence_ends) {
  Apply(kPlain);
  Silence("alertname=a", 12min);
  Fire("a");
  Fire("b");
  loop.Advance(20min);
  BOOST_TEST(Heard() == "30s firing b; 930s firing a b");
}

BOOST_AUTO_TEST_CASE(a_resolve_while_silenced_vanishes) {
  // As Alertmanager does: neither the resolve nor the next firing is told before repeat_interval.
  Apply(kPlain);
  Fire("a");
  loop.Advance(1min);
  const std::string id = Silence("alertname=a", 24h);
  Resolve("a");
  loop.Advance(10min);
  BOOST_REQUIRE(manager->ExpireSilence(id).has_value());
  Fire("a");
  loop.Advance(1h);
  BOOST_TEST(Heard() == "30s firing a");
}

BOOST_AUTO_TEST_CASE(the_timeout_resolves_what_is_not_told_again) {
  Apply(kPlain);
  core::Alert alert = Alert("a");
  alert.ends_at = {};
  Put(alert);
  loop.Advance(4min);
  Put(alert);  // told again: nine minutes from the start on
  loop.Advance(20min);
  BOOST_TEST(Heard() == "30s firing a; 630s resolved a");
}

BOOST_AUTO_TEST_CASE(the_log_is_keyed_by_matchers_and_by_the_integrations_place) {
  Apply(kTwo);
  Fire("a");
  loop.Advance(1min);
  BOOST_TEST(teller.told.size() == 2U);
  Heard();
  // A third integration is told at the next tick, the others are not again.
  Apply(R"(
route: {receiver: team, group_by: [job], group_wait: 30s, group_interval: 5m, repeat_interval: 4h}
receivers: [{name: team, webhook_configs: [{url: 'http://x/'}, {url: 'http://y/'}, {url: 'http://z/'}]}]
)");
  loop.Advance(10min);
  BOOST_TEST(Heard(true) == "330s team/webhook[2] firing a");
}

BOOST_AUTO_TEST_CASE(several_routes_by_continue_and_group_by_all) {
  Apply(R"(
route:
  receiver: rest
  group_by: [job]
  group_wait: 10s
  routes:
    - {matchers: ['team="x"'], receiver: x, continue: true}
    - {matchers: ['severity="page"'], receiver: page, group_by: ['...']}
receivers:
  - {name: rest, webhook_configs: [{url: 'http://x/'}]}
  - {name: x, webhook_configs: [{url: 'http://x/'}]}
  - {name: page, webhook_configs: [{url: 'http://x/'}]}
)");
  Fire("a", {{"team", "x"}, {"severity", "page"}});
  Fire("b", {{"severity", "page"}});
  Fire("c", {{"team", "x"}});
  Fire("d");
  loop.Advance(1min);
  BOOST_TEST(Heard(true) ==
             "10s x/webhook[0] firing c a; 10s page/webhook[0] firing a; 10s page/webhook[0] firing b; "
             "10s rest/webhook[0] firing d");
}

BOOST_AUTO_TEST_CASE(muted_and_active_times) {
  Apply(R"(
route:
  receiver: team
  group_wait: 10s
  group_interval: 1m
  routes:
    - {matchers: ['quiet="night"'], mute_time_intervals: [night]}
    - {matchers: ['quiet="day"'], active_time_intervals: [night]}
receivers: [{name: team, webhook_configs: [{url: 'http://x/'}]}]
time_intervals: [{name: night, time_intervals: [{times: [{start_time: '22:00', end_time: '23:00'}]}]}]
)");
  // The clock starts at 2023-11-14 22:13:20 UTC.
  Fire("a", {{"quiet", "night"}});
  Fire("b", {{"quiet", "day"}});
  loop.Advance(46min + 30s);  // 22:59:50
  BOOST_TEST(Heard() == "10s firing b");
  loop.Advance(2min);
  BOOST_TEST(Heard() == "2830s firing a");
  const auto views = manager->Alerts();
  for (const AlertView& view : views)
    BOOST_TEST((view.state == AlertState::kSuppressed) == (view.alert->Name() == "b"));
}

BOOST_AUTO_TEST_CASE(unprocessed_before_the_configuration) {
  Start();
  Fire("a");
  BOOST_TEST((manager->Alerts().at(0).state == AlertState::kUnprocessed));
  Apply(kPlain);
  loop.Advance(1min);
  BOOST_TEST(Heard() == "30s firing a");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::alertmanager
