// The reference pages of the sections `probes`, `freshness` and `host`, written from the tables that read them.
#pragma once

#include <string>

namespace pipewarden::exporters {

// Markdown, what stands below the section's heading: what every probe takes and exports, then each kind.
std::string ProbeReference();
std::string FreshnessReference();
std::string HostReference();

}  // namespace pipewarden::exporters
