// The files that rule tests are written in, read. Internal to rule_test.
#pragma once

#include <string>
#include <vector>

#include "core/model/labels.h"
#include "core/model/sample.h"
#include "core/result.h"
#include "core/time/clock.h"
#include "rules/promql/test_script.h"

namespace pipewarden::rules {

struct AlertExpectation {
  core::TimestampMs eval_time = 0;  // since the test's start
  std::string alertname;
  struct Alert {
    core::Labels labels;  // with alertname
    core::Labels annotations;
    auto operator<=>(const Alert&) const = default;
  };
  std::vector<Alert> alerts;
};

struct ExprExpectation {
  core::TimestampMs eval_time = 0;
  std::string expr;
  struct Sample {
    std::string labels;
    double value = 0;
    std::string histogram;
  };
  std::vector<Sample> samples;
};

struct TestGroup {
  std::string name;
  core::Duration interval{};  // between the samples of the series; of rule groups without one of their own, too
  core::TimestampMs start = 0;
  std::vector<promql::ScriptSeries> series;
  std::vector<AlertExpectation> alerts;
  std::vector<ExprExpectation> exprs;
  core::Labels external_labels;
  std::string external_url;
};

struct TestFile {
  std::vector<std::string> rule_files;  // resolved
  core::Duration evaluation_interval{};
  std::vector<std::string> group_eval_order;
  bool fuzzy_compare = false;
  std::vector<TestGroup> tests;
  std::vector<std::string> warnings;
};

// kInvalid, with every mistake on a line of its own.
core::Result<TestFile> ReadTestFile(const std::string& path);

}  // namespace pipewarden::rules
