#include "rules/rule_test.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>

#include "core/text/escape.h"
#include "core/text/go_float.h"
#include "core/text/go_string.h"
#include "core/time/civil_time.h"
#include "core/time/duration.h"
#include "rules/memory_store.h"
#include "rules/promql/histogram_estimates.h"
#include "rules/rule_group.h"
#include "rules/rule_test_file.h"

namespace pipewarden::rules {
namespace {

using core::TimestampMs;

std::string DurationText(TimestampMs ms) { return core::FormatDuration(std::chrono::milliseconds(ms)); }

// Each line but the first begins with `indent`.
std::string Indented(std::string_view text, std::string_view indent) {
  std::string out;
  for (const char c : text) {
    out += c;
    if (c == '\n') out += indent;
  }
  return out;
}

// {__name__="up", job="a"}, as Go prints a label set.
std::string LabelsText(const core::Labels& labels) {
  std::string out = "{";
  for (const core::LabelView label : labels) {
    if (out.size() > 1) out += ", ";
    out += core::IsValidLabelName(label.name) ? label.name : core::GoQuote(label.name);
    out += "=" + core::GoQuote(label.value);
  }
  return out + "}";
}

std::string AlertsText(const std::vector<AlertExpectation::Alert>& alerts) {
  if (alerts.empty()) return "[]";
  std::string out = "[";
  for (std::size_t i = 0; i < alerts.size(); ++i) {
    const std::string one =
        "\nLabels:" + LabelsText(alerts[i].labels) + "\nAnnotations:" + LabelsText(alerts[i].annotations);
    out += (i > 0 ? ",\n" : "\n") + std::to_string(i) + ":" + Indented(one, "  ");
  }
  return out + "\n]";
}

// As the test language writes it; "" for a float.
std::string HistogramOf(const OutputSample& sample) {
  return sample.histogram == nullptr ? "" : promql::HistogramScriptText(*sample.histogram);
}

std::string SamplesText(const std::vector<OutputSample>& samples) {
  if (samples.empty()) return "nil";
  std::string out;
  for (const OutputSample& sample : samples) {
    const std::string value = HistogramOf(sample);
    out += (out.empty() ? "" : ", ") + LabelsText(sample.labels) + " " +
           (value.empty() ? core::FormatGoFloat(sample.value, 'E', -1) : value);
  }
  return out;
}

bool SameValue(double a, double b, bool fuzzy) {
  if (a == b) return true;  // NaN never is
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  return fuzzy && (std::nextafter(a, kInfinity) == b || std::nextafter(a, -kInfinity) == b);
}

// One test of a file: its series come into memory as time passes, its groups are evaluated at each interval.
class TestRun {
 public:
  TestRun(const TestFile& file, const TestGroup& test, const std::vector<RuleFile>& rules,
          const RuleTestOptions& options)
      : file_(file),
        test_(test),
        options_(options),
        engine_(promql::EngineOptions{
            .default_subquery_step_ms =
                std::chrono::duration_cast<std::chrono::milliseconds>(file.evaluation_interval).count(),
            .delayed_name_removal = options.delayed_name_removal}),
        query_([this](const promql::Expr& expr, TimestampMs time) { return engine_.Instant(expr, store_, time); }),
        environment_{.storage = store_,
                     .clock = clock_,
                     .query = query_,
                     .external_labels = test.external_labels,
                     .external_url = test.external_url,
                     .parse = options.parse} {
    for (const RuleFile& rule_file : rules)
      for (const RuleGroupConfig& config : rule_file.groups) {
        groups_.push_back(std::make_unique<RuleGroup>(config, rule_file.path, test.interval));
        groups_.back()->SkipRestore();
      }
    const auto place = [&](const std::unique_ptr<RuleGroup>& group) {
      const auto found = std::ranges::find(file.group_eval_order, group->name());
      return found == file.group_eval_order.end() ? 0 : found - file.group_eval_order.begin();
    };
    std::ranges::stable_sort(groups_, {}, place);
  }

  std::vector<std::string> Run() {
    const TimestampMs step = std::chrono::duration_cast<std::chrono::milliseconds>(file_.evaluation_interval).count();
    TimestampMs last = 0;
    for (const AlertExpectation& test : test_.alerts) last = std::max(last, test.eval_time);
    for (const ExprExpectation& test : test_.exprs) last = std::max(last, test.eval_time);
    for (TimestampMs since = 0; since <= last; since += step) {
      AddSamplesUntil(since);
      if (!Evaluate(since)) return std::move(failures_);
      for (const TimestampMs time : AlertTimes(since, since + step)) CheckAlerts(time);
    }
    for (const ExprExpectation& test : test_.exprs) CheckExpr(test);
    return std::move(failures_);
  }

 private:
  void AddSamplesUntil(TimestampMs since) {
    const TimestampMs step = std::chrono::duration_cast<std::chrono::milliseconds>(test_.interval).count();
    for (; static_cast<TimestampMs>(added_) * step <= since; ++added_) {
      const TimestampMs time = test_.start + static_cast<TimestampMs>(added_) * step;
      bool more = false;
      for (const promql::ScriptSeries& series : test_.series) {
        more = more || added_ < series.values.size();
        if (added_ >= series.values.size() || !series.values[added_].present) continue;
        const promql::SequenceValue& value = series.values[added_];
        if (value.histogram != nullptr)
          store_.series().Add(series.labels, time, value.histogram);
        else
          store_.series().Add(series.labels, time, value.value);
      }
      if (!more) {
        added_ = std::numeric_limits<std::uint32_t>::max();
        return;
      }
    }
  }

  // False where a rule could not be evaluated: that ends the test.
  bool Evaluate(TimestampMs since) {
    bool well = true;
    for (const auto& group : groups_) {
      group->Evaluate(test_.start + since, environment_);
      for (const RuleView& rule : group->View()->rules) {
        if (rule.last_error.empty()) continue;
        well = false;
        failures_.push_back(fmt::format("    rule: {}, time: {}, err: {}", rule.name, GoDuration(test_.start + since),
                                        rule.last_error));
      }
    }
    return well;
  }

  // The times at which alerts are asked for, of those that the evaluation at `from` answers; each once, in order.
  std::vector<TimestampMs> AlertTimes(TimestampMs from, TimestampMs to) const {
    std::vector<TimestampMs> times;
    for (const AlertExpectation& test : test_.alerts)
      if (test.eval_time >= from && test.eval_time < to) times.push_back(test.eval_time);
    std::ranges::sort(times);
    times.erase(std::ranges::unique(times).begin(), times.end());
    return times;
  }

  void CheckAlerts(TimestampMs time) {
    std::map<std::string, std::vector<AlertExpectation::Alert>> firing;
    for (const auto& group : groups_)
      for (const RuleView& rule : group->View()->rules)
        for (const AlertView& alert : rule.alerts)
          if (alert.state == AlertState::kFiring) firing[rule.name].push_back({alert.labels, alert.annotations});
    for (const AlertExpectation& test : test_.alerts) {
      if (test.eval_time != time) continue;
      auto got = firing[test.alertname];
      auto expected = test.alerts;
      std::ranges::sort(got);
      std::ranges::sort(expected);
      if (got == expected) continue;
      const std::string name = test_.name.empty() ? "" : "    name: " + test_.name + ",\n";
      constexpr std::string_view kIndent = "            ";
      failures_.push_back(fmt::format("{}    alertname: {}, time: {}, \n        exp:{}, \n        got:{}", name,
                                      test.alertname, DurationText(time), Indented(AlertsText(expected), kIndent),
                                      Indented(AlertsText(got), kIndent)));
    }
  }

  void CheckExpr(const ExprExpectation& test) {
    const std::string where =
        fmt::format("    expr: {}, time: {},", core::GoQuote(test.expr), DurationText(test.eval_time));
    auto got = Query(test);
    if (!got) {
      failures_.push_back(where + " err: " + got.error().message);
      return;
    }
    std::vector<OutputSample> expected;
    for (const ExprExpectation::Sample& sample : test.samples) {
      const auto labels =
          sample.labels.empty() ? core::Result<core::Labels>(core::Labels{}) : promql::ParseMetric(sample.labels);
      auto histogram = labels ? ReadHistogram(sample.histogram) : core::Result<core::HistogramPtr>(nullptr);
      if (!labels || !histogram) {
        failures_.push_back(where + " err: labels " + core::GoQuote(sample.labels) + ": " +
                            (labels ? histogram.error().message : labels.error().message));
        return;
      }
      expected.push_back({*labels, sample.value, std::move(*histogram)});
    }
    std::ranges::stable_sort(expected, {}, &OutputSample::labels);
    std::ranges::stable_sort(*got, {}, &OutputSample::labels);
    const bool same = std::ranges::equal(expected, *got, [&](const OutputSample& a, const OutputSample& b) {
      return a.labels == b.labels && SameValue(a.value, b.value, file_.fuzzy_compare) &&
             HistogramOf(a) == HistogramOf(b);
    });
    if (!same)
      failures_.push_back(where + "\n        exp: " + SamplesText(expected) + "\n        got: " + SamplesText(*got));
  }

  // {{schema:0 count:1 …}}; null for no text.
  static core::Result<core::HistogramPtr> ReadHistogram(const std::string& text) {
    if (text.empty()) return nullptr;
    const auto values = promql::ParseScriptValues(text);
    if (!values) return core::Fail(values.error());
    if (values->size() != 1)
      return core::Fail(core::ErrorCode::kInvalid, fmt::format("expected 1 value, got {}", values->size()));
    const promql::SequenceValue& value = values->front();
    if (value.histogram == nullptr)
      return core::Fail(
          core::ErrorCode::kInvalid,
          "expected histogram, got " + (value.present ? core::FormatGoFloat(value.value, 'f', 6) : std::string("_")));
    return value.histogram;
  }

  core::Result<std::vector<OutputSample>> Query(const ExprExpectation& test) {
    const auto expr = promql::ParseExpr(test.expr, options_.parse);
    if (!expr) return core::Fail(expr.error());
    const auto result = engine_.Instant(**expr, store_, test_.start + test.eval_time);
    if (!result) return core::Fail(result.error());
    return VectorOf(*result);
  }

  // As Go prints a time.Duration: 1m0s, 1h0m0s.
  static std::string GoDuration(TimestampMs ms) {
    std::string out;
    const TimestampMs seconds = ms / 1000;
    if (seconds >= 3600) out += std::to_string(seconds / 3600) + "h";
    if (seconds >= 60) out += std::to_string(seconds / 60 % 60) + "m";
    return out + core::FormatGoFloat(static_cast<double>(ms % 60'000) / 1000, 'f', -1) + "s";
  }

  const TestFile& file_;
  const TestGroup& test_;
  const RuleTestOptions& options_;
  core::SystemClock clock_;  // tells how long rules take, and nothing else
  MemoryStore store_;
  promql::Engine engine_;
  QueryFunction query_;
  GroupEnvironment environment_;
  std::vector<std::unique_ptr<RuleGroup>> groups_;
  std::uint32_t added_ = 0;  // samples of each series
  std::vector<std::string> failures_;
};

// XML has no control characters, and takes line ends in attributes for spaces.
std::string XmlText(std::string_view text) {
  std::string out;
  for (const char c : core::EscapeHtml(text)) {
    if (static_cast<unsigned char>(c) >= 0x20) {
      out += c;
    } else if (c == '\n') {
      out += "&#xA;";
    } else if (c == '\t') {
      out += "&#x9;";
    } else {
      out += c == '\r' ? "&#xD;" : "\uFFFD";
    }
  }
  return out;
}

}  // namespace

bool RuleTestFile::passed() const {
  return errors.empty() && std::ranges::all_of(cases, [](const RuleTestCase& one) { return one.failures.empty(); });
}

RuleTestFile RunRuleTests(const std::string& path, const RuleTestOptions& options) {
  RuleTestFile out{.path = path, .run_at = core::SystemClock().Now(), .cases = {}, .errors = {}, .warnings = {}};
  const auto file = ReadTestFile(path);
  if (!file) {
    out.errors.push_back(file.error().message);
    return out;
  }
  out.warnings = file->warnings;
  std::vector<RuleFile> rules;
  core::ConfigErrors errors;
  for (const std::string& rule_file : file->rule_files) {
    rules.push_back(ReadRuleFile(rule_file, errors, options.parse));
    CopyAlertOptions(options.configured, rules.back(), options.parse);
  }
  out.errors = errors.Lines();
  if (!out.errors.empty()) return out;
  for (std::size_t i = 0; i < file->tests.size(); ++i) {
    const TestGroup& test = file->tests[i];
    if (options.run != nullptr && !re2::RE2::PartialMatch(test.name, *options.run)) continue;
    out.cases.push_back({.name = test.name.empty() ? "unnamed#" + std::to_string(i) : test.name,
                         .failures = TestRun(*file, test, rules, options).Run()});
  }
  return out;
}

std::string JunitXml(const std::vector<RuleTestFile>& files) {
  std::string out = "<testsuites>";
  for (const RuleTestFile& file : files) {
    std::size_t failures = 0;
    for (const RuleTestCase& one : file.cases) failures += one.failures.size();
    out += fmt::format(R"(<testsuite name="{}" tests="{}" failures="{}" errors="{}" skipped="0" timestamp="{}">)",
                       XmlText(file.path), file.cases.size(), failures, file.errors.size(),
                       core::FormatRfc3339(file.run_at).substr(0, std::strlen("2006-01-02T15:04:05")));
    for (const std::string& error : file.errors)
      out += "<testcase name=\"unknown\"><error>" + XmlText(error) + "</error></testcase>";
    for (const RuleTestCase& one : file.cases) {
      out += "<testcase name=\"" + XmlText(one.name) + "\">";
      for (const std::string& failure : one.failures) out += "<failure>" + XmlText(failure) + "</failure>";
      out += "</testcase>";
    }
    out += "</testsuite>";
  }
  return out + "</testsuites>";
}

}  // namespace pipewarden::rules
