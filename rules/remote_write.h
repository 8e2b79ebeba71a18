// Samples that others push, appended to the storage. Rules thread.
#pragma once

#include <cstddef>
#include <string>

#include "core/model/sample.h"
#include "core/net/remote_write_codec.h"
#include "rules/storage/storage.h"

namespace pipewarden::rules {

struct RemoteWriteOutcome {
  std::size_t samples = 0;     // floats that were stored
  std::size_t histograms = 0;  // native histograms that were stored
  std::size_t refused = 0;     // of all those sent
  std::string why;             // of the first one refused
};

// Everything that can be stored is, whatever is wrong with the rest. Samples more than ten minutes ahead of `now` are
// refused, for a series takes nothing older than its newest sample.
RemoteWriteOutcome AppendRemote(Storage& storage, core::RemoteWriteRequest request, core::TimestampMs now);

}  // namespace pipewarden::rules
