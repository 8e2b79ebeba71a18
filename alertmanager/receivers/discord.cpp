// discord: writes to a Discord channel.
// Source: https://prometheus.io/docs/alerting/latest/configuration/. Read, but not sent yet.
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

}  // namespace

const ReceiverKind kDiscordReceiver{.name = "discord",
                                    .key = "discord_configs",
                                    .help = "writes to a Discord channel",
                                    .options = kOptions,
                                    .send_resolved = true};

}  // namespace pipewarden::alertmanager
