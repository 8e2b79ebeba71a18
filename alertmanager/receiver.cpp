#include "alertmanager/receiver.h"

#include "alertmanager/receivers/list.h"

namespace pipewarden::alertmanager {
namespace {

using core::OptionType;

constexpr core::Option kGlobalOptions[] = {
    {.name = "resolve_timeout",
     .type = OptionType::kDuration,
     .default_text = "5m",
     .help = "an alert that is not told again for so long, and has no end, has resolved"},
    {.name = "http_config", .type = OptionType::kNode, .help = "for all receivers that have none of their own"},
    {.name = "smtp_from", .type = OptionType::kString, .help = "email: From"},
    {.name = "smtp_hello", .type = OptionType::kString, .default_text = "localhost", .help = "email: EHLO"},
    {.name = "smtp_smarthost", .type = OptionType::kString, .help = "email: host:port of the mail server"},
    {.name = "smtp_auth_username", .type = OptionType::kString, .help = "email: user"},
    {.name = "smtp_auth_password", .type = OptionType::kSecret, .help = "email: password (PLAIN, LOGIN)"},
    {.name = "smtp_auth_secret", .type = OptionType::kSecret, .help = "email: secret (CRAM-MD5)"},
    {.name = "smtp_auth_identity", .type = OptionType::kString, .help = "email: identity (PLAIN)"},
    {.name = "smtp_require_tls",
     .type = OptionType::kBool,
     .default_text = "true",
     .help = "email: refuse without TLS"},
    {.name = "smtp_tls_config", .type = OptionType::kNode, .help = "email: TLS"},
    {.name = "smtp_force_implicit_tls", .type = OptionType::kBool, .help = "email: TLS from the first byte"},
    {.name = "slack_api_url", .type = OptionType::kSecret, .help = "slack: the incoming webhook"},
    {.name = "slack_app_token", .type = OptionType::kSecret, .help = "slack: token of an app"},
    {.name = "slack_app_url",
     .type = OptionType::kUrl,
     .default_text = "https://slack.com/api/chat.postMessage",
     .help = "slack: where an app posts"},
    {.name = "pagerduty_url",
     .type = OptionType::kUrl,
     .default_text = "https://events.pagerduty.com/v2/enqueue",
     .help = "pagerduty: where events go"},
    {.name = "opsgenie_api_url",
     .type = OptionType::kUrl,
     .default_text = "https://api.opsgenie.com/",
     .help = "opsgenie: address"},
    {.name = "opsgenie_api_key", .type = OptionType::kSecret, .help = "opsgenie: key"},
    {.name = "wechat_api_url",
     .type = OptionType::kUrl,
     .default_text = "https://qyapi.weixin.qq.com/cgi-bin/",
     .help = "wechat: address"},
    {.name = "wechat_api_secret", .type = OptionType::kSecret, .help = "wechat: secret"},
    {.name = "wechat_api_corp_id", .type = OptionType::kString, .help = "wechat: id"},
    {.name = "victorops_api_url",
     .type = OptionType::kUrl,
     .default_text = "https://alert.victorops.com/integrations/generic/20131114/alert/",
     .help = "victorops: address"},
    {.name = "victorops_api_key", .type = OptionType::kSecret, .help = "victorops: key"},
    {.name = "telegram_api_url",
     .type = OptionType::kUrl,
     .default_text = "https://api.telegram.org",
     .help = "telegram: address"},
    {.name = "telegram_bot_token", .type = OptionType::kSecret, .help = "telegram: token"},
    {.name = "webex_api_url",
     .type = OptionType::kUrl,
     .default_text = "https://webexapis.com/v1/messages",
     .help = "webex: address"},
    {.name = "rocketchat_api_url",
     .type = OptionType::kUrl,
     .default_text = "https://open.rocket.chat/",
     .help = "rocketchat: address"},
    {.name = "rocketchat_token", .type = OptionType::kSecret, .help = "rocketchat: token"},
    {.name = "rocketchat_token_id", .type = OptionType::kSecret, .help = "rocketchat: its id"},
    {.name = "jira_api_url", .type = OptionType::kUrl, .help = "jira: address"},
    {.name = "mattermost_webhook_url", .type = OptionType::kSecret, .help = "mattermost: the incoming webhook"},
};

constexpr core::Option kCommonOptions[] = {
    {.name = "send_resolved", .type = OptionType::kBool, .help = "tell that alerts have resolved"},
    {.name = "http_config", .type = OptionType::kNode, .help = "how the request is made"},
};

#define X(Name) &k##Name##Receiver,
constexpr const ReceiverKind* kKinds[] = {PIPEWARDEN_RECEIVERS(X)};
#undef X

}  // namespace

std::span<const ReceiverKind* const> ReceiverKinds() { return kKinds; }
core::OptionTable GlobalOptions() { return kGlobalOptions; }
core::OptionTable CommonReceiverOptions() { return kCommonOptions; }

}  // namespace pipewarden::alertmanager
