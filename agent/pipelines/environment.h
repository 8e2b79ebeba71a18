// What a step's process gets as its environment, in this order (the later wins):
//   PATH, HOME, USER, LOGNAME, SHELL, LANG, LC_ALL, LC_CTYPE, TZ, TMPDIR of the agent, and what inherit_env names
//   EVENT_DATE                     the day before the slot, in UTC: 2026-01-01
//   the pipeline's env, the step's env, both templates; the secrets; the env of the request
//   PIPEWARDEN_PIPELINE, _STEP, _RUN_ID, _ATTEMPT, _SLOT (2026-01-02T02:00:00Z), _INTERVAL_START, _INTERVAL_END
//
// Templates are Go's text/template over .Pipeline .Step .RunID .Attempt .Slot .IntervalStart .IntervalEnd .Params, the
// times in the pipeline's zone, with the functions date, tz and addDays: {{ .IntervalStart | date "2006-01-02" }},
// {{ .Slot | tz "UTC" | addDays -1 | date "20060102" }}.
#pragma once

#include <string>
#include <vector>

#include "agent/pipelines/run.h"
#include "core/result.h"

namespace pipewarden::agent {

struct StepEnvironment {
  std::vector<std::string> variables;  // NAME=value
  std::vector<std::string> secrets;    // to be masked in the output
};

// Whether a value of `env` is a template that works, tried with a slot of the past.
core::Result<void> CheckTemplate(const std::string& name, const std::string& text, const PipelineConfig& config);

// Reads files (secrets): call it off the loop. `secrets` are the current values of what the configuration gives by
// value. A variable whose name says that it is a secret (…PASSWORD…, …SECRET…, …TOKEN…, …API_KEY…) is masked as well.
core::Result<StepEnvironment> BuildEnvironment(const Run& run, const StepConfig& step, int attempt,
                                               const std::vector<SecretVariable>& secrets);

}  // namespace pipewarden::agent
