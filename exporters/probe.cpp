#include "exporters/probe.h"

#include <algorithm>
#include <array>

#include "exporters/probes/list.h"

namespace pipewarden::exporters {
namespace {

using core::MetricType;
using core::OptionType;

constexpr core::Option kCommonOptions[] = {
    {.name = "name",
     .required = true,
     .help = "What metrics (label `probe`), alerts, pages and the command line call it. Unique."},
    {.name = "kind", .required = true, .help = "What it looks at: one of the kinds below."},
    {.name = "component",
     .help = "The component it speaks for (label `component`): a name under `components`, where there are any."},
    {.name = "interval",
     .type = OptionType::kDuration,
     .default_text = "15s",
     .min = 0.1,
     .max = 86400,
     .help = "Time from start to start. The first runs of many probes are spread, and later ones keep their places."},
    {.name = "timeout",
     .type = OptionType::kDuration,
     .min = 0.001,
     .max = 3600,
     .help =
         "A run that takes longer has failed, and the message names the phase. At most the interval; by default 5s, "
         "or the interval where that is shorter."},
    {.name = "failures",
     .type = OptionType::kInt,
     .default_text = "1",
     .min = 1,
     .max = 1000,
     .help = "Failed runs in a row before `probe_up` becomes 0. `probe_success` shows each run as it was."},
    {.name = "successes",
     .type = OptionType::kInt,
     .default_text = "1",
     .min = 1,
     .max = 1000,
     .help = "Successful runs in a row before `probe_up` becomes 1 again."},
    {.name = "labels",
     .type = OptionType::kStringMap,
     .help =
         "Labels added to all of its metrics, such as {team: data}. `probe`, `kind` and `component` are set already."},
    {.name = "max_series",
     .type = OptionType::kInt,
     .default_text = "200",
     .min = 10,
     .max = 100000,
     .help = "Series it may export in one run. What is beyond is dropped and counted in "
             "`pipewarden_probe_series_dropped_total`."},
};

constexpr ProbeMetric kCommonMetrics[] = {
    {"probe_success", MetricType::kGauge, "", "1 where the last run succeeded, else 0."},
    {"probe_up", MetricType::kGauge, "",
     "The verdict: 1 well, 0 not; it flips after `failures` or `successes` runs in a row. Absent before the first."},
    {"probe_duration_seconds", MetricType::kGauge, "seconds", "How long the last run took."},
    {"probe_timeout_seconds", MetricType::kGauge, "seconds", "How long a run may take."},
};

#define X(Kind) &k##Kind##Probe,
constexpr std::array kKinds = {PIPEWARDEN_PROBE_KINDS(X)};
#undef X

}  // namespace

std::span<const ProbeKind* const> ProbeKinds() { return kKinds; }

const ProbeKind* FindProbeKind(std::string_view name) {
  const auto kind = std::ranges::find(kKinds, name, &ProbeKind::name);
  return kind == kKinds.end() ? nullptr : *kind;
}

core::OptionTable CommonProbeOptions() { return kCommonOptions; }
std::span<const ProbeMetric> CommonProbeMetrics() { return kCommonMetrics; }

}  // namespace pipewarden::exporters
