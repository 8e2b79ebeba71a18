#include "rules/remote_write.h"

#include <algorithm>
#include <tuple>
#include <vector>

namespace pipewarden::rules {
namespace {

constexpr core::TimestampMs kMaxAheadMs = 10LL * 60 * 1000;

struct Placed {
  core::TimestampMs time;
  RefSample sample;
};

}  // namespace

RemoteWriteOutcome AppendRemote(Storage& storage, std::span<const core::RemoteWriteSeries> series,
                                core::TimestampMs now) {
  RemoteWriteOutcome outcome;
  const auto refuse = [&](std::size_t samples, const std::string& why) {
    if (samples > 0 && outcome.why.empty()) outcome.why = why;
    outcome.refused += samples;
  };
  std::vector<Placed> placed;
  for (const core::RemoteWriteSeries& one : series) {
    refuse(one.histograms, "native histograms cannot be received");
    if (!one.invalid.empty()) {
      refuse(std::max<std::size_t>(one.samples.size(), 1),
             "invalid labels of series " + one.labels.ToString() + ": " + one.invalid);
      continue;
    }
    if (one.samples.empty()) continue;
    const auto ref = storage.Resolve(one.labels, "remote_write");
    if (!ref) refuse(one.samples.size(), "the limit of series is reached: " + one.labels.ToString());
    for (const core::Sample& sample : one.samples) {
      if (!ref) break;
      if (sample.time > now + kMaxAheadMs)
        refuse(1, "out of bounds: the sample is too far in the future: " + one.labels.ToString());
      else
        placed.push_back({sample.time, {*ref, sample.value}});
    }
  }
  std::ranges::stable_sort(placed, {}, [](const Placed& one) { return std::tuple(one.time, one.sample.ref); });
  std::vector<RefSample> batch;
  for (std::size_t i = 0; i < placed.size(); i += batch.size()) {
    batch.clear();
    for (std::size_t k = i; k < placed.size() && placed[k].time == placed[i].time; ++k)
      batch.push_back(placed[k].sample);
    const std::size_t appended = storage.Append(placed[i].time, batch);
    outcome.samples += appended;
    refuse(batch.size() - appended, "out of order sample: it is not newer than the newest of its series");
  }
  return outcome;
}

}  // namespace pipewarden::rules
