// A probe looks at one thing of the pipeline and says whether it is well, with what it measured on the way.
//
// A kind of probe is data: name, summary, option tables, the metrics it exports, and a function that makes a probe of
// its options. One kind is one file in exporters/probes/, one line in probes/list.h and one test. From the tables come
// the reading of the configuration, its checks, --help and the reference pages.
//
// Thread safety: everything here belongs to the loop's thread, but for the tables, which are constants.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/async/loop.h"
#include "core/config/option_table.h"
#include "core/model/labels.h"
#include "core/model/series.h"
#include "core/net/http_client.h"

namespace pipewarden::exporters {

// A metric that a kind exports. Kinds may share one (probe_ip_protocol); its type, unit and help are then the same.
struct ProbeMetric {
  std::string_view name;
  core::MetricType type = core::MetricType::kGauge;
  std::string_view unit = {};
  std::string_view help = {};
};

struct ProbeValue {
  std::string_view metric;  // a name of the kind's metrics table
  double value = 0;
  std::vector<core::Label> labels = {};  // beyond probe, kind, component and the configured ones
};

struct ProbeResult {
  bool success = false;
  std::string error;    // why not: what failed, where, and as which value; no secrets
  std::string message;  // where a success has something to say (the last line of a check's output)
  std::vector<ProbeValue> values;
};

// What a probe works with. By value into the coroutine; what it refers to outlives the run.
struct ProbeContext {
  core::Loop& loop;
  core::HttpClient& http;
  core::Duration timeout;  // of this run: the probe keeps it by itself, because it alone can name the phase
};

// Runs may overlap (a person asks while a timer runs): what a probe remembers must bear that. No reference to a loop is
// kept between runs.
class Probe {
 public:
  virtual ~Probe() = default;
  // Ends soon after the context's timeout; then, or when it failed, `error` says so and `values` has what is known.
  virtual core::Task<ProbeResult> Run(ProbeContext context) = 0;
};

struct ProbeKind {
  std::string_view name;
  std::string_view summary;
  std::span<const core::OptionTable> options;
  std::span<const ProbeMetric> metrics;
  // Never fails: what is wrong beyond the tables' own checks goes to `errors`, and something harmless is made.
  std::unique_ptr<Probe> (*make)(const core::Options& options, core::ConfigErrors& errors);
};

// All kinds, in the order of probes/list.h.
std::span<const ProbeKind* const> ProbeKinds();
const ProbeKind* FindProbeKind(std::string_view name);  // nullptr where unknown
// What every probe takes (name, kind, interval, timeout, ...), and what every probe exports (probe_success, ...).
core::OptionTable CommonProbeOptions();
std::span<const ProbeMetric> CommonProbeMetrics();

}  // namespace pipewarden::exporters
