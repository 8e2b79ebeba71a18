// Native histograms as the test language writes them: {{schema:1 count:3 sum:4.5 buckets:[1 2] offset:-1}}. Internal to
// rules/promql.
#pragma once

#include <string_view>

#include "core/model/float_histogram.h"
#include "core/result.h"

namespace pipewarden::rules::promql {

// Reads the literal at the front of `text` and removes it. Sets `hint_given` by whether counter_reset_hint is there.
core::Result<core::FloatHistogram> ReadHistogramLiteral(std::string_view& text, bool& hint_given);

}  // namespace pipewarden::rules::promql
