#include "exporters/logs/log_source.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include "exporters/logs/log_worker.h"

namespace pipewarden::exporters {
namespace {

constexpr core::Duration kPatience = std::chrono::seconds(30);  // with one look at all files
constexpr core::Duration kClosePatience = std::chrono::seconds(5);

}  // namespace

// The agent's own metrics of this source, brought up to what the worker has counted after each poll.
struct LogSource::OwnMetrics {
  explicit OwnMetrics(std::shared_ptr<prometheus::Registry> registry_) : registry(std::move(registry_)) {}

  prometheus::Counter& Counter(const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(*registry).Add({});
  }
  prometheus::Gauge& Gauge(const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(*registry).Add({});
  }

  std::shared_ptr<prometheus::Registry> registry;
  LogCounts last;
  prometheus::Counter& lines = Counter("pipewarden_logs_lines_total", "Log lines that were read.");
  prometheus::Counter& bytes = Counter("pipewarden_logs_bytes_total", "Bytes that were read from log files.");
  prometheus::Counter& cut = Counter("pipewarden_logs_lines_cut_total", "Log lines longer than max_line, cut there.");
  prometheus::Counter& rotations = Counter("pipewarden_logs_rotations_total", "Log files that left their path.");
  prometheus::Counter& truncations =
      Counter("pipewarden_logs_truncations_total", "Log files that were truncated or replaced in place.");
  prometheus::Counter& read_errors =
      Counter("pipewarden_logs_read_errors_total", "Failures to open or read a log file.");
  prometheus::Counter& value_errors =
      Counter("pipewarden_logs_value_errors_total", "Matches whose value group held no number that the metric takes.");
  prometheus::Counter& commit_errors =
      Counter("pipewarden_logs_commit_errors_total", "Failures to store offsets and values.");
  prometheus::Counter& overflowed = Counter("pipewarden_logs_series_overflow_total",
                                            "Matches that went to a series labelled _overflow_ because of max_series.");
  prometheus::Gauge& files = Gauge("pipewarden_logs_files", "Log files that are followed.");
  prometheus::Gauge& lag = Gauge("pipewarden_logs_lag_bytes", "Bytes in followed log files that are not read yet.");
  prometheus::Gauge& series = Gauge("pipewarden_logs_series", "Series that log lines have made.");

  void Update(const LogCounts& now) {
    const auto add = [](prometheus::Counter& counter, std::uint64_t before, std::uint64_t after) {
      counter.Increment(static_cast<double>(after - before));
    };
    add(lines, last.lines, now.lines);
    add(bytes, last.bytes, now.bytes);
    add(cut, last.cut, now.cut);
    add(rotations, last.rotations, now.rotations);
    add(truncations, last.truncations, now.truncations);
    add(read_errors, last.read_errors, now.read_errors);
    add(value_errors, last.value_errors, now.value_errors);
    add(commit_errors, last.commit_errors, now.commit_errors);
    add(overflowed, last.overflowed, now.overflowed);
    files.Set(static_cast<double>(now.files));
    lag.Set(static_cast<double>(now.lag_bytes));
    series.Set(static_cast<double>(now.series));
    last = now;
  }
};

LogSource::LogSource(core::Loop& loop, core::Logger logger, std::shared_ptr<prometheus::Registry> own_metrics,
                     std::string data_dir, core::Duration interval)
    : loop_(loop),
      interval_(interval),
      logger_(std::move(logger)),
      worker_(std::make_shared<LogWorker>(loop.clock(), logger_, std::move(data_dir))),
      own_(std::make_unique<OwnMetrics>(std::move(own_metrics))),
      tasks_(loop) {}

LogSource::~LogSource() = default;

void LogSource::Apply(std::vector<LogConfig> configs) {
  if (configs.empty() && !running_) return;
  worker_->Apply(std::move(configs));
  if (running_) return;
  running_ = true;
  tasks_.Spawn("logs", Run());
}

core::Task<void> LogSource::Run() {
  for (bool hangs = false;;) {
    const auto more =
        co_await aside_.Run(loop_, kPatience, [worker = worker_]() -> core::Result<bool> { return worker->Poll(); });
    own_->Update(worker_->Counts());
    if (!more && !hangs)
      logger_.Error("log files are not read: a file system hangs?", {{"error", more.error().message}});
    if (more && hangs) logger_.Info("log files are read again");
    hangs = !more;
    if (more && *more) continue;
    const core::MonoTime now = loop_.clock().Monotonic();
    co_await loop_.SleepUntil(now + interval_ - now.time_since_epoch() % interval_);  // when probes start, if any do
  }
}

core::Task<void> LogSource::Stop() {
  tasks_.Cancel();
  co_await tasks_.Join();
  const auto closed = co_await aside_.Run(loop_, kClosePatience, [worker = worker_]() -> core::Result<void> {
    worker->Close();
    return {};
  });
  if (!closed) logger_.Warn("the last commit of logs is left out", {{"error", closed.error().message}});
}

void LogSource::Visit(core::SampleVisitor& visitor) {
  const std::shared_ptr<const MetricSnapshot> metrics = worker_->Metrics();
  for (const auto& family : *metrics) {
    if (family->values.empty()) continue;
    visitor.OnFamily(family->family);
    for (std::size_t i = 0; i < family->values.size(); ++i) visitor.OnSample(*(*family->series)[i], family->values[i]);
  }
}

std::shared_ptr<const LogState> LogSource::State() const { return worker_->State(); }

}  // namespace pipewarden::exporters
