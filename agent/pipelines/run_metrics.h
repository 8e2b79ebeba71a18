// The metrics of pipelines; their table stands in pipelines.h. Loop thread only (the registry is safe from any).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/pipelines/run.h"

namespace prometheus {
class Registry;
}

namespace pipewarden::agent {

class RunMetrics {
 public:
  explicit RunMetrics(std::shared_ptr<prometheus::Registry> registry);
  ~RunMetrics();

  // Series of a pipeline that is configured are there from the start, so that rules can tell "never" from "unknown".
  void Add(const PipelineConfig& config);
  void Remove(const std::string& pipeline, const std::string& step);  // step "": those of the pipeline itself
  // What is usual is told by so many runs at most.
  static constexpr int kUsualRuns = 50;
  // What the history tells after a start of the agent.
  void RestoreDurations(const std::string& pipeline, const std::vector<core::Duration>& oldest_first);
  void RestoreRun(const Run& run);
  void RestoreSuccess(const std::string& pipeline, const std::string& step, core::WallTime ended);

  void RunStarted(const Run& run);
  void RunEnded(const Run& run);  // one that had started
  void RunSkipped(const Run& run);
  void AttemptStarted(const Run& run, const std::string& step, core::WallTime now);
  void AttemptEnded(const Run& run, const std::string& step, const AttemptEnd& end);  // paired with AttemptStarted
  void StepEnded(const Run& run, const StepRun& step);

  void SetQueued(const std::string& pipeline, std::size_t runs);
  void SetNextSlot(const std::string& pipeline, std::optional<core::WallTime> slot);
  void SetPaused(const std::string& pipeline, bool paused);
  void SetLate(const std::string& pipeline, bool late);
  // A promise of the sla: start_within, finish_by, max_duration; nullopt: it is not made.
  void SetBroken(const std::string& pipeline, std::string_view promise, std::optional<bool> broken);
  void SetOutstanding(const std::string& pipeline, bool outstanding);
  void SetDeadline(const std::string& pipeline, std::optional<core::WallTime> deadline);
  void AddMissed(const std::string& pipeline, std::int64_t slots);
  void SetStoreUp(bool up);

 private:
  void AddDuration(const std::string& pipeline, core::Duration duration);
  void TellUsual(const std::string& pipeline);
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pipewarden::agent
