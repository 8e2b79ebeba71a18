// Templates of rule files: labels and annotations of alerting rules in Go's text/template with Prometheus' functions
// (https://prometheus.io/docs/prometheus/latest/configuration/template_reference/): $labels, $value, $externalLabels,
// $externalURL, query, humanize… Parsed once at load, expanded at each evaluation. Immutable; safe from any thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/float_histogram.h"
#include "core/model/labels.h"
#include "core/model/sample.h"
#include "core/result.h"

namespace pipewarden::rules {

struct TemplateSample {
  core::Labels labels;
  double value = 0;
  core::HistogramPtr histogram = nullptr;  // where the value is one
};

// What `query "…"` asks: an instant query at the evaluation's time. A scalar or string result comes as one sample
// without labels.
using TemplateQuery = std::function<core::Result<std::vector<TemplateSample>>(std::string_view expression)>;

struct TemplateContext {
  core::Labels labels;  // of the sample that raised the alert, with __name__ removed or not as the rule wants it shown
  double value = 0;
  core::HistogramPtr histogram = nullptr;  // where the value is one
  core::Labels external_labels;
  std::string external_url;    // "http://host:9595/prefix", for externalURL, pathPrefix
  core::TimestampMs time = 0;  // of the evaluation: what `now` gives
  TemplateQuery query;         // may be empty: `query` is then an error
};

class RuleTemplate {
 public:
  // kInvalid with Go's wording: "template: name:1: function \"foo\" not defined". `name` shows in messages
  // ("__alert_HighLoad" in Prometheus). A text without {{ costs nothing at Expand.
  static core::Result<RuleTemplate> Parse(std::string_view name, std::string_view text);

  // kInvalid with Go's wording. Prometheus puts "<error expanding template: MESSAGE>" in the value's place, see
  // ExpandOrError.
  core::Result<std::string> Expand(const TemplateContext& context) const;
  std::string ExpandOrError(const TemplateContext& context) const;

 private:
  struct Parsed;
  std::string plain_;                     // the text where it holds no action
  std::shared_ptr<const Parsed> parsed_;  // null: plain
};

}  // namespace pipewarden::rules
