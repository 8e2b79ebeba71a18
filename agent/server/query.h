// Parameters and answers of Prometheus' HTTP API (https://prometheus.io/docs/prometheus/latest/querying/api/).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/server/http.h"
#include "core/model/sample.h"
#include "core/result.h"
#include "rules/promql/engine.h"

namespace pipewarden::agent {

// Unix seconds with a fraction, or RFC 3339. Errors read as Prometheus words them.
core::Result<core::TimestampMs> ParseApiTime(std::string_view text);
// Seconds as a number, or a duration (5m). Milliseconds.
core::Result<core::TimestampMs> ParseApiDuration(std::string_view text);

// {"status":"success","data":<data>[,"warnings":[…]][,"infos":[…]]}
std::string SuccessEnvelope(std::string_view data, const std::vector<std::string>& warnings = {},
                            const std::vector<std::string>& infos = {});
// {"resultType":…,"result":…}. `limit` > 0 cuts vectors and matrices there and says so in `warnings`.
std::string ResultJson(rules::promql::QueryResult& result, std::size_t limit);

}  // namespace pipewarden::agent
