#include "exporters/logs/log_config.h"

#include <re2/re2.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

namespace pipewarden::exporters {
namespace {

using core::ConfigErrors;
using core::Location;
using core::Option;
using core::Options;
using core::OptionType;
using core::YamlNode;

constexpr std::string_view kStarts[] = {"beginning", "end"};
constexpr Option kLogOptions[] = {
    {.name = "name",
     .help = "What messages, pages and stored offsets call it; the first path where it is left out. Unique."},
    {.name = "path",
     .type = OptionType::kStringList,
     .required = true,
     .help =
         "Files to follow: one pattern or a list; `*`, `?` and `[..]` within a folder, `**` for any depth. Compressed "
         "files (.gz .zst .bz2 .xz .zip) are never followed."},
    {.name = "exclude",
     .type = OptionType::kStringList,
     .help = "Patterns of files to leave out, against the file's name, or the whole path where they hold a slash."},
    {.name = "start",
     .type = OptionType::kEnum,
     .default_text = "end",
     .choices = kStarts,
     .help =
         "Where reading starts in files that are there when this path is seen for the first time. Files that appear "
         "later, also while the agent is down, are read from their beginning; after a restart reading goes on "
         "where it was."},
    {.name = "rotate_wait",
     .type = OptionType::kDuration,
     .default_text = "10s",
     .min = 1,
     .max = 3600,
     .help =
         "How long a rotated or deleted file must be quiet before its descriptor is closed. One that is still in its "
         "folder is read again when it grows later."},
    {.name = "max_line",
     .type = OptionType::kBytes,
     .default_text = "128KB",
     .unit = "bytes",
     .min = 256,
     .max = 4194304,
     .help = "A longer line is cut there and counted in pipewarden_logs_lines_cut_total; its rest is skipped."},
    {.name = "patterns", .type = OptionType::kNode, .required = true, .help = "A list of patterns, see below."},
};

constexpr Option kPatternOptions[] = {
    {.name = "match",
     .type = OptionType::kRegex,
     .required = true,
     .help = "RE2 regular expression with named groups, searched in each line; a line counts once a pattern."},
    {.name = "metrics",
     .type = OptionType::kNode,
     .help = "A list of metrics with the keys below, where one match makes several."},
};

constexpr Option kMetricOptions[] = {
    {.name = "counter", .help = "Name of a counter (ends in _total): a match adds 1, or the value."},
    {.name = "gauge", .help = "Name of a gauge: a match sets it to the value."},
    {.name = "histogram", .help = "Name of a histogram: a match observes the value."},
    {.name = "value", .help = "The named group that holds the number. A counter needs none."},
    {.name = "scale",
     .type = OptionType::kFloat,
     .default_text = "1",
     .help = "The value is multiplied by it, for example 0.001 to make seconds of milliseconds."},
    {.name = "labels",
     .type = OptionType::kNode,
     .help = "A list of groups that become labels of their own names, or a map of label to group."},
    {.name = "buckets",
     .type = OptionType::kNode,
     .help = "Upper bounds of a histogram's buckets; .005 to 10 where they are left out, as in Prometheus' clients."},
    {.name = "help", .help = "The metric's help text."},
    {.name = "max_series",
     .type = OptionType::kInt,
     .default_text = "1000",
     .min = 1,
     .max = 1000000,
     .help = "Label sets beyond this many go to one series whose labels all say _overflow_."},
};

constexpr double kDefaultBuckets[] = {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10};

std::string Quote(std::string_view text) { return "'" + std::string(text) + "'"; }

std::string Number(double value) {
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  return {buffer, end};
}

class LogReader {
 public:
  LogReader(const YamlNode& section, ConfigErrors& errors) : section_(section), errors_(errors) {}

  std::vector<LogConfig> Read() {
    std::vector<LogConfig> configs;
    if (section_.IsNull()) return configs;
    if (!section_.IsSequence()) {
      errors_.Add(section_.where(), "logs must be a list, not " + std::string(section_.KindName()));
      return configs;
    }
    for (const YamlNode& node : section_.items()) {
      const std::size_t before = errors_.size();
      LogConfig config = ReadLog(node);
      if (errors_.size() == before) configs.push_back(std::move(config));
    }
    return configs;
  }

 private:
  LogConfig ReadLog(const YamlNode& node) {
    LogConfig config;
    const Options options = core::ReadOptions(node, kLogOptions, What(node), errors_);
    config.where = node.where();
    config.identity = node.Canonical();
    config.paths = Absolute(options.List("path"), node);
    config.exclude = options.List("exclude");
    config.name = options.Given("name") || config.paths.empty() ? options.Text("name") : config.paths.front();
    config.from_beginning = options.Text("start") == "beginning";
    config.rotate_wait = options.Duration("rotate_wait");
    config.max_line = static_cast<std::size_t>(options.Bytes("max_line"));
    const auto [first, is_new] = names_.try_emplace(config.name, node.where());
    if (!is_new && node.IsMap())
      errors_.Add(node.where(), "another entry of logs is called " + Quote(config.name) + " (" +
                                    first->second.ToString() + "); give one of them a name of its own");
    if (options.Given("path") && config.paths.empty()) errors_.Add(options.Where("path"), "'path' is an empty list");
    const YamlNode* patterns = options.Node("patterns");
    if (patterns == nullptr) return config;
    if (!patterns->IsSequence() || patterns->items().empty()) {
      errors_.Add(patterns->where(), "'patterns' must be a list with at least one pattern");
      return config;
    }
    for (const YamlNode& pattern : patterns->items()) ReadPattern(pattern, config);
    return config;
  }

  static std::string What(const YamlNode& node) {
    const YamlNode* name = node.IsMap() ? node.Find("name") : nullptr;
    return name != nullptr && name->IsScalar() ? "log " + Quote(name->text()) : "an entry of logs";
  }

  std::vector<std::string> Absolute(std::vector<std::string> paths, const YamlNode& node) {
    std::vector<std::string> absolute;
    for (const std::string& path : paths) {
      if (path.empty()) {
        errors_.Add(node.where(), "a path of logs is empty");
        continue;
      }
      const std::filesystem::path full =
          path[0] == '/' ? std::filesystem::path(path)
                         : std::filesystem::absolute(std::filesystem::path(node.where().file).parent_path() / path);
      absolute.push_back(full.lexically_normal().string());
    }
    return absolute;
  }

  void ReadPattern(const YamlNode& node, LogConfig& config) {
    const bool several = node.IsMap() && node.Find("metrics") != nullptr;
    const core::OptionTable both[] = {kPatternOptions, kMetricOptions};
    const std::span<const core::OptionTable> tables = both;
    const Options options = core::ReadOptions(node, tables.first(several ? 1 : 2), "a log pattern", errors_);
    LogPattern pattern;
    pattern.match = options.Text("match");
    pattern.where = node.where();
    std::set<std::string> groups;
    if (options.Given("match")) {
      RE2::Options quiet;
      quiet.set_log_errors(false);
      const RE2 regex(pattern.match, quiet);
      for (const auto& [group, index] : regex.NamedCapturingGroups()) groups.insert(group);
    }
    if (!several) {
      if (node.IsMap()) ReadMetric(options, node, groups, config, pattern);
    } else if (const YamlNode* metrics = options.Node("metrics"); metrics != nullptr && metrics->IsSequence()) {
      for (const YamlNode& item : metrics->items())
        ReadMetric(core::ReadOptions(item, kMetricOptions, "a metric of a log pattern", errors_), item, groups, config,
                   pattern);
    } else {
      errors_.Add(node.where(), "'metrics' of a log pattern must be a list");
    }
    config.patterns.push_back(std::move(pattern));
  }

  void ReadMetric(const Options& options, const YamlNode& node, const std::set<std::string>& groups, LogConfig& config,
                  LogPattern& pattern) {
    LogMetric metric;
    LogUpdate update;
    std::string kind;
    for (const auto& [name, type] :
         {std::pair("counter", core::MetricType::kCounter), std::pair("gauge", core::MetricType::kGauge),
          std::pair("histogram", core::MetricType::kHistogram)}) {
      if (!options.Given(name)) continue;
      if (!kind.empty())
        errors_.Add(options.Where(name),
                    "a metric is either " + kind + " or " + name + "; use 'metrics: [..]' for several");
      kind = name;
      metric.family.name = options.Text(name);
      metric.family.type = type;
    }
    if (kind.empty()) {
      errors_.Add(node.where(), "a log pattern needs one of counter, gauge and histogram, with the metric's name");
      return;
    }
    CheckName(metric, options.Where(kind));
    metric.family.help = options.Given("help") ? options.Text("help") : "Made from log lines.";
    metric.max_series = static_cast<std::size_t>(options.Int("max_series"));
    update.metric = metric.family.name;
    update.value_group = options.Text("value");
    update.scale = options.Float("scale");
    if (options.Given("value")) {
      CheckGroup(update.value_group, groups, options.Where("value"));
    } else if (kind != "counter") {
      errors_.Add(node.where(), "a " + kind + " needs 'value', the group that holds its number");
    }
    if (kind == "histogram") ReadBuckets(options, metric);
    if (kind != "histogram" && options.Given("buckets"))
      errors_.Add(options.Where("buckets"), "only a histogram has buckets");
    ReadLabels(options, groups, metric, update);
    AddMetric(metric, options.Where(kind), config);
    pattern.updates.push_back(std::move(update));
  }

  void CheckName(const LogMetric& metric, const Location& where) {
    const std::string& name = metric.family.name;
    if (!core::IsValidMetricName(name)) {
      errors_.Add(where, Quote(name) + " is no metric name (letters, digits, _ and :, not starting with a digit)");
      return;
    }
    for (const std::string_view prefix : {"pipewarden_", "probe_", "node_"})
      if (name.starts_with(prefix))
        errors_.Add(where, "names that start with " + std::string(prefix) +
                               " are the agent's own; choose another than " + Quote(name));
    if (metric.family.type == core::MetricType::kCounter && !name.ends_with("_total"))
      errors_.Add(where, "a counter's name ends in _total: write " + Quote(name + "_total"));
  }

  void CheckGroup(const std::string& group, const std::set<std::string>& groups, const Location& where) {
    if (groups.contains(group)) return;
    const std::vector<std::string_view> known(groups.begin(), groups.end());
    errors_.Add(where, "the pattern has no group " + Quote(group) + core::DidYouMean(group, known) +
                           "; name it as (?P<" + group + ">..)");
  }

  void ReadBuckets(const Options& options, LogMetric& metric) {
    metric.buckets.assign(std::begin(kDefaultBuckets), std::end(kDefaultBuckets));
    const YamlNode* node = options.Node("buckets");
    if (node == nullptr) return;
    metric.buckets.clear();
    if (node->IsSequence())
      for (const YamlNode& item : node->items()) {
        const std::optional<double> bound = item.AsFloat();
        if (!bound || std::isnan(*bound)) {
          errors_.Add(item.where(), "a bucket's bound must be a number, not " + std::string(item.KindName()));
          return;
        }
        if (!std::isinf(*bound)) metric.buckets.push_back(*bound);
      }
    if (metric.buckets.empty() || metric.buckets.size() > 100 ||
        std::ranges::adjacent_find(metric.buckets, std::greater_equal{}) != metric.buckets.end())
      errors_.Add(node->where(), "'buckets' must be a list of 1 to 100 ascending numbers");
  }

  void ReadLabels(const Options& options, const std::set<std::string>& groups, LogMetric& metric, LogUpdate& update) {
    const YamlNode* node = options.Node("labels");
    if (node == nullptr) return;
    std::map<std::string, std::string> labels;  // label to group
    const auto add = [&](const std::string& label, const YamlNode& group) {
      if (!group.IsScalar()) {
        errors_.Add(group.where(), "'labels' is a list of groups or a map of label to group");
        return;
      }
      CheckGroup(group.text(), groups, group.where());
      if (!core::IsValidLabelName(label) || label.starts_with("__") || label == "le" || label == "quantile")
        errors_.Add(group.where(),
                    Quote(label) + " cannot be a label (letters, digits and _; not le, quantile or __..)");
      if (!labels.emplace(label, group.text()).second)
        errors_.Add(group.where(), "label " + Quote(label) + " appears twice");
    };
    if (node->IsSequence())
      for (const YamlNode& item : node->items()) add(item.text(), item);
    else if (node->IsMap())
      for (const YamlNode::Entry& entry : node->entries()) add(entry.key, entry.value);
    else
      errors_.Add(node->where(), "'labels' is a list of groups or a map of label to group");
    for (const auto& [label, group] : labels) {
      metric.label_names.push_back(label);
      update.label_groups.push_back(group);
    }
  }

  // One metric may be fed by several patterns, of several entries too; they agree on what it is.
  void AddMetric(const LogMetric& metric, const Location& where, LogConfig& config) {
    const auto [known, is_new] = metrics_.try_emplace(metric.family.name, metric, where);
    if (!is_new && known->second.first.Shape() != metric.Shape())
      errors_.Add(where, Quote(metric.family.name) + " has another type, other labels or other buckets at " +
                             known->second.second.ToString() + "; make them agree, or choose another name");
    const auto here =
        std::ranges::find(config.metrics, metric.family.name, [](const LogMetric& m) { return m.family.name; });
    if (here == config.metrics.end()) config.metrics.push_back(metric);
  }

  const YamlNode& section_;
  ConfigErrors& errors_;
  std::map<std::string, Location> names_;
  std::map<std::string, std::pair<LogMetric, Location>> metrics_;
};

}  // namespace

std::string LogMetric::Shape() const {
  std::string shape(core::MetricTypeName(family.type));
  for (const std::string& label : label_names) shape += " " + label;
  for (const double bound : buckets) shape += " <" + Number(bound);
  return shape;
}

std::vector<LogConfig> ReadLogs(const YamlNode& section, ConfigErrors& errors) {
  return LogReader(section, errors).Read();
}

core::OptionTable LogOptions() { return kLogOptions; }
core::OptionTable LogPatternOptions() {
  // Both tables apply to a pattern; the reference shows them as one.
  static const std::vector<Option> all = [] {
    std::vector<Option> joined(std::begin(kPatternOptions), std::end(kPatternOptions));
    joined.insert(joined.end(), std::begin(kMetricOptions), std::end(kMetricOptions));
    return joined;
  }();
  return all;
}

}  // namespace pipewarden::exporters
