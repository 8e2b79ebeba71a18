#include "rules/rule_file.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <set>

#include "core/config/option_table.h"
#include "core/model/labels.h"
#include "core/read_file.h"
#include "core/text/utf8.h"
#include "core/time/duration.h"
#include "rules/promql/parser.h"

namespace pipewarden::rules {
namespace {

using core::Option;
using core::OptionType;

constexpr Option kFileOptions[] = {
    {.name = "groups", .type = OptionType::kNode, .help = "The rule groups."},
};
constexpr Option kGroupOptions[] = {
    {.name = "name", .required = true, .help = "Unique within the file."},
    {.name = "interval", .type = OptionType::kDuration, .help = "Time between evaluations."},
    {.name = "query_offset", .type = OptionType::kDuration, .help = "Rules look at the data of this long ago."},
    {.name = "limit",
     .type = OptionType::kFloat,  // Go's YAML cuts a fraction off
     .default_text = "0",
     .help = "Most alerts or series that a rule may yield; 0 or less: no limit."},
    {.name = "labels", .type = OptionType::kNode, .help = "Labels of all rules of the group."},
    {.name = "rules", .type = OptionType::kNode, .help = "The rules, evaluated in order."},
};
constexpr Option kRuleOptions[] = {
    {.name = "record", .help = "The metric that a recording rule writes."},
    {.name = "alert", .help = "The name of an alerting rule's alerts."},
    {.name = "expr", .type = OptionType::kNode, .help = "The PromQL expression."},
    {.name = "for", .type = OptionType::kDuration, .help = "An alert is pending for this long before it fires."},
    {.name = "keep_firing_for",
     .type = OptionType::kDuration,
     .help = "An alert goes on firing for this long after its condition cleared."},
    {.name = "labels", .type = OptionType::kNode, .help = "Labels to add or to overwrite."},
    {.name = "annotations", .type = OptionType::kNode, .help = "What a person reads."},
};

struct Pair {
  std::string name;
  std::string text;
  core::Location name_where;
  core::Location where;
};

class FileReader {
 public:
  FileReader(std::string_view text, core::ConfigErrors& errors, const promql::ParseOptions& promql)
      : text_(text), errors_(errors), promql_(promql) {}

  std::vector<RuleGroupConfig> Read(const core::YamlNode& root) {
    std::vector<RuleGroupConfig> groups;
    if (root.IsNull()) return groups;
    const core::Options options = core::ReadOptions(root, kFileOptions, "rule file", errors_);
    std::set<std::string> names;
    for (const core::YamlNode* node : Items(options, "groups")) {
      RuleGroupConfig group = ReadGroup(*node);
      if (!group.name.empty() && !names.insert(group.name).second)
        errors_.Add(group.where, "groupname: \"" + group.name +
                                     "\" is repeated in the same file; give each group a name of its own");
      groups.push_back(std::move(group));
    }
    return groups;
  }

 private:
  // The items of a list; nothing there is an empty list.
  std::vector<const core::YamlNode*> Items(const core::Options& options, std::string_view name) {
    std::vector<const core::YamlNode*> out;
    const core::YamlNode* node = options.Node(name);
    if (node == nullptr || node->IsNull()) return out;
    if (!node->IsSequence()) {
      errors_.Add(node->where(), "'" + std::string(name) + "' takes a list, not " + std::string(node->KindName()));
      return out;
    }
    for (const core::YamlNode& item : node->items())
      if (!item.IsNull()) out.push_back(&item);  // Go's YAML leaves those out
    return out;
  }

  std::vector<Pair> Pairs(const core::Options& options, std::string_view name) {
    std::vector<Pair> out;
    const core::YamlNode* node = options.Node(name);
    if (node == nullptr || node->IsNull()) return out;
    if (!node->IsMap()) {
      errors_.Add(node->where(),
                  "'" + std::string(name) + "' takes a map of texts, not " + std::string(node->KindName()));
      return out;
    }
    for (const core::YamlNode::Entry& entry : node->entries()) {
      if (!entry.value.IsScalar() && !entry.value.IsNull())
        errors_.Add(entry.value.where(), "'" + entry.key + "' in '" + std::string(name) + "' takes a text, not " +
                                             std::string(entry.value.KindName()));
      out.push_back({entry.key, entry.value.text(), entry.key_where, entry.value.where()});
    }
    return out;
  }

  RuleGroupConfig ReadGroup(const core::YamlNode& node) {
    const core::Options options = core::ReadOptions(node, kGroupOptions, "rule group", errors_);
    RuleGroupConfig group;
    group.where = options.where();
    group.name = options.Text("name");
    if (group.name.empty() && options.Given("name")) errors_.Add(options.Where("name"), "Groupname must not be empty");
    if (options.Given("interval")) group.interval = options.Duration("interval");
    if (group.interval && *group.interval <= core::Duration::zero()) group.interval.reset();  // as Prometheus takes 0s
    if (options.Given("query_offset")) group.query_offset = options.Duration("query_offset");
    group.limit = static_cast<std::size_t>(std::clamp(options.Float("limit"), 0.0, 1e15));
    const std::vector<Pair> labels = Pairs(options, "labels");
    CheckLabelNames(labels);
    for (const core::YamlNode* rule : Items(options, "rules")) ReadRule(*rule, labels, group.rules);
    return group;
  }

  void CheckLabelNames(const std::vector<Pair>& labels) {
    for (const Pair& label : labels) {
      if (label.name.empty() || !core::IsValidUtf8(label.name) || label.name == core::kMetricName)
        errors_.Add(label.name_where, "invalid label name: " + label.name);
      if (!core::IsValidUtf8(label.text)) errors_.Add(label.where, "invalid label value: not UTF-8");
    }
  }

  void ReadRule(const core::YamlNode& node, const std::vector<Pair>& group_labels, std::vector<RuleConfig>& out) {
    const core::Options options = core::ReadOptions(node, kRuleOptions, "rule", errors_);
    RuleConfig rule;
    rule.where = options.where();
    const bool records = options.Given("record") && !options.Text("record").empty();
    rule.alerting = options.Given("alert") && !options.Text("alert").empty();
    rule.name = options.Text(rule.alerting ? "alert" : "record");
    if (records && rule.alerting)
      errors_.Add(rule.where, "only one of 'record' and 'alert' must be set; make two rules of it");
    else if (!records && !rule.alerting)
      errors_.Add(rule.where, "one of 'record' or 'alert' must be set");
    const bool good = ReadExpr(options, rule);
    rule.for_ = options.Duration("for");
    rule.keep_firing_for = options.Duration("keep_firing_for");
    if (records && !rule.alerting) CheckRecording(options, rule);

    std::vector<Pair> labels = Pairs(options, "labels");
    CheckLabelNames(labels);
    for (const Pair& label : group_labels)
      if (std::ranges::find(labels, label.name, &Pair::name) == labels.end()) labels.push_back(label);
    std::ranges::sort(labels, {}, &Pair::name);
    const std::vector<Pair> annotations = Pairs(options, "annotations");
    for (const Pair& annotation : annotations)
      if (annotation.name.empty() || !core::IsValidUtf8(annotation.name))
        errors_.Add(annotation.name_where, "invalid annotation name: " + annotation.name);
    rule.labels = ReadTexts(labels, rule, "label");
    rule.annotations = ReadTexts(annotations, rule, "annotation");
    if (good && records != rule.alerting) out.push_back(std::move(rule));
  }

  void CheckRecording(const core::Options& options, const RuleConfig& rule) {
    const auto refuse = [&](const char* field, bool given) {
      if (given)
        errors_.Add(options.Where(field),
                    "invalid field '" + std::string(field) + "' in recording rule; only alerts have it");
    };
    refuse("annotations", !Pairs(options, "annotations").empty());
    refuse("for", rule.for_ != core::Duration::zero());
    refuse("keep_firing_for", rule.keep_firing_for != core::Duration::zero());
    if (rule.name.find_first_of("{}") != std::string::npos)
      errors_.Add(options.Where("record"),
                  "braces present in the recording rule name; should it be in expr?: " + rule.name);
    else if (!core::IsValidUtf8(rule.name))
      errors_.Add(options.Where("record"), "invalid recording rule name: " + rule.name);
  }

  std::vector<RuleText> ReadTexts(const std::vector<Pair>& pairs, const RuleConfig& rule, std::string_view what) {
    std::vector<RuleText> out;
    for (const Pair& pair : pairs) {
      // A recording rule's label is taken as it stands.
      auto parsed = RuleTemplate::Parse("__alert_" + rule.name, rule.alerting ? pair.text : "");
      if (!parsed) {
        errors_.Add(pair.where, std::string(what) + " \"" + pair.name + "\": " + parsed.error().message);
        continue;
      }
      out.push_back({pair.name, pair.text, std::move(*parsed)});
    }
    return out;
  }

  bool ReadExpr(const core::Options& options, RuleConfig& rule) {
    const core::YamlNode* node = options.Node("expr");
    if (node == nullptr || node->IsNull() || (node->IsScalar() && node->text().empty())) {
      errors_.Add(node != nullptr ? node->where() : rule.where, "field 'expr' must be set in rule");
      return false;
    }
    if (!node->IsScalar()) {
      errors_.Add(node->where(), "'expr' takes a PromQL expression, not " + std::string(node->KindName()));
      return false;
    }
    rule.expr = node->text();
    auto tree = promql::ParseExpr(rule.expr, promql_);
    if (!tree) {
      std::string message = tree.error().message;
      const core::Location where = PlaceWithin(*node, message);
      errors_.Add(where, "could not parse expression: " + message);
      return false;
    }
    rule.tree = std::move(*tree);
    promql::Walk(*rule.tree, [&](const promql::Expr& part) {
      if (part.kind != promql::Expr::Kind::kVectorSelector) return;
      const promql::PositionRange& at = part.pos;
      rule.selectors.push_back(
          PlaceOf(*node, std::max(at.line, 1), at.line > 0 ? at.column : at.start + 1).value_or(node->where()));
    });
    return true;
  }

  std::string_view Line(int number) const {
    std::string_view rest = text_;
    for (int i = 1; i < number; ++i) {
      const auto end = rest.find('\n');
      if (end == rest.npos) return {};
      rest.remove_prefix(end + 1);
    }
    return rest.substr(0, rest.find('\n'));
  }

  // The place in the file of a line and column (from 1) of the node's text; nothing where YAML folded the text.
  std::optional<core::Location> PlaceOf(const core::YamlNode& node, int line, int column) const {
    core::Location where = node.where();
    const std::string_view begin = Line(where.line);
    const auto at = static_cast<std::size_t>(where.column - 1);
    const char style = at < begin.size() ? begin[at] : '\0';
    if (style == '|') {
      // The first line with text sets the indent; empty ones before it belong to the text.
      int lead = 1;
      std::string_view content = Line(where.line + lead);
      std::size_t indent = content.find_first_not_of(' ');
      while (indent == content.npos && lead < 1000) {
        content = Line(where.line + ++lead);
        indent = content.find_first_not_of(' ');
      }
      where.line += line;
      where.column = static_cast<int>(indent) + column;
    } else if (line == 1 && style != '>') {
      where.column += column - 1 + (style == '"' || style == '\'' ? 1 : 0);
    } else {
      return std::nullopt;
    }
    return where;
  }

  // The place in the file that "LINE:COLUMN: …" of a PromQL error within the node's text means; takes it off the
  // message. Where YAML folded the text, the place of the text as a whole.
  core::Location PlaceWithin(const core::YamlNode& node, std::string& message) const {
    int line = 0;
    int column = 0;
    const char* end = message.data() + message.size();
    const auto first = std::from_chars(message.data(), end, line);
    if (first.ec != std::errc{} || first.ptr == end || *first.ptr != ':') return node.where();
    const auto second = std::from_chars(first.ptr + 1, end, column);
    if (second.ec != std::errc{} || !std::string_view(second.ptr, end).starts_with(": ")) return node.where();
    const auto where = PlaceOf(node, line, column);
    if (!where) return node.where();
    message.erase(0, static_cast<std::size_t>(second.ptr - message.data()) + 2);
    return *where;
  }

  const std::string_view text_;
  core::ConfigErrors& errors_;
  const promql::ParseOptions promql_;
};

}  // namespace

std::string RuleConfig::Identity() const {
  std::string out = alerting ? "alert " : "record ";
  out += name;
  for (const RuleText& label : labels) {
    out += '\xFF';
    out += label.name;
    out += '\xFF';
    out += label.text;
  }
  return out;
}

namespace {

// Two rules of one name and the same labels: one writes over the other's series, or is told with it.
void WarnOfDoubles(RuleFile& file) {
  std::map<std::string, const RuleConfig*> seen;
  for (const RuleGroupConfig& group : file.groups)
    for (const RuleConfig& rule : group.rules) {
      const auto [first, is_new] = seen.try_emplace(rule.Identity(), &rule);
      if (!is_new)
        file.warnings.push_back(rule.where.ToString() + ": duplicate of the rule '" + rule.name + "' in line " +
                                std::to_string(first->second->where.line) + ", with the same labels");
    }
}

}  // namespace

RuleFile ParseRuleFile(std::string_view text, const std::string& path, core::ConfigErrors& errors,
                       const promql::ParseOptions& promql) {
  RuleFile file{.path = path, .groups = {}};
  core::Location second;
  const std::optional<core::YamlNode> root = core::ParseYaml(text, path, errors, {.second_document = &second});
  if (!root) return file;
  file.groups = FileReader(text, errors, promql).Read(*root);
  if (second.line > 0)
    file.warnings.push_back(second.ToString() +
                            ": a second document is not read, nor by Prometheus; put it into a file of its own");
  WarnOfDoubles(file);
  return file;
}

RuleFile ReadRuleFile(const std::string& path, core::ConfigErrors& errors, const promql::ParseOptions& promql) {
  auto text = core::ReadFile(path);
  if (text) return ParseRuleFile(*text, path, errors, promql);
  errors.Add({.file = path}, text.error().message);
  return {.path = path, .groups = {}};
}

void CopyAlertOptions(std::span<const RuleFile> configured, RuleFile& file, const promql::ParseOptions& promql) {
  const auto normal = [](const std::string& path) { return std::filesystem::absolute(path).lexically_normal(); };
  const auto known =
      std::ranges::find_if(configured, [&](const RuleFile& one) { return normal(one.path) == normal(file.path); });
  if (known == configured.end()) return;
  for (RuleGroupConfig& group : file.groups) {
    const auto before = std::ranges::find(known->groups, group.name, &RuleGroupConfig::name);
    if (before == known->groups.end()) continue;
    for (RuleConfig& rule : group.rules) {
      const auto same = std::ranges::find(before->rules, rule.Identity(), &RuleConfig::Identity);
      if (same == before->rules.end() || same->options == nullptr) continue;
      auto options = std::make_shared<AlertOptions>(*same->options);
      if (options->no_data) {  // its expression may be another one
        auto data = DataExpr(*rule.tree, promql);
        if (!data) continue;
        options->data_expr = std::move(*data);
      }
      rule.options = std::move(options);
    }
  }
}

}  // namespace pipewarden::rules
