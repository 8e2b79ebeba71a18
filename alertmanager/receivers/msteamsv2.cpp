// msteamsv2: writes to Microsoft Teams by a workflow.
// Source: https://prometheus.io/docs/alerting/latest/configuration/. Read, but not sent yet.
#include "alertmanager/receivers/list.h"

namespace pipewarden::alertmanager {
namespace {

using core::OptionType;

constexpr core::Option kOptions[] = {
    {.name = "webhook_url", .type = OptionType::kSecret, .required = true, .help = "the workflow's address"},
    {.name = "title", .type = OptionType::kString, .default_text = "'{{ template \"msteamsv2.default.title\" . }}'"},
    {.name = "text", .type = OptionType::kString, .default_text = "'{{ template \"msteamsv2.default.text\" . }}'"},
};

}  // namespace

const ReceiverKind kMsteamsv2Receiver{.name = "msteamsv2",
                                      .key = "msteamsv2_configs",
                                      .help = "writes to Microsoft Teams by a workflow",
                                      .options = kOptions,
                                      .send_resolved = true};

}  // namespace pipewarden::alertmanager
