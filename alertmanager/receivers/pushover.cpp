// pushover: notifies by Pushover.
// Source: https://prometheus.io/docs/alerting/latest/configuration/. Read, but not sent yet.
#include "alertmanager/receivers/list.h"

namespace pipewarden::alertmanager {
namespace {

using core::OptionType;

constexpr core::Option kOptions[] = {
    {.name = "user_key", .type = OptionType::kSecret, .required = true, .help = "user or group key"},
    {.name = "token", .type = OptionType::kSecret, .required = true, .help = "application token"},
    {.name = "title", .type = OptionType::kString, .default_text = "'{{ template \"pushover.default.title\" . }}'"},
    {.name = "message", .type = OptionType::kString, .default_text = "'{{ template \"pushover.default.message\" . }}'"},
    {.name = "url", .type = OptionType::kString, .default_text = "'{{ template \"pushover.default.url\" . }}'"},
    {.name = "url_title", .type = OptionType::kString},
    {.name = "device", .type = OptionType::kString},
    {.name = "sound", .type = OptionType::kString},
    {.name = "priority",
     .type = OptionType::kString,
     .default_text = "'{{ if eq .Status \"firing\" }}2{{ else }}0{{ end }}'"},
    {.name = "retry", .type = OptionType::kDuration, .default_text = "1m"},
    {.name = "expire", .type = OptionType::kDuration, .default_text = "1h"},
    {.name = "ttl", .type = OptionType::kDuration, .default_text = "0s"},
    {.name = "html", .type = OptionType::kBool, .default_text = "false"},
    {.name = "monospace", .type = OptionType::kBool, .default_text = "false"},
};

}  // namespace

const ReceiverKind kPushoverReceiver{.name = "pushover",
                                     .key = "pushover_configs",
                                     .help = "notifies by Pushover",
                                     .options = kOptions,
                                     .send_resolved = true};

}  // namespace pipewarden::alertmanager
