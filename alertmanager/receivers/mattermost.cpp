// mattermost: writes to a Mattermost channel.
// Source: https://prometheus.io/docs/alerting/latest/configuration/. Read, but not sent yet.
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

}  // namespace

const ReceiverKind kMattermostReceiver{.name = "mattermost",
                                       .key = "mattermost_configs",
                                       .help = "writes to a Mattermost channel",
                                       .options = kOptions,
                                       .send_resolved = true};

}  // namespace pipewarden::alertmanager
