// Three alertmanagers on one jumping clock, joined by a network that is a map of names.
#include "alertmanager/cluster.h"

#include <boost/test/unit_test.hpp>

#include "tests/alertmanager/support/fixture.h"

namespace pipewarden::alertmanager {
namespace {

const std::string kPlain = R"(
route: {receiver: team, group_by: [job], group_wait: 30s, group_interval: 5m, repeat_interval: 4h}
receivers: [{name: team, webhook_configs: [{url: 'http://x/'}]}]
)";

struct Network {
  std::map<std::string, Cluster*> reached;  // by address

  static core::Task<core::Result<std::string>> Send(Network& network, std::string to, std::string message) {
    core::Result<std::string> answer;
    const auto at = network.reached.find(to);
    if (at == network.reached.end())
      answer = core::Fail(core::ErrorCode::kUnavailable, "connection refused");
    else
      answer = at->second->Receive(message, "10.0.0.9");
    co_return answer;
  }
};

struct ClusterFixture : AlertmanagerFixture {
  ~ClusterFixture() {
    for (int i = 0; i < 3; ++i) Kill(i);
  }
  static std::string Address(int i) { return "host" + std::to_string(i) + ":9094"; }

  // Each knows the first alone; of the others it hears. Names give the order.
  void Start(int i, const std::string& name = "") {
    auto& one = managers[i];
    one = std::make_unique<Alertmanager>(loop, http, core::Logger(core::LogLevel::kError, core::LogFormat::kLogfmt),
                                         nullptr, (folder.path / std::to_string(i)).string(), "http://am");
    if (auto opened = one->Open(); !opened) throw std::runtime_error(opened.error().message);
    one->Join({.name = name.empty() ? "n" + std::to_string(i) : name,
               .address = Address(i),
               .peers = {Address(0)},
               .send = [this](std::string to, std::string message) {
                 return Network::Send(network, std::move(to), std::move(message));
               }});
    network.reached[Address(i)] = one->cluster();
    Config config = Read(kPlain);
    config.inbox = false;
    for (ReceiverConfig& receiver : config.receivers)
      for (Integration& integration : receiver.integrations)
        integration.receiver = std::make_shared<FakeReceiver>(std::to_string(i), teller);
    one->Apply(config);
  }
  void StartAll() {
    for (int i = 0; i < 3; ++i) Start(i);
    loop.Advance(3s);
  }
  void Kill(int i) {
    network.reached.erase(Address(i));
    managers[i].reset();
    loop.RunReady();
  }
  void FireAll(const std::string& name) {
    for (auto& manager : managers)
      if (manager) (void)manager->Put({Alert(name)});
  }
  std::string Names(int i) const {
    std::string names;
    for (const ClusterMember& member : managers[i]->cluster()->View().members) names += member.name + " ";
    return names;
  }
  std::string Set(int i, const std::string& matchers) const {
    alertmanager::Silence silence;
    silence.matchers = ParseMatchers(matchers).value();
    silence.starts_at = clock.Now();
    silence.ends_at = clock.Now() + 1h;
    return managers[i]->SetSilence(std::move(silence)).value();
  }
  bool Silenced(int i, const std::string& name) const {
    return !managers[i]->silences().SilencedBy(Alert(name).labels, clock.Now()).empty();
  }

  Network network;
  std::unique_ptr<Alertmanager> managers[3];
};

BOOST_FIXTURE_TEST_SUITE(cluster, ClusterFixture)

BOOST_AUTO_TEST_CASE(all_hear_of_each_other_by_one) {
  StartAll();
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST(Names(i) == "n0 n1 n2 ");
    BOOST_TEST(managers[i]->cluster()->View().settled);
  }
}

BOOST_AUTO_TEST_CASE(one_tells_and_the_others_know) {
  StartAll();
  FireAll("a");
  loop.Advance(10min);
  BOOST_TEST(Heard(true) == "33s 0 firing a");
  for (auto& manager : managers) {
    core::Alert resolved = Alert("a");
    resolved.ends_at = clock.Now();
    (void)manager->Put({resolved});
  }
  loop.Advance(10min);
  BOOST_TEST(Heard(true) == "633s 0 resolved a");
}

BOOST_AUTO_TEST_CASE(the_next_tells_where_the_first_is_dead) {
  StartAll();
  FireAll("a");
  loop.Advance(20s);
  Kill(0);
  loop.Advance(10min);
  BOOST_TEST(Heard(true) == "33s 1 firing a");  // it was seen to be down by then
  BOOST_TEST(Names(1) == "n1 n2 ");
}

BOOST_AUTO_TEST_CASE(the_next_waits_its_turn_where_the_first_dies_just_before_it_tells) {
  StartAll();
  FireAll("a");
  loop.Advance(29s);
  Kill(0);
  loop.Advance(10min);
  BOOST_TEST(Heard(true) == "48s 1 firing a");  // 33 s and one place
}

BOOST_AUTO_TEST_CASE(where_the_first_cannot_deliver_the_next_does) {
  StartAll();
  for (int i = 0; i < 1000; ++i) teller.outcomes["0"].push_back(TryAgain("down"));
  FireAll("a");
  loop.Advance(1min);
  BOOST_TEST(Heard(true) == "48s 1 firing a");
}

BOOST_AUTO_TEST_CASE(a_silence_is_everyones) {
  StartAll();
  const std::string id = Set(2, "alertname=a");
  loop.RunReady();
  for (int i = 0; i < 3; ++i) BOOST_TEST(Silenced(i, "a"));
  FireAll("a");
  loop.Advance(10min);
  BOOST_TEST(Heard() == "");
  // Ended by another than who has set it.
  BOOST_TEST(managers[1]->ExpireSilence(id).has_value());
  loop.RunReady();
  for (int i = 0; i < 3; ++i) BOOST_TEST(!Silenced(i, "a"));
}

BOOST_AUTO_TEST_CASE(who_comes_back_gets_everything_before_it_tells) {
  StartAll();
  FireAll("a");
  loop.Advance(1min);
  BOOST_TEST(Heard(true) == "33s 0 firing a");
  Kill(0);
  std::filesystem::remove_all(folder.path / "0");
  Set(1, "alertname=b");
  loop.Advance(1min);
  Start(0, "n0again");
  FireAll("a");
  loop.Advance(10min);
  BOOST_TEST(Names(0) == "n0again n1 n2 ");
  BOOST_TEST(Silenced(0, "b"));
  BOOST_TEST(Heard() == "");  // it was told by the one before it
}

BOOST_AUTO_TEST_CASE(alone_it_goes_on) {
  Start(1);  // nobody answers where it looks
  (void)managers[1]->Put({Alert("a")});
  loop.Advance(1min);
  BOOST_TEST(Heard() == "30s firing a");
  BOOST_TEST(managers[1]->cluster()->View().settled);
}

// What got lost between two of them comes with the next time that everything is shared.
BOOST_AUTO_TEST_CASE(a_cut_between_two_heals) {
  StartAll();
  Cluster* cut = network.reached.at(Address(2));
  network.reached.erase(Address(2));
  Set(0, "alertname=a");
  loop.Advance(10s);
  BOOST_TEST(!Silenced(2, "a"));
  BOOST_TEST(Names(0) == "n0 n1 ");
  network.reached[Address(2)] = cut;
  loop.Advance(10s);
  BOOST_TEST(Silenced(2, "a"));
  BOOST_TEST(Names(0) == "n0 n1 n2 ");
}

BOOST_AUTO_TEST_CASE(what_is_no_message_is_refused) {
  StartAll();
  for (const char* text : {"", "X", "hello", "X\x02", "X\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"})
    BOOST_TEST(!managers[0]->cluster()->Receive(text, "10.0.0.1").has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::alertmanager
