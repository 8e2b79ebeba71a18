// What the faces of Alertmanager's API v2 share: its two forms of an error, its times, its parameters. The API is that
// of Alertmanager 0.25 (api/v2/openapi.yaml), with what newer ones added where it disturbs no older client.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/server/context.h"
#include "agent/server/router.h"
#include "alertmanager/alertmanager.h"

namespace pipewarden::agent {

// What does not fit the API's schema: {"code": 602, "message": "0.labels in body is required"}. Errors of the handlers
// are bare strings (Envelope::kAlertmanager).
HttpResponse SchemaError(int status, int code, std::string_view message);
inline HttpResponse MissingError(const std::string& field) {
  return SchemaError(422, 602, field + " in body is required");
}
// The body is JSON: else 415, as there.
std::optional<HttpResponse> CheckJsonBody(const HttpRequest& request);

// "2026-11-21T15:39:27.725Z", quoted.
void AppendDateTime(std::string& out, core::WallTime time);
// Any of the forms that go-openapi's date-time takes, of which RFC 3339 is the usual.
core::Result<core::WallTime> ParseDateTime(std::string_view text);
// The parameters `filter`: all must match.
core::Result<alertmanager::Matchers> FilterParams(const HttpRequest& request);
// A flag of the query; anything but a true value of Go's strconv.ParseBool is false, as there.
bool FlagParam(const HttpRequest& request, std::string_view name, bool fallback);

// All alerts that pass, sorted by fingerprint; taken from the loop a piece a turn. Any thread but the loop's.
core::Result<std::vector<alertmanager::AlertView>> CollectAlerts(core::Loop& loop, alertmanager::Alertmanager& alerts,
                                                                 alertmanager::AlertFilter filter,
                                                                 core::MonoTime deadline);

// What is posted to /api/v2/alerts. The response is the refusal where it does not fit.
std::expected<std::vector<core::Alert>, HttpResponse> ReadPostedAlerts(std::string_view body);

}  // namespace pipewarden::agent
