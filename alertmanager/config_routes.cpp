// route: and inhibit_rules: of alertmanager.yml.
#include <algorithm>
#include <set>

#include "alertmanager/config_sections.h"
#include "core/text/utf8.h"

namespace pipewarden::alertmanager {
namespace {

using core::OptionType;
using core::YamlNode;

constexpr core::Option kRouteOptions[] = {
    {.name = "receiver", .type = OptionType::kString, .help = "who is told; inherited"},
    {.name = "group_by",
     .type = OptionType::kOnlyStringList,
     .help = "labels that make a group; ['...'] is all; inherited"},
    {.name = "match", .type = OptionType::kStringMap, .help = "deprecated: label: value"},
    {.name = "match_re", .type = OptionType::kStringMap, .help = "deprecated: label: regular expression"},
    {.name = "matchers",
     .type = OptionType::kOnlyStringList,
     .help = "all must match: ['severity=\"critical\"', 'env=~\"p.*\"']"},
    {.name = "mute_time_intervals", .type = OptionType::kOnlyStringList, .help = "quiet while in one of these"},
    {.name = "active_time_intervals", .type = OptionType::kOnlyStringList, .help = "quiet while in none of these"},
    {.name = "continue", .type = OptionType::kBool, .default_text = "false", .help = "later siblings may match too"},
    {.name = "routes", .type = OptionType::kNode, .help = "children"},
    {.name = "labels", .type = OptionType::kStringMap, .help = "for templates: .RouteLabels, routeLabels; inherited"},
    {.name = "group_wait", .type = OptionType::kDuration, .help = "before a group is first told (30s); inherited"},
    {.name = "group_interval", .type = OptionType::kDuration, .help = "between two tellings (5m); inherited"},
    {.name = "repeat_interval", .type = OptionType::kDuration, .help = "until it is told again (4h); inherited"},
};

constexpr core::Option kInhibitOptions[] = {
    {.name = "name", .type = OptionType::kString, .help = "for people"},
    {.name = "source_match", .type = OptionType::kStringMap, .help = "deprecated"},
    {.name = "source_match_re", .type = OptionType::kStringMap, .help = "deprecated"},
    {.name = "source_matchers", .type = OptionType::kOnlyStringList, .help = "alerts that keep others quiet"},
    {.name = "target_match", .type = OptionType::kStringMap, .help = "deprecated"},
    {.name = "target_match_re", .type = OptionType::kStringMap, .help = "deprecated"},
    {.name = "target_matchers", .type = OptionType::kOnlyStringList, .help = "alerts that are kept quiet"},
    {.name = "equal", .type = OptionType::kOnlyStringList, .help = "labels that must be equal in both"},
    {.name = "sources", .type = OptionType::kNode, .help = "several sources (not supported yet)"},
};

// The matchers of three keys together, sorted as in a route's key. The text of match_re stands there as Go's regexp
// prints it, anchored.
Matchers ReadMatchers(const core::Options& options, const std::string& prefix, std::vector<std::string>& warnings,
                      core::ConfigErrors& errors) {
  Matchers matchers;
  const auto add = [&](core::Result<core::Matcher> matcher, const core::Location& where) {
    if (matcher)
      matchers.push_back(std::move(*matcher));
    else
      errors.Add(where, matcher.error().message);
  };
  for (const bool regex : {false, true}) {
    const std::string key = prefix + (regex ? "match_re" : "match");
    if (options.Given(key))
      warnings.push_back(options.Where(key).ToString() + ": '" + key + "' is deprecated: use '" + prefix + "matchers'");
    for (const auto& [name, value] : options.Map(key)) {
      if (!core::IsValidLabelName(name)) {
        errors.Add(options.Where(key), "invalid label name '" + name + "' in '" + key + "'");
        continue;
      }
      add(core::Matcher::Make(name, regex ? core::MatchOp::kRegex : core::MatchOp::kEqual,
                              regex ? "^(?:" + value + ")$" : value, false),
          options.Where(key));
    }
  }
  for (const std::string& text : options.List(prefix + "matchers")) {
    auto parsed = ParseMatchers(text);
    if (!parsed) {
      errors.Add(options.Where(prefix + "matchers"), parsed.error().message);
      continue;
    }
    for (core::Matcher& matcher : *parsed) matchers.push_back(std::move(matcher));
  }
  SortMatchers(matchers);
  return matchers;
}

class RouteReader {
 public:
  RouteReader(Config& config, core::ConfigErrors& errors) : config_(config), errors_(errors) {}

  RouteConfig Read(const YamlNode& node, const RouteConfig& parent, bool root) {
    const core::Options options = core::ReadOptions(node, kRouteOptions, root ? "the root route" : "a route", errors_);
    RouteConfig route;
    route.receiver = options.Text("receiver").empty() ? parent.receiver : options.Text("receiver");
    if (!options.Text("receiver").empty() && config_.FindReceiver(route.receiver) == nullptr)
      errors_.Add(options.Where("receiver"),
                  "undefined receiver '" + route.receiver + "' used in route" + KnownReceivers(route.receiver));
    route.matchers = ReadMatchers(options, "", config_.warnings, errors_);
    route.continue_matching = options.Bool("continue");
    route.labels = parent.labels;
    for (const auto& [name, value] : options.Map("labels")) {
      if (name.empty() || !core::IsValidUtf8(name))
        errors_.Add(options.Where("labels"), "invalid label name '" + name + "' in route labels");
      route.labels.Set(name, value);
    }
    ReadGroupBy(options, parent, route);
    route.group_wait = options.Given("group_wait") ? options.Duration("group_wait") : parent.group_wait;
    route.group_interval = Interval(options, "group_interval", parent.group_interval);
    route.repeat_interval = Interval(options, "repeat_interval", parent.repeat_interval);
    route.mute_time_intervals = Names(options, "mute_time_intervals");
    route.active_time_intervals = Names(options, "active_time_intervals");
    if (root) CheckRoot(options, route);
    if (const YamlNode* children = options.Node("routes"); children != nullptr && !children->IsNull()) {
      if (!children->IsSequence()) errors_.Add(children->where(), "'routes' must be a list of routes");
      for (const YamlNode& child : children->items()) {
        if (child.IsNull()) errors_.Add(child.where(), "an empty entry in 'routes': remove it or fill it in");
        route.routes.push_back(Read(child, route, false));
      }
    }
    return route;
  }

 private:
  std::string KnownReceivers(std::string_view name) const {
    std::vector<std::string_view> known;
    for (const ReceiverConfig& receiver : config_.receivers) known.push_back(receiver.name);
    return core::DidYouMean(name, known);
  }

  void CheckRoot(const core::Options& options, const RouteConfig& route) {
    if (route.receiver.empty()) errors_.Add(options.where(), "root route must specify a default receiver");
    if (!route.matchers.empty()) errors_.Add(options.where(), "root route must not have any matchers");
    if (!route.mute_time_intervals.empty())
      errors_.Add(options.Where("mute_time_intervals"), "root route must not have any mute time intervals");
    if (!route.active_time_intervals.empty())
      errors_.Add(options.Where("active_time_intervals"), "root route must not have any active time intervals");
    if (route.continue_matching) errors_.Add(options.Where("continue"), "cannot have continue in root route");
  }

  void ReadGroupBy(const core::Options& options, const RouteConfig& parent, RouteConfig& route) {
    if (!options.Given("group_by")) {
      route.group_by = parent.group_by;
      route.group_by_all = parent.group_by_all;
      return;
    }
    std::set<std::string> names;
    for (const std::string& name : options.List("group_by")) {
      if (name == "...") {
        route.group_by_all = true;
      } else if (name.empty() || !core::IsValidUtf8(name)) {
        errors_.Add(options.Where("group_by"), "invalid label name '" + name + "' in group_by");
      } else if (!names.insert(name).second) {
        errors_.Add(options.Where("group_by"), "duplicated label '" + name + "' in group_by");
      }
    }
    if (route.group_by_all && !names.empty())
      errors_.Add(options.Where("group_by"), "cannot have wildcard group_by ('...') and other labels at the same time");
    route.group_by.assign(names.begin(), names.end());
  }

  core::Duration Interval(const core::Options& options, std::string_view key, core::Duration inherited) {
    if (!options.Given(key)) return inherited;
    if (options.Duration(key) <= core::Duration::zero()) {
      errors_.Add(options.Where(key), std::string(key) + " cannot be zero");
      return inherited;
    }
    return options.Duration(key);
  }

  std::vector<std::string> Names(const core::Options& options, std::string_view key) {
    std::vector<std::string> names = options.List(key);
    for (const std::string& name : names)
      if (std::ranges::find(config_.time_intervals, name, &NamedTimeInterval::name) == config_.time_intervals.end())
        errors_.Add(options.Where(key), "undefined time interval '" + name + "' used in route");
    return names;
  }

  Config& config_;
  core::ConfigErrors& errors_;
};

}  // namespace

void ReadRootRoute(const YamlNode& node, Config& config, core::ConfigErrors& errors) {
  config.route = RouteReader(config, errors).Read(node, RouteConfig{}, true);
}

InhibitRuleConfig ReadInhibitRule(const YamlNode& node, std::vector<std::string>& warnings,
                                  core::ConfigErrors& errors) {
  const core::Options options = core::ReadOptions(node, kInhibitOptions, "an inhibit rule", errors);
  InhibitRuleConfig rule;
  rule.name = options.Text("name");
  rule.source = ReadMatchers(options, "source_", warnings, errors);
  rule.target = ReadMatchers(options, "target_", warnings, errors);
  if (options.Node("sources") != nullptr)
    errors.Add(options.Where("sources"), "'sources' of an inhibit rule is not supported yet: write one rule a source");
  std::set<std::string> equal;
  for (const std::string& name : options.List("equal")) {
    if (name.empty() || !core::IsValidUtf8(name))
      errors.Add(options.Where("equal"), "invalid label name '" + name + "' in equal");
    equal.insert(name);
  }
  rule.equal.assign(equal.begin(), equal.end());
  return rule;
}

}  // namespace pipewarden::alertmanager
