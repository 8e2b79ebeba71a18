// rocketchat: writes to Rocket.Chat.
// Source: https://prometheus.io/docs/alerting/latest/configuration/. Read, but not sent yet.
#include "alertmanager/receivers/list.h"

namespace pipewarden::alertmanager {
namespace {

using core::OptionType;

constexpr core::Option kOptions[] = {
    {.name = "api_url", .type = OptionType::kUrl},
    {.name = "token_id", .type = OptionType::kSecret},
    {.name = "token", .type = OptionType::kSecret},
    {.name = "channel", .type = OptionType::kString},
    {.name = "color",
     .type = OptionType::kString,
     .default_text = "'{{ if eq .Status \"firing\" }}red{{ else }}green{{ end }}'"},
    {.name = "title", .type = OptionType::kString, .default_text = "'{{ template \"rocketchat.default.title\" . }}'"},
    {.name = "title_link",
     .type = OptionType::kString,
     .default_text = "'{{ template \"rocketchat.default.titlelink\" . }}'"},
    {.name = "text", .type = OptionType::kString, .default_text = "'{{ template \"rocketchat.default.text\" . }}'"},
    {.name = "fields", .type = OptionType::kNode},
    {.name = "short_fields", .type = OptionType::kBool, .default_text = "false"},
    {.name = "emoji", .type = OptionType::kString, .default_text = "'{{ template \"rocketchat.default.emoji\" . }}'"},
    {.name = "icon_url",
     .type = OptionType::kString,
     .default_text = "'{{ template \"rocketchat.default.iconurl\" . }}'"},
    {.name = "image_url", .type = OptionType::kString},
    {.name = "thumb_url", .type = OptionType::kString},
    {.name = "link_names", .type = OptionType::kBool, .default_text = "false"},
    {.name = "actions", .type = OptionType::kNode},
};

}  // namespace

const ReceiverKind kRocketchatReceiver{.name = "rocketchat",
                                       .key = "rocketchat_configs",
                                       .help = "writes to Rocket.Chat",
                                       .options = kOptions,
                                       .send_resolved = false};

}  // namespace pipewarden::alertmanager
