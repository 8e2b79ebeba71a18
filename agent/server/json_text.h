// JSON text written directly, for answers with many samples: building a document first costs several times as much.
#pragma once

#include <string>
#include <string_view>

#include "core/model/labels.h"

namespace pipewarden::agent {

// The text as a JSON string with its quotes; invalid UTF-8 becomes U+FFFD; < > & are escaped as Go's encoder does, so
// that the text is harmless within HTML too.
std::string JsonString(std::string_view text);
void AppendJsonString(std::string& out, std::string_view text);
// {"a":"1","b":"2"}
void AppendJsonLabels(std::string& out, const core::Labels& labels);
// A sample's value as Prometheus writes it in JSON, quoted: "0.5" "NaN" "+Inf" "1e+21".
void AppendJsonValue(std::string& out, double value);
// Milliseconds as Prometheus writes times: 1700000000.123, 1700000000
void AppendJsonTime(std::string& out, std::int64_t ms);

}  // namespace pipewarden::agent
