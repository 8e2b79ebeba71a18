// Nothing is forgotten over SIGKILL: the journal alone is left.
#include <boost/test/unit_test.hpp>

#include "tests/alertmanager/support/fixture.h"

namespace pipewarden::alertmanager {
namespace {

const std::string kPlain = R"(
route: {receiver: team, group_by: [job], group_wait: 30s, group_interval: 5m, repeat_interval: 4h}
receivers: [{name: team, webhook_configs: [{url: 'http://x/'}]}]
)";

struct PersistenceFixture : AlertmanagerFixture {
  void Restart(core::Duration down) {
    Kill();
    clock.Jump(down);
    Apply(kPlain);
  }
};

BOOST_FIXTURE_TEST_SUITE(persistence, PersistenceFixture)

BOOST_AUTO_TEST_CASE(what_was_told_is_not_told_again_and_the_resolve_is) {
  Apply(kPlain);
  Fire("a");
  loop.Advance(1min);
  BOOST_TEST(Heard() == "30s firing a");
  Restart(10min);
  loop.Advance(1min);
  BOOST_TEST(Heard() == "");
  BOOST_TEST(manager->Alerts().size() == 1U);
  Resolve("a");
  loop.Advance(10min);
  BOOST_TEST(Heard() == "960s resolved a");  // 660 s (flushed at once, nothing to tell) + 5 min
}

// More than are grouped in one turn of the loop.
BOOST_AUTO_TEST_CASE(many_alerts_and_groups_stay_as_they_are_over_reloads_and_a_restart) {
  Apply(kPlain);
  const auto name = [](int i) { return "a" + std::to_string(i); };
  const auto job = [](int i) { return std::vector<core::Label>{{"job", std::to_string(i % 400)}}; };
  for (int i = 0; i < 1000; ++i) Fire(name(i), job(i));
  loop.Advance(1min);
  BOOST_TEST(teller.told.size() == 400U);
  Apply(kPlain + "inhibit_rules: []\n");
  Apply(kPlain);  // while the one before is under way
  Fire("new", job(0));
  loop.Advance(270s);  // the tick at 330 s
  BOOST_TEST(teller.told.size() == 401U);
  Restart(1min);
  loop.Advance(4min);
  BOOST_TEST(manager->Alerts().size() == 1001U);
  BOOST_TEST(teller.told.size() == 401U);
  for (int i = 0; i < 1000; ++i) Resolve(name(i), job(i));
  Resolve("new", job(0));
  loop.Advance(5min);
  BOOST_TEST(teller.told.size() == 801U);
}

BOOST_AUTO_TEST_CASE(what_was_not_told_yet_is_told_after_the_start) {
  Apply(kPlain);
  Fire("a");
  loop.Advance(10s);
  Restart(1min);
  loop.Advance(1min);
  BOOST_TEST(Heard() == "70s firing a");
}

BOOST_AUTO_TEST_CASE(a_delivery_that_kept_failing_goes_on) {
  Apply(kPlain);
  for (int i = 0; i < 100; ++i) teller.outcomes["team/webhook[0]"].push_back(TryAgain("down"));
  Fire("a");
  loop.Advance(2min);
  teller.outcomes.clear();
  Restart(1s);
  loop.Advance(1s);
  BOOST_TEST(Heard() == "121s firing a");
}

BOOST_AUTO_TEST_CASE(a_resolve_that_was_not_told_yet_is_told) {
  Apply(kPlain);
  Fire("a");
  loop.Advance(1min);
  Resolve("a");
  Restart(1min);
  loop.Advance(10min);
  BOOST_TEST(Heard() == "30s firing a; 120s resolved a");
}

BOOST_AUTO_TEST_CASE(an_alert_whose_source_is_gone_times_out_after_the_start) {
  Apply(kPlain);
  core::Alert alert = Alert("a");
  alert.ends_at = {};
  Put(alert);
  loop.Advance(1min);
  Restart(1h);
  loop.Advance(15min);
  // Awake for resolve_timeout (5 min) after the start at 3660 s, told at the first tick after it.
  BOOST_TEST(Heard() == "30s firing a; 3960s resolved a");
  Restart(1min);
  loop.Advance(10min);
  BOOST_TEST(Heard() == "");  // and that is not forgotten either
}

BOOST_AUTO_TEST_CASE(silences_and_the_inbox_stay) {
  Apply(kPlain);
  Silence("alertname=a", 1h);
  Fire("a");
  Fire("b");
  loop.Advance(1min);
  Restart(1min);
  BOOST_TEST(manager->silences().size() == 1U);
  const std::vector<InboxEntry> inbox = manager->Inbox();
  BOOST_REQUIRE(inbox.size() == 1U);
  BOOST_TEST(inbox[0].title == "[FIRING:1]  (b)");
  BOOST_TEST(inbox[0].alerts.size() == 1U);
  loop.Advance(1min);
  BOOST_TEST(Heard() == "30s firing b");
}

BOOST_AUTO_TEST_CASE(an_orderly_stop_leaves_a_checkpoint_that_says_the_same) {
  Apply(kPlain);
  Fire("a");
  Fire("b");
  loop.Advance(1min);
  Resolve("b");
  Stop();
  BOOST_TEST(Heard() == "30s firing a b");
  Apply(kPlain);
  loop.Advance(10min);
  BOOST_TEST(Heard() == "90s firing a | resolved b");
}

struct Copies {
  std::size_t puts = 0;
  std::vector<std::size_t> puts_by_then;  // of each copy
};

// Puts one alert a turn while a checkpoint is written, and copies the files now and then, as a kill would leave them.
core::Task<void> PutEachTurn(PersistenceFixture* fixture, Copies* copies) {
  const std::filesystem::path files = fixture->folder.path / "alertmanager";
  const auto writing = [&] { return std::filesystem::exists(files / "alertmanager.1.checkpoint.tmp"); };
  for (int turn = 0; turn < 10'000 && !writing(); ++turn) co_await fixture->loop.Sleep(core::Duration::zero());
  for (; writing() && copies->puts < 80; ++copies->puts) {
    fixture->Fire("meanwhile", {{"n", std::to_string(copies->puts)}});
    const auto copy = fixture->folder.path / ("copy" + std::to_string(copies->puts_by_then.size()));
    std::error_code vanished;
    if (copies->puts % 8 == 0) std::filesystem::copy(files, copy, vanished);
    // One that was taken while the files took their names is no picture of one moment.
    if (copies->puts % 8 == 0 && writing()) copies->puts_by_then.push_back(copies->puts + 1);
    co_await fixture->loop.Sleep(core::Duration::zero());
  }
}

BOOST_AUTO_TEST_CASE(a_kill_while_a_checkpoint_is_written_loses_nothing) {
  Apply(kPlain);
  constexpr std::size_t kAlerts = 3000;
  std::vector<core::Alert> alerts;
  for (std::size_t i = 0; i < kAlerts; ++i) {
    alerts.push_back(Alert("a", {{"n", std::to_string(i)}}));
    alerts.back().annotations.Set("summary", std::string(400, 's'));
  }
  BOOST_TEST(manager->Put(std::move(alerts)).has_value());
  core::TaskGroup group(loop);
  Copies copies;
  group.Spawn("stop", manager->Stop());
  group.Spawn("put", PutEachTurn(this, &copies));
  loop.RunReady();
  BOOST_TEST(std::filesystem::exists(folder.path / "alertmanager/alertmanager.1.checkpoint"));
  BOOST_TEST(copies.puts > 5U);  // it was written in pieces, and the loop went on between them
  const auto count = [&] { return manager->Alerts().size(); };
  BOOST_TEST(count() == kAlerts + copies.puts);
  Restart(1s);
  loop.RunReady();
  BOOST_TEST(count() == kAlerts + copies.puts);
  BOOST_TEST(!copies.puts_by_then.empty());
  for (std::size_t i = 0; i < copies.puts_by_then.size(); ++i) {
    Kill();
    std::filesystem::remove_all(folder.path / "alertmanager");
    std::filesystem::rename(folder.path / ("copy" + std::to_string(i)), folder.path / "alertmanager");
    Apply(kPlain);
    loop.RunReady();
    BOOST_TEST(count() == kAlerts + copies.puts_by_then[i]);
  }
}

BOOST_AUTO_TEST_CASE(a_stop_lets_a_delivery_under_way_end) {
  Apply(kPlain);
  teller.takes["team/webhook[0]"] = 5s;
  Fire("a");
  loop.Advance(31s);
  Stop();
  BOOST_TEST(Heard() == "35s firing a");
  teller.takes.clear();
  Apply(kPlain);
  loop.Advance(10min);
  BOOST_TEST(Heard() == "");
}

BOOST_AUTO_TEST_CASE(resolved_alerts_are_forgotten_in_the_end) {
  Apply(kPlain);
  Fire("a");
  loop.Advance(1min);
  Resolve("a");
  loop.Advance(1h);
  Restart(1s);
  loop.Advance(1min);
  BOOST_TEST(Heard() == "30s firing a; 330s resolved a");
  BOOST_TEST(manager->Alerts().empty());
}

BOOST_AUTO_TEST_CASE(the_inbox_alone_needs_no_configuration) {
  Start();
  manager->Apply(InboxOnlyConfig());
  Fire("a", {{"severity", "page"}});
  loop.Advance(1min);
  Resolve("a", {{"severity", "page"}});
  loop.Advance(10min);
  const std::vector<InboxEntry> inbox = manager->Inbox();
  BOOST_REQUIRE(inbox.size() == 2U);
  BOOST_TEST(inbox[1].title == "[FIRING:1] a (page)");
  BOOST_TEST(inbox[0].title == "[RESOLVED] a (page)");
  BOOST_TEST(inbox[0].resolved);
  BOOST_TEST(inbox[0].id > inbox[1].id);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::alertmanager
