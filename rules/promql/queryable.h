// What the engine reads from: series selected by matchers, samples by time range. The storage implements it, and so
// does promql::MemorySeries for tests and rule tests.
//
// Reads go through a read view: a Querier shows one state of the data for as long as it lives, whatever is written
// meanwhile, and keeps what it shows alive. Queryable::Open is safe from any thread; one Querier and all it handed out
// belong to one thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/float_histogram.h"
#include "core/model/labels.h"
#include "core/model/matcher.h"
#include "core/model/sample.h"
#include "core/result.h"

namespace pipewarden::rules::promql {

using core::TimestampMs;

// Shared with the storage's index, so that selecting 10,000 series copies no strings. Never null.
using LabelsPtr = std::shared_ptr<const core::Labels>;

using core::FloatHistogram;
using core::HistogramPtr;

// A sample that is a native histogram has this value (a NaN that no arithmetic yields) in SampleColumns::values, and
// its histogram at the same index of SampleColumns::histograms.
inline constexpr std::uint64_t kHistogramBits = 0x7ff0000000000105U;
inline double HistogramMark() { return std::bit_cast<double>(kHistogramBits); }
inline bool IsHistogramMark(double value) { return std::bit_cast<std::uint64_t>(value) == kHistogramBits; }

// Samples as columns, times strictly ascending. The engine hands the same object to every read of a query, so its
// capacity is allocated once.
struct SampleColumns {
  std::vector<TimestampMs> times;
  std::vector<double> values;
  std::vector<HistogramPtr> histograms;  // empty, or as long as times

  std::size_t size() const { return times.size(); }
  bool empty() const { return times.empty(); }
  void Clear() {
    times.clear();
    values.clear();
    histograms.clear();
  }
  void Add(TimestampMs time, double value) {
    times.push_back(time);
    values.push_back(value);
    if (!histograms.empty()) histograms.push_back(nullptr);
  }
  void Append(SampleColumns&& later) {
    if (!later.histograms.empty() || !histograms.empty()) {
      histograms.resize(times.size());
      later.histograms.resize(later.times.size());
      histograms.insert(histograms.end(), std::make_move_iterator(later.histograms.begin()),
                        std::make_move_iterator(later.histograms.end()));
    }
    times.insert(times.end(), later.times.begin(), later.times.end());
    values.insert(values.end(), later.values.begin(), later.values.end());
  }
  void Add(TimestampMs time, HistogramPtr histogram) {
    histograms.resize(times.size());
    times.push_back(time);
    values.push_back(HistogramMark());
    histograms.push_back(std::move(histogram));
  }
};

// The series of one selection. Indexes are stable for its life; each label set appears once; the order is the source's
// (any, but the same for the same state).
class SeriesSet {
 public:
  virtual ~SeriesSet() = default;

  virtual std::size_t size() const = 0;
  virtual const LabelsPtr& labels(std::size_t index) const = 0;

  // Appends the samples with from <= time <= to (both ends included), staleness markers among them. Fails only where
  // stored data does not read back (kCorrupt, kInternal) or SelectHints::check says no; `out` then holds what was read
  // before.
  virtual core::Result<void> Read(std::size_t index, TimestampMs from, TimestampMs to, SampleColumns& out) const = 0;

  // Appends the newest sample with from <= time <= to, if there is one. What instant queries and rules ask for all day:
  // a storage that remembers each series' newest sample answers without decoding anything.
  virtual core::Result<void> ReadLast(std::size_t index, TimestampMs from, TimestampMs to, SampleColumns& out) const {
    SampleColumns all;
    auto read = Read(index, from, to, all);
    if (!read || all.empty()) return read;
    if (!all.histograms.empty() && all.histograms.back() != nullptr)
      out.Add(all.times.back(), all.histograms.back());
    else
      out.Add(all.times.back(), all.values.back());
    return read;
  }
};

// What a selection is for. The samples asked for later all lie in [from, to]; a source may use it to leave out series
// and chunks without samples there, and may as well ignore it.
struct SelectHints {
  TimestampMs from = 0;
  TimestampMs to = 0;
  std::size_t limit = 0;  // series wanted at most (0: all), for /api/v1/series
  // Asked now and then while a long series is read, with how many samples of it there are; its error ends the reading.
  std::function<core::Result<void>(std::size_t samples)> check = {};
};

class Querier {
 public:
  virtual ~Querier() = default;

  // Every series that all matchers accept. A matcher that accepts the empty string also accepts series without that
  // label. Without matchers: every series. The set must not outlive the Querier.
  virtual core::Result<std::unique_ptr<SeriesSet>> Select(const SelectHints& hints,
                                                          std::span<const core::Matcher> matchers) = 0;

  // Sorted, unique; of the series that all matchers accept and that may have samples in [hints.from, hints.to].
  virtual core::Result<std::vector<std::string>> LabelNames(const SelectHints& hints,
                                                            std::span<const core::Matcher> matchers) = 0;
  virtual core::Result<std::vector<std::string>> LabelValues(const SelectHints& hints, std::string_view name,
                                                             std::span<const core::Matcher> matchers) = 0;
};

class Queryable {
 public:
  virtual ~Queryable() = default;

  // A read view of the samples in [from, to].
  virtual core::Result<std::unique_ptr<Querier>> Open(TimestampMs from, TimestampMs to) const = 0;
};

}  // namespace pipewarden::rules::promql
