// telegram: writes to a Telegram chat.
// Source: https://core.telegram.org/bots/api#sendmessage. One request a notification.
#include "alertmanager/field_renderer.h"
#include "alertmanager/go_json.h"
#include "alertmanager/http_settings.h"
#include "alertmanager/receivers/list.h"

namespace pipewarden::alertmanager {
namespace {

using core::OptionType;

constexpr std::string_view kParseModes[] = {"HTML", "Markdown", "MarkdownV2", ""};
constexpr core::Option kOptions[] = {
    {.name = "api_url", .type = OptionType::kUrl},
    {.name = "bot_token", .type = OptionType::kSecret},
    {.name = "chat_id", .type = OptionType::kInt, .required = true, .help = "the chat"},
    {.name = "message_thread_id", .type = OptionType::kInt, .default_text = "0"},
    {.name = "message", .type = OptionType::kString, .default_text = "'{{ template \"telegram.default.message\" . }}'"},
    {.name = "disable_notifications", .type = OptionType::kBool, .default_text = "false"},
    {.name = "parse_mode", .type = OptionType::kEnum, .default_text = "HTML", .choices = kParseModes},
};

constexpr std::size_t kMaxMessageRunes = 4096;

class Telegram final : public Receiver {
 public:
  Telegram(const core::Options& options, const core::Options& global, core::ConfigErrors& errors)
      : http_(ReadHttpSettings(options, global, errors)),
        api_url_(options.Given("api_url") ? options.Text("api_url") : global.Text("telegram_api_url")),
        token_(options.Given("bot_token") ? options.Secret("bot_token") : global.Secret("telegram_bot_token")),
        chat_id_(options.Int("chat_id")),
        thread_id_(options.Int("message_thread_id")),
        message_(options.Text("message")),
        quiet_(options.Bool("disable_notifications")),
        parse_mode_(options.Text("parse_mode")) {
    while (api_url_.ends_with('/')) api_url_.pop_back();
    if (token_.empty()) errors.Add(options.where(), "missing bot_token or bot_token_file in telegram_configs");
    if (options.Given("chat_id") && chat_id_ == 0) errors.Add(options.Where("chat_id"), "chat_id cannot be 0");
  }

  core::Task<NotifyOutcome> Notify(NotifyContext context,
                                   std::shared_ptr<const Notification> notification) const override {
    FieldRenderer render(context, *notification, "telegram");
    const std::string text =
        TruncateRunes(parse_mode_ == "HTML" ? render.Html(message_) : render.Text(message_), kMaxMessageRunes);
    if (render.failed()) co_return render.Failure();
    GoJson json;
    json.Open('{').Field("chat_id", std::to_string(chat_id_));
    if (thread_id_ != 0) json.Field("message_thread_id", std::to_string(thread_id_));
    json.Field("text", text).FieldOrOmit("parse_mode", parse_mode_).Key("disable_web_page_preview").Bool(true);
    if (quiet_) json.Key("disable_notification").Bool(true);
    json.Close('}');
    NotifyOutcome outcome =
        co_await Post(context, http_, JsonRequest(api_url_ + "/bot" + token_.Reveal() + "/sendMessage", json.Take()),
                      RetryCodes{{429}});
    co_return outcome;
  }

 private:
  std::shared_ptr<const HttpSettings> http_;
  std::string api_url_;
  core::Secret token_;
  std::int64_t chat_id_, thread_id_;
  std::string message_;
  bool quiet_;
  std::string parse_mode_;
};

std::unique_ptr<Receiver> Make(const core::Options& options, const core::Options& global, core::ConfigErrors& errors) {
  return std::make_unique<Telegram>(options, global, errors);
}

}  // namespace

const ReceiverKind kTelegramReceiver{.name = "telegram",
                                     .key = "telegram_configs",
                                     .help = "writes to a Telegram chat",
                                     .options = kOptions,
                                     .send_resolved = true,
                                     .make = Make};

}  // namespace pipewarden::alertmanager
