// Sends notifications through a receiver made of YAML, on a real loop in a thread of its own, to a server of the test.
#pragma once

#include <future>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "alertmanager/config.h"
#include "alertmanager/receiver.h"
#include "core/async/task_group.h"

namespace pipewarden::alertmanager {

// Stands in for the templates: looks a text up, and lets what is not known pass as it is.
inline std::shared_ptr<const RenderTemplate> FixedTexts(std::map<std::string, std::string> texts) {
  return std::make_shared<const RenderTemplate>(
      [texts = std::move(texts)](std::string_view text, const Notification&, bool) -> core::Result<std::string> {
        const auto at = texts.find(std::string(text));
        return at == texts.end() ? std::string(text) : at->second;
      });
}

class Harness {
 public:
  // `receiver` is the inside of a receiver's flow map: "webhook_configs: [{url: …}]". Without `render` the real
  // templates are at work.
  Harness(const std::string& receiver, const std::string& global, std::shared_ptr<const RenderTemplate> render)
      : render_(std::move(render)) {
    core::ConfigErrors errors;
    const auto root = core::ParseYaml(
        "global: {" + global + "}\nroute: {receiver: r}\nreceivers: [{name: r, " + receiver + "}]\n", "am.yml", errors);
    if (root) config_ = ReadAlertmanagerConfig(*root, errors);
    if (!errors.empty()) throw std::runtime_error(errors.ToError().message);
    if (render_ == nullptr) render_ = config_.render;
  }

  ~Harness() {
    loop_.Post([this] {
      group_.Cancel();
      loop_.Stop();
    });
    thread_.join();
  }

  NotifyOutcome Notify(const Notification& notification, std::size_t integration = 0) {
    // Shared: set_value may still be at work on it when get() has returned.
    auto ended = std::make_shared<std::promise<NotifyOutcome>>();
    auto outcome = ended->get_future();
    loop_.Post([this, integration, notification, ended] {
      group_.Spawn("notify", Run(config_.receivers.at(0).integrations.at(integration).receiver,
                                 std::make_shared<const Notification>(notification), ended));
    });
    return outcome.get();
  }

 private:
  core::Task<void> Run(std::shared_ptr<const Receiver> receiver, std::shared_ptr<const Notification> notification,
                       std::shared_ptr<std::promise<NotifyOutcome>> ended) {
    NotifyContext context;
    context.loop = &loop_;
    context.http = &http_;
    context.render = render_;
    context.time_left = std::chrono::seconds(10);
    ended->set_value(co_await receiver->Notify(std::move(context), std::move(notification)));
  }

  core::SystemClock clock_;
  core::Loop loop_{clock_, core::Logger(core::LogLevel::kError, core::LogFormat::kLogfmt), 1};
  core::HttpClient http_{loop_};
  core::TaskGroup group_{loop_};
  std::shared_ptr<const RenderTemplate> render_;
  Config config_;
  std::thread thread_{[this] { loop_.Run(); }};
};

// The alert of ../shared/conformance/alerting, firing or resolved.
inline Notification ConformanceNotification(bool resolved) {
  core::Alert alert;
  alert.labels = {{"alertname", "foo"}, {"cluster", "c1"}, {"env", "prod"}, {"severity", "x"}};
  alert.annotations = {{"summary", "s & <t>"}};
  alert.starts_at = core::WallTime{core::Duration{1795230858117077168}};
  if (resolved) alert.ends_at = core::WallTime{std::chrono::seconds{1795230859}};
  if (!resolved) alert.generator_url = "http://g/?a=1&b=2";
  Notification notification;
  notification.receiver = "all";
  notification.group_key = R"({}/{env=~"p.*",severity="x"}:{alertname="foo", cluster="c1"})";
  notification.alerts = {alert};
  notification.group_labels = {{"alertname", "foo"}, {"cluster", "c1"}};
  notification.external_url = "http://vm:19093";
  notification.now = alert.starts_at;
  SetCommon(notification);
  return notification;
}

}  // namespace pipewarden::alertmanager
