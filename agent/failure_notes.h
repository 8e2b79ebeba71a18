// What people want to read first when a pipeline has failed: which step, which attempt, why, and the last lines of its
// output. Added as annotations (run, step, attempt, error, output) to the alerts of rules that carry the label
// `pipeline`, so that every receiver's default template shows them; a rule's own annotations of these names stay.
// Secrets are masked in the output as it is stored. Any thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/pipelines/pipelines.h"
#include "core/model/alert.h"
#include "core/result.h"

namespace pipewarden::agent {

inline constexpr std::size_t kOutputLines = 10;
inline constexpr std::size_t kOutputBytes = 2000;

// Where an attempt's output is: Pipelines::LogPath.
using FindOutput = std::function<core::Result<std::string>(RunId run, const std::string& step, int attempt)>;

// An alert with a label `step` is told of that step. Without one it is the first step that failed of the last run;
// where none did, one of a run under way whose last attempt failed. Firing alerts alone.
void AddFailureNotes(std::vector<core::Alert>& alerts, const std::vector<PipelineStatus>& pipelines,
                     const FindOutput& find_output, core::WallTime now);

// The last lines of a file, at most kOutputLines of them and kOutputBytes bytes, as valid UTF-8.
std::string LastLines(const std::string& path);

}  // namespace pipewarden::agent
