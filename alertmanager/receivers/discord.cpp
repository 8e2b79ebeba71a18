// discord: writes to a Discord channel.
// Source: https://discord.com/developers/docs/resources/webhook#execute-webhook. One request a notification.
#include "alertmanager/field_renderer.h"
#include "alertmanager/go_json.h"
#include "alertmanager/http_settings.h"
#include "alertmanager/receivers/list.h"

namespace pipewarden::alertmanager {
namespace {

using core::OptionType;

constexpr core::Option kOptions[] = {
    {.name = "webhook_url", .type = OptionType::kSecret, .required = true, .help = "the channel's webhook"},
    {.name = "content", .type = OptionType::kString},
    {.name = "title", .type = OptionType::kString, .default_text = "'{{ template \"discord.default.title\" . }}'"},
    {.name = "message", .type = OptionType::kString, .default_text = "'{{ template \"discord.default.message\" . }}'"},
    {.name = "username", .type = OptionType::kString},
    {.name = "avatar_url", .type = OptionType::kString},
};

constexpr std::size_t kMaxTitleRunes = 256;
constexpr std::size_t kMaxTextRunes = 4096;
constexpr std::size_t kMaxContentRunes = 2000;
constexpr int kRed = 0x992D22;
constexpr int kGreen = 0x2ECC71;

class Discord final : public Receiver {
 public:
  Discord(const core::Options& options, const core::Options& global, core::ConfigErrors& errors)
      : http_(ReadHttpSettings(options, global, errors)),
        url_(options.Secret("webhook_url")),
        content_(options.Text("content")),
        title_(options.Text("title")),
        message_(options.Text("message")),
        username_(options.Text("username")),
        avatar_url_(options.Text("avatar_url")) {
    CheckSecretUrl(options, "webhook_url", errors);
  }

  core::Task<NotifyOutcome> Notify(NotifyContext context,
                                   std::shared_ptr<const Notification> notification) const override {
    FieldRenderer render(context, *notification, "discord");
    GoJson json;
    json.Open('{')
        .Field("content", TruncateRunes(render.Text(content_), kMaxContentRunes))
        .Key("embeds")
        .Open('[')
        .Open('{');
    json.Field("title", TruncateRunes(render.Text(title_), kMaxTitleRunes));
    json.Field("description", TruncateRunes(render.Text(message_), kMaxTextRunes));
    json.Key("color").Number(notification->resolved() ? kGreen : kRed).Close('}').Close(']');
    json.FieldOrOmit("username", render.Text(username_)).FieldOrOmit("avatar_url", render.Text(avatar_url_)).Close('}');
    core::HttpRequest request = JsonRequest(render.Text(url_.Reveal()), json.Take() + "\n");
    if (render.failed()) co_return render.Failure();
    NotifyOutcome outcome = co_await Post(context, http_, std::move(request), RetryCodes{{429}});
    co_return outcome;
  }

 private:
  std::shared_ptr<const HttpSettings> http_;
  core::Secret url_;
  std::string content_, title_, message_, username_, avatar_url_;
};

std::unique_ptr<Receiver> Make(const core::Options& options, const core::Options& global, core::ConfigErrors& errors) {
  return std::make_unique<Discord>(options, global, errors);
}

}  // namespace

const ReceiverKind kDiscordReceiver{.name = "discord",
                                    .key = "discord_configs",
                                    .help = "writes to a Discord channel",
                                    .options = kOptions,
                                    .send_resolved = true,
                                    .make = Make};

}  // namespace pipewarden::alertmanager
