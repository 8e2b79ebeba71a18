// Classic histograms: quantiles and fractions from _bucket series with `le` labels. The functions of native histograms
// alone ignore floats, as they do in Prometheus; a native histogram itself is refused where it is read.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <unordered_map>

#include "core/text/go_float.h"
#include "core/text/go_string.h"
#include "core/text/utf8.h"
#include "rules/promql/functions/call_context.h"
#include "rules/promql/functions/function_list.h"
#include "rules/promql/grouping.h"
#include "rules/promql/literal.h"

namespace pipewarden::rules::promql {
namespace {

constexpr std::string_view kBucketLabel = "le";
constexpr double kSmallDelta = 1e-12;

struct Bucket {
  double upper;
  double count;
};
using Buckets = std::vector<Bucket>;

// Sorts and puts equal bounds together. False where the highest is not +Inf.
bool Prepare(Buckets& buckets) {
  std::ranges::sort(buckets, {}, &Bucket::upper);
  if (buckets.empty() || buckets.back().upper != std::numeric_limits<double>::infinity()) return false;
  std::size_t last = 0;
  for (std::size_t i = 1; i < buckets.size(); ++i) {
    if (buckets[i].upper == buckets[last].upper)
      buckets[last].count += buckets[i].count;
    else
      buckets[++last] = buckets[i];
  }
  buckets.resize(last + 1);
  return true;
}

bool AlmostEqual(double a, double b) {
  if (a == b || (std::isnan(a) && std::isnan(b))) return true;
  constexpr double kMinNormal = std::numeric_limits<double>::min();
  const double sum = std::fabs(a) + std::fabs(b);
  const double difference = std::fabs(a - b);
  if (a == 0 || b == 0 || sum < kMinNormal) return difference < kSmallDelta * kMinNormal;
  return difference / std::min(sum, std::numeric_limits<double>::max()) < kSmallDelta;
}

// What had to be raised so that counts ascend, at one step or at all.
struct Forced {
  std::size_t count = 0;
  double lowest = std::numeric_limits<double>::infinity();
  double highest = -std::numeric_limits<double>::infinity();
  double greatest_difference = 0;
  TimestampMs first = std::numeric_limits<TimestampMs>::max();
  TimestampMs last = std::numeric_limits<TimestampMs>::min();

  void Add(const Forced& other, TimestampMs time) {
    count += other.count;
    lowest = std::min(lowest, other.lowest);
    highest = std::max(highest, other.highest);
    greatest_difference = std::max(greatest_difference, other.greatest_difference);
    first = std::min(first, time);
    last = std::max(last, time);
  }
};

Forced MakeMonotonic(Buckets& buckets) {
  Forced forced;
  double previous = buckets[0].count;
  for (std::size_t i = 1; i < buckets.size(); ++i) {
    const double count = buckets[i].count;
    if (count == previous) continue;
    if (AlmostEqual(previous, count)) {
      buckets[i].count = previous;
    } else if (count < previous) {
      buckets[i].count = previous;
      forced.count = 1;
      forced.lowest = std::min(forced.lowest, buckets[i].upper);
      forced.highest = std::max(forced.highest, buckets[i].upper);
      forced.greatest_difference = std::max(forced.greatest_difference, previous - count);
    } else {
      previous = count;
    }
  }
  return forced;
}

double QuantileOf(double q, Buckets& buckets, Forced& forced) {
  if (std::isnan(q)) return core::NormalNaN();
  if (q < 0) return -std::numeric_limits<double>::infinity();
  if (q > 1) return std::numeric_limits<double>::infinity();
  if (!Prepare(buckets)) return core::NormalNaN();
  forced = MakeMonotonic(buckets);
  if (buckets.size() < 2) return core::NormalNaN();
  const double observations = buckets.back().count;
  if (observations == 0) return core::NormalNaN();
  double rank = q * observations;
  std::size_t b = 0;
  while (b < buckets.size() - 1 && !(buckets[b].count >= rank)) ++b;
  if (b == buckets.size() - 1) return buckets[buckets.size() - 2].upper;
  if (b == 0 && buckets[0].upper <= 0) return buckets[0].upper;
  double start = 0;
  double count = buckets[b].count;
  if (b > 0) {
    start = buckets[b - 1].upper;
    count -= buckets[b - 1].count;
    rank -= buckets[b - 1].count;
  }
  return start + (buckets[b].upper - start) * (rank / count);
}

double FractionOf(double lower, double upper, Buckets& buckets) {
  if (!Prepare(buckets)) return core::NormalNaN();
  const double count = buckets.back().count;
  if (count == 0 || std::isnan(lower) || std::isnan(upper)) return core::NormalNaN();
  if (lower >= upper) return 0;
  const auto rank_of = [&](double v) {
    double rank = 0;
    for (std::size_t i = 0; i < buckets.size(); ++i) {
      double low = i > 0 ? buckets[i - 1].upper : -std::numeric_limits<double>::infinity();
      const double high = buckets[i].upper;
      if (low >= v) return rank;
      if (high > v) {
        if (i == 0 && high > 0) low = 0;
        return rank + (buckets[i].count - rank) * (v - low) / (high - low);
      }
      rank = buckets[i].count;
    }
    return count;
  };
  const double low_rank = std::min(rank_of(lower), count);
  const double high_rank = std::min(rank_of(upper), count);
  return (high_rank - low_rank) / count;
}

// The rows of one histogram: series that differ in `le` alone.
struct HistogramRows {
  SeriesHead head;  // without le
  std::string metric_name;
  std::vector<std::pair<double, std::size_t>> rows;  // bound, row
};

std::vector<HistogramRows> GroupBuckets(CallContext& call, const VectorValue& vector, PositionRange at) {
  std::vector<HistogramRows> histograms;
  std::unordered_map<std::string, std::size_t> index;
  std::string key;
  for (std::size_t i = 0; i < vector.size(); ++i) {
    const SeriesHead& head = vector.series[i];
    const std::string_view bound_text = head.labels->Get(kBucketLabel);
    const auto bound = ParseNumber(bound_text);
    if (!bound) {
      std::string text = "bucket label \"le\" is missing or has a malformed value of " + core::GoQuote(bound_text);
      const std::string_view metric = call.NameIsHidden(head) ? "" : head.labels->Get(core::kMetricName);
      if (!metric.empty()) text += " for metric name " + core::GoQuote(metric);
      call.annotations().Warn(text, at);
      continue;
    }
    AppendKeyWithout(*head.labels, {&kBucketLabel, 1}, call.NameIsHidden(head), key);
    const auto [entry, added] = index.try_emplace(key, histograms.size());
    if (added) {
      core::Labels labels = call.VisibleLabels(head);
      labels.Remove(kBucketLabel);
      const bool hidden = call.NameIsHidden(head);
      histograms.push_back({{std::make_shared<const core::Labels>(std::move(labels)), true},
                            hidden ? "" : std::string(head.labels->Get(core::kMetricName)),
                            {}});
    }
    histograms[entry->second].rows.emplace_back(*bound, i);
  }
  return histograms;
}

// compute(buckets, step, histogram) -> value, for every histogram and step with buckets.
template <class Compute>
core::Result<Value> OverHistograms(CallContext& call, const VectorValue& vector, PositionRange at, Compute compute) {
  VectorValue out(vector.steps);
  Buckets buckets;
  for (const HistogramRows& histogram : GroupBuckets(call, vector, at)) {
    double* row = out.AddRow(histogram.head.labels, true);
    for (std::size_t step = 0; step < vector.steps; ++step) {
      buckets.clear();
      for (const auto& [bound, index] : histogram.rows)
        if (const double count = vector.row(index)[step]; IsPresent(count)) buckets.push_back({bound, count});
      if (!buckets.empty()) row[step] = compute(buckets, step, histogram);
    }
  }
  out.DropEmptyRows();
  return call.Merged(std::move(out));
}

// 1970-01-01T00:15:00Z, with milliseconds where there are some.
std::string Rfc3339(TimestampMs ms) {
  const auto day = std::chrono::floor<std::chrono::days>(
      std::chrono::sys_time<std::chrono::milliseconds>(std::chrono::milliseconds(ms)));
  const std::chrono::year_month_day date(day);
  const auto rest = ms - day.time_since_epoch().count() * 86'400'000;
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(rest / 3'600'000), static_cast<int>(rest / 60'000 % 60),
                static_cast<int>(rest / 1000 % 60));
  std::string out = text;
  if (rest % 1000 != 0) {
    std::snprintf(text, sizeof text, ".%03d", static_cast<int>(rest % 1000));
    out += text;
    while (out.ends_with('0')) out.pop_back();
  }
  return out + "Z";
}

// One info for each metric name.
using ForcedByName = std::map<std::string, Forced>;

void NoteForced(CallContext& call, const ForcedByName& all, PositionRange at) {
  for (const auto& [name, forced] : all) {
    std::string text =
        "input to histogram_quantile needed to be fixed for monotonicity (see "
        "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";
    if (!name.empty()) text += " for metric name " + core::GoQuote(name);
    char difference[32];
    std::snprintf(difference, sizeof difference, "%.2g", forced.greatest_difference);
    text += ", from buckets " + core::FormatGoFloat(forced.lowest, 'g', -1) + " to " +
            core::FormatGoFloat(forced.highest, 'g', -1) + ", with a max diff of " + difference + ", over " +
            std::to_string(forced.count) + " samples from " + Rfc3339(forced.first) + " to " + Rfc3339(forced.last);
    call.annotations().Info(text, at);
  }
}

core::Result<Value> HistogramQuantile(CallContext& call) {
  const auto q = call.EvalScalar(0);
  if (!q) return core::Fail(q.error());
  const auto vector = call.EvalVector(1);
  if (!vector) return core::Fail(vector.error());
  for (const double value : *q) WarnOfBadQuantile(call.annotations(), value, call.arg_pos(0));
  const PositionRange at = call.arg_pos(1);
  ForcedByName all;
  auto result =
      OverHistograms(call, *vector, at, [&](Buckets& buckets, std::size_t step, const HistogramRows& histogram) {
        Forced forced;
        const double value = QuantileOf((*q)[step], buckets, forced);
        if (forced.count > 0) all[histogram.metric_name].Add(forced, call.steps().At(step));
        return value;
      });
  NoteForced(call, all, at);
  return result;
}

core::Result<Value> HistogramQuantiles(CallContext& call) {
  const auto vector = call.EvalVector(0);
  if (!vector) return core::Fail(vector.error());
  const std::string label = call.StringArg(1);
  if (label.empty() || !core::IsValidUtf8(label))
    return core::Fail(core::ErrorCode::kInvalid, "invalid label name in histogram_quantiles(): " + label);
  VectorValue out(vector->steps);
  ForcedByName all;
  for (std::size_t arg = 2; arg < call.size(); ++arg) {
    const auto q = call.EvalScalar(arg);
    if (!q) return core::Fail(q.error());
    for (const double value : *q) WarnOfBadQuantile(call.annotations(), value, call.arg_pos(arg));
    auto rows = OverHistograms(call, *vector, call.arg_pos(0),
                               [&](Buckets& buckets, std::size_t step, const HistogramRows& histogram) {
                                 Forced forced;
                                 const double value = QuantileOf((*q)[step], buckets, forced);
                                 if (forced.count > 0) all[histogram.metric_name].Add(forced, call.steps().At(step));
                                 return value;
                               });
    if (!rows) return core::Fail(rows.error());
    for (std::size_t i = 0; i < rows->vector.size(); ++i) {
      core::Labels labels = *rows->vector.series[i].labels;
      labels.Set(label, core::FormatGoFloat((*q)[0], 'f', -1));
      double* row = out.AddRow(std::make_shared<const core::Labels>(std::move(labels)), true);
      std::copy_n(rows->vector.row(i), vector->steps, row);
    }
  }
  NoteForced(call, all, call.arg_pos(0));
  return call.MergedByLabels(std::move(out));
}

core::Result<Value> HistogramFraction(CallContext& call) {
  const auto lower = call.EvalScalar(0);
  if (!lower) return core::Fail(lower.error());
  const auto upper = call.EvalScalar(1);
  if (!upper) return core::Fail(upper.error());
  const auto vector = call.EvalVector(2);
  if (!vector) return core::Fail(vector.error());
  return OverHistograms(call, *vector, call.arg_pos(2), [&](Buckets& buckets, std::size_t step, const HistogramRows&) {
    return FractionOf((*lower)[step], (*upper)[step], buckets);
  });
}

// Of floats these give nothing; histograms do not get here.
core::Result<Value> NothingOfFloats(CallContext& call) {
  const auto vector = call.EvalVector(0);
  if (!vector) return core::Fail(vector.error());
  Value value;
  value.type = ValueType::kVector;
  value.vector = VectorValue(vector->steps);
  return value;
}

constexpr ValueType kQuantileArgs[] = {ValueType::kScalar, ValueType::kVector};
constexpr ValueType kQuantilesArgs[] = {ValueType::kVector, ValueType::kString, ValueType::kScalar};
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
    {.name = "histogram_count", .args = kVectorArg, .help = "Count of native histograms.", .general = NothingOfFloats},
    {.name = "histogram_sum", .args = kVectorArg, .help = "Sum of native histograms.", .general = NothingOfFloats},
    {.name = "histogram_avg", .args = kVectorArg, .help = "Mean of native histograms.", .general = NothingOfFloats},
    {.name = "histogram_stddev",
     .args = kVectorArg,
     .help = "Standard deviation of native histograms.",
     .general = NothingOfFloats},
    {.name = "histogram_stdvar",
     .args = kVectorArg,
     .help = "Variance of native histograms.",
     .general = NothingOfFloats},
};

}  // namespace

std::span<const Function> HistogramFunctions() { return kFunctions; }

}  // namespace pipewarden::rules::promql
