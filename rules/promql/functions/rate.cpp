// Counters and differences: rate, increase, delta, irate, idelta, resets, changes. Extrapolation to the ends of the
// range follows Prometheus: at most half an average gap where the first or last sample is further away than 1.1 gaps,
// and never below zero for counters.
#include <cmath>

#include "core/text/go_string.h"
#include "rules/promql/functions/call_context.h"
#include "rules/promql/functions/function_list.h"

namespace pipewarden::rules::promql {
namespace {

using Window = const RangeWindow&;
using Params = std::span<const double>;

double Extrapolated(Window window, bool counter, bool per_second) {
  const std::size_t count = window.size();
  if (count < 2) return Absent();
  const std::span<const double> values = window.values;
  double result = values.back() - values.front();
  if (counter)
    for (std::size_t i = 1; i < count; ++i)
      if (values[i] < values[i - 1]) result += values[i - 1];
  double to_start = static_cast<double>(window.times.front() - window.start) / 1000;
  double to_end = static_cast<double>(window.end - window.times.back()) / 1000;
  const double sampled = static_cast<double>(window.times.back() - window.times.front()) / 1000;
  const double gap = sampled / static_cast<double>(count - 1);
  const double threshold = gap * 1.1;
  if (to_start >= threshold) to_start = gap / 2;
  if (counter && result > 0 && values.front() >= 0) {
    const double to_zero = sampled * (values.front() / result);
    if (to_zero < to_start) to_start = to_zero;
  }
  if (to_end >= threshold) to_end = gap / 2;
  double factor = (sampled + to_start + to_end) / sampled;
  if (per_second) factor /= static_cast<double>(window.end - window.start) / 1000;
  return result * factor;
}

// An info where the metric's name does not look like a counter's.
void NoteIfNoCounter(Window window) {
  CallNotes& notes = *window.notes;
  const std::string_view name = notes.metric_name;
  if (notes.noted_not_counter || name.empty() || window.size() < 2) return;
  for (const std::string_view suffix : {"_total", "_sum", "_count", "_bucket"})
    if (name.ends_with(suffix)) return;
  notes.noted_not_counter = true;
  // Prometheus turns a subquery into a range without a place: (1:1).
  const Expr& matrix = Unwrap(notes.matrix_arg);
  notes.annotations.Info(
      "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: " + core::GoQuote(name),
      matrix.kind == Expr::Kind::kSubquery ? PositionRange{} : matrix.pos);
}

double Rate(Window window, Params) {
  NoteIfNoCounter(window);
  return Extrapolated(window, true, true);
}
double Increase(Window window, Params) {
  NoteIfNoCounter(window);
  return Extrapolated(window, true, false);
}
double Delta(Window window, Params) { return Extrapolated(window, false, false); }

double LastDifference(Window window, bool counter) {
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

double Resets(Window window, Params) {
  double count = 0;
  for (std::size_t i = 1; i < window.size(); ++i)
    if (window.values[i] < window.values[i - 1]) count += 1;
  return count;
}

double Changes(Window window, Params) {
  double count = 0;
  for (std::size_t i = 1; i < window.size(); ++i) {
    const double now = window.values[i];
    const double before = window.values[i - 1];
    if (now != before && !(std::isnan(now) && std::isnan(before))) count += 1;
  }
  return count;
}

const Function kFunctions[] = {
    {.name = "rate", .args = kMatrixArg, .help = "Increase of a counter a second.", .range = Rate},
    {.name = "increase", .args = kMatrixArg, .help = "Increase of a counter.", .range = Increase},
    {.name = "delta", .args = kMatrixArg, .help = "Difference of a gauge.", .range = Delta},
    {.name = "irate", .args = kMatrixArg, .help = "Rate by the last two samples.", .range = InstantRate},
    {.name = "idelta", .args = kMatrixArg, .help = "Difference of the last two samples.", .range = InstantDelta},
    {.name = "resets", .args = kMatrixArg, .help = "How often the value went down.", .range = Resets},
    {.name = "changes", .args = kMatrixArg, .help = "How often the value changed.", .range = Changes},
};

}  // namespace

std::span<const Function> RateFunctions() { return kFunctions; }

}  // namespace pipewarden::rules::promql
