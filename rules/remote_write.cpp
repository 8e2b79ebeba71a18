#include "rules/remote_write.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <span>
#include <tuple>
#include <vector>

#include "core/text/go_float.h"
#include "core/text/go_string.h"

namespace pipewarden::rules {
namespace {

constexpr core::TimestampMs kMaxAheadMs = 10LL * 60 * 1000;
// So far back of its newest sample Prometheus calls a sample out of order, and out of bounds before.
constexpr core::TimestampMs kInOrderMs = 60LL * 60 * 1000;
constexpr std::size_t kMaxWords = 64U << 10U;  // of what is said about what was refused

struct Placed {
  core::TimestampMs time;
  SeriesRef ref;
  double value;
  core::HistogramPtr histogram;  // null: a float
};

// {__name__="up", job="a"}, as Prometheus prints labels in what it says.
std::string SeriesText(std::span<const core::LabelView> labels) {
  std::string text = "{";
  for (const core::LabelView& label : labels) {
    if (text.size() > 1) text += ", ";
    text += core::IsValidLabelName(label.name) ? std::string(label.name) : core::GoQuote(label.name);
    text += '=';
    text += core::GoQuote(label.value);
  }
  return text + '}';
}

std::string InvalidLabels(std::span<const core::LabelView> labels) {
  std::string_view before;
  for (const core::LabelView& label : labels) {
    if (!label.name.empty() && label.name == before)
      return "invalid labels for series, labels " + SeriesText(labels) + ", duplicated label " +
             std::string(label.name);
    before = label.name;
  }
  return "invalid metric name or labels, got " + SeriesText(labels);
}

bool IsNewest(const Storage::NewestSample& newest, double value, const core::HistogramPtr& histogram) {
  if (histogram != nullptr) return newest.histogram != nullptr && core::SameHistogram(*newest.histogram, *histogram);
  return std::bit_cast<std::uint64_t>(newest.value) == std::bit_cast<std::uint64_t>(value);
}

std::string OtherValue(const Storage::NewestSample& newest, double value, const core::HistogramPtr& histogram) {
  std::string text = "duplicate sample for timestamp";
  if (histogram != nullptr || newest.time == 0) return text;
  text += ' ' + std::to_string(newest.time) + "; overrides not allowed: existing ";
  text += promql::IsHistogramMark(newest.value) ? "is a histogram" : core::FormatGoFloat(newest.value, 'g', -1);
  return text + ", new value " + core::FormatGoFloat(value, 'g', -1);
}

class Appender {
 public:
  Appender(Storage& storage, core::TimestampMs now)
      : storage_(storage), latest_(now + kMaxAheadMs), oldest_(storage.OldestTaken(now)) {}

  void Add(const core::RemoteWriteSeries& one) {
    const std::size_t sent = one.samples.size() + one.histograms.size();
    if (!one.invalid.empty()) {
      RefuseSeries(sent, InvalidLabels(one.labels));
      return;
    }
    if (sent == 0) {
      RefuseSeries(0, "TimeSeries must contain at least one sample or histogram for series " + SeriesText(one.labels));
      return;
    }
    std::optional<SeriesRef> ref;
    const auto place = [&](core::TimestampMs time, double value, const core::HistogramPtr& histogram,
                           const std::string& invalid) {
      std::string why = OutOfBounds(time);
      if (why.empty()) why = invalid;
      if (why.empty() && !ref) ref = storage_.Resolve(core::Labels(one.labels), "remote_write");
      if (why.empty() && !ref) why = "the limit of series is reached";
      if (why.empty()) {
        const auto newest = storage_.NewestOf(*ref, histogram != nullptr);
        if (time == newest.time && IsNewest(newest, value, histogram)) {
          ++(histogram != nullptr ? outcome_.histograms : outcome_.samples);
          return;
        }
        why = NotAfter(newest, time, value, histogram);
      }
      if (!why.empty()) return Refuse(why, one.labels);
      placed_.push_back({time, *ref, value, histogram});
    };
    for (const core::Sample& sample : one.samples) place(sample.time, sample.value, nullptr, "");
    for (const core::RemoteWriteHistogram& sample : one.histograms)
      place(sample.time, 0, sample.histogram, sample.invalid);
  }

  RemoteWriteOutcome Finish() {
    std::ranges::stable_sort(placed_, {}, [](const Placed& one) { return std::tuple(one.time, one.ref); });
    std::vector<RefSample> floats;
    std::vector<RefHistogram> histograms;
    for (std::size_t i = 0; i < placed_.size();) {
      const core::TimestampMs time = placed_[i].time;
      floats.clear();
      histograms.clear();
      for (; i < placed_.size() && placed_[i].time == time; ++i) {
        const Placed& one = placed_[i];
        // Twice in one request: the first one counts, and neither is refused, as in Prometheus.
        if (i > 0 && placed_[i - 1].time == time && placed_[i - 1].ref == one.ref)
          ++(one.histogram != nullptr ? outcome_.histograms : outcome_.samples);
        else if (one.histogram == nullptr)
          floats.push_back({one.ref, one.value});
        else
          histograms.push_back({one.ref, one.histogram});
      }
      const std::size_t stored_floats = floats.empty() ? 0 : storage_.Append(time, floats);
      const std::size_t stored_histograms = histograms.empty() ? 0 : storage_.Append(time, histograms);
      outcome_.samples += stored_floats;
      outcome_.histograms += stored_histograms;
      // Somebody else appended meanwhile.
      for (std::size_t k = stored_floats + stored_histograms; k < floats.size() + histograms.size(); ++k)
        Refuse("out of order sample", {});
    }
    return std::move(outcome_);
  }

 private:
  // "" where it is not.
  std::string OutOfBounds(core::TimestampMs time) const {
    if (time > latest_) return "out of bounds: timestamp is too far in the future";
    return time < oldest_ ? "out of bounds" : "";
  }
  std::string NotAfter(const Storage::NewestSample& newest, core::TimestampMs time, double value,
                       const core::HistogramPtr& histogram) const {
    if (newest.time == ChunkWriter::kNever || time > newest.time) return "";
    if (time == newest.time) return OtherValue(newest, value, histogram);
    return time < storage_.newest_time() - kInOrderMs ? "out of bounds" : "out of order sample";
  }
  void Refuse(const std::string& why, std::span<const core::LabelView> labels) {
    if (outcome_.why.empty()) outcome_.why = why;
    RefuseSeries(1, why + " for series " + SeriesText(labels));
  }
  // What version 1.0 says nothing of.
  void RefuseSeries(std::size_t samples, const std::string& why) {
    outcome_.refused += samples;
    if (outcome_.each.size() > kMaxWords) return;
    if (!outcome_.each.empty()) outcome_.each += '\n';
    outcome_.each += why;
  }

  Storage& storage_;
  const core::TimestampMs latest_;
  const core::TimestampMs oldest_;
  std::vector<Placed> placed_;
  RemoteWriteOutcome outcome_;
};

}  // namespace

RemoteWriteOutcome AppendRemote(Storage& storage, core::RemoteWriteRequest request, core::TimestampMs now) {
  Appender appender(storage, now);
  for (const core::RemoteWriteSeries& one : request.series) appender.Add(one);
  // The storage keeps what it allocates now for hours: not in between what the request took.
  request = {};
  return appender.Finish();
}

}  // namespace pipewarden::rules
