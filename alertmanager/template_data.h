// A notification as templates see it: Alertmanager's template.Data with its methods
// (https://prometheus.io/docs/alerting/latest/notifications/): .Receiver .Status .Alerts (.Firing, .Resolved)
// .GroupLabels .CommonLabels .CommonAnnotations (.SortedPairs, .Remove, .Names, .Values) .ExternalURL, and of each
// alert .Status .Labels .Annotations .StartsAt .EndsAt .GeneratorURL .Fingerprint. Pure; safe from any thread.
#pragma once

#include <string>

#include "alertmanager/notification.h"
#include "core/template/value.h"

namespace pipewarden::alertmanager {

core::Value NotificationValue(const Notification& notification);
// toJson: as Go's encoding/json writes template.Data and what can be made of it in a template.
std::string ValueToJson(const core::Value& value);

}  // namespace pipewarden::alertmanager
