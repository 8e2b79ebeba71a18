#include "rules/backtest.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "core/time/civil_time.h"
#include "rules/memory_store.h"
#include "rules/rule_group.h"

namespace pipewarden::rules {
namespace {

class Backtest {
 public:
  Backtest(const RuleFile& file, const promql::Queryable& history, const promql::Engine& engine,
           const core::Clock& clock, const BacktestOptions& options,
           const std::function<bool(const BacktestEvent&)>& tell)
      : clock_(clock),
        options_(options),
        tell_(tell),
        store_(&history),
        query_([this, &engine](const promql::Expr& expr, core::TimestampMs time) {
          return engine.Instant(
              expr, store_, time,
              {.clock = &clock_, .deadline = options_.deadline, .cancel = nullptr, .lookback_ms = {}});
        }),
        // Firing alerts are given at each evaluation: what is told is told by who knows them.
        environment_{.storage = store_,
                     .clock = clock_,
                     .query = query_,
                     .external_labels = options.external_labels,
                     .external_url = options.external_url,
                     .resend_ms = 0,
                     .parse = options.parse} {
    for (const RuleGroupConfig& config : file.groups) {
      groups_.push_back(std::make_unique<RuleGroup>(config, file.path, options.default_interval));
      groups_.back()->SkipRestore();
    }
  }

  core::Result<BacktestSummary> Run() {
    // Each group at multiples of its interval, as the agent would have judged it.
    std::multimap<core::TimestampMs, RuleGroup*> due;
    const auto next = [](const RuleGroup& group, core::TimestampMs after) {
      return (after / group.interval_ms() + 1) * group.interval_ms();
    };
    for (const auto& group : groups_) due.emplace(next(*group, options_.from - 1), group.get());
    while (!due.empty() && due.begin()->first <= options_.to) {
      const auto [time, group] = *due.begin();
      due.erase(due.begin());
      if (clock_.Monotonic() > options_.deadline)
        return core::Fail(core::ErrorCode::kTimeout, "the backtest took too long and ended at " +
                                                         core::FormatRfc3339(core::FromMs(time)) +
                                                         "; take a shorter time or fewer rules");
      if (!Judge(*group, time)) break;
      due.emplace(next(*group, time), group);
    }
    summary_.still_firing = firing_.size();
    return summary_;
  }

 private:
  // False where nobody listens any more.
  bool Judge(RuleGroup& group, core::TimestampMs time) {
    ++summary_.evaluations;
    const RuleGroup::Outcome outcome = group.Evaluate(time, environment_);
    for (const std::string& error : outcome.new_errors)
      if (errors_.insert(group.name() + error).second &&
          !tell_({.time = time, .group = group.name(), .labels = {}, .error = error}))
        return false;
    for (const core::Alert& alert : outcome.alerts) {
      const std::pair key{group.name(), alert.labels};
      const bool resolved = core::ToMs(alert.ends_at) <= time;
      const auto known = firing_.find(key);
      if (resolved == (known == firing_.end())) continue;
      BacktestEvent event{
          .time = time, .group = group.name(), .labels = alert.labels, .firing = !resolved, .error = ""};
      if (resolved) {
        event.since = known->second;
        firing_.erase(known);
      } else {
        ++summary_.firings;
        firing_.emplace(key, time);
      }
      if (!tell_(event)) return false;
    }
    return true;
  }

  const core::Clock& clock_;
  const BacktestOptions& options_;
  const std::function<bool(const BacktestEvent&)>& tell_;
  MemoryStore store_;
  QueryFunction query_;
  GroupEnvironment environment_;
  std::vector<std::unique_ptr<RuleGroup>> groups_;
  std::map<std::pair<std::string, core::Labels>, core::TimestampMs> firing_;
  std::set<std::string> errors_;
  BacktestSummary summary_;
};

}  // namespace

core::Result<BacktestSummary> RunBacktest(const RuleFile& file, const promql::Queryable& history,
                                          const promql::Engine& engine, const core::Clock& clock,
                                          const BacktestOptions& options,
                                          const std::function<bool(const BacktestEvent&)>& tell) {
  return Backtest(file, history, engine, clock, options, tell).Run();
}

}  // namespace pipewarden::rules
