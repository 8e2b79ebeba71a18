#include "alertmanager/config_text.h"

#include "core/text/escape.h"
#include "core/time/duration.h"

namespace pipewarden::alertmanager {
namespace {

// A double-quoted YAML scalar: JSON's form is one.
std::string Quoted(std::string_view text) { return core::JsonString(text); }

template <class List, class Text>
std::string Flow(const List& list, Text text) {
  std::string out;
  for (const auto& item : list) out += (out.empty() ? "" : ", ") + text(item);
  return "[" + out + "]";
}

std::string MatcherList(const Matchers& matchers) {
  return Flow(matchers, [](const core::Matcher& matcher) { return Quoted(MatcherText(matcher)); });
}

// The tree as it came, all scalars as strings (those of time intervals are).
std::string Flow(const core::YamlNode& node) {
  if (node.IsSequence()) return Flow(node.items(), [](const core::YamlNode& item) { return Flow(item); });
  if (!node.IsMap()) return Quoted(node.text());
  std::string out;
  for (const core::YamlNode::Entry& entry : node.entries())
    out += (out.empty() ? "" : ", ") + Quoted(entry.key) + ": " + Flow(entry.value);
  return "{" + out + "}";
}

void AppendRoute(std::string& out, const RouteConfig& route, const std::string& indent) {
  const auto line = [&](std::string_view key, const std::string& value) {
    out += (out.ends_with("- ") ? "" : indent) + std::string(key) + ": " + value + "\n";
  };
  line("receiver", Quoted(route.receiver));
  if (route.group_by_all)
    line("group_by", "[\"...\"]");
  else if (!route.group_by.empty())
    line("group_by", Flow(route.group_by, Quoted));
  if (!route.matchers.empty()) line("matchers", MatcherList(route.matchers));
  if (!route.mute_time_intervals.empty()) line("mute_time_intervals", Flow(route.mute_time_intervals, Quoted));
  if (!route.active_time_intervals.empty()) line("active_time_intervals", Flow(route.active_time_intervals, Quoted));
  if (route.continue_matching) line("continue", "true");
  line("group_wait", core::FormatDuration(route.group_wait));
  line("group_interval", core::FormatDuration(route.group_interval));
  line("repeat_interval", core::FormatDuration(route.repeat_interval));
  if (route.routes.empty()) return;
  out += indent + "routes:\n";
  for (const RouteConfig& child : route.routes) {
    out += indent + "- ";
    AppendRoute(out, child, indent + "  ");
  }
}

}  // namespace

std::string ConfigText(const Config& config, const core::YamlNode* intervals) {
  std::string out = "global:\n  resolve_timeout: " + core::FormatDuration(config.resolve_timeout) + "\nroute:\n";
  AppendRoute(out, config.route, "  ");
  if (!config.inhibit_rules.empty()) out += "inhibit_rules:\n";
  for (const InhibitRuleConfig& rule : config.inhibit_rules) {
    out += "- source_matchers: " + MatcherList(rule.source) + "\n  target_matchers: " + MatcherList(rule.target) + "\n";
    if (!rule.equal.empty()) out += "  equal: " + Flow(rule.equal, Quoted) + "\n";
  }
  out += "receivers:\n";
  for (const ReceiverConfig& receiver : config.receivers) {
    out += "- name: " + Quoted(receiver.name);
    for (const Integration& integration : receiver.integrations)
      out += (&integration == &receiver.integrations.front() ? "  # " : ", ") + integration.Name();
    out += "\n";
  }
  if (intervals != nullptr && intervals->IsSequence() && !intervals->items().empty()) {
    out += "time_intervals:\n";
    for (const core::YamlNode& interval : intervals->items()) out += "- " + Flow(interval) + "\n";
  }
  return out;
}

}  // namespace pipewarden::alertmanager
