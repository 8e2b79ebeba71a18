// All kinds of probes: one line and one file each (exporters/probes/<kind>.cpp defines k<Kind>Probe).
#pragma once

#include "exporters/probe.h"

#define PIPEWARDEN_PROBE_KINDS(X) \
  X(Exec)                         \
  X(Hdfs)                         \
  X(Http)                         \
  X(Jmx)                          \
  X(Postgres)                     \
  X(Process)                      \
  X(Redis)                        \
  X(Tcp)

namespace pipewarden::exporters {

#define X(Kind) extern const ProbeKind k##Kind##Probe;
PIPEWARDEN_PROBE_KINDS(X)
#undef X

}  // namespace pipewarden::exporters
