// /metrics as text: Prometheus' text format 0.0.4 and OpenMetrics 1.0
// (https://prometheus.io/docs/specs/om/open_metrics_spec/), from all sources at once. A family that several sources
// share is written once, with one # HELP and # TYPE (the first source's). Names that the classic charset does not allow
// are written with underscores. Pure functions; sources are visited on the calling thread.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/model/sample_source.h"

namespace pipewarden::exporters {

enum class TextFormat { kText004, kOpenMetrics100, kOpenMetrics001 };

// By an Accept header: the first of the highest weight among the formats; 0.0.4 where none fits, or it is empty.
TextFormat NegotiateTextFormat(std::string_view accept);
std::string_view ContentType(TextFormat format);

std::string WriteText(std::span<const std::shared_ptr<core::SampleSource>> sources, TextFormat format);

// As in labels `le` and `quantile`: the shortest digits that read back the same; "+Inf" "-Inf" "NaN".
std::string FormatValue(double value);

}  // namespace pipewarden::exporters
