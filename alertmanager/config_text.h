// A configuration as text, for the API's status: what `amtool config routes` and people read. It parses as an
// alertmanager.yml with any version since 0.22, and holds no secret, because of receivers it has the names and kinds
// alone. Pure functions.
#pragma once

#include <string>

#include "alertmanager/config.h"

namespace pipewarden::alertmanager {

// `intervals` is the file's list of time intervals, or null.
std::string ConfigText(const Config& config, const core::YamlNode* intervals);

}  // namespace pipewarden::alertmanager
