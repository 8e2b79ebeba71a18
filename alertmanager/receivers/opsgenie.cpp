// opsgenie: opens and closes alerts at Opsgenie.
// Source: https://prometheus.io/docs/alerting/latest/configuration/. Read, but not sent yet.
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

}  // namespace

const ReceiverKind kOpsgenieReceiver{.name = "opsgenie",
                                     .key = "opsgenie_configs",
                                     .help = "opens and closes alerts at Opsgenie",
                                     .options = kOptions,
                                     .send_resolved = true};

}  // namespace pipewarden::alertmanager
