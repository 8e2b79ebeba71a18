// The `pipelines` section of pipewarden.yml: what runs, when, in which order. Values; safe from any thread.
//
//   pipelines:
//     daily:
//       schedule: "0 2 * * *"                 # or a list; left out: by hand only
//       env: {MODE: incremental}
//       retries: {count: 3, delay: 60s, backoff: 2, max_delay: 15m}
//       steps:
//         ingestion:  {run: [spark-submit, ingest.py], timeout: 2h}
//         processing: {run: "spark-submit process.py", after: [ingestion]}   # a string goes to /bin/sh -c
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/pipelines/cron.h"
#include "core/config/option_table.h"
#include "core/config/yaml.h"
#include "core/secret.h"
#include "core/time/clock.h"

namespace pipewarden::agent {

using EnvMap = std::vector<std::pair<std::string, std::string>>;  // in the file's order

struct RetryPolicy {
  int count = 0;  // attempts after the first
  core::Duration delay = std::chrono::seconds(60);
  double backoff = 1;
  core::Duration max_delay = std::chrono::hours(1);
  std::vector<int> exit_codes;  // retried only on these; empty: on all

  // Before the retry that follows the `failures`-th failure (from 1).
  core::Duration DelayAfter(int failures) const;
  bool operator==(const RetryPolicy&) const = default;
};

// What becomes of an attempt whose end nobody knows (the holder or the machine died).
enum class OnLost { kFail, kRetry };

struct StepConfig {
  std::string name;
  std::vector<std::string> argv;
  std::vector<std::string> after;                   // steps of the same pipeline that must have succeeded
  EnvMap env;                                       // values are templates
  core::Duration timeout{};                         // of an attempt; 0: none
  core::Duration grace = std::chrono::seconds(10);  // between SIGTERM and SIGKILL
  RetryPolicy retries;
  std::string cwd;
  std::vector<std::string> needs;  // `requires`: components that must be healthy before an attempt starts
  core::Duration needs_timeout = std::chrono::hours(1);
  OnLost on_lost = OnLost::kFail;
  bool keep_background = false;
  std::int64_t output_max = 1 << 20;  // bytes
  bool operator==(const StepConfig&) const = default;
};

// A step that names its environment's secrets: by value (never stored) or by a file read at each attempt.
struct SecretVariable {
  std::string name;
  core::Secret value;
  std::string file;  // where it is not empty, the value is read from it
  bool operator==(const SecretVariable&) const = default;
};

enum class Overlap { kSkip, kQueue, kReplace, kAllow };
enum class CatchUp { kNone, kLatest, kAll };

struct SlaConfig {
  std::optional<int> finish_by;   // seconds of the day in the pipeline's zone, at or after the slot
  core::Duration start_within{};  // after the slot; 0: not asked
  core::Duration max_duration{};  // of a run; 0: not asked
  bool operator==(const SlaConfig&) const = default;
};

struct PipelineConfig {
  std::string name;
  std::string identity;
  core::Location where;

  std::vector<Cron> schedules;
  std::string timezone;  // "": the agent's (global.timezone), put in by the reader of the whole file
  EnvMap env, params;
  std::vector<SecretVariable> secrets;
  std::vector<std::string> inherit_env;  // variables of the agent's own environment that steps get
  std::vector<StepConfig> steps;         // each after all it depends on
  bool once = false;
  Overlap overlap = Overlap::kSkip;
  CatchUp catch_up = CatchUp::kNone;
  core::Duration catch_up_window{};
  int catch_up_max = 100;
  int keep_runs = 500;
  core::Duration keep_for = std::chrono::hours(24 * 90);
  SlaConfig sla;

  // "0 2 * * *" or several joined by " | "; "" by hand only.
  std::string ScheduleText() const;
};

// Never fails: everything that is wrong goes to `errors` with its place, pipelines with mistakes are left out.
std::vector<PipelineConfig> ReadPipelines(const core::YamlNode& section, core::ConfigErrors& errors);

// The option tables, for the reference.
core::OptionTable PipelineOptionTable();
core::OptionTable StepOptionTable();
core::OptionTable SharedStepOptionTable();  // what a step takes, and a pipeline as the default of its steps
core::OptionTable RetryOptionTable();
core::OptionTable SlaOptionTable();

// A cycle among the steps' `after`, spelled out: "a -> b -> a" (a waits for b, which waits for a); "" where there is
// none. `after` names outside the list are ignored.
std::string FindCycle(const std::vector<StepConfig>& steps);

// What a run keeps of its configuration, as JSON: everything but the schedule and the secrets' values.
std::string PipelineToJson(const PipelineConfig& config);
core::Result<PipelineConfig> PipelineFromJson(std::string_view json);

}  // namespace pipewarden::agent
