#include "agent/event_judge.h"

#include <chrono>
#include <map>
#include <utility>

namespace pipewarden::agent {
namespace {

using namespace std::chrono_literals;

constexpr core::Duration kTogether = 20ms;

// Rules thread. When to judge what had to wait.
std::optional<core::TimestampMs> AppendAndJudge(rules::Storage& storage, rules::RuleManager& rules,
                                                const std::vector<exporters::ProbeSample>& samples,
                                                core::TimestampMs wall) {
  const core::TimestampMs time = storage.TickTime(wall);
  std::vector<core::Labels> changed;
  std::map<rules::SeriesRef, double> values;  // of a probe that changed twice the later ones
  for (const exporters::ProbeSample& sample : samples) {
    changed.push_back(sample.series->labels);
    if (const auto ref = storage.Resolve(sample.series->labels, "probes")) values[*ref] = sample.value;
  }
  std::vector<rules::RefSample> batch;
  for (const auto& [ref, value] : values) batch.push_back({ref, value});
  storage.Append(time, batch);
  return rules.Judge(changed, time);
}

}  // namespace

EventJudge::EventJudge(core::Loop& loop, core::TaskGroup& tasks, RulesThread& thread, rules::Storage& storage,
                       rules::RuleManager& rules)
    : loop_(loop), tasks_(tasks), thread_(thread), storage_(storage), rules_(rules) {}

void EventJudge::Note(const std::vector<exporters::ProbeSample>& samples) {
  noted_.insert(noted_.end(), samples.begin(), samples.end());
  if (std::exchange(soon_, true)) return;
  tasks_.Spawn("judge between ticks", JudgeSoon());
}

core::Task<core::TimestampMs> EventJudge::TimeBetweenTicks() {
  for (;;) {
    const core::TimestampMs now = core::ToMs(loop_.clock().Now());
    if (!tick_due_ || now < *tick_due_) co_return now;
    co_await loop_.Sleep(1ms);
  }
}

core::Task<void> EventJudge::JudgeSoon() {
  co_await loop_.Sleep(kTogether);
  const core::TimestampMs now = co_await TimeBetweenTicks();
  soon_ = false;
  const auto samples = std::exchange(noted_, {});
  std::optional<core::TimestampMs> rest;
  co_await thread_.Run([&] { rest = AppendAndJudge(storage_, rules_, samples, now); });
  WaitForRest(rest);
}

void EventJudge::WaitForRest(std::optional<core::TimestampMs> at) {
  if (!at || std::exchange(rest_, true)) return;
  tasks_.Spawn("judge the rest between ticks", JudgeRest(*at));
}

core::Task<void> EventJudge::JudgeRest(core::TimestampMs at) {
  co_await loop_.SleepUntil(core::FromMs(at));
  const core::TimestampMs now = co_await TimeBetweenTicks();
  rest_ = false;
  std::optional<core::TimestampMs> rest;
  co_await thread_.Run([&] { rest = AppendAndJudge(storage_, rules_, {}, now); });
  WaitForRest(rest);
}

}  // namespace pipewarden::agent
