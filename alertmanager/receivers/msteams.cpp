// msteams: writes to Microsoft Teams by an Office 365 connector (retired by Microsoft: use msteamsv2_configs).
// Source: https://prometheus.io/docs/alerting/latest/configuration/. Read, but not sent yet.
#include "alertmanager/receivers/list.h"

namespace pipewarden::alertmanager {
namespace {

using core::OptionType;

constexpr core::Option kOptions[] = {
    {.name = "webhook_url", .type = OptionType::kSecret, .required = true, .help = "the connector"},
    {.name = "title", .type = OptionType::kString, .default_text = "'{{ template \"msteams.default.title\" . }}'"},
    {.name = "summary", .type = OptionType::kString, .default_text = "'{{ template \"msteams.default.summary\" . }}'"},
    {.name = "text", .type = OptionType::kString, .default_text = "'{{ template \"msteams.default.text\" . }}'"},
};

}  // namespace

const ReceiverKind kMsteamsReceiver{
    .name = "msteams",
    .key = "msteams_configs",
    .help = "writes to Microsoft Teams by an Office 365 connector (retired by Microsoft: use msteamsv2_configs)",
    .options = kOptions,
    .send_resolved = true};

}  // namespace pipewarden::alertmanager
