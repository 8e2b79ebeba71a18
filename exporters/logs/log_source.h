// The section `logs:` at work: files are followed and scanned aside (a file system may hang), and what their lines make
// is a SampleSource.
//
// A value that came from a log is visible only after the commit that holds its file's offset, so that a counter never
// comes back lower after a kill (docs/architecture.md, "What survives"). Visit and State: any thread. The rest: loop
// thread; Stop() is awaited before it dies.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/async/aside.h"
#include "core/async/loop.h"
#include "core/async/task_group.h"
#include "core/model/sample_source.h"
#include "exporters/logs/log_config.h"

namespace prometheus {
class Registry;
}

namespace pipewarden::exporters {

class LogWorker;
struct LogState;  // exporters/logs/log_worker.h

class LogSource final : public core::SampleSource {
 public:
  // Stores offsets and values in <data_dir>/logs.db. Without entries nothing runs and no file is made.
  LogSource(core::Loop& loop, core::Logger logger, std::shared_ptr<prometheus::Registry> own_metrics,
            std::string data_dir, core::Duration interval = std::chrono::milliseconds(250));
  ~LogSource() override;

  // Entries of the same name and identity go on untouched; one that has changed keeps its offsets, and its metrics
  // where they are of the same shape.
  void Apply(std::vector<LogConfig> configs);
  // The last commit; values are then whole even over a boot. Where a file system hangs it is left out after a few
  // seconds: the next start goes on from the commit before.
  core::Task<void> Stop();

  std::string_view name() const override { return "logs"; }
  void Visit(core::SampleVisitor& visitor) override;

  // Files with offsets and lag, patterns with hits: for pages.
  std::shared_ptr<const LogState> State() const;

 private:
  struct OwnMetrics;
  core::Task<void> Run();

  core::Loop& loop_;
  core::Duration interval_;
  core::Logger logger_;
  std::shared_ptr<LogWorker> worker_;  // shared with a poll that hangs
  core::Aside aside_;
  std::unique_ptr<OwnMetrics> own_;
  core::TaskGroup tasks_;
  bool running_ = false;
};

}  // namespace pipewarden::exporters
