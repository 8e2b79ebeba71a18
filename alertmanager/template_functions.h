// The functions of Alertmanager's templates, besides Go's built-ins
// (https://prometheus.io/docs/alerting/latest/notifications/#functions).
#pragma once

#include <memory>

#include "core/template/value.h"
#include "core/time/clock.h"

namespace pipewarden::alertmanager {

// toUpper toLower title trimSpace join match reReplaceAll safeHtml safeUrl urlUnescape stringSlice date tz toDate
// mustToDate humanizeDuration toJson base64encode base64decode list append dict; `since` and `now` are known, and
// come with FunctionsAt, as is routeLabels, which comes with the rendering. One table for the process, immutable.
std::shared_ptr<const core::FunctionTable> TemplateFunctions();
// What depends on the time of the notification: since, now.
core::FunctionTable FunctionsAt(core::WallTime now);

}  // namespace pipewarden::alertmanager
