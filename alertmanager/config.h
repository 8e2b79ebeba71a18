// alertmanager.yml, read as Alertmanager reads it: strictly, with every key of 0.25 to 0.34, and no key of ours. All
// mistakes are found in one go, each with its place. A Config is immutable once read; copies share the receivers.
//
// Source: prometheus/alertmanager docs/configuration.md and the behaviour of amtool check-config.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "alertmanager/matchers.h"
#include "alertmanager/receiver.h"
#include "alertmanager/time_interval.h"
#include "core/config/yaml.h"
#include "core/time/clock.h"

namespace pipewarden::alertmanager {

// A node of the route tree, what it inherits filled in.
struct RouteConfig {
  std::string receiver;
  Matchers matchers;  // sorted; match and match_re are among them
  bool continue_matching = false;
  bool group_by_all = false;          // group_by: ['...']
  std::vector<std::string> group_by;  // sorted, unique
  core::Duration group_wait = std::chrono::seconds(30);
  core::Duration group_interval = std::chrono::minutes(5);
  core::Duration repeat_interval = std::chrono::hours(4);
  std::vector<std::string> mute_time_intervals;    // not inherited
  std::vector<std::string> active_time_intervals;  // not inherited
  core::Labels labels;                             // each a template
  std::vector<RouteConfig> routes;
};

struct InhibitRuleConfig {
  std::string name;
  Matchers source;
  Matchers target;
  std::vector<std::string> equal;  // sorted, unique
};

// One entry of a receiver's <kind>_configs.
struct Integration {
  const ReceiverKind* kind = nullptr;
  int index = 0;  // among those of its kind in this receiver
  bool send_resolved = true;
  std::shared_ptr<const Receiver> receiver;

  std::string Name() const;  // "slack[0]"
};

struct ReceiverConfig {
  std::string name;
  std::vector<Integration> integrations;  // in Alertmanager's order of kinds, then of the file
};

struct Config {
  std::string path;
  std::string original;  // as the API shows it: see config_text.h
  std::string identity;  // content of the file and of all it names; equal identities are equal configurations
  core::Duration resolve_timeout = std::chrono::minutes(5);
  RouteConfig route;
  std::vector<ReceiverConfig> receivers;
  std::vector<InhibitRuleConfig> inhibit_rules;
  std::vector<NamedTimeInterval> time_intervals;
  std::vector<std::string> template_files;  // the patterns of `templates:` expanded, absolute, in order
  std::shared_ptr<const RenderTemplate> render;
  std::vector<std::string> warnings;  // deprecated keys and the like, with their place

  // Whether the built-in inbox keeps every notification (`alerting: {inbox: …}` of our own file).
  bool inbox = true;

  const ReceiverConfig* FindReceiver(std::string_view name) const;
};

// kInvalid with one line for each mistake ("file:line:column: message"); kNotFound and the like for the file itself.
core::Result<Config> ReadAlertmanagerConfig(const std::string& path);
// The same for a tree that was read already; what is wrong goes to `errors`.
Config ReadAlertmanagerConfig(const core::YamlNode& root, core::ConfigErrors& errors);
// Without a file: one route that leads to the inbox alone.
Config InboxOnlyConfig();

}  // namespace pipewarden::alertmanager
