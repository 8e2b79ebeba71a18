// Freshness: how old the newest of some data is, and whether it should have been there by now.
//
// A source of freshness (a file, later a table) is one file in exporters/freshness_sources/, one line in its list.h and
// one test; it says when the data was last updated. The runner asks it at an interval; age and verdict are worked out
// anew whenever they are looked at.
//
// `due` is 1 where the data is older than max_age, or where a time by which it is expected has passed and nothing has
// come since the expected time before that one; or where nothing has been found at all.
//
// Thread safety: Apply and Stop belong to the loop's thread; Status and Visit to any.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/registry.h>

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/async/loop.h"
#include "core/async/mutex.h"
#include "core/async/task_group.h"
#include "core/config/option_table.h"
#include "core/model/sample_source.h"
#include "core/time/calendar.h"

namespace pipewarden::exporters {

struct FreshnessReading {
  std::optional<core::WallTime> last_update;  // nothing: there is no data yet
  std::string what;                           // what was updated then, such as a path; for people
};

class FreshnessSource {
 public:
  virtual ~FreshnessSource() = default;
  // One at a time. What may hang goes to an Aside (core/async/aside.h).
  virtual core::Task<core::Result<FreshnessReading>> Read(core::Loop& loop) = 0;
};

struct FreshnessSourceKind {
  std::string_view name;
  std::string_view summary;
  std::span<const core::OptionTable> options;
  std::unique_ptr<FreshnessSource> (*make)(const core::Options& options, core::ConfigErrors& errors);
};
std::span<const FreshnessSourceKind* const> FreshnessSourceKinds();
core::OptionTable CommonFreshnessOptions();
core::OptionTable FreshnessExpectedOptions();  // of the map `expected`

// By when data is expected: at a time of day, on some days.
struct ExpectedBy {
  int minute_of_day = 0;
  core::WorkCalendar days;
  core::TimeZone zone;

  // The expected times around `now`; the last two that have passed and the next. Nothing where there is none within 60
  // days.
  struct Times {
    std::optional<core::WallTime> before_last, last, next;
  };
  Times Around(core::WallTime now) const;
};

struct FreshnessConfig {
  std::string name;
  std::string identity;
  core::Location where;
  const FreshnessSourceKind* kind = nullptr;
  core::Duration interval{};
  std::optional<core::Duration> max_age;
  std::optional<ExpectedBy> expected;
  std::vector<std::string> depends_on;  // pipelines and components that make the data
  std::shared_ptr<FreshnessSource> source;
};

// The section `freshness`: a list of maps.
std::vector<FreshnessConfig> ReadFreshness(const core::YamlNode& section, core::ConfigErrors& errors);

struct FreshnessVerdict {
  bool due = false;      // one of those below
  bool too_old = false;  // older than max_age
  bool missing = false;  // expected by now, and has not come; or nothing is there at all
  std::string reason;    // where due
};
FreshnessVerdict JudgeFreshness(const FreshnessConfig& config, const std::optional<core::WallTime>& last_update,
                                core::WallTime now);

struct FreshnessStatus {
  std::string name, source;
  std::optional<core::WallTime> checked;      // the last try
  std::optional<core::WallTime> last_update;  // the newest known
  std::string what;
  std::optional<core::Duration> age, max_age;
  bool due = false;
  std::string reason;
  std::string error;  // of the last try
  std::optional<core::WallTime> next_expected;
  std::vector<std::string> depends_on;
};

class FreshnessRunner final : public core::SampleSource {
 public:
  FreshnessRunner(core::Loop& loop, core::Logger logger, const std::shared_ptr<prometheus::Registry>& registry);
  ~FreshnessRunner() override;

  void Apply(std::vector<FreshnessConfig> configs);
  std::vector<FreshnessStatus> Status() const;  // by name
  core::Task<void> Stop();

  std::string_view name() const override { return "freshness"; }
  void Visit(core::SampleVisitor& visitor) override;

 private:
  struct Entry;
  core::Task<void> RunForever(std::shared_ptr<Entry> entry);
  void Note(Entry& entry, core::Result<FreshnessReading> reading);

  core::Loop& loop_;
  core::Logger logger_;
  std::shared_ptr<prometheus::Registry> registry_;  // the counters live in it
  prometheus::Counter* checks_;
  prometheus::Counter* failures_;
  core::TaskGroup group_;
  mutable core::Mutex mutex_;
  std::map<std::string, std::shared_ptr<Entry>, std::less<>> entries_ GUARDED_BY(mutex_);
};

}  // namespace pipewarden::exporters
