// The body of a remote write request, read: snappy's block format around a protobuf message, of the protocol's version
// 1.0 (prometheus.WriteRequest) or 2.0 (io.prometheus.write.v2.Request). Both formats are small enough to be read by
// hand, within bounds: no body makes more of itself than a small multiple of its size.
//
// https://prometheus.io/docs/specs/prw/remote_write_spec/ and …_spec_2_0/,
// https://github.com/google/snappy/blob/main/format_description.txt. Pure functions.
#pragma once

#include <cstddef>
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

struct RemoteWriteSeries {
  Labels labels;
  std::vector<Sample> samples{};  // in the order sent; a histogram that ends its series is a staleness marker here
  std::vector<RemoteWriteHistogram> histograms{};  // in the order sent
  std::size_t exemplars = 0;                       // which are counted only
  std::string invalid{};                           // why its labels cannot be taken; "" where they can
};

// The bytes behind a snappy block. kInvalid where it is none, kLimit where it says it holds more than `max_bytes`.
Result<std::string> SnappyDecompress(std::string_view block, std::size_t max_bytes);

// kInvalid where the message does not parse. A series whose labels are wrong (no metric name, a name twice, no UTF-8)
// says so and leaves the others alone.
Result<std::vector<RemoteWriteSeries>> DecodeRemoteWrite(std::string_view message, RemoteWriteVersion version);

}  // namespace pipewarden::core
