// Tells which selectors of rules can match nothing, because nothing that is configured makes such series: the most
// frequent silent mistake in rules.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "agent/config.h"

namespace pipewarden::agent {

// Warnings, "file:line:column: …", in the order of the rules. `files` are rule files of the configuration, or others
// that are to run beside them; packs are left out, for of them one takes what one needs. To be asked only where series
// come from nowhere else (remote write).
std::vector<std::string> UnmatchedSelectors(const Config& config, std::span<const rules::RuleFile> files);

}  // namespace pipewarden::agent
