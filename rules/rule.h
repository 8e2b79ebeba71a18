// What alerting and recording rules have in common, as their group sees them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/model/float_histogram.h"
#include "core/model/labels.h"
#include "core/model/sample.h"
#include "core/result.h"
#include "rules/promql/engine.h"
#include "rules/rule_file.h"

namespace pipewarden::rules {

// Evaluates an expression at an instant over the storage; replaced in tests.
using QueryFunction =
    std::function<core::Result<promql::QueryResult>(const promql::Expr& expr, core::TimestampMs time)>;

// What an evaluation of a rule sees.
struct RuleContext {
  const QueryFunction& query;           // of the rule's own expression; may be cut short
  const QueryFunction& template_query;  // of templates
  core::TimestampMs time = 0;           // of the evaluation
  core::TimestampMs offset = 0;         // the query looks, and samples are written, this much earlier
  std::size_t limit = 0;                // of alerts or series; 0: none
  const core::Labels& external_labels;
  const std::string& external_url;
  promql::ParseOptions parse{};  // of queries in templates
  // True where queries of templates are cut short: what was made of them is not to be used. Null: never.
  std::function<bool()> cancelled = nullptr;
};

struct OutputSample {
  core::Labels labels;
  double value = 0;
  core::HistogramPtr histogram = nullptr;  // null: a float
};

class Rule {
 public:
  explicit Rule(RuleConfig config) : config_(std::move(config)) {}
  virtual ~Rule() = default;
  Rule(const Rule&) = delete;
  Rule& operator=(const Rule&) = delete;

  // The samples to write at context.time - context.offset. On an error nothing has changed, and nothing is written.
  virtual core::Result<std::vector<OutputSample>> Evaluate(const RuleContext& context) = 0;

  const RuleConfig& config() const { return config_; }

  // Of the last evaluation; kept by the group.
  struct Health {
    bool evaluated = false;
    std::string error;                      // "" where it went well
    core::TimestampMs last_evaluation = 0;  // its timestamp
    double seconds = 0;                     // how long it took
  };
  Health health;

 private:
  const RuleConfig config_;
};

// The result of a rule's expression as samples; a scalar is one without labels, as in Prometheus.
core::Result<std::vector<OutputSample>> VectorOf(const promql::QueryResult& result);

}  // namespace pipewarden::rules
