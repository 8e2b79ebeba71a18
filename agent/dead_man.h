// A dead man's switch: a sign of life that goes out while the agent can do its work, so that somebody elsewhere notices
// when it does not come. It is a ping to an address (healthchecks.io and the like), an alert `Watchdog` that always
// fires, or both. Both stop when the agent runs but could not warn anybody: the rules are not judged any more, samples
// or the state of alerts cannot be written, notifications do not get through. A loop that stands still sends nothing
// either way. Loop thread only.
#pragma once

#include <prometheus/registry.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/async/loop.h"
#include "core/async/task_group.h"
#include "core/config/option_table.h"
#include "core/logging.h"
#include "core/model/alert.h"
#include "core/secret.h"

namespace pipewarden::agent {

struct DeadManConfig {
  core::Secret url;       // empty: no ping
  core::Secret fail_url;  // told what is wrong; empty: the pings just stop
  core::Duration interval{};
  core::Duration timeout{};
  core::Duration patience{};  // notifications may fail for this long
  bool watchdog = false;
  std::string identity;  // of what was read; equal texts are equal configurations

  bool enabled() const { return !url.empty() || watchdog; }
};

core::OptionTable DeadManOptions();
DeadManConfig ReadDeadMan(const core::YamlNode& node, core::ConfigErrors& errors);

class DeadMan {
 public:
  struct Parts {
    // Why the agent cannot do its work now, for people; empty where it can.
    std::function<std::vector<std::string>(core::Duration patience)> sickness;
    // Sends a request; a body makes it a POST. An answer below 300 is a success. The error holds no URL.
    std::function<core::Task<core::Result<void>>(std::string url, std::string body, core::Duration timeout)> send;
    std::function<void(core::Alert alert)> put;
  };
  DeadMan(core::Loop& loop, core::Logger logger, const std::shared_ptr<prometheus::Registry>& registry, Parts parts);
  ~DeadMan();

  void Apply(DeadManConfig config);  // an equal one changes nothing
  core::Task<void> Stop();

 private:
  core::Task<void> Run(std::shared_ptr<const DeadManConfig> config);
  core::Task<void> Once(std::shared_ptr<const DeadManConfig> config);
  struct Metrics;

  core::Loop& loop_;
  core::Logger logger_;
  Parts parts_;
  std::unique_ptr<Metrics> metrics_;
  core::TaskGroup tasks_;
  core::TaskGroup::TaskId running_ = 0;
  std::string identity_;
  std::string last_trouble_ = "0";  // of what the log was told
};

}  // namespace pipewarden::agent
