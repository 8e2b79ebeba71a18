// sns: publishes to Amazon SNS.
// Source: https://prometheus.io/docs/alerting/latest/configuration/. Read, but not sent yet.
#include "alertmanager/receivers/list.h"

namespace pipewarden::alertmanager {
namespace {

using core::OptionType;

constexpr core::Option kOptions[] = {
    {.name = "api_url", .type = OptionType::kString},
    {.name = "sigv4", .type = OptionType::kNode},
    {.name = "topic_arn", .type = OptionType::kString},
    {.name = "phone_number", .type = OptionType::kString},
    {.name = "target_arn", .type = OptionType::kString},
    {.name = "subject", .type = OptionType::kString, .default_text = "'{{ template \"sns.default.subject\" . }}'"},
    {.name = "message", .type = OptionType::kString, .default_text = "'{{ template \"sns.default.message\" . }}'"},
    {.name = "attributes", .type = OptionType::kStringMap},
};

}  // namespace

const ReceiverKind kSnsReceiver{
    .name = "sns", .key = "sns_configs", .help = "publishes to Amazon SNS", .options = kOptions, .send_resolved = true};

}  // namespace pipewarden::alertmanager
