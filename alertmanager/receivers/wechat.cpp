// wechat: writes to WeChat Work.
// Source: https://prometheus.io/docs/alerting/latest/configuration/. Read, but not sent yet.
#include "alertmanager/receivers/list.h"

namespace pipewarden::alertmanager {
namespace {

using core::OptionType;

constexpr core::Option kOptions[] = {
    {.name = "api_secret", .type = OptionType::kSecret},
    {.name = "corp_id", .type = OptionType::kString},
    {.name = "message", .type = OptionType::kString, .default_text = "'{{ template \"wechat.default.message\" . }}'"},
    {.name = "api_url", .type = OptionType::kUrl},
    {.name = "to_user", .type = OptionType::kString, .default_text = "'{{ template \"wechat.default.to_user\" . }}'"},
    {.name = "to_party", .type = OptionType::kString, .default_text = "'{{ template \"wechat.default.to_party\" . }}'"},
    {.name = "to_tag", .type = OptionType::kString, .default_text = "'{{ template \"wechat.default.to_tag\" . }}'"},
    {.name = "agent_id", .type = OptionType::kString, .default_text = "'{{ template \"wechat.default.agent_id\" . }}'"},
    {.name = "message_type", .type = OptionType::kString},
};

}  // namespace

const ReceiverKind kWechatReceiver{.name = "wechat",
                                   .key = "wechat_configs",
                                   .help = "writes to WeChat Work",
                                   .options = kOptions,
                                   .send_resolved = false};

}  // namespace pipewarden::alertmanager
