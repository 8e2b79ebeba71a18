// incidentio: opens and resolves alerts at incident.io.
// Source: https://prometheus.io/docs/alerting/latest/configuration/. Read, but not sent yet.
#include "alertmanager/receivers/list.h"

namespace pipewarden::alertmanager {
namespace {

using core::OptionType;

constexpr core::Option kOptions[] = {
    {.name = "url", .type = OptionType::kUrl},
    {.name = "url_file", .type = OptionType::kPath},
    {.name = "alert_source_token", .type = OptionType::kSecret},
    {.name = "max_alerts", .type = OptionType::kInt, .default_text = "0"},
    {.name = "timeout", .type = OptionType::kDuration, .default_text = "0s"},
};

}  // namespace

const ReceiverKind kIncidentioReceiver{.name = "incidentio",
                                       .key = "incidentio_configs",
                                       .help = "opens and resolves alerts at incident.io",
                                       .options = kOptions,
                                       .send_resolved = true};

}  // namespace pipewarden::alertmanager
