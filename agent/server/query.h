// Parameters and answers of Prometheus' HTTP API (https://prometheus.io/docs/prometheus/latest/querying/api/).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/server/router.h"
#include "core/model/matcher.h"
#include "core/model/sample.h"
#include "core/result.h"
#include "rules/promql/engine.h"

namespace pipewarden::agent {

// The row of a GET without parameters of weight: read by anyone who may read, answered at once.
Route PrometheusRoute(std::string_view path, std::function<HttpResponse(const HttpRequest&)> handle);

// Far past and future: where Prometheus' own bounds are taken to.
inline constexpr core::TimestampMs kFarPast = -9'000'000'000'000;
inline constexpr core::TimestampMs kFarFuture = 9'000'000'000'000;

// Unix seconds with a fraction, or RFC 3339. Errors read as Prometheus words them, and numbers without a meaning (NaN,
// 1e14) mean what they mean there: of_query says that the time is one that an expression is evaluated at.
core::Result<core::TimestampMs> ParseApiTime(std::string_view text, bool of_query = false);
// Seconds as a number, or a duration (5m). Milliseconds.
core::Result<core::TimestampMs> ParseApiDuration(std::string_view text);

// {"status":"success","data":<data>[,"warnings":[…]][,"infos":[…]]}
std::string SuccessEnvelope(std::string_view data, const std::vector<std::string>& warnings = {},
                            const std::vector<std::string>& infos = {});
// The envelope around {"resultType":…,"result":…[,"stats":…]}; streamed where it is large. `limit` > 0 cuts vectors and
// matrices there and says so in `warnings`; `stats` is JSON text, or empty.
HttpResponse ResultResponse(rules::promql::QueryResult result, std::size_t limit, const std::string& stats = {});

// The syntax tree as /api/v1/parse_query shows it.
std::string ExprJson(const rules::promql::Expr& expr);

// Parameters as Prometheus reads them. The errors name the parameter, but for MatchParams'.
core::Result<core::TimestampMs> TimeParam(const HttpRequest& request, std::string_view name,
                                          std::optional<core::TimestampMs> fallback, bool of_query = false);
core::Result<core::TimestampMs> DurationParam(const HttpRequest& request, std::string_view name);
core::Result<std::size_t> LimitParam(const HttpRequest& request);  // 0: none
// All match[]; each wants a matcher that does not accept the empty string, but where `any` is true.
core::Result<std::vector<std::vector<core::Matcher>>> MatchParams(const HttpRequest& request, bool any = false);
core::Error InvalidParam(std::string_view name, std::string_view why);
// As Go's strconv does, with its words.
core::Result<std::int64_t> ParseApiInt(std::string_view text, std::string_view function = "Atoi");

}  // namespace pipewarden::agent
