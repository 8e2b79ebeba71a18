// All collectors of the host: one line and one file each (exporters/host/<collector>.cpp defines
// k<Collector>Collector).
#pragma once

#include "exporters/host_source.h"

#define PIPEWARDEN_HOST_COLLECTORS(X) \
  X(Cpu)                              \
  X(Filesystem)                       \
  X(Load)                             \
  X(Memory)

namespace pipewarden::exporters {

#define X(Kind) extern const HostCollectorKind k##Kind##Collector;
PIPEWARDEN_HOST_COLLECTORS(X)
#undef X

}  // namespace pipewarden::exporters
