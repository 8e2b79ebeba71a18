// All sources of freshness: one line and one file each (exporters/freshness_sources/<kind>.cpp defines
// k<Kind>FreshnessSource).
#pragma once

#include "exporters/freshness.h"

#define PIPEWARDEN_FRESHNESS_SOURCES(X) X(File)

namespace pipewarden::exporters {

#define X(Kind) extern const FreshnessSourceKind k##Kind##FreshnessSource;
PIPEWARDEN_FRESHNESS_SOURCES(X)
#undef X

}  // namespace pipewarden::exporters
