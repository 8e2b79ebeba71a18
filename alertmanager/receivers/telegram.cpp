// telegram: writes to a Telegram chat.
// Source: https://prometheus.io/docs/alerting/latest/configuration/. Read, but not sent yet.
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

}  // namespace

const ReceiverKind kTelegramReceiver{.name = "telegram",
                                     .key = "telegram_configs",
                                     .help = "writes to a Telegram chat",
                                     .options = kOptions,
                                     .send_resolved = true};

}  // namespace pipewarden::alertmanager
