// webex: writes to a Webex room.
// Source: https://prometheus.io/docs/alerting/latest/configuration/. Read, but not sent yet.
#include "alertmanager/receivers/list.h"

namespace pipewarden::alertmanager {
namespace {

using core::OptionType;

constexpr core::Option kOptions[] = {
    {.name = "api_url", .type = OptionType::kUrl},
    {.name = "message", .type = OptionType::kString, .default_text = "'{{ template \"webex.default.message\" . }}'"},
    {.name = "room_id", .type = OptionType::kString, .required = true, .help = "the room"},
};

}  // namespace

const ReceiverKind kWebexReceiver{.name = "webex",
                                  .key = "webex_configs",
                                  .help = "writes to a Webex room",
                                  .options = kOptions,
                                  .send_resolved = true};

}  // namespace pipewarden::alertmanager
