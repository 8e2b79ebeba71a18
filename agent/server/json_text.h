// JSON text written directly, for answers with many samples: building a document first costs several times as much.
#pragma once

#include <string>
#include <string_view>

#include "core/model/labels.h"

namespace pipewarden::agent {

// {"a":"1","b":"2"}
void AppendJsonLabels(std::string& out, const core::Labels& labels);
// A sample's value as Prometheus writes it in JSON, quoted: "0.5" "NaN" "+Inf" "1e+21".
void AppendJsonValue(std::string& out, double value);
// Milliseconds as Prometheus writes times: 1700000000.123, 1700000000
void AppendJsonTime(std::string& out, std::int64_t ms);

}  // namespace pipewarden::agent
