// victorops: opens and resolves incidents at VictorOps (Splunk On-Call).
// Source: https://prometheus.io/docs/alerting/latest/configuration/. Read, but not sent yet.
#include "alertmanager/receivers/list.h"

namespace pipewarden::alertmanager {
namespace {

using core::OptionType;

constexpr core::Option kOptions[] = {
    {.name = "api_key", .type = OptionType::kSecret},
    {.name = "api_url", .type = OptionType::kUrl},
    {.name = "routing_key", .type = OptionType::kString, .required = true, .help = "routing key"},
    {.name = "message_type", .type = OptionType::kString, .default_text = "CRITICAL"},
    {.name = "state_message",
     .type = OptionType::kString,
     .default_text = "'{{ template \"victorops.default.state_message\" . }}'"},
    {.name = "entity_display_name",
     .type = OptionType::kString,
     .default_text = "'{{ template \"victorops.default.entity_display_name\" . }}'"},
    {.name = "monitoring_tool",
     .type = OptionType::kString,
     .default_text = "'{{ template \"victorops.default.monitoring_tool\" . }}'"},
    {.name = "custom_fields", .type = OptionType::kStringMap},
};

}  // namespace

const ReceiverKind kVictoropsReceiver{.name = "victorops",
                                      .key = "victorops_configs",
                                      .help = "opens and resolves incidents at VictorOps (Splunk On-Call)",
                                      .options = kOptions,
                                      .send_resolved = true};

}  // namespace pipewarden::alertmanager
