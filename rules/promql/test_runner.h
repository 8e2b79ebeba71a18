// Runs test scripts in Prometheus' test language against the engine: `pipewarden promql-test FILE…`. Each instant
// evaluation runs also as a range query around its time and, where its answer cannot depend on it, with all selectors
// pinned by @ at other times, as Prometheus' own suite does. Experimental functions and delayed name removal are on.
#pragma once

#include <iosfwd>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace pipewarden::rules::promql {

struct ScriptReport {
  struct Case {
    int line = 0;
    std::string query;
    std::string text;  // what was wrong, or why it was skipped
  };
  std::size_t passed = 0;
  std::vector<Case> failed;
  std::vector<Case> skipped;  // needs a feature that is not there; `text` names it
};

// kInvalid where the script does not read.
core::Result<ScriptReport> RunPromqlScript(std::string_view text);

// Runs the files and prints a line for each, then what failed and what was skipped and why. The exit code: 0 all passed
// or skipped, 1 something failed, 2 a file cannot be read.
int RunPromqlTests(std::span<const std::string> files, std::ostream& out);

}  // namespace pipewarden::rules::promql
