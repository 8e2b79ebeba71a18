// opsgenie: opens and closes alerts at Opsgenie.
// Source: https://docs.opsgenie.com/docs/alert-api. One request a notification, three with update_alerts. The alert is
// identified by the hash of the group key; a resolved group closes it.
#include <algorithm>
#include <cctype>

#include "alertmanager/field_renderer.h"
#include "alertmanager/go_json.h"
#include "alertmanager/http_settings.h"
#include "alertmanager/receivers/list.h"

namespace pipewarden::alertmanager {
namespace {

using core::OptionType;

constexpr core::Option kOptions[] = {
    {.name = "api_key", .type = OptionType::kSecret},
    {.name = "api_url", .type = OptionType::kUrl},
    {.name = "message", .type = OptionType::kString, .default_text = "'{{ template \"opsgenie.default.message\" . }}'"},
    {.name = "description",
     .type = OptionType::kString,
     .default_text = "'{{ template \"opsgenie.default.description\" . }}'"},
    {.name = "source", .type = OptionType::kString, .default_text = "'{{ template \"opsgenie.default.source\" . }}'"},
    {.name = "details", .type = OptionType::kStringMap},
    {.name = "entity", .type = OptionType::kString},
    {.name = "responders", .type = OptionType::kNode},
    {.name = "actions", .type = OptionType::kString},
    {.name = "tags", .type = OptionType::kString},
    {.name = "note", .type = OptionType::kString},
    {.name = "priority", .type = OptionType::kString},
    {.name = "update_alerts", .type = OptionType::kBool, .default_text = "false"},
};

constexpr std::size_t kMaxMessageRunes = 130;

constexpr core::Option kResponderOptions[] = {
    {.name = "id", .type = OptionType::kString, .help = "one of id, name, username"},
    {.name = "name", .type = OptionType::kString, .help = "one of id, name, username"},
    {.name = "username", .type = OptionType::kString, .help = "one of id, name, username"},
    {.name = "type", .type = OptionType::kString, .help = "team teams user escalation schedule"},
};

struct Responder {
  std::string id, username, name, type;
};

// Comma separated words without the spaces around them.
std::vector<std::string> SplitWords(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    std::string_view word = text.substr(0, comma);
    while (word.starts_with(' ')) word.remove_prefix(1);
    while (word.ends_with(' ')) word.remove_suffix(1);
    if (!word.empty()) words.emplace_back(word);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return words;
}

class Opsgenie final : public Receiver {
 public:
  Opsgenie(const core::Options& options, const core::Options& global, core::ConfigErrors& errors)
      : http_(ReadHttpSettings(options, global, errors)),
        api_key_(options.Given("api_key") ? options.Secret("api_key") : global.Secret("opsgenie_api_key")),
        api_url_(options.Given("api_url") ? options.Text("api_url") : global.Text("opsgenie_api_url")),
        message_(options.Text("message")),
        description_(options.Text("description")),
        source_(options.Text("source")),
        entity_(options.Text("entity")),
        actions_(options.Text("actions")),
        tags_(options.Text("tags")),
        note_(options.Text("note")),
        priority_(options.Text("priority")),
        details_(options.Map("details")),
        update_alerts_(options.Bool("update_alerts")) {
    if (!api_url_.ends_with('/')) api_url_ += '/';
    if (api_key_.empty())
      errors.Add(options.where(),
                 "no Opsgenie key: set 'api_key' here or 'opsgenie_api_key' in global (or their _file)");
    ReadResponders(options, errors);
  }

  core::Task<NotifyOutcome> Notify(NotifyContext context,
                                   std::shared_ptr<const Notification> notification) const override {
    FieldRenderer render(context, *notification, "opsgenie");
    const std::string alias = notification->DedupKey();
    const std::string key = render.Text(api_key_.Reveal());
    std::vector<core::HttpRequest> requests;
    const auto add = [&](std::string_view method, const std::string& path, std::string body) {
      core::HttpRequest request = JsonRequest(api_url_ + path, std::move(body));
      request.method = method;
      request.headers.emplace_back("Authorization", "GenieKey " + key);
      requests.push_back(std::move(request));
    };
    const std::string of_alias = "v2/alerts/" + alias;
    const std::string by_alias = "?identifierType=alias";
    if (notification->resolved()) {
      add("POST", of_alias + "/close" + by_alias,
          GoJson().Open('{').Field("source", render.Text(source_)).Close('}').Take() + "\n");
    } else {
      const std::string message = TruncateRunes(render.Text(message_), kMaxMessageRunes);
      add("POST", "v2/alerts", Body(*notification, render, alias, message));
      if (update_alerts_) {
        add("PUT", of_alias + "/message" + by_alias,
            GoJson().Open('{').FieldOrOmit("message", message).Close('}').Take() + "\n");
        add("PUT", of_alias + "/description" + by_alias,
            GoJson().Open('{').FieldOrOmit("description", render.Text(description_)).Close('}').Take() + "\n");
      }
    }
    if (render.failed()) co_return render.Failure();
    NotifyOutcome outcome = Sent();
    for (core::HttpRequest& request : requests) {
      outcome = co_await Post(context, http_, std::move(request), RetryCodes{{429}});
      if (!outcome.ok) break;
    }
    co_return outcome;
  }

 private:
  void ReadResponders(const core::Options& options, core::ConfigErrors& errors) {
    const core::YamlNode* list = options.Node("responders");
    if (list == nullptr) return;
    if (!list->IsSequence()) return errors.Add(list->where(), "'responders' of opsgenie_configs must be a list");
    for (const core::YamlNode& item : list->items()) {
      const core::Options read = core::ReadOptions(item, kResponderOptions, "a responder of opsgenie_configs", errors);
      Responder responder{read.Text("id"), read.Text("username"), read.Text("name"), read.Text("type")};
      if (responder.id.empty() && responder.username.empty() && responder.name.empty())
        errors.Add(item.where(), "a responder of opsgenie_configs needs one of id, username or name");
      static constexpr std::string_view kTypes[] = {"team", "teams", "user", "escalation", "schedule"};
      if (responder.type.find("{{") == std::string::npos) {
        std::ranges::transform(responder.type, responder.type.begin(),
                               [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        if (std::ranges::find(kTypes, responder.type) == std::end(kTypes))
          errors.Add(item.where(), "type '" + responder.type +
                                       "' of a responder must be one of team, teams, user, "
                                       "escalation, schedule");
      }
      responders_.push_back(std::move(responder));
    }
  }

  std::string Body(const Notification& n, FieldRenderer& render, const std::string& alias,
                   const std::string& message) const {
    core::Labels details = n.common_labels;
    for (const auto& [name, value] : details_) details.Set(name, render.Text(value));
    GoJson json;
    json.Open('{').Field("alias", alias).Field("message", message);
    json.FieldOrOmit("description", render.Text(description_)).Key("details").Map(details);
    json.Field("source", render.Text(source_));
    AddResponders(json, render);
    AddList(json, "tags", SplitWords(render.Text(tags_)));
    json.FieldOrOmit("note", render.Text(note_)).FieldOrOmit("priority", render.Text(priority_));
    json.FieldOrOmit("entity", render.Text(entity_));
    AddList(json, "actions", SplitWords(render.Text(actions_)));
    json.Close('}');
    return json.Take() + "\n";
  }

  void AddResponders(GoJson& json, FieldRenderer& render) const {
    std::vector<Responder> all;
    for (const Responder& responder : responders_) {
      const Responder told{render.Text(responder.id), render.Text(responder.username), render.Text(responder.name),
                           render.Text(responder.type)};
      if (told.id.empty() && told.username.empty() && told.name.empty()) continue;
      if (told.type == "teams") {
        for (const std::string& team : SplitWords(told.name)) all.push_back({"", "", team, "team"});
      } else {
        all.push_back(told);
      }
    }
    if (all.empty()) return;
    json.Key("responders").Open('[');
    for (const Responder& one : all)
      json.Open('{')
          .FieldOrOmit("id", one.id)
          .FieldOrOmit("name", one.name)
          .FieldOrOmit("username", one.username)
          .Field("type", one.type)
          .Close('}');
    json.Close(']');
  }

  static void AddList(GoJson& json, std::string_view key, const std::vector<std::string>& words) {
    if (!words.empty()) json.Key(key).TextList(words);
  }

  std::shared_ptr<const HttpSettings> http_;
  core::Secret api_key_;
  std::string api_url_, message_, description_, source_, entity_, actions_, tags_, note_, priority_;
  std::vector<std::pair<std::string, std::string>> details_;
  std::vector<Responder> responders_;
  bool update_alerts_;
};

std::unique_ptr<Receiver> Make(const core::Options& options, const core::Options& global, core::ConfigErrors& errors) {
  return std::make_unique<Opsgenie>(options, global, errors);
}

}  // namespace

const ReceiverKind kOpsgenieReceiver{.name = "opsgenie",
                                     .key = "opsgenie_configs",
                                     .help = "opens and closes alerts at Opsgenie",
                                     .options = kOptions,
                                     .send_resolved = true,
                                     .make = Make};

}  // namespace pipewarden::alertmanager
