// histogram_quantile, histogram_quantiles and histogram_fraction: of classic histograms, whose _bucket series differ in
// `le` alone, and of native ones. Where both stand for the same series at the same step, neither counts.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <set>
#include <unordered_map>

#include "core/text/go_float.h"
#include "core/text/go_string.h"
#include "core/text/utf8.h"
#include "rules/promql/classic_histogram.h"
#include "rules/promql/evaluator.h"
#include "rules/promql/functions/call_context.h"
#include "rules/promql/functions/function_list.h"
#include "rules/promql/grouping.h"
#include "rules/promql/histogram_estimates.h"
#include "rules/promql/literal.h"

namespace pipewarden::rules::promql {
namespace {

constexpr std::string_view kBucketLabel = "le";

// The name for annotations: none where it is dropped at once.
std::string MetricName(CallContext& call, const SeriesHead& head) {
  return call.evaluator().options().delayed_name_removal ? std::string(head.labels->Get(core::kMetricName)) : "";
}
std::string ForMetric(const std::string& name) { return name.empty() ? "" : " for metric name " + core::GoQuote(name); }

// The rows of one classic histogram: series that differ in `le` alone.
struct HistogramRows {
  SeriesHead head;  // without le
  std::string metric_name;
  std::vector<std::pair<double, std::size_t>> rows;  // bound, row
};

// The histograms of a vector.
struct Histograms {
  std::vector<HistogramRows> classic;
  std::unordered_map<std::string, std::size_t> index;  // of `classic`, by their labels
  std::vector<std::size_t> native;                     // rows
};

bool HasAny(const VectorValue& vector, std::size_t row, bool (*is)(double)) {
  return std::any_of(vector.row(row), vector.row(row) + vector.steps, is);
}

Histograms FindHistograms(CallContext& call, const VectorValue& vector, PositionRange at) {
  Histograms found;
  std::string key;
  for (std::size_t i = 0; i < vector.size(); ++i) {
    const SeriesHead& head = vector.series[i];
    if (!call.histograms().empty()) {
      if (HasAny(vector, i, IsHistogram)) found.native.push_back(i);
      if (!HasAny(vector, i, IsFloat)) continue;
    }
    const std::string_view bound_text = head.labels->Get(kBucketLabel);
    const auto bound = ParseNumber(bound_text);
    if (!bound) {
      call.annotations().Warn("bucket label \"le\" is missing or has a malformed value of " +
                                  core::GoQuote(bound_text) + ForMetric(MetricName(call, head)),
                              at);
      continue;
    }
    const bool hidden = call.NameIsHidden(head);
    AppendKeyWithout(*head.labels, {&kBucketLabel, 1}, hidden, key);
    const auto [entry, added] = found.index.try_emplace(key, found.classic.size());
    if (added) {
      core::Labels labels = call.VisibleLabels(head);
      labels.Remove(kBucketLabel);
      found.classic.push_back(
          {{std::make_shared<const core::Labels>(std::move(labels)), true}, MetricName(call, head), {}});
    }
    found.classic[entry->second].rows.emplace_back(*bound, i);
  }
  return found;
}

// Of a vector that is evaluated already, so that several quantiles of it cost one search.
class HistogramVector {
 public:
  HistogramVector(CallContext& call, VectorValue vector, PositionRange at)
      : call_(call), vector_(std::move(vector)), at_(at), found_(FindHistograms(call, vector_, at)) {
    SetConflicts();
  }

  // classic(buckets, step, name) and native(histogram, step, name) -> value, for every histogram and step.
  template <class Classic, class Native>
  VectorValue Each(Classic classic, Native native) const {
    VectorValue out(vector_.steps);
    for (const std::size_t i : found_.native) {
      const SeriesHead& head = vector_.series[i];
      double* row = out.AddRow(head.labels, true);
      for (std::size_t step = 0; step < vector_.steps; ++step) {
        const double cell = vector_.row(i)[step];
        if (IsHistogram(cell) && !conflicts_.contains({i, step}))
          row[step] = native(*call_.histograms().At(cell), step, MetricName(call_, head));
      }
    }
    ClassicBuckets buckets;
    for (std::size_t h = 0; h < found_.classic.size(); ++h) {
      const HistogramRows& histogram = found_.classic[h];
      double* row = out.AddRow(histogram.head.labels, true);
      for (std::size_t step = 0; step < vector_.steps; ++step) {
        if (classic_conflicts_.contains({h, step})) continue;
        Collect(histogram, step, buckets);
        if (!buckets.empty()) row[step] = classic(buckets, step, histogram.metric_name);
      }
    }
    out.DropEmptyRows();
    return out;
  }

  core::Result<Value> Answer(VectorValue out) {
    return found_.native.empty() ? call_.Merged(std::move(out)) : call_.MergedByLabels(std::move(out));
  }

 private:
  void Collect(const HistogramRows& histogram, std::size_t step, ClassicBuckets& buckets) const {
    buckets.clear();
    for (const auto& [bound, index] : histogram.rows)
      if (const double count = vector_.row(index)[step]; IsFloat(count)) buckets.push_back({bound, count});
  }

  // Where a classic histogram of the same labels has buckets at the step.
  void SetConflicts() {
    std::string key;
    ClassicBuckets buckets;
    for (const std::size_t i : found_.native) {
      const SeriesHead& head = vector_.series[i];
      AppendKeyWithout(*head.labels, {}, call_.NameIsHidden(head), key);
      const auto same = found_.index.find(key);
      if (same == found_.index.end()) continue;
      for (std::size_t step = 0; step < vector_.steps; ++step) {
        if (!IsHistogram(vector_.row(i)[step])) continue;
        Collect(found_.classic[same->second], step, buckets);
        if (buckets.empty()) continue;
        conflicts_.emplace(i, step);
        classic_conflicts_.emplace(same->second, step);
        call_.annotations().Warn(
            "vector contains a mix of classic and native histograms" + ForMetric(MetricName(call_, head)), at_);
      }
    }
  }

  CallContext& call_;
  VectorValue vector_;
  PositionRange at_;
  Histograms found_;
  std::set<std::pair<std::size_t, std::size_t>> conflicts_;  // row, step
  std::set<std::pair<std::size_t, std::size_t>> classic_conflicts_;
};

// 1970-01-01T00:15:00Z
std::string Rfc3339(TimestampMs ms) {
  const std::int64_t seconds = ms / 1000;
  const auto day = std::chrono::floor<std::chrono::days>(std::chrono::sys_seconds(std::chrono::seconds(seconds)));
  const std::chrono::year_month_day date(day);
  const auto rest = seconds - std::int64_t{day.time_since_epoch().count()} * 86'400;
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), static_cast<int>(rest / 3600),
                static_cast<int>(rest / 60 % 60), static_cast<int>(rest % 60));
  return text;
}

// One info for each metric name.
class QuantileNotes {
 public:
  QuantileNotes(CallContext& call, PositionRange at) : call_(call), at_(at) {}

  void Add(const ForcedMonotonicity& forced, std::size_t step, const std::string& name) {
    if (forced.count > 0) forced_[name].Add(forced, call_.steps().At(step));
  }
  void Add(NaNEffect effect, const std::string& name) {
    if (effect == NaNEffect::kNone) return;
    std::string_view text = "input to histogram_quantile has NaN observations, result is NaN";
    if (effect == NaNEffect::kSkewed)
      text = "input to histogram_quantile has NaN observations, result is skewed higher";
    if (effect == NaNEffect::kExcluded)
      text = "input to histogram_fraction has NaN observations, which are excluded from all fractions";
    call_.annotations().Info(std::string(text) + ForMetric(name), at_);
  }
  void Finish() {
    for (const auto& [name, forced] : forced_) {
      char difference[32];
      std::snprintf(difference, sizeof difference, "%.2g", forced.greatest_difference);
      call_.annotations().Info(
          "input to histogram_quantile needed to be fixed for monotonicity (see "
          "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)" +
              ForMetric(name) + ", from buckets " + core::FormatGoFloat(forced.lowest, 'g', -1) + " to " +
              core::FormatGoFloat(forced.highest, 'g', -1) + ", with a max diff of " + difference + ", over " +
              std::to_string(forced.count) + " samples from " + Rfc3339(forced.first) + " to " + Rfc3339(forced.last),
          at_);
    }
  }

 private:
  CallContext& call_;
  PositionRange at_;
  std::map<std::string, ForcedMonotonicity> forced_;
};

VectorValue Quantiles(const HistogramVector& histograms, const std::vector<double>& q, QuantileNotes& notes) {
  return histograms.Each(
      [&](ClassicBuckets& buckets, std::size_t step, const std::string& name) {
        ForcedMonotonicity forced;
        const double value = QuantileOf(q[step], buckets, forced);
        notes.Add(forced, step, name);
        return value;
      },
      [&](const FloatHistogram& histogram, std::size_t step, const std::string& name) {
        NaNEffect effect = NaNEffect::kNone;
        const double value = QuantileOf(q[step], histogram, effect);
        notes.Add(effect, name);
        return value;
      });
}

core::Result<Value> HistogramQuantile(CallContext& call) {
  const auto q = call.EvalScalar(0);
  if (!q) return core::Fail(q.error());
  auto vector = call.EvalVector(1);
  if (!vector) return core::Fail(vector.error());
  for (const double value : *q) WarnOfBadQuantile(call.annotations(), value, call.arg_pos(0));
  HistogramVector histograms(call, std::move(*vector), call.arg_pos(1));
  QuantileNotes notes(call, call.arg_pos(1));
  VectorValue out = Quantiles(histograms, *q, notes);
  notes.Finish();
  return histograms.Answer(std::move(out));
}

// As OpenMetrics writes floats: 1.0, 0.25.
std::string FormatOpenMetrics(double value) {
  std::string text = core::FormatGoFloat(value, 'g', -1);
  return std::isfinite(value) && text.find_first_of("e.") == std::string::npos ? text + ".0" : text;
}

// The rows with the quantile as one label more. It may be another at each step.
void AddWithLabel(const VectorValue& rows, const std::string& label, const std::vector<double>& q, VectorValue& out) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::map<std::string, std::size_t> by_text;
    for (std::size_t step = 0; step < rows.steps; ++step) {
      if (IsAbsent(rows.row(i)[step])) continue;
      std::string text = FormatOpenMetrics(q[step]);
      auto at = by_text.find(text);
      if (at == by_text.end()) {
        core::Labels labels = *rows.series[i].labels;
        labels.Set(label, text);
        at = by_text.emplace(std::move(text), out.size()).first;
        out.AddRow(std::make_shared<const core::Labels>(std::move(labels)), true);
      }
      out.row(at->second)[step] = rows.row(i)[step];
    }
  }
}

core::Result<Value> HistogramQuantiles(CallContext& call) {
  auto vector = call.EvalVector(0);
  if (!vector) return core::Fail(vector.error());
  const std::string label = call.StringArg(1);
  if (label.empty() || !core::IsValidUtf8(label))
    return core::Fail(core::ErrorCode::kInvalid, "invalid label name in histogram_quantiles(): " + label);
  VectorValue out(vector->steps);
  HistogramVector histograms(call, std::move(*vector), call.arg_pos(0));
  QuantileNotes notes(call, call.arg_pos(0));
  for (std::size_t arg = 2; arg < call.size(); ++arg) {
    const auto q = call.EvalScalar(arg);
    if (!q) return core::Fail(q.error());
    for (const double value : *q) WarnOfBadQuantile(call.annotations(), value, call.arg_pos(arg));
    AddWithLabel(Quantiles(histograms, *q, notes), label, *q, out);
  }
  notes.Finish();
  return call.MergedByLabels(std::move(out));
}

core::Result<Value> HistogramFraction(CallContext& call) {
  const auto lower = call.EvalScalar(0);
  if (!lower) return core::Fail(lower.error());
  const auto upper = call.EvalScalar(1);
  if (!upper) return core::Fail(upper.error());
  auto vector = call.EvalVector(2);
  if (!vector) return core::Fail(vector.error());
  HistogramVector histograms(call, std::move(*vector), call.arg_pos(2));
  QuantileNotes notes(call, call.arg_pos(2));
  VectorValue out =
      histograms.Each([&](ClassicBuckets& buckets, std::size_t step,
                          const std::string&) { return FractionBetween((*lower)[step], (*upper)[step], buckets); },
                      [&](const FloatHistogram& histogram, std::size_t step, const std::string& name) {
                        NaNEffect effect = NaNEffect::kNone;
                        const double value = FractionBetween((*lower)[step], (*upper)[step], histogram, effect);
                        notes.Add(effect, name);
                        return value;
                      });
  return histograms.Answer(std::move(out));
}

constexpr ValueType kQuantileArgs[] = {ValueType::kScalar, ValueType::kVector};
constexpr ValueType kQuantilesArgs[] = {ValueType::kVector, ValueType::kString, ValueType::kScalar, ValueType::kScalar};
constexpr ValueType kFractionArgs[] = {ValueType::kScalar, ValueType::kScalar, ValueType::kVector};

const Function kFunctions[] = {
    {.name = "histogram_quantile",
     .args = kQuantileArgs,
     .help = "Quantile of each histogram.",
     .general = HistogramQuantile},
    {.name = "histogram_quantiles",
     .args = kQuantilesArgs,
     .variadic = 9,
     .help = "Several quantiles of each histogram, told apart by a label.",
     .general = HistogramQuantiles,
     .experimental = true},
    {.name = "histogram_fraction",
     .args = kFractionArgs,
     .help = "Share of the observations between two bounds.",
     .general = HistogramFraction},
};

}  // namespace

std::span<const Function> HistogramFunctions() { return kFunctions; }

}  // namespace pipewarden::rules::promql
