// jira: opens and closes issues in Jira.
// Source: https://prometheus.io/docs/alerting/latest/configuration/. Read, but not sent yet.
#include "alertmanager/receivers/list.h"

namespace pipewarden::alertmanager {
namespace {

using core::OptionType;

constexpr core::Option kOptions[] = {
    {.name = "api_url", .type = OptionType::kUrl},
    {.name = "api_type", .type = OptionType::kString, .default_text = "auto"},
    {.name = "project", .type = OptionType::kString, .required = true, .help = "project"},
    {.name = "summary", .type = OptionType::kNode},
    {.name = "description", .type = OptionType::kNode},
    {.name = "labels", .type = OptionType::kOnlyStringList},
    {.name = "priority", .type = OptionType::kString, .default_text = "'{{ template \"jira.default.priority\" . }}'"},
    {.name = "issue_type", .type = OptionType::kString, .required = true, .help = "type of issue"},
    {.name = "reopen_transition", .type = OptionType::kString},
    {.name = "resolve_transition", .type = OptionType::kString},
    {.name = "wont_fix_resolution", .type = OptionType::kString},
    {.name = "reopen_duration", .type = OptionType::kDuration},
    {.name = "fields", .type = OptionType::kNode},
    {.name = "custom_fields", .type = OptionType::kNode},
};

}  // namespace

const ReceiverKind kJiraReceiver{.name = "jira",
                                 .key = "jira_configs",
                                 .help = "opens and closes issues in Jira",
                                 .options = kOptions,
                                 .send_resolved = true};

}  // namespace pipewarden::alertmanager
