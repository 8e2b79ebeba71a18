// Counters and differences: rate, increase, delta, irate, idelta, resets, changes. Extrapolation to the ends of the
// range follows Prometheus: at most half an average gap where the first or last sample is further away than 1.1 gaps,
// and never below zero for counters. Of native histograms every bucket is treated as a counter of its own, and all are
// extrapolated as the count is.
#include <algorithm>
#include <array>
#include <cmath>

#include "core/text/go_string.h"
#include "rules/promql/functions/call_context.h"
#include "rules/promql/functions/function_list.h"
#include "rules/promql/histogram_arithmetic.h"

namespace pipewarden::rules::promql {
namespace {

using Window = const RangeWindow&;
using Params = std::span<const double>;

struct Kind {
  bool counter;
  bool per_second;
};

// What the difference between the samples at the first and the last time is multiplied by, to be that of the range.
double ExtrapolationFactor(Window window, std::span<const TimestampMs> times, Kind kind, double first,
                           double difference) {
  double to_start = static_cast<double>(times.front() - window.start) / 1000;
  double to_end = static_cast<double>(window.end - times.back()) / 1000;
  const double sampled = static_cast<double>(times.back() - times.front()) / 1000;
  const double gap = sampled / static_cast<double>(times.size() - 1);
  const double threshold = gap * 1.1;
  if (to_start >= threshold) to_start = gap / 2;
  if (kind.counter && difference > 0 && first >= 0) {
    const double to_zero = sampled * (first / difference);
    if (to_zero < to_start) to_start = to_zero;
  }
  if (to_end >= threshold) to_end = gap / 2;
  double factor = (sampled + to_start + to_end) / sampled;
  if (kind.per_second) factor /= static_cast<double>(window.end - window.start) / 1000;
  return factor;
}

void Warn(Window window, std::string_view text) {
  const CallNotes& notes = *window.notes;
  notes.annotations.Warn(std::string(text) + " " + core::GoQuote(notes.metric_name), notes.at());
}
void WarnOfMixedSamples(Window window) { Warn(window, "encountered a mix of histograms and floats for metric name"); }
void WarnOfMixedBuckets(Window window) {
  Warn(window, "vector contains a mix of histograms with exponential and custom buckets schemas for metric name");
}
void NoteBounds(Window window, const HistogramMerge& merge, std::string_view operation) {
  if (!merge.bounds_reconciled) return;
  window.notes->annotations.Info("mismatched custom buckets were reconciled during " + std::string(operation),
                                 window.notes->at());
}

bool IsGauge(const HistogramPtr& histogram) { return histogram->hint == core::CounterResetHint::kGauge; }

void WarnOfWrongKind(Window window, std::span<const HistogramPtr> histograms, bool counter) {
  if (counter && std::ranges::any_of(histograms, IsGauge))
    Warn(window, "this native histogram metric is not a counter:");
  if (!counter && (!IsGauge(histograms.front()) || !IsGauge(histograms.back())))
    Warn(window, "this native histogram metric is not a gauge:");
}

// The difference between the last and the first histogram, resets in between added. Nothing where they do not meet.
std::optional<FloatHistogram> Difference(Window window, bool counter) {
  const auto all = window.histograms;
  const FloatHistogram* first = all.front().get();
  FloatHistogram zero;
  bool custom = first->is_custom();
  // The first sample does not count, whatever its buckets, where a reset follows it.
  if (counter && core::IsReset(*all[1], *first)) {
    zero.schema = all[1]->schema;
    zero.bounds = all[1]->bounds;
    first = &zero;
    custom = zero.is_custom();
  }
  const auto differs = [&](const HistogramPtr& one) { return one->is_custom() != custom; };
  if (differs(all.back())) {
    if (counter) WarnOfWrongKind(window, std::array{all.front(), all.back()}, counter);
    WarnOfMixedBuckets(window);
    return std::nullopt;
  }
  if (counter && std::ranges::any_of(all.subspan(1), differs)) {
    WarnOfMixedBuckets(window);
    return std::nullopt;
  }
  WarnOfWrongKind(window, all, counter);
  FloatHistogram result = *all.back();
  if (counter && !custom)
    for (const HistogramPtr& one : all.subspan(1)) core::ReduceResolution(result, std::min(result.schema, one->schema));
  NoteBounds(window, Subtract(result, *first), "subtraction");
  const FloatHistogram* previous = first;
  for (const HistogramPtr& one : all.subspan(counter ? 1 : all.size())) {
    if (core::IsReset(*one, *previous)) NoteBounds(window, Add(result, *previous), "addition");
    previous = one.get();
  }
  result.hint = core::CounterResetHint::kGauge;
  core::Compact(result);
  return result;
}

double ExtrapolatedHistogram(Window window, Kind kind) {
  if (window.histograms.size() < 2) return Absent();
  auto result = Difference(window, kind.counter);
  if (!result) return Absent();
  Multiply(*result,
           ExtrapolationFactor(window, window.histogram_times, kind, window.histograms.front()->count, result->count));
  return window.notes->histograms.Add(std::move(*result));
}

double Extrapolated(Window window, Kind kind) {
  if (!window.histograms.empty()) {
    if (window.values.empty()) return ExtrapolatedHistogram(window, kind);
    WarnOfMixedSamples(window);
    return Absent();
  }
  const std::size_t count = window.size();
  if (count < 2) return Absent();
  const std::span<const double> values = window.values;
  double result = values.back() - values.front();
  if (kind.counter && !window.ascending)
    for (std::size_t i = 1; i < count; ++i)
      if (values[i] < values[i - 1]) result += values[i - 1];
  return result * ExtrapolationFactor(window, window.times, kind, values.front(), result);
}

// An info where a rate of numbers was made and the metric's name does not look like a counter's.
double NoteIfNoCounter(Window window, double rate) {
  CallNotes& notes = *window.notes;
  const std::string_view name = notes.metric_name;
  if (notes.noted_not_counter || name.empty() || IsAbsent(rate) || IsHistogram(rate)) return rate;
  for (const std::string_view suffix : {"_total", "_sum", "_count", "_bucket"})
    if (name.ends_with(suffix)) return rate;
  notes.noted_not_counter = true;
  notes.annotations.Info(
      "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: " + core::GoQuote(name),
      notes.at());
  return rate;
}

double Rate(Window window, Params) {
  return NoteIfNoCounter(window, Extrapolated(window, {.counter = true, .per_second = true}));
}
double Increase(Window window, Params) {
  return NoteIfNoCounter(window, Extrapolated(window, {.counter = true, .per_second = false}));
}
double Delta(Window window, Params) { return Extrapolated(window, {.counter = false, .per_second = false}); }

// One sample after another, floats and histograms in the order of time.
class InOrder {
 public:
  struct One {
    TimestampMs time = 0;
    double value = 0;
    const FloatHistogram* histogram = nullptr;
  };

  explicit InOrder(Window window) : window_(window) {}
  bool Next(One& out) {
    const bool any_float = next_float_ < window_.times.size();
    const bool any_histogram = next_histogram_ < window_.histogram_times.size();
    if (!any_float && !any_histogram) return false;
    if (any_float && (!any_histogram || window_.times[next_float_] < window_.histogram_times[next_histogram_])) {
      out = {window_.times[next_float_], window_.values[next_float_], nullptr};
      ++next_float_;
    } else {
      out = {window_.histogram_times[next_histogram_], 0, window_.histograms[next_histogram_].get()};
      ++next_histogram_;
    }
    return true;
  }

 private:
  Window window_;
  std::size_t next_float_ = 0;
  std::size_t next_histogram_ = 0;
};

double LastHistogramDifference(Window window, bool counter) {
  const auto last = window.histograms.last(2);
  WarnOfWrongKind(window, last, counter);
  FloatHistogram result = *last[1];
  if (!counter || !core::IsReset(*last[1], *last[0])) {
    const HistogramMerge merge = Subtract(result, *last[0]);
    if (!merge.possible) {
      WarnOfMixedBuckets(window);
      return Absent();
    }
    NoteBounds(window, merge, "subtraction");
  }
  result.hint = core::CounterResetHint::kGauge;
  core::Compact(result);
  if (counter)
    Divide(result, static_cast<double>(window.histogram_times.back() - window.histogram_times.end()[-2]) / 1000);
  return window.notes->histograms.Add(std::move(result));
}

double LastDifference(Window window, bool counter) {
  if (!window.histograms.empty()) {
    // Which the last two are decides.
    InOrder::One one;
    std::vector<bool> histograms;
    for (InOrder all(window); all.Next(one);) histograms.push_back(one.histogram != nullptr);
    if (histograms.size() < 2) return Absent();
    if (histograms.back() != histograms.end()[-2]) {
      WarnOfMixedSamples(window);
      return Absent();
    }
    if (histograms.back()) return LastHistogramDifference(window, counter);
  }
  const std::size_t count = window.size();
  if (count < 2) return Absent();
  const double last = window.values[count - 1];
  const double previous = window.values[count - 2];
  if (!counter) return last - previous;
  const auto interval = static_cast<double>(window.times[count - 1] - window.times[count - 2]);
  return (last < previous ? last : last - previous) / (interval / 1000);
}
double InstantRate(Window window, Params) { return LastDifference(window, true); }
double InstantDelta(Window window, Params) { return LastDifference(window, false); }

// How often differs(before, now) of floats, or differs_histogram; from a float to a histogram and back always.
template <class Differs, class DiffersHistogram>
double CountSteps(Window window, Differs differs, DiffersHistogram differs_histogram) {
  double count = 0;
  if (window.histograms.empty()) {
    for (std::size_t i = 1; i < window.size(); ++i)
      if (differs(window.values[i - 1], window.values[i])) count += 1;
    return count;
  }
  InOrder all(window);
  InOrder::One before;
  all.Next(before);
  for (InOrder::One now; all.Next(now); before = now) {
    if (now.histogram == nullptr && before.histogram == nullptr)
      count += differs(before.value, now.value) ? 1 : 0;
    else if (now.histogram == nullptr || before.histogram == nullptr)
      count += 1;
    else
      count += differs_histogram(*before.histogram, *now.histogram) ? 1 : 0;
  }
  return count;
}

double Resets(Window window, Params) {
  return CountSteps(
      window, [](double before, double now) { return now < before; },
      [](const FloatHistogram& before, const FloatHistogram& now) { return core::IsReset(now, before); });
}

double Changes(Window window, Params) {
  return CountSteps(
      window, [](double before, double now) { return now != before && !(std::isnan(now) && std::isnan(before)); },
      [](const FloatHistogram& before, const FloatHistogram& now) { return !core::SameHistogram(now, before); });
}

const Function kFunctions[] = {
    {.name = "rate",
     .args = kMatrixArg,
     .help = "Increase of a counter a second.",
     .range = Rate,
     .reads_histograms = true},
    {.name = "increase",
     .args = kMatrixArg,
     .help = "Increase of a counter.",
     .range = Increase,
     .reads_histograms = true},
    {.name = "delta", .args = kMatrixArg, .help = "Difference of a gauge.", .range = Delta, .reads_histograms = true},
    {.name = "irate",
     .args = kMatrixArg,
     .help = "Rate by the last two samples.",
     .range = InstantRate,
     .reads_histograms = true},
    {.name = "idelta",
     .args = kMatrixArg,
     .help = "Difference of the last two samples.",
     .range = InstantDelta,
     .reads_histograms = true},
    {.name = "resets",
     .args = kMatrixArg,
     .help = "How often the value went down.",
     .range = Resets,
     .reads_histograms = true},
    {.name = "changes",
     .args = kMatrixArg,
     .help = "How often the value changed.",
     .range = Changes,
     .reads_histograms = true},
};

}  // namespace

std::span<const Function> RateFunctions() { return kFunctions; }

}  // namespace pipewarden::rules::promql
