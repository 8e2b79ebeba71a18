#include "rules/rule_test_file.h"

#include <glob.h>

#include <cmath>
#include <filesystem>
#include <set>

#include "core/config/option_table.h"
#include "core/time/civil_time.h"
#include "core/time/duration.h"

namespace pipewarden::rules {
namespace {

using core::ConfigErrors;
using core::Option;
using core::Options;
using core::OptionType;
using core::YamlNode;

constexpr Option kFileOptions[] = {
    {.name = "rule_files", .type = OptionType::kStringList},
    {.name = "evaluation_interval", .type = OptionType::kDuration, .default_text = "1m"},
    {.name = "group_eval_order", .type = OptionType::kStringList},
    {.name = "fuzzy_compare", .type = OptionType::kBool, .default_text = "false"},
    {.name = "tests", .type = OptionType::kNode},
};
constexpr Option kGroupOptions[] = {
    {.name = "name", .type = OptionType::kString},
    {.name = "interval", .type = OptionType::kDuration},
    {.name = "start_timestamp", .type = OptionType::kNode},
    {.name = "input_series", .type = OptionType::kNode},
    {.name = "alert_rule_test", .type = OptionType::kNode},
    {.name = "promql_expr_test", .type = OptionType::kNode},
    {.name = "external_labels", .type = OptionType::kStringMap},
    {.name = "external_url", .type = OptionType::kString},
};
constexpr Option kSeriesOptions[] = {
    {.name = "series", .type = OptionType::kString},
    {.name = "values", .type = OptionType::kString},
};
constexpr Option kAlertTestOptions[] = {
    {.name = "eval_time", .type = OptionType::kDuration, .default_text = "0s"},
    {.name = "alertname", .type = OptionType::kString},
    {.name = "exp_alerts", .type = OptionType::kNode},
};
constexpr Option kAlertOptions[] = {
    {.name = "exp_labels", .type = OptionType::kStringMap},
    {.name = "exp_annotations", .type = OptionType::kStringMap},
};
constexpr Option kExprOptions[] = {
    {.name = "expr", .type = OptionType::kString},
    {.name = "eval_time", .type = OptionType::kDuration, .default_text = "0s"},
    {.name = "exp_samples", .type = OptionType::kNode},
};
constexpr Option kSampleOptions[] = {
    {.name = "labels", .type = OptionType::kString},
    {.name = "value", .type = OptionType::kNode},
    {.name = "histogram", .type = OptionType::kString},
};

core::TimestampMs Ms(core::Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

core::Labels LabelsOf(const std::vector<std::pair<std::string, std::string>>& pairs) {
  core::Labels labels;
  for (const auto& [name, value] : pairs) labels.Set(name, value);
  return labels;
}

class TestFileReader {
 public:
  TestFileReader(std::string path, ConfigErrors& errors) : path_(std::move(path)), errors_(errors) {}

  TestFile Read(const YamlNode& root) {
    TestFile file;
    const Options options = core::ReadOptions(root, kFileOptions, "a file of rule tests", errors_);
    file.evaluation_interval = options.Duration("evaluation_interval");
    if (file.evaluation_interval == core::Duration::zero()) file.evaluation_interval = std::chrono::minutes(1);
    file.fuzzy_compare = options.Bool("fuzzy_compare");
    std::set<std::string> seen;
    for (const std::string& name : options.List("group_eval_order")) {
      if (!seen.insert(name).second)
        errors_.Add(options.Where("group_eval_order"), "group name repeated in evaluation order: " + name);
      file.group_eval_order.push_back(name);
    }
    for (const std::string& pattern : options.List("rule_files")) Expand(pattern, file);
    Each(options, "tests", [&](const YamlNode& node) { file.tests.push_back(ReadGroup(node, file)); });
    return file;
  }

 private:
  template <class F>
  void Each(const Options& options, std::string_view name, F read) {
    const YamlNode* list = options.Node(name);
    if (list == nullptr || list->IsNull()) return;
    if (!list->IsSequence()) {
      errors_.Add(list->where(), "'" + std::string(name) + "' takes a list, not " + std::string(list->KindName()));
      return;
    }
    for (const YamlNode& item : list->items()) read(item);
  }

  void Expand(const std::string& pattern, TestFile& file) {
    const std::filesystem::path given(pattern);
    const std::string resolved = given.is_absolute()
                                     ? pattern
                                     : (std::filesystem::path(path_).parent_path() / given).lexically_normal().string();
    glob_t found{};
    if (::glob(resolved.c_str(), 0, nullptr, &found) == 0)
      for (std::size_t i = 0; i < found.gl_pathc; ++i) file.rule_files.emplace_back(found.gl_pathv[i]);
    else
      file.warnings.push_back("  WARNING: no file match pattern " + resolved);
    ::globfree(&found);
  }

  TestGroup ReadGroup(const YamlNode& node, const TestFile& file) {
    TestGroup group;
    const Options options = core::ReadOptions(node, kGroupOptions, "a rule test", errors_);
    group.name = options.Text("name");
    if (options.Has("interval")) group.interval = options.Duration("interval");
    if (group.interval == core::Duration::zero()) group.interval = file.evaluation_interval;
    group.start = ReadStart(options);
    group.external_labels = LabelsOf(options.Map("external_labels"));
    group.external_url = options.Text("external_url");
    Each(options, "input_series", [&](const YamlNode& item) {
      const Options own = core::ReadOptions(item, kSeriesOptions, "an input series", errors_);
      auto series = promql::ParseScriptSeries(own.Text("series") + " " + own.Text("values"));
      if (!series) {
        errors_.Add(item.where(), series.error().message);
        return;
      }
      // Of equal ones the last line stands.
      std::erase_if(group.series, [&](const promql::ScriptSeries& one) { return one.labels == series->labels; });
      group.series.push_back(std::move(*series));
    });
    Each(options, "alert_rule_test", [&](const YamlNode& item) { group.alerts.push_back(ReadAlertTest(item, group)); });
    Each(options, "promql_expr_test", [&](const YamlNode& item) { group.exprs.push_back(ReadExprTest(item)); });
    return group;
  }

  // RFC 3339, or seconds.
  core::TimestampMs ReadStart(const Options& options) {
    const YamlNode* node = options.Node("start_timestamp");
    if (node == nullptr || node->IsNull()) return 0;
    if (const auto zoned = core::ParseRfc3339(node->text())) return core::ToMs(zoned->ToWall());
    if (const auto seconds = node->AsFloat()) return static_cast<core::TimestampMs>(std::round(*seconds * 1000));
    errors_.Add(node->where(), "cannot parse \"" + node->text() + "\" to a valid timestamp");
    return 0;
  }

  AlertExpectation ReadAlertTest(const YamlNode& node, const TestGroup& group) {
    AlertExpectation test;
    const Options options = core::ReadOptions(node, kAlertTestOptions, "an alert_rule_test", errors_);
    test.eval_time = Ms(options.Duration("eval_time"));
    test.alertname = options.Text("alertname");
    if (test.alertname.empty())
      errors_.Add(node.where(), "an item under alert_rule_test misses required attribute alertname at eval_time " +
                                    core::FormatDuration(options.Duration("eval_time")) +
                                    (group.name.empty() ? "" : " (in TestGroup " + group.name + ")"));
    Each(options, "exp_alerts", [&](const YamlNode& item) {
      const Options own = core::ReadOptions(item, kAlertOptions, "an expected alert", errors_);
      AlertExpectation::Alert alert{LabelsOf(own.Map("exp_labels")), LabelsOf(own.Map("exp_annotations"))};
      alert.labels.Set(core::kAlertName, test.alertname);
      test.alerts.push_back(std::move(alert));
    });
    return test;
  }

  ExprExpectation ReadExprTest(const YamlNode& node) {
    ExprExpectation test;
    const Options options = core::ReadOptions(node, kExprOptions, "a promql_expr_test", errors_);
    test.expr = options.Text("expr");
    test.eval_time = Ms(options.Duration("eval_time"));
    Each(options, "exp_samples", [&](const YamlNode& item) {
      const Options own = core::ReadOptions(item, kSampleOptions, "an expected sample", errors_);
      ExprExpectation::Sample sample{.labels = own.Text("labels"), .value = 0, .histogram = own.Text("histogram")};
      if (const YamlNode* value = own.Node("value"); value != nullptr && !value->IsNull()) {
        const auto number = value->AsFloat();
        if (!number) errors_.Add(value->where(), "'value' takes a number, not '" + value->text() + "'");
        sample.value = number.value_or(0);
      }
      test.samples.push_back(std::move(sample));
    });
    return test;
  }

  const std::string path_;
  ConfigErrors& errors_;
};

}  // namespace

core::Result<TestFile> ReadTestFile(const std::string& path) {
  ConfigErrors errors;
  core::Location unread;
  const auto root = core::ReadYamlFile(path, errors, {.second_document = &unread});
  TestFile file;
  if (root) file = TestFileReader(path, errors).Read(*root);
  if (!errors.empty()) return core::Fail(errors.ToError());
  return file;
}

}  // namespace pipewarden::rules
