// slack: a message with one attachment, by an incoming webhook or an app's token.
// Source: https://prometheus.io/docs/alerting/latest/configuration/#slack_config and
// https://api.slack.com/reference/messaging/attachments. One request a notification. Slack answers 200 with an error in
// the body, so the body is judged too.
//
// Slack reads <http://…|text> and <!channel> in a text as a link and a call. A label's value, which may come from a log
// line, must not be able to write one: see ForSlackText.
#include <nlohmann/json.hpp>
#include <optional>

#include "alertmanager/field_renderer.h"
#include "alertmanager/go_json.h"
#include "alertmanager/http_settings.h"
#include "alertmanager/receivers/list.h"
#include "core/text/utf8.h"

namespace pipewarden::alertmanager {
namespace {

using core::OptionType;

constexpr std::size_t kMaxTitleRunes = 1024;

constexpr core::Option kOptions[] = {
    {.name = "api_url", .type = OptionType::kSecret, .help = "the incoming webhook (default: slack_api_url of global)"},
    {.name = "app_token", .type = OptionType::kSecret, .help = "an app's token, instead of api_url"},
    {.name = "app_url", .type = OptionType::kUrl, .help = "where an app posts"},
    {.name = "channel", .type = OptionType::kString, .help = "channel or user, where the webhook allows it"},
    {.name = "username", .type = OptionType::kString, .default_text = "'{{ template \"slack.default.username\" . }}'"},
    {.name = "color",
     .type = OptionType::kString,
     .default_text = "'{{ if eq .Status \"firing\" }}danger{{ else }}good{{ end }}'"},
    {.name = "title", .type = OptionType::kString, .default_text = "'{{ template \"slack.default.title\" . }}'"},
    {.name = "title_link",
     .type = OptionType::kString,
     .default_text = "'{{ template \"slack.default.titlelink\" . }}'"},
    {.name = "pretext", .type = OptionType::kString, .default_text = "'{{ template \"slack.default.pretext\" . }}'"},
    {.name = "text", .type = OptionType::kString, .default_text = "'{{ template \"slack.default.text\" . }}'"},
    {.name = "fields", .type = OptionType::kNode, .help = "list of {title, value, short}"},
    {.name = "short_fields", .type = OptionType::kBool, .default_text = "false", .help = "default of short"},
    {.name = "footer", .type = OptionType::kString, .default_text = "'{{ template \"slack.default.footer\" . }}'"},
    {.name = "fallback", .type = OptionType::kString, .default_text = "'{{ template \"slack.default.fallback\" . }}'"},
    {.name = "callback_id",
     .type = OptionType::kString,
     .default_text = "'{{ template \"slack.default.callbackid\" . }}'"},
    {.name = "icon_emoji",
     .type = OptionType::kString,
     .default_text = "'{{ template \"slack.default.iconemoji\" . }}'"},
    {.name = "icon_url", .type = OptionType::kString, .default_text = "'{{ template \"slack.default.iconurl\" . }}'"},
    {.name = "image_url", .type = OptionType::kString},
    {.name = "thumb_url", .type = OptionType::kString},
    {.name = "link_names", .type = OptionType::kBool, .default_text = "false", .help = "make @name a mention"},
    {.name = "mrkdwn_in", .type = OptionType::kOnlyStringList, .default_text = "[fallback, pretext, text]"},
    {.name = "actions", .type = OptionType::kNode, .help = "list of buttons"},
    {.name = "message_text", .type = OptionType::kString, .help = "text of the message beside the attachment"},
    {.name = "update_message", .type = OptionType::kBool, .default_text = "false", .help = "not supported yet"},
    {.name = "timeout", .type = OptionType::kDuration, .default_text = "0s", .help = "for one request; 0 is none"},
};
constexpr core::Option kFieldOptions[] = {
    {.name = "title", .type = OptionType::kString, .required = true, .help = "heading"},
    {.name = "value", .type = OptionType::kString, .required = true, .help = "text"},
    {.name = "short", .type = OptionType::kBool, .help = "two in a row"},
};
constexpr core::Option kActionOptions[] = {
    {.name = "type", .type = OptionType::kString, .required = true, .help = "button"},
    {.name = "text", .type = OptionType::kString, .required = true, .help = "label"},
    {.name = "url", .type = OptionType::kString, .help = "where it leads"},
    {.name = "style", .type = OptionType::kString, .help = "default, primary, danger"},
    {.name = "name", .type = OptionType::kString, .help = "of an interactive message"},
    {.name = "value", .type = OptionType::kString, .help = "of an interactive message"},
    {.name = "confirm", .type = OptionType::kNode, .help = "asks before it acts"},
};
constexpr core::Option kConfirmOptions[] = {
    {.name = "text", .type = OptionType::kString, .required = true, .help = "the question"},
    {.name = "title", .type = OptionType::kString, .help = "heading"},
    {.name = "ok_text", .type = OptionType::kString, .help = "label of yes"},
    {.name = "dismiss_text", .type = OptionType::kString, .help = "label of no"},
};

struct Field {
  std::string title, value;
  bool is_short = false;
};
struct Confirm {
  std::string text, title, ok_text, dismiss_text;
};
struct Action {
  std::string type, text, url, style, name, value;
  std::optional<Confirm> confirm;
};

std::string EscapeMarkup(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else
      out += c;
  }
  return out;
}

void ReplaceAll(std::string& text, std::string_view what, std::string_view by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
}

// The notification as the texts' templates see it: values of labels that hold a '<' are escaped as Slack wants it, also
// where a rule has put them into an annotation. Annotations are the rule author's own; links that they write stay
// links.
std::shared_ptr<const Notification> ForSlackText(std::shared_ptr<const Notification> n) {
  const auto dangerous = [](core::LabelView label) { return label.value.find('<') != std::string_view::npos; };
  bool any = false;
  for (const core::Alert& alert : n->alerts)
    for (const core::LabelView label : alert.labels) any |= dangerous(label);
  if (!any) return n;
  auto safe = std::make_shared<Notification>(*n);
  for (core::Alert& alert : safe->alerts) {
    const core::Labels original = alert.labels;
    for (const core::LabelView label : original) {
      if (!dangerous(label)) continue;
      const std::string escaped = EscapeMarkup(label.value);
      alert.labels.Set(label.name, escaped);
      for (const core::LabelView annotation : core::Labels(alert.annotations)) {
        std::string value(annotation.value);
        ReplaceAll(value, label.value, escaped);
        alert.annotations.Set(annotation.name, value);
      }
    }
  }
  for (const core::LabelView label : n->group_labels)
    if (dangerous(label)) safe->group_labels.Set(label.name, EscapeMarkup(label.value));
  SetCommon(*safe);
  return safe;
}

class Slack final : public Receiver {
 public:
  Slack(const core::Options& options, const core::Options& global, core::ConfigErrors& errors)
      : http_(ReadHttpSettings(options, global, errors)), timeout_(options.Duration("timeout")) {
    app_token_ = options.Given("app_token") ? options.Secret("app_token") : core::Secret();
    if (app_token_.empty() && !options.Given("api_url") && !global.Given("slack_api_url"))
      app_token_ = global.Secret("slack_app_token");
    if (options.Given("api_url") && options.Given("app_token"))
      errors.Add(options.Where("app_token"), "at most one of api_url and app_token may stand in slack_configs");
    if (!app_token_.empty())
      url_ = core::Secret(options.Given("app_url") ? options.Text("app_url") : global.Text("slack_app_url"));
    else
      url_ = options.Given("api_url") ? options.Secret("api_url") : global.Secret("slack_api_url");
    CheckSecretUrl(options, "api_url", errors);
    if (url_.empty())
      errors.Add(options.where(), "no Slack address: set 'api_url' here or 'slack_api_url' in global (or their _file)");
    if (options.Bool("update_message"))
      errors.Add(options.Where("update_message"), "'update_message' is not supported yet: remove it");
    for (const std::string_view name : kTexts) texts_.push_back(options.Text(name));
    link_names_ = options.Bool("link_names");
    mrkdwn_in_ = options.List("mrkdwn_in");
    ReadFields(options, errors);
    ReadActions(options, errors);
  }

  core::Task<NotifyOutcome> Notify(NotifyContext context,
                                   std::shared_ptr<const Notification> notification) const override {
    FieldRenderer plain(context, *notification, "slack");
    const std::shared_ptr<const Notification> safe = ForSlackText(notification);
    FieldRenderer text(context, *safe, "slack");
    core::HttpRequest request = JsonRequest(url_.Reveal(), Body(plain, text));
    if (plain.failed()) co_return plain.Failure();
    if (text.failed()) co_return text.Failure();
    if (!app_token_.empty()) request.headers.emplace_back("Authorization", "Bearer " + app_token_.Reveal());
    if (timeout_ > core::Duration::zero()) request.timeout = timeout_;
    const core::Result<core::HttpResponse> response = co_await Send(context, http_, std::move(request));
    NotifyOutcome outcome = Judge(response, RetryCodes{});
    if (outcome.ok) JudgeBody(*response, outcome);
    co_return outcome;
  }

 private:
  // The plain text options, in this order in texts_.
  static constexpr std::string_view kTexts[] = {"channel",     "username",   "icon_emoji", "icon_url", "message_text",
                                                "title",       "title_link", "pretext",    "text",     "fallback",
                                                "callback_id", "image_url",  "thumb_url",  "footer",   "color"};
  const std::string& Option(std::string_view name) const {
    for (std::size_t i = 0; i < std::size(kTexts); ++i)
      if (kTexts[i] == name) return texts_[i];
    std::abort();
  }

  void ReadFields(const core::Options& options, core::ConfigErrors& errors) {
    const core::YamlNode* list = options.Node("fields");
    if (list == nullptr) return;
    if (!list->IsSequence()) return errors.Add(list->where(), "'fields' of slack_configs must be a list");
    for (const core::YamlNode& item : list->items()) {
      const core::Options field = core::ReadOptions(item, kFieldOptions, "a field of slack_configs", errors);
      fields_.push_back({field.Text("title"), field.Text("value"),
                         field.Given("short") ? field.Bool("short") : options.Bool("short_fields")});
    }
  }

  void ReadActions(const core::Options& options, core::ConfigErrors& errors) {
    const core::YamlNode* list = options.Node("actions");
    if (list == nullptr) return;
    if (!list->IsSequence()) return errors.Add(list->where(), "'actions' of slack_configs must be a list");
    for (const core::YamlNode& item : list->items()) {
      const core::Options read = core::ReadOptions(item, kActionOptions, "an action of slack_configs", errors);
      Action action{read.Text("type"), read.Text("text"),  read.Text("url"), read.Text("style"),
                    read.Text("name"), read.Text("value"), std::nullopt};
      if (action.url.empty() && action.name.empty())
        errors.Add(item.where(), "missing name or url in an action of slack_configs");
      if (const core::YamlNode* confirm = read.Node("confirm"); confirm != nullptr) {
        const core::Options ask = core::ReadOptions(*confirm, kConfirmOptions, "confirm of slack_configs", errors);
        action.confirm = Confirm{ask.Text("text"), ask.Text("title"), ask.Text("ok_text"), ask.Text("dismiss_text")};
      }
      if (!action.url.empty()) {  // a link: what an interactive button has is left out
        action.name = action.value = "";
        action.confirm.reset();
      }
      actions_.push_back(std::move(action));
    }
  }

  std::string Body(FieldRenderer& plain, FieldRenderer& text) const {
    GoJson json;
    json.Open('{').FieldOrOmit("channel", plain.Text(Option("channel")));
    json.FieldOrOmit("username", plain.Text(Option("username")));
    json.FieldOrOmit("icon_emoji", plain.Text(Option("icon_emoji")));
    json.FieldOrOmit("icon_url", plain.Text(Option("icon_url")));
    if (link_names_) json.Key("link_names").Bool(true);
    json.FieldOrOmit("text", text.Text(Option("message_text")));
    json.Key("attachments").Open('[').Open('{');
    json.FieldOrOmit("title", TruncateRunes(text.Text(Option("title")), kMaxTitleRunes));
    json.FieldOrOmit("title_link", plain.Text(Option("title_link")));
    json.FieldOrOmit("pretext", text.Text(Option("pretext")));
    json.Field("text", text.Text(Option("text"))).Field("fallback", text.Text(Option("fallback")));
    json.Field("callback_id", plain.Text(Option("callback_id")));
    if (!fields_.empty()) {
      json.Key("fields").Open('[');
      for (const Field& field : fields_)
        json.Open('{')
            .FieldOrOmit("title", text.Text(field.title))
            .FieldOrOmit("value", text.Text(field.value))
            .Key("short")
            .Bool(field.is_short)
            .Close('}');
      json.Close(']');
    }
    if (!actions_.empty()) AddActions(json, plain, text);
    json.FieldOrOmit("image_url", plain.Text(Option("image_url")));
    json.FieldOrOmit("thumb_url", plain.Text(Option("thumb_url")));
    json.Field("footer", text.Text(Option("footer"))).FieldOrOmit("color", plain.Text(Option("color")));
    if (!mrkdwn_in_.empty()) json.Key("mrkdwn_in").TextList(mrkdwn_in_);
    json.Close('}').Close(']').Close('}');
    return json.Take() + "\n";
  }

  void AddActions(GoJson& json, FieldRenderer& plain, FieldRenderer& text) const {
    json.Key("actions").Open('[');
    for (const Action& action : actions_) {
      json.Open('{').FieldOrOmit("type", plain.Text(action.type)).FieldOrOmit("text", text.Text(action.text));
      json.FieldOrOmit("url", plain.Text(action.url)).FieldOrOmit("style", plain.Text(action.style));
      json.FieldOrOmit("name", plain.Text(action.name)).FieldOrOmit("value", plain.Text(action.value));
      if (action.confirm) {
        json.Key("confirm").Open('{').FieldOrOmit("text", text.Text(action.confirm->text));
        json.FieldOrOmit("title", text.Text(action.confirm->title));
        json.FieldOrOmit("ok_text", text.Text(action.confirm->ok_text));
        json.FieldOrOmit("dismiss_text", text.Text(action.confirm->dismiss_text)).Close('}');
      }
      json.Close('}');
    }
    json.Close(']');
  }

  // An incoming webhook answers "ok"; the API answers {"ok": true, …} or {"ok": false, "error": "…"}.
  static void JudgeBody(const core::HttpResponse& response, NotifyOutcome& outcome) {
    if (response.body == "ok") return;
    const auto json = nlohmann::json::parse(response.body, nullptr, false);
    if (json.is_object() && json.contains("ok") && json["ok"].is_boolean()) {
      if (json["ok"].get<bool>()) return;
      outcome = GiveUp("Slack answered with an error: " + json.value("error", std::string("(none told)")));
      return;
    }
    outcome =
        GiveUp("Slack answered with an error: " + core::ToValidUtf8(std::string_view(response.body).substr(0, 200)));
  }

  std::shared_ptr<const HttpSettings> http_;
  core::Duration timeout_;
  core::Secret url_;
  core::Secret app_token_;
  std::vector<std::string> texts_;
  bool link_names_ = false;
  std::vector<std::string> mrkdwn_in_;
  std::vector<Field> fields_;
  std::vector<Action> actions_;
};

std::unique_ptr<Receiver> Make(const core::Options& options, const core::Options& global, core::ConfigErrors& errors) {
  return std::make_unique<Slack>(options, global, errors);
}

}  // namespace

const ReceiverKind kSlackReceiver{.name = "slack",
                                  .key = "slack_configs",
                                  .help = "writes to a Slack channel",
                                  .options = kOptions,
                                  .send_resolved = false,
                                  .make = Make};

}  // namespace pipewarden::alertmanager
