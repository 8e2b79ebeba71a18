#include "alertmanager/config.h"

#include <glob.h>

#include <algorithm>
#include <set>

#include "alertmanager/config_sections.h"
#include "alertmanager/config_text.h"
#include "alertmanager/http_settings.h"
#include "alertmanager/templates.h"
#include "core/read_file.h"

namespace pipewarden::alertmanager {
namespace {

using core::OptionType;
using core::YamlNode;

constexpr core::Option kTopOptions[] = {
    {.name = "global", .type = OptionType::kNode, .help = "defaults of the receivers, resolve_timeout"},
    {.name = "route", .type = OptionType::kNode, .required = true, .help = "the root of the route tree"},
    {.name = "receivers", .type = OptionType::kNode, .help = "who is told, and how"},
    {.name = "inhibit_rules", .type = OptionType::kNode, .help = "which alerts keep others quiet"},
    {.name = "templates", .type = OptionType::kOnlyStringList, .help = "files of templates; patterns are expanded"},
    {.name = "time_intervals", .type = OptionType::kNode, .help = "named intervals that routes refer to"},
    {.name = "mute_time_intervals", .type = OptionType::kNode, .help = "older name of time_intervals"},
    {.name = "tracing", .type = OptionType::kNode, .help = "taken and ignored"},
    {.name = "event_recorder", .type = OptionType::kNode, .help = "taken and ignored"},
};

constexpr core::Option kReceiverOptions[] = {
    {.name = "name", .type = OptionType::kString, .required = true, .help = "what routes call it by"},
    {.name = "labels", .type = OptionType::kNode, .help = "taken and ignored"},
};

const std::vector<YamlNode>& Items(const YamlNode* node, std::string_view what, core::ConfigErrors& errors) {
  static const std::vector<YamlNode> kNone;
  if (node == nullptr || node->IsNull()) return kNone;
  if (!node->IsSequence()) {
    errors.Add(node->where(), "'" + std::string(what) + "' must be a list, not " + std::string(node->KindName()));
    return kNone;
  }
  return node->items();
}

// Alertmanager finds a broken template of a field when it sends; it is told here, and refused there.
void CheckFields(const core::Options& options, core::OptionTable table, const std::string& what,
                 const Templates& templates, std::vector<std::string>& warnings) {
  for (const core::Option& option : table) {
    if (option.type != OptionType::kString || !options.Given(option.name)) continue;
    if (const auto checked = templates.Check(options.Text(option.name)); !checked)
      warnings.push_back(options.Where(option.name).ToString() + ": '" + std::string(option.name) + "' in " + what +
                         " will fail: " + checked.error().message);
  }
}

void ReadIntegrations(const ReceiverKind& kind, const YamlNode& list, const core::Options& global,
                      const Templates* templates, ReceiverConfig& receiver, Config& config,
                      core::ConfigErrors& errors) {
  const std::string what = std::string(kind.key) + " of receiver '" + receiver.name + "'";
  int index = 0;
  for (const YamlNode& item : Items(&list, kind.key, errors)) {
    if (item.IsNull()) {  // Alertmanager fails here too, with a nil dereference
      errors.Add(item.where(), "an empty entry in " + what + ": remove it or fill it in");
      continue;
    }
    const core::OptionTable tables[] = {CommonReceiverOptions(), kind.options};
    const core::Options options = core::ReadOptions(item, tables, what, errors);
    if (kind.make == nullptr) {
      errors.Add(item.where(), std::string(kind.name) + " is not sent by Pipewarden yet (" + what +
                                   "): use another receiver, or hand alerts over to a real Alertmanager");
      continue;
    }
    Integration integration;
    integration.kind = &kind;
    integration.index = index++;
    integration.send_resolved = options.Given("send_resolved") ? options.Bool("send_resolved") : kind.send_resolved;
    integration.receiver = kind.make(options, global, errors);
    receiver.integrations.push_back(std::move(integration));
    config.identity += options.Identity();
    if (templates != nullptr) CheckFields(options, kind.options, what, *templates, config.warnings);
  }
}

ReceiverConfig ReadReceiver(const YamlNode& node, const core::Options& global, const Templates* templates,
                            Config& config, core::ConfigErrors& errors) {
  // The kinds' keys are one option each.
  std::vector<core::Option> kinds;
  for (const ReceiverKind* kind : ReceiverKinds())
    kinds.push_back({.name = kind->key, .type = OptionType::kNode, .help = kind->help});
  const core::OptionTable tables[] = {kReceiverOptions, kinds};
  const core::Options options = core::ReadOptions(node, tables, "a receiver", errors);
  ReceiverConfig receiver{options.Text("name"), {}};
  if (options.Given("name") && receiver.name.empty()) errors.Add(options.Where("name"), "missing name in receiver");
  for (const ReceiverKind* kind : ReceiverKinds())
    if (const YamlNode* list = options.Node(kind->key); list != nullptr)
      ReadIntegrations(*kind, *list, global, templates, receiver, config, errors);
  return receiver;
}

void ReadTimeIntervals(const core::Options& options, Config& config, core::ConfigErrors& errors) {
  for (const std::string_view key : {"mute_time_intervals", "time_intervals"}) {
    const YamlNode* list = options.Node(key);
    if (list != nullptr && key == "mute_time_intervals")
      config.warnings.push_back(list->where().ToString() +
                                ": 'mute_time_intervals' is deprecated: use 'time_intervals'");
    for (const YamlNode& item : Items(list, key, errors)) {
      NamedTimeInterval interval = ReadTimeInterval(item, errors);
      if (std::ranges::find(config.time_intervals, interval.name, &NamedTimeInterval::name) !=
          config.time_intervals.end())
        errors.Add(item.where(), "time interval '" + interval.name + "' is not unique");
      config.time_intervals.push_back(std::move(interval));
    }
  }
}

std::vector<std::string> ExpandTemplatePaths(const core::Options& options, core::ConfigErrors& errors) {
  const std::string& file = options.where().file;
  const std::size_t slash = file.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : file.substr(0, slash + 1);
  std::vector<std::string> paths;
  for (const std::string& pattern : options.List("templates")) {
    glob_t found{};
    const std::string path = pattern.starts_with('/') ? pattern : folder + pattern;
    const int result = ::glob(path.c_str(), 0, nullptr, &found);
    for (std::size_t i = 0; i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i]);
    ::globfree(&found);
    // A pattern that matches nothing is fine with Alertmanager; a plain name that is missing is a mistake.
    if (result == GLOB_NOMATCH && pattern.find_first_of("*?[") == std::string::npos)
      errors.Add(options.Where("templates"), "template file '" + path + "' does not exist");
  }
  return paths;
}

// The default templates and the user's files; what the files hold is part of the identity. Null where they do not
// parse.
std::shared_ptr<const Templates> ReadTemplates(const core::Options& options, Config& config,
                                               core::ConfigErrors& errors) {
  std::vector<Templates::File> files;
  config.template_files = ExpandTemplatePaths(options, errors);
  for (const std::string& path : config.template_files) {
    core::Result<std::string> text = core::ReadFile(path, Templates::kMaxFileBytes);
    if (!text) {
      errors.Add(options.Where("templates"), "template file: " + text.error().message);
      continue;
    }
    config.identity += "\n" + path + "\n" + *text;
    files.push_back({path.substr(path.rfind('/') + 1), std::move(*text)});
  }
  auto templates = Templates::Make(files);
  if (!templates) {
    errors.Add(options.Where("templates"), templates.error().message);
    return nullptr;
  }
  config.render = std::make_shared<const RenderTemplate>(Renderer(*templates));
  return *templates;
}

// What no receiver may use is checked, too.
void CheckGlobal(const core::Options& global, core::ConfigErrors& errors) {
  if (const YamlNode* http = global.Node("http_config")) ReadHttpSettings(*http, errors);
  for (const std::string_view url : {"slack_api_url", "mattermost_webhook_url"}) CheckSecretUrl(global, url, errors);
  // An app's address in both is a workaround of old.
  if (global.Given("slack_app_token") && global.Given("slack_api_url") &&
      global.Secret("slack_api_url").Reveal() != global.Text("slack_app_url"))
    errors.Add(global.Where("slack_app_token"), "at most one of slack_app_token and slack_api_url may stand in global");
  const std::string& host = global.Text("smtp_smarthost");
  const std::size_t colon = host.rfind(':');
  if (!host.empty() && (colon == std::string::npos || colon + 1 == host.size()))
    errors.Add(global.Where("smtp_smarthost"), "mail server '" + host + "' must be host:port");
}

}  // namespace

std::string Integration::Name() const { return std::string(kind->name) + "[" + std::to_string(index) + "]"; }

const ReceiverConfig* Config::FindReceiver(std::string_view name) const {
  const auto at = std::ranges::find(receivers, name, &ReceiverConfig::name);
  return at == receivers.end() ? nullptr : &*at;
}

Config ReadAlertmanagerConfig(const YamlNode& root, core::ConfigErrors& errors) {
  Config config;
  config.path = root.where().file;
  if (!root.IsMap()) {
    errors.Add(root.where(), "no route provided in the configuration of alertmanager: write 'route: {receiver: …}'");
    return config;
  }
  const core::Options options = core::ReadOptions(root, kTopOptions, "the configuration of alertmanager", errors);
  const YamlNode empty;
  const YamlNode* global_node = options.Node("global");
  const core::Options global =
      core::ReadOptions(global_node != nullptr ? *global_node : empty, GlobalOptions(), "global", errors);
  config.resolve_timeout = global.Duration("resolve_timeout");
  CheckGlobal(global, errors);
  config.identity = root.Canonical() + global.Identity();
  for (const std::string_view key : {"tracing", "event_recorder"})
    if (const YamlNode* node = options.Node(key); node != nullptr)
      config.warnings.push_back(node->where().ToString() + ": '" + std::string(key) + "' is taken and ignored");

  const std::shared_ptr<const Templates> templates = ReadTemplates(options, config, errors);
  for (const YamlNode& item : Items(options.Node("receivers"), "receivers", errors)) {
    ReceiverConfig receiver = ReadReceiver(item, global, templates.get(), config, errors);
    if (config.FindReceiver(receiver.name) != nullptr)
      errors.Add(item.where(), "receiver name '" + receiver.name + "' is not unique");
    config.receivers.push_back(std::move(receiver));
  }
  ReadTimeIntervals(options, config, errors);
  if (const YamlNode* route = options.Node("route"); route != nullptr) ReadRootRoute(*route, config, errors);
  for (const YamlNode& item : Items(options.Node("inhibit_rules"), "inhibit_rules", errors))
    config.inhibit_rules.push_back(ReadInhibitRule(item, config.warnings, errors));
  const YamlNode* intervals = options.Node("time_intervals");
  config.original = ConfigText(config, intervals != nullptr ? intervals : options.Node("mute_time_intervals"));
  return config;
}

core::Result<Config> ReadAlertmanagerConfig(const std::string& path) {
  core::ConfigErrors errors;
  const std::optional<YamlNode> root = core::ReadYamlFile(path, errors);
  if (!root) return core::Fail(errors.ToError());
  Config config = ReadAlertmanagerConfig(*root, errors);
  if (!errors.empty()) return core::Fail(errors.ToError());
  return config;
}

Config InboxOnlyConfig() {
  Config config;
  config.identity = "inbox";
  config.receivers.push_back({"inbox", {}});
  config.route.receiver = "inbox";
  config.route.group_by = {"alertname"};
  // Nobody is disturbed by the inbox: it tells soon, and the end of a problem too.
  config.route.group_wait = std::chrono::seconds(1);
  config.route.group_interval = std::chrono::seconds(10);
  config.original = ConfigText(config, nullptr);
  return config;
}

}  // namespace pipewarden::alertmanager
