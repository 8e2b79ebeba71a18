// Tests of rules as `promtool test rules` reads and judges them
// (https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/): series with values, the alerts that
// fire at a time, the values of expressions. The same verdicts and the same words. Each test has its own memory;
// nothing waits and nothing is written.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/time/clock.h"
#include "rules/rule_file.h"

namespace re2 {
class RE2;
}

namespace pipewarden::rules {

struct RuleTestCase {
  std::string name;                   // "unnamed#0" where the file gives none
  std::vector<std::string> failures;  // as promtool words them
};

struct RuleTestFile {
  std::string path;
  core::WallTime run_at{};
  std::vector<RuleTestCase> cases;
  std::vector<std::string> errors;    // what kept the file from being run
  std::vector<std::string> warnings;  // patterns that match no file
  bool passed() const;
};

struct RuleTestOptions {
  promql::ParseOptions parse;
  bool delayed_name_removal = false;
  std::shared_ptr<const re2::RE2> run;   // tests whose name it finds, alone; null: all
  std::span<const RuleFile> configured;  // whose alert_options hold for the files of the same path
};

RuleTestFile RunRuleTests(const std::string& path, const RuleTestOptions& options);

// JUnit's XML, as `promtool test rules --junit` writes it.
std::string JunitXml(const std::vector<RuleTestFile>& files);

}  // namespace pipewarden::rules
