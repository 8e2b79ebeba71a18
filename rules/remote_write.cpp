#include "rules/remote_write.h"

#include <algorithm>
#include <tuple>
#include <vector>

namespace pipewarden::rules {
namespace {

constexpr core::TimestampMs kMaxAheadMs = 10LL * 60 * 1000;

struct Placed {
  core::TimestampMs time;
  SeriesRef ref;
  double value;
  core::HistogramPtr histogram;  // null: a float
};

}  // namespace

RemoteWriteOutcome AppendRemote(Storage& storage, core::RemoteWriteRequest request, core::TimestampMs now) {
  RemoteWriteOutcome outcome;
  const auto refuse = [&](std::size_t samples, const std::string& why) {
    if (samples > 0 && outcome.why.empty()) outcome.why = why;
    outcome.refused += samples;
  };
  std::vector<Placed> placed;
  for (const core::RemoteWriteSeries& one : request.series) {
    const std::size_t sent = one.samples.size() + one.histograms.size();
    const core::Labels labels(one.labels);
    if (!one.invalid.empty()) {
      refuse(std::max<std::size_t>(sent, 1), "invalid labels of series " + labels.ToString() + ": " + one.invalid);
      continue;
    }
    if (sent == 0) continue;
    const auto ref = storage.Resolve(labels, "remote_write");
    if (!ref) {
      refuse(sent, "the limit of series is reached: " + labels.ToString());
      continue;
    }
    const auto place = [&](core::TimestampMs time, double value, const core::HistogramPtr& histogram) {
      if (time > now + kMaxAheadMs)
        refuse(1, "out of bounds: the sample is too far in the future: " + labels.ToString());
      else
        placed.push_back({time, *ref, value, histogram});
    };
    for (const core::Sample& sample : one.samples) place(sample.time, sample.value, nullptr);
    for (const core::RemoteWriteHistogram& sample : one.histograms) {
      if (sample.histogram != nullptr)
        place(sample.time, 0, sample.histogram);
      else
        refuse(1, "invalid histogram of series " + labels.ToString() + ": " + sample.invalid);
    }
  }
  // The storage keeps what it allocates now for hours: not in between what the request took.
  request = {};
  std::ranges::stable_sort(placed, {}, [](const Placed& one) { return std::tuple(one.time, one.ref); });
  std::vector<RefSample> floats;
  std::vector<RefHistogram> histograms;
  for (std::size_t i = 0; i < placed.size();) {
    const core::TimestampMs time = placed[i].time;
    floats.clear();
    histograms.clear();
    for (; i < placed.size() && placed[i].time == time; ++i) {
      if (placed[i].histogram == nullptr)
        floats.push_back({placed[i].ref, placed[i].value});
      else
        histograms.push_back({placed[i].ref, placed[i].histogram});
    }
    const std::size_t stored_floats = floats.empty() ? 0 : storage.Append(time, floats);
    const std::size_t stored_histograms = histograms.empty() ? 0 : storage.Append(time, histograms);
    outcome.samples += stored_floats;
    outcome.histograms += stored_histograms;
    refuse(floats.size() + histograms.size() - stored_floats - stored_histograms,
           "out of order sample: it is not newer than the newest of its series");
  }
  return outcome;
}

}  // namespace pipewarden::rules
