// What the routes of our own API (/api/pipewarden/v1) share: envelopes as Prometheus', values as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "agent/server/router.h"
#include "core/model/labels.h"

namespace pipewarden::agent {

// {"status": "success", "data": …}
HttpResponse DataResponse(const nlohmann::json& data);
// Where wiring has left a function empty.
HttpResponse AbsentResponse(std::string_view part);

nlohmann::json LabelsJson(const core::Labels& labels);
// Sets `field` to Unix seconds where the time is known.
void SetTime(nlohmann::json& object, const char* field, core::WallTime time);

// A parameter that is a whole number in [low, high]; `fallback` where absent, kInvalid where it is something else.
core::Result<int> NumberParam(const HttpRequest& request, std::string_view name, int fallback, int low, int high);

}  // namespace pipewarden::agent
