// An Alertmanager on a jumping clock, with its configuration from a string and receivers that write down what they are
// told. For tests of the semantics; nothing goes over a network.
#pragma once

#include <chrono>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "alertmanager/alertmanager.h"
#include "core/async/task_group.h"

namespace pipewarden::alertmanager {

using namespace std::chrono_literals;

struct Told {
  core::Duration at{};   // since the fixture's start
  std::string receiver;  // "team/webhook[0]"
  std::string status;    // "firing a b | resolved c", by alertname
};

struct Teller {
  core::JumpingClock* clock = nullptr;
  core::WallTime start{};
  std::vector<Told> told;
  std::map<std::string, std::deque<NotifyOutcome>> outcomes;  // what a receiver answers next; then it succeeds
  std::map<std::string, core::Duration> takes;                // how long it takes
};

class FakeReceiver final : public Receiver {
 public:
  FakeReceiver(std::string name, Teller& teller) : name_(std::move(name)), teller_(teller) {}
  core::Task<NotifyOutcome> Notify(NotifyContext context, std::shared_ptr<const Notification> n) const override {
    if (const auto takes = teller_.takes.find(name_); takes != teller_.takes.end())
      co_await context.loop->Sleep(takes->second);
    if (auto& next = teller_.outcomes[name_]; !next.empty()) {
      NotifyOutcome outcome = std::move(next.front());
      next.pop_front();
      if (!outcome.ok) co_return outcome;
    }
    std::string firing;
    std::string resolved;
    for (const core::Alert& alert : n->alerts)
      (Notification::Resolved(alert) ? resolved : firing) += " " + std::string(alert.Name());
    std::string status;
    if (!firing.empty()) status = "firing" + firing;
    if (!resolved.empty()) status += (status.empty() ? "resolved" : " | resolved") + resolved;
    teller_.told.push_back({teller_.clock->Now() - teller_.start, name_, status});
    co_return Sent();
  }

 private:
  std::string name_;
  Teller& teller_;
};

struct Folder {
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "pipewarden-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

struct AlertmanagerFixture {
  AlertmanagerFixture() {
    teller.clock = &clock;
    teller.start = clock.Now();
  }
  ~AlertmanagerFixture() { Kill(); }

  // As after a start of the process on the same data.
  void Start() {
    manager = std::make_unique<Alertmanager>(loop, http, core::Logger(core::LogLevel::kError, core::LogFormat::kLogfmt),
                                             nullptr, (folder.path / "alertmanager").string(), "http://am");
    if (auto opened = manager->Open(); !opened) throw std::runtime_error(opened.error().message);
  }
  // Ends it as SIGKILL would: nothing is written any more.
  void Kill() {
    manager.reset();
    loop.RunReady();
  }
  void Stop() {
    core::TaskGroup group(loop);
    group.Spawn("stop", manager->Stop());
    loop.Advance(30s);
    manager.reset();
  }

  Config Read(const std::string& text) {
    core::ConfigErrors errors;
    const auto root = core::ParseYaml(text, "alertmanager.yml", errors);
    Config config;
    if (root) config = ReadAlertmanagerConfig(*root, errors);
    if (!errors.empty()) throw std::runtime_error(errors.ToError().message);
    for (ReceiverConfig& receiver : config.receivers)
      for (Integration& integration : receiver.integrations)
        integration.receiver = std::make_shared<FakeReceiver>(receiver.name + "/" + integration.Name(), teller);
    return config;
  }
  void Apply(const std::string& text) {
    if (!manager) Start();
    manager->Apply(Read(text));
  }

  core::Alert Alert(const std::string& name, std::vector<core::Label> more = {}) const {
    more.push_back({"alertname", name});
    core::Alert alert;
    alert.labels = core::Labels(more);
    alert.starts_at = clock.Now();
    alert.ends_at = clock.Now() + 24h;
    return alert;
  }
  void Fire(const std::string& name, std::vector<core::Label> more = {}) { Put(Alert(name, std::move(more))); }
  void Resolve(const std::string& name, std::vector<core::Label> more = {}) {
    core::Alert alert = Alert(name, std::move(more));
    alert.ends_at = clock.Now();
    Put(std::move(alert));
  }
  void Put(core::Alert alert) {
    std::vector<core::Alert> alerts;
    alerts.push_back(std::move(alert));
    (void)manager->Put(std::move(alerts));
  }
  std::string Silence(const std::string& matchers, core::Duration length) {
    alertmanager::Silence silence;
    silence.matchers = ParseMatchers(matchers).value();
    silence.starts_at = clock.Now();
    silence.ends_at = clock.Now() + length;
    return manager->SetSilence(std::move(silence)).value();
  }

  // What was told since the last call: "30s team/webhook[0] firing a; …", receivers left out where there is only one.
  std::string Heard(bool with_receivers = false) {
    std::string out;
    for (; heard < teller.told.size(); ++heard) {
      const Told& told = teller.told[heard];
      if (!out.empty()) out += "; ";
      out += std::to_string(std::chrono::duration_cast<std::chrono::seconds>(told.at).count()) + "s ";
      if (with_receivers) out += told.receiver + " ";
      out += told.status;
    }
    return out;
  }

  core::JumpingClock clock;
  core::Loop loop{clock, core::Logger(core::LogLevel::kError, core::LogFormat::kLogfmt), 1};
  core::HttpClient http{loop};
  Folder folder;
  Teller teller;
  std::size_t heard = 0;
  std::unique_ptr<Alertmanager> manager;
};

}  // namespace pipewarden::alertmanager
