// The body of a remote write request, read: snappy's block format around a protobuf message, of the protocol's version
// 1.0 (prometheus.WriteRequest) or 2.0 (io.prometheus.write.v2.Request). Both formats are small enough to be read by
// hand, within bounds: no body makes more of itself than a small multiple of its size.
//
// https://prometheus.io/docs/specs/prw/remote_write_spec/ and …_spec_2_0/,
// https://github.com/google/snappy/blob/main/format_description.txt. Pure functions.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/float_histogram.h"
#include "core/model/labels.h"
#include "core/model/sample.h"
#include "core/result.h"

namespace pipewarden::core {

enum class RemoteWriteVersion { k1, k2 };

struct RemoteWriteHistogram {
  TimestampMs time = 0;
  HistogramPtr histogram;  // null: it is invalid
  std::string invalid{};   // why
};

// Views of what the request holds.
struct RemoteWriteSeries {
  std::span<const LabelView> labels;  // sorted by name
  std::span<const Sample> samples =
      {};  // in the order sent; a histogram that ends its series is a staleness marker here
  std::span<const RemoteWriteHistogram> histograms = {};  // in the order sent
  std::string invalid{};                                  // why its labels cannot be taken; "" where they can
};

// A few large blocks of memory, which the allocator gives back to the system at once, however many series there are.
struct RemoteWriteRequest {
  std::vector<RemoteWriteSeries> series;
  std::unique_ptr<const std::string> message;
  std::vector<LabelView> labels;
  std::vector<Sample> samples;
  std::vector<RemoteWriteHistogram> histograms;
};

// The bytes behind a snappy block. kInvalid where it is none, kLimit where it says it holds more than `max_bytes`.
Result<std::string> SnappyDecompress(std::string_view block, std::size_t max_bytes);

// kInvalid where the message does not parse. A series whose labels are wrong (no metric name, a name twice, no UTF-8)
// says so and leaves the others alone.
Result<RemoteWriteRequest> DecodeRemoteWrite(std::string message, RemoteWriteVersion version);

}  // namespace pipewarden::core
