// Samples that others push, appended to the storage. Rules thread.
#pragma once

#include <cstddef>
#include <string>

#include "core/model/sample.h"
#include "core/net/remote_write_codec.h"
#include "rules/storage/storage.h"

namespace pipewarden::rules {

struct RemoteWriteOutcome {
  std::size_t samples = 0;     // floats that were stored, or that the storage had already
  std::size_t histograms = 0;  // native histograms likewise
  std::size_t refused = 0;     // samples of all those sent
  std::string why;             // of the first sample refused, as Prometheus words it for version 1.0
  std::string each;            // of everything refused, a line each with its series, as it words it for version 2.0
};

// Everything that can be stored is, whatever is wrong with the rest. As in Prometheus a sample that its series has
// already is well (a sender whose answer was lost sends it again), another value at that time is refused, and so is
// what is older than the series' newest sample, older than what the storage keeps, or more than ten minutes ahead of
// `now`.
RemoteWriteOutcome AppendRemote(Storage& storage, core::RemoteWriteRequest request, core::TimestampMs now);

}  // namespace pipewarden::rules
