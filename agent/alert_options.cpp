#include "agent/alert_options.h"

#include <algorithm>
#include <filesystem>

#include "core/read_file.h"
#include "rules/alert_options.h"

namespace pipewarden::agent {
namespace {

using core::Option;
using core::Options;
using core::OptionType;
using core::YamlNode;

constexpr Option kFileOptions[] = {
    {.name = "time_intervals", .type = OptionType::kNode, .help = "Named time intervals, as in alertmanager.yml."},
    {.name = "rules", .type = OptionType::kNode, .help = "By rule file, group and alert."},
};

constexpr std::string_view kNoData[] = {"resolve", "keep", "alert"};

constexpr Option kOptions[] = {
    {.name = "labels",
     .type = OptionType::kStringMap,
     .help =
         "Only the rules of this name that have these labels, as written; in a list, to tell rules apart that share "
         "a name."},
    {.name = "resolve_expr",
     .help = "A firing alert stays until this expression yields its labels (those that the rule itself sets are not "
             "compared): alert above 80, resolve below 70."},
    {.name = "no_data",
     .type = OptionType::kEnum,
     .choices = kNoData,
     .help = "What it means that the series which the rule judges are not there. `resolve`: its alerts end, as in "
             "Prometheus. `keep`: a firing alert goes on until there is data again. `alert`: that too, and where there "
             "is no data at all an alert fires (after `for`), with the labels that the expression fixes by `=`. Left "
             "out it is `resolve`; with a `resolve_expr` only that ends an alert."},
    {.name = "active",
     .type = OptionType::kStringList,
     .help = "Time intervals, of this file or of alertmanager.yml: outside of all of them the rule's condition counts "
             "as cleared."},
    {.name = "holidays",
     .type = OptionType::kPath,
     .help = "File of days on which it counts as cleared, too: a date a line (2026-12-25), or iCalendar."},
    {.name = "timezone",
     .type = OptionType::kTimeZone,
     .help = "The zone of `holidays`; by default `global: timezone`."},
};

std::string NormalPath(const std::string& path) {
  return path.starts_with("pack:") ? path : std::filesystem::absolute(path).lexically_normal().string();
}

template <class Items, class Name>
std::string DidYouMean(const std::string& word, const Items& items, Name name) {
  std::vector<std::string> names;
  for (const auto& item : items) names.push_back(name(item));
  const std::vector<std::string_view> known(names.begin(), names.end());
  return core::DidYouMean(word, known);
}

bool HasLabels(const rules::RuleConfig& rule, const std::vector<std::pair<std::string, std::string>>& labels) {
  return std::ranges::all_of(labels, [&](const auto& wanted) {
    return std::ranges::any_of(rule.labels, [&](const rules::RuleText& label) {
      return label.name == wanted.first && label.text == wanted.second;
    });
  });
}

class Reader {
 public:
  Reader(std::span<rules::RuleFile> files, std::span<const alertmanager::NamedTimeInterval> intervals,
         const std::string& timezone, core::ConfigErrors& errors, const rules::promql::ParseOptions& promql)
      : files_(files),
        intervals_(intervals.begin(), intervals.end()),
        timezone_(timezone),
        errors_(errors),
        promql_(promql) {}

  void Read(const YamlNode& root) {
    const Options options = core::ReadOptions(root, kFileOptions, "a file of alert_options", errors_);
    if (const YamlNode* list = options.Node("time_intervals"); list != nullptr && !list->IsNull()) {
      if (!list->IsSequence()) errors_.Add(list->where(), "'time_intervals' is a list, not " + Kind(*list));
      // Of two of a name the one of this file is found.
      for (const YamlNode& item : list->items())
        intervals_.insert(intervals_.begin(), alertmanager::ReadTimeInterval(item, errors_));
    }
    if (const YamlNode* map = options.Node("rules"))
      for (const YamlNode::Entry& entry : Entries(*map, "rules", "rule files")) ReadFile(entry);
  }

 private:
  static std::string Kind(const YamlNode& node) { return std::string(node.KindName()); }

  const std::vector<YamlNode::Entry>& Entries(const YamlNode& node, const std::string& what, std::string_view of) {
    if (!node.IsMap() && !node.IsNull())
      errors_.Add(node.where(), "'" + what + "' is a map of " + std::string(of) + ", not " + Kind(node));
    return node.entries();
  }

  void ReadFile(const YamlNode::Entry& entry) {
    const std::string path = entry.key.starts_with("pack:") ? entry.key : entry.key_where.Resolve(entry.key);
    const auto file =
        std::ranges::find(files_, NormalPath(path), [](const rules::RuleFile& one) { return NormalPath(one.path); });
    if (file == files_.end()) {
      errors_.Add(entry.key_where, "'" + path + "' is not among the rule_files and rule_packs of the configuration" +
                                       DidYouMean(path, files_, [](const rules::RuleFile& one) { return one.path; }));
      return;
    }
    for (const YamlNode::Entry& group : Entries(entry.value, entry.key, "groups")) ReadGroup(group, *file);
  }

  void ReadGroup(const YamlNode::Entry& entry, rules::RuleFile& file) {
    const auto group = std::ranges::find(file.groups, entry.key, &rules::RuleGroupConfig::name);
    if (group == file.groups.end()) {
      errors_.Add(entry.key_where, "no group in " + file.path + " is called '" + entry.key + "'" +
                                       DidYouMean(entry.key, file.groups, [](const auto& one) { return one.name; }));
      return;
    }
    for (const YamlNode::Entry& alert : Entries(entry.value, entry.key, "alerts")) {
      const auto is_it = [&](const rules::RuleConfig& rule) { return rule.alerting && rule.name == alert.key; };
      if (std::ranges::none_of(group->rules, is_it)) {
        std::vector<rules::RuleConfig> alerts;
        std::ranges::copy_if(group->rules, std::back_inserter(alerts), &rules::RuleConfig::alerting);
        errors_.Add(alert.key_where, "no alert in group '" + group->name + "' is called '" + alert.key + "'" +
                                         DidYouMean(alert.key, alerts, [](const auto& one) { return one.name; }));
        continue;
      }
      if (!alert.value.IsSequence()) ReadOne(alert.value, alert.key, *group);
      for (const YamlNode& item : alert.value.items()) ReadOne(item, alert.key, *group);
    }
  }

  void ReadOne(const YamlNode& node, const std::string& alert, rules::RuleGroupConfig& group) {
    const std::string what = "the options of alert '" + alert + "'";
    const Options options = core::ReadOptions(node, kOptions, what, errors_);
    rules::AlertOptions common;
    common.where = node.where();
    if (options.Given("resolve_expr")) {
      auto tree = rules::promql::ParseExpr(options.Text("resolve_expr"), promql_);
      if (tree)
        common.resolve_expr = std::move(*tree);
      else
        errors_.Add(options.Where("resolve_expr"), "could not parse expression: " + tree.error().message);
    }
    if (options.Has("no_data"))
      common.no_data = static_cast<rules::NoData>(std::ranges::find(kNoData, options.Text("no_data")) - kNoData);
    ReadActive(options, what, common);
    ReadHolidays(options, common);
    bool found = false;
    for (rules::RuleConfig& rule : group.rules) {
      if (!rule.alerting || rule.name != alert || !HasLabels(rule, options.Map("labels"))) continue;
      found = true;
      if (rule.options != nullptr) {
        errors_.Add(node.where(), what + " are given already at " + rule.options->where.ToString() +
                                      " (with `labels` rules of the same name are told apart)");
        continue;
      }
      auto own = std::make_shared<rules::AlertOptions>(common);
      if (common.no_data) {
        auto data = rules::DataExpr(*rule.tree, promql_);
        if (data)
          own->data_expr = std::move(*data);
        else
          errors_.Add(options.Where("no_data"), "'no_data' does not go with this rule: " + data.error().message);
      }
      rule.options = std::move(own);
    }
    if (!found) errors_.Add(options.Where("labels"), "no alert '" + alert + "' of the group has these labels");
  }

  void ReadActive(const Options& options, const std::string& what, rules::AlertOptions& out) {
    for (const std::string& name : options.List("active")) {
      const auto interval = std::ranges::find(intervals_, name, &alertmanager::NamedTimeInterval::name);
      if (interval == intervals_.end())
        errors_.Add(options.Where("active"),
                    "'active' of " + what + " names time interval '" + name +
                        "', which is neither here nor in alertmanager.yml" +
                        DidYouMean(name, intervals_, [](const auto& one) { return one.name; }));
      else
        out.active.insert(out.active.end(), interval->intervals.begin(), interval->intervals.end());
    }
  }

  void ReadHolidays(const Options& options, rules::AlertOptions& out) {
    const std::string path = options.Text("holidays");
    if (path.empty()) return;
    const auto content = core::ReadFile(path, 1U << 20U);
    const auto days = core::ParseHolidays(content.value_or(""));
    if (!content)
      errors_.Add(options.Where("holidays"), "cannot read the holidays file " + path + ": " + content.error().message);
    else if (!days)
      errors_.Add(options.Where("holidays"), path + ": " + days.error().message);
    else
      out.holidays = *days;
    const std::string zone = options.Given("timezone") ? options.Text("timezone") : timezone_;
    if (const auto found = core::TimeZone::Find(zone)) out.holiday_zone = *found;
  }

  std::span<rules::RuleFile> files_;
  std::vector<alertmanager::NamedTimeInterval> intervals_;
  const std::string timezone_;
  core::ConfigErrors& errors_;
  const rules::promql::ParseOptions promql_;
};

}  // namespace

core::OptionTable AlertOptionTable() { return kOptions; }

void ReadAlertOptions(const std::string& path, std::span<rules::RuleFile> files,
                      std::span<const alertmanager::NamedTimeInterval> intervals, const std::string& timezone,
                      core::ConfigErrors& errors, const rules::promql::ParseOptions& promql) {
  if (const auto root = core::ReadYamlFile(path, errors); root && !root->IsNull())
    Reader(files, intervals, timezone, errors, promql).Read(*root);
}

}  // namespace pipewarden::agent
