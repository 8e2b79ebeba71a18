// The parts of alertmanager.yml that have files of their own; for config.cpp only.
#pragma once

#include "alertmanager/config.h"

namespace pipewarden::alertmanager {

// Fills config.route. The receivers and time intervals are in `config` already: names are checked against them.
void ReadRootRoute(const core::YamlNode& node, Config& config, core::ConfigErrors& errors);
InhibitRuleConfig ReadInhibitRule(const core::YamlNode& node, std::vector<std::string>& warnings,
                                  core::ConfigErrors& errors);

}  // namespace pipewarden::alertmanager
