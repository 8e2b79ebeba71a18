// What takes samples: the storage, remote write. Exposition reads sources directly, on request.
#pragma once

#include "core/model/sample.h"
#include "core/model/sample_source.h"

namespace pipewarden::core {

class SampleSink {
 public:
  virtual ~SampleSink() = default;
  // Takes all current samples of the source at one timestamp. A series that the sink had from this source in the visit
  // before, and that this visit does not show, ends with a staleness marker. Called from one thread (the rules thread).
  virtual void Take(SampleSource& source, TimestampMs time) = 0;
  // The source itself has gone (removed by a reload): all its series end.
  virtual void Forget(std::string_view source_name, TimestampMs time) = 0;
};

}  // namespace pipewarden::core
