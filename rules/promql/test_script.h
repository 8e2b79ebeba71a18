// Prometheus' test language for PromQL, read into commands: load, clear, eval with what is expected of it. Lines are
// trimmed, a comment counts as a blank line, a blank line ends a block. Internal to rules/promql.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/model/float_histogram.h"
#include "core/model/labels.h"
#include "core/model/sample.h"
#include "core/result.h"

namespace pipewarden::rules::promql {

using core::TimestampMs;

// One place in a series' values: a gap, a float, or a native histogram.
struct SequenceValue {
  bool present = false;
  bool hint_given = false;  // the histogram's counter_reset_hint was written: it is compared
  double value = 0;
  core::HistogramPtr histogram;  // null: a float
};

struct ScriptSeries {
  core::Labels labels;
  std::vector<SequenceValue> values;
};

struct ClearCommand {};

struct LoadCommand {
  TimestampMs step = 0;
  bool with_custom_buckets = false;    // load_with_nhcb: classic histograms also as native ones
  bool with_start_timestamps = false;  // has `metric@st` lines, which are passed over
  std::vector<ScriptSeries> series;    // value i at i*step
};

// What `expect warn msg: …` and its like ask for.
struct Expectation {
  enum class How { kAny, kText, kRegex };
  How how = How::kAny;
  std::string text;
};

struct EvalCommand {
  std::string query;
  bool is_range = false;
  TimestampMs start = 0;  // the instant, or the range's start
  TimestampMs end = 0;
  TimestampMs step = 0;

  bool ordered = false;
  bool no_warn = false;
  bool no_info = false;
  std::optional<Expectation> fail;
  std::vector<Expectation> warnings;
  std::vector<Expectation> infos;

  std::optional<double> scalar;
  std::optional<std::string> string;
  struct RangeVector {
    TimestampMs start = 0;
    TimestampMs end = 0;
    TimestampMs step = 0;
  };
  std::optional<RangeVector> range_vector;  // an instant query that answers with samples of ranges
  std::vector<ScriptSeries> series;         // empty: an empty answer
};

struct ScriptCommand {
  int line = 0;  // from 1
  std::variant<ClearCommand, LoadCommand, EvalCommand> command;
};

// kInvalid "line 7: …" at the first line that does not read.
core::Result<std::vector<ScriptCommand>> ParseScript(std::string_view text);

// `up{job="x"} 0+10x5 _ stale`: a series with its values, as promtool's input_series write them in two fields.
core::Result<ScriptSeries> ParseScriptSeries(std::string_view text);
// `0+10x5 _ stale {{schema:0 count:1}}x2` alone.
core::Result<std::vector<SequenceValue>> ParseScriptValues(std::string_view text);

}  // namespace pipewarden::rules::promql
