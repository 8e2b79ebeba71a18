// mattermost: writes to a Mattermost channel.
// Source: https://developers.mattermost.com/integrate/webhooks/incoming/. One request a notification.
#include "alertmanager/field_renderer.h"
#include "alertmanager/go_json.h"
#include "alertmanager/http_settings.h"
#include "alertmanager/receivers/list.h"

namespace pipewarden::alertmanager {
namespace {

using core::OptionType;

constexpr core::Option kOptions[] = {
    {.name = "webhook_url", .type = OptionType::kSecret},
    {.name = "channel", .type = OptionType::kString},
    {.name = "username",
     .type = OptionType::kString,
     .default_text = "'{{ template \"mattermost.default.username\" . }}'"},
    {.name = "text", .type = OptionType::kString, .default_text = "'{{ template \"mattermost.default.text\" . }}'"},
    {.name = "icon_url", .type = OptionType::kString},
    {.name = "icon_emoji", .type = OptionType::kString},
    {.name = "attachments", .type = OptionType::kNode},
    {.name = "props", .type = OptionType::kNode},
    {.name = "priority", .type = OptionType::kNode},
    {.name = "type", .type = OptionType::kString},
};

// The templated texts of an attachment, in the order in which they are written.
constexpr std::string_view kAttachmentTexts[] = {"fallback",    "color",       "pretext",  "text",       "author_name",
                                                 "author_link", "author_icon", "title",    "title_link", "thumb_url",
                                                 "footer",      "footer_icon", "image_url"};
constexpr core::Option kAttachmentOptions[] = {
    {.name = "fallback"},    {.name = "color"},
    {.name = "pretext"},     {.name = "text"},
    {.name = "author_name"}, {.name = "author_link"},
    {.name = "author_icon"}, {.name = "title"},
    {.name = "title_link"},  {.name = "thumb_url"},
    {.name = "footer"},      {.name = "footer_icon"},
    {.name = "image_url"},   {.name = "fields", .type = OptionType::kNode, .help = "list of {title, value, short}"},
};
constexpr core::Option kFieldOptions[] = {
    {.name = "title"}, {.name = "value"}, {.name = "short", .type = OptionType::kBool, .default_text = "false"}};

struct Field {
  std::string title, value;
  bool is_short = false;
};
struct Attachment {
  std::vector<std::string> texts;  // of kAttachmentTexts
  std::vector<Field> fields;
};

class Mattermost final : public Receiver {
 public:
  Mattermost(const core::Options& options, const core::Options& global, core::ConfigErrors& errors)
      : http_(ReadHttpSettings(options, global, errors)),
        url_(options.Given("webhook_url") ? options.Secret("webhook_url") : global.Secret("mattermost_webhook_url")),
        channel_(options.Text("channel")),
        username_(options.Text("username")),
        text_(options.Text("text")),
        icon_url_(options.Text("icon_url")),
        icon_emoji_(options.Text("icon_emoji")) {
    CheckSecretUrl(options, "webhook_url", errors);
    if (url_.empty())
      errors.Add(options.where(),
                 "no Mattermost address: set 'webhook_url' here or 'mattermost_webhook_url' in global");
    for (const std::string_view key : {"props", "priority"})
      if (options.Node(key) != nullptr)
        errors.Add(options.Where(key),
                   "'" + std::string(key) + "' in mattermost_configs is not supported yet: remove it");
    const core::YamlNode* list = options.Node("attachments");
    if (list == nullptr) return;
    for (const core::YamlNode& item : list->items()) ReadAttachment(item, errors);
  }

  core::Task<NotifyOutcome> Notify(NotifyContext context,
                                   std::shared_ptr<const Notification> notification) const override {
    FieldRenderer render(context, *notification, "mattermost");
    GoJson json;
    json.Open('{').FieldOrOmit("channel", render.Text(channel_)).FieldOrOmit("username", render.Text(username_));
    json.FieldOrOmit("text", render.Text(text_)).FieldOrOmit("icon_url", render.Text(icon_url_));
    json.FieldOrOmit("icon_emoji", render.Text(icon_emoji_));
    if (!attachments_.empty()) AddAttachments(json, render);
    json.Close('}');
    core::HttpRequest request = JsonRequest(render.Text(url_.Reveal()), json.Take() + "\n");
    if (render.failed()) co_return render.Failure();
    NotifyOutcome outcome = co_await Post(context, http_, std::move(request), RetryCodes{{429}});
    co_return outcome;
  }

 private:
  void ReadAttachment(const core::YamlNode& item, core::ConfigErrors& errors) {
    const core::Options read =
        core::ReadOptions(item, kAttachmentOptions, "an attachment of mattermost_configs", errors);
    Attachment attachment;
    for (const std::string_view name : kAttachmentTexts) attachment.texts.push_back(read.Text(name));
    if (const core::YamlNode* fields = read.Node("fields"); fields != nullptr) {
      for (const core::YamlNode& node : fields->items()) {
        const core::Options field = core::ReadOptions(node, kFieldOptions, "a field of mattermost_configs", errors);
        attachment.fields.push_back({field.Text("title"), field.Text("value"), field.Bool("short")});
      }
    }
    attachments_.push_back(std::move(attachment));
  }

  void AddAttachments(GoJson& json, FieldRenderer& render) const {
    json.Key("attachments").Open('[');
    for (const Attachment& attachment : attachments_) {
      json.Open('{');
      for (std::size_t i = 0; i < std::size(kAttachmentTexts); ++i)
        json.FieldOrOmit(kAttachmentTexts[i], render.Text(attachment.texts[i]));
      if (!attachment.fields.empty()) {
        json.Key("fields").Open('[');
        for (const Field& field : attachment.fields)
          json.Open('{')
              .FieldOrOmit("title", render.Text(field.title))
              .FieldOrOmit("value", render.Text(field.value))
              .Key("short")
              .Bool(field.is_short)
              .Close('}');
        json.Close(']');
      }
      json.Close('}');
    }
    json.Close(']');
  }

  std::shared_ptr<const HttpSettings> http_;
  core::Secret url_;
  std::string channel_, username_, text_, icon_url_, icon_emoji_;
  std::vector<Attachment> attachments_;
};

std::unique_ptr<Receiver> Make(const core::Options& options, const core::Options& global, core::ConfigErrors& errors) {
  return std::make_unique<Mattermost>(options, global, errors);
}

}  // namespace

const ReceiverKind kMattermostReceiver{.name = "mattermost",
                                       .key = "mattermost_configs",
                                       .help = "writes to a Mattermost channel",
                                       .options = kOptions,
                                       .send_resolved = true,
                                       .make = Make};

}  // namespace pipewarden::alertmanager
