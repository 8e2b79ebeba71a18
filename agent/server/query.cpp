// /api/v1/query, query_range, series, labels, label/<name>/values, format_query: as Prometheus answers them.
#include "agent/server/query.h"

#include <set>

#include "agent/server/faces.h"
#include "agent/server/json_text.h"
#include "core/async/mutex.h"
#include "core/text/escape.h"
#include "core/text/utf8.h"
#include "rules/promql/parser.h"
#include "rules/promql/printer.h"

namespace pipewarden::agent {
namespace {

using core::Error;
using core::ErrorCode;
using core::Fail;
using core::Result;
using core::TimestampMs;

constexpr TimestampMs kMaxPoints = 11'000;
constexpr core::Duration kLongest = std::chrono::minutes(2);
// Far past and future, as far as a nanosecond clock can tell.
constexpr TimestampMs kMinTime = -9'000'000'000'000;
constexpr TimestampMs kMaxTime = 9'000'000'000'000;

// Bounds how many queries run at once: each may hold memory and burns a core.
class Gate {
 public:
  explicit Gate(int places) : places_(places) {}
  bool Enter(core::Duration patience) {
    const core::MutexLock lock(mutex_);
    const auto until = std::chrono::steady_clock::now() + patience;
    while (places_ == 0) {
      const auto left = until - std::chrono::steady_clock::now();
      if (left <= core::Duration::zero() || !freed_.WaitFor(mutex_, left)) break;
    }
    if (places_ == 0) return false;
    --places_;
    return true;
  }
  void Leave() {
    const core::MutexLock lock(mutex_);
    ++places_;
    freed_.NotifyOne();
  }

 private:
  core::Mutex mutex_;
  core::CondVar freed_;
  int places_ GUARDED_BY(mutex_);
};

class Face {
 public:
  explicit Face(std::shared_ptr<const ServerContext> context) : context_(std::move(context)) {}

  HttpResponse Query(const HttpRequest& request) {
    auto time = TimeParam(request, "time", core::ToMs(context_->clock->Now()));
    auto limits = Limits(request);
    auto limit = LimitParam(request);
    auto expr = Expression(request);
    for (const Error* error : {ErrorOf(time), ErrorOf(limits), ErrorOf(limit), ErrorOf(expr)}) {
      if (error != nullptr) return Refuse(*error);
    }
    return Evaluate(*limits, *limit,
                    [&] { return context_->engine->Instant(**expr, *context_->storage, *time, *limits); });
  }

  HttpResponse QueryRange(const HttpRequest& request) {
    auto start = TimeParam(request, "start", std::nullopt);
    auto end = TimeParam(request, "end", std::nullopt);
    auto step = DurationParam(request, "step");
    auto limits = Limits(request);
    auto limit = LimitParam(request);
    for (const Error* error : {ErrorOf(start), ErrorOf(end), ErrorOf(step), ErrorOf(limits), ErrorOf(limit)}) {
      if (error != nullptr) return Refuse(*error);
    }
    if (*end < *start) return RefuseParam("end", "end timestamp must not be before start time");
    if (*step <= 0) {
      return RefuseParam("step",
                         "zero or negative query resolution step widths are not accepted. Try a positive integer");
    }
    if ((*end - *start) / *step > kMaxPoints) {
      return Refuse({ErrorCode::kInvalid,
                     "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query "
                     "resolution (?step=XX)"});
    }
    auto expr = Expression(request);
    if (!expr) return Refuse(expr.error());
    const auto type = rules::promql::TypeOf(**expr);
    if (type != rules::promql::ValueType::kScalar && type != rules::promql::ValueType::kVector) {
      return RefuseParam("query", "invalid expression type \"" + std::string(rules::promql::ValueTypeName(type)) +
                                      "\" for range query, must be Scalar or instant Vector");
    }
    return Evaluate(*limits, *limit,
                    [&] { return context_->engine->Range(**expr, *context_->storage, *start, *end, *step, *limits); });
  }

  HttpResponse Series(const HttpRequest& request) {
    auto selection = Select(request);
    if (!selection) return Refuse(selection.error());
    if (selection->matchers.empty()) return Refuse({ErrorCode::kInvalid, "no match[] parameter provided"});
    std::set<core::Labels> found;
    for (const auto& matchers : selection->matchers) {
      auto querier = context_->storage->Open(selection->hints.from, selection->hints.to);
      if (!querier) return Failed(querier.error());
      auto series = (*querier)->Select(selection->hints, matchers);
      if (!series) return Failed(series.error());
      for (std::size_t i = 0; i < (*series)->size(); ++i) found.insert(*(*series)->labels(i));
    }
    std::string out = "[";
    std::vector<std::string> warnings;
    std::size_t count = 0;
    for (const core::Labels& labels : found) {
      if (selection->limit > 0 && count == selection->limit) {
        warnings.emplace_back("results truncated due to limit");
        break;
      }
      if (count++ > 0) out += ',';
      AppendJsonLabels(out, labels);
    }
    return JsonResponse(SuccessEnvelope(out + "]", warnings));
  }

  HttpResponse LabelNames(const HttpRequest& request) {
    return Names(request, [](auto& querier, const auto& hints, const auto& matchers) {
      return querier.LabelNames(hints, matchers);
    });
  }

  HttpResponse LabelValues(const HttpRequest& request) {
    const std::string name = request.Capture("name");
    if (!core::IsValidUtf8(name)) return Refuse({ErrorCode::kInvalid, "invalid label name: " + core::JsonString(name)});
    return Names(request, [&](auto& querier, const auto& hints, const auto& matchers) {
      return querier.LabelValues(hints, name, matchers);
    });
  }

  HttpResponse FormatQuery(const HttpRequest& request) {
    auto expr = Expression(request);
    if (!expr) return Refuse(expr.error());
    return JsonResponse(SuccessEnvelope(core::JsonString(rules::promql::PrettyPrint(**expr))));
  }

 private:
  struct Selection {
    rules::promql::SelectHints hints;
    std::vector<std::vector<core::Matcher>> matchers;
    std::size_t limit = 0;
  };

  template <class T>
  static const Error* ErrorOf(const Result<T>& result) {
    return result ? nullptr : &result.error();
  }
  static HttpResponse Refuse(const Error& error) { return ErrorResponse(Envelope::kPrometheus, 400, error.message); }
  static HttpResponse RefuseParam(std::string_view name, std::string_view why) {
    return Refuse({ErrorCode::kInvalid, "invalid parameter \"" + std::string(name) + "\": " + std::string(why)});
  }
  // What fails during an evaluation is not the parameters' fault: 422, 503.
  static HttpResponse Failed(const Error& error) {
    return ErrorResponse(Envelope::kPrometheus, error.code == ErrorCode::kInvalid ? 422 : 0, error);
  }
  static HttpResponse ErrorResponse(Envelope envelope, int status, const Error& error) {
    return status == 0 ? agent::ErrorResponse(envelope, error) : agent::ErrorResponse(envelope, status, error.message);
  }
  static HttpResponse ErrorResponse(Envelope envelope, int status, std::string_view message) {
    return agent::ErrorResponse(envelope, status, message);
  }

  static Result<TimestampMs> TimeParam(const HttpRequest& request, std::string_view name,
                                       std::optional<TimestampMs> fallback) {
    const auto text = request.Param(name);
    if ((!text || text->empty()) && fallback) return *fallback;
    auto time = ParseApiTime(text.value_or(""));
    if (time) return time;
    return Fail(time.error().Within("invalid parameter \"" + std::string(name) + "\""));
  }

  static Result<TimestampMs> DurationParam(const HttpRequest& request, std::string_view name) {
    auto duration = ParseApiDuration(request.Param(name).value_or(""));
    if (duration) return duration;
    return Fail(duration.error().Within("invalid parameter \"" + std::string(name) + "\""));
  }

  static Result<std::size_t> LimitParam(const HttpRequest& request) {
    const std::string text = request.Param("limit").value_or("0");
    if (text.empty() || text.size() > 9 || text.find_first_not_of("0123456789") != std::string::npos) {
      return Fail(ErrorCode::kInvalid,
                  "invalid parameter \"limit\": " + core::JsonString(text) + " is not a whole number");
    }
    return static_cast<std::size_t>(std::stoul(text));
  }

  Result<rules::promql::EvalLimits> Limits(const HttpRequest& request) const {
    rules::promql::EvalLimits limits{.clock = context_->clock, .deadline = request.deadline, .lookback_ms = {}};
    if (request.Param("timeout")) {
      auto timeout = DurationParam(request, "timeout");
      if (!timeout) return std::unexpected(timeout.error());
      const auto until =
          context_->clock->Monotonic() + std::min<core::Duration>(std::chrono::milliseconds(*timeout), kLongest);
      limits.deadline = std::min(request.deadline, until);
    }
    if (const auto lookback = request.Param("lookback_delta"); lookback && !lookback->empty()) {
      auto delta = DurationParam(request, "lookback_delta");
      if (!delta) return std::unexpected(delta.error());
      limits.lookback_ms = *delta;
    }
    return limits;
  }

  static Result<rules::promql::ExprPtr> Expression(const HttpRequest& request) {
    auto expr = rules::promql::ParseExpr(request.Param("query").value_or(""));
    if (expr) return expr;
    return Fail(expr.error().Within("invalid parameter \"query\""));
  }

  template <class F>
  HttpResponse Evaluate(const rules::promql::EvalLimits& limits, std::size_t limit, F evaluate) {
    const auto patience = *limits.deadline - context_->clock->Monotonic();
    if (!gate_.Enter(patience)) {
      return ErrorResponse(Envelope::kPrometheus, 503, "query timed out in query queue: too many queries run at once");
    }
    auto result = evaluate();
    gate_.Leave();
    if (!result) return Failed(result.error());
    const std::string data = ResultJson(*result, limit);
    return JsonResponse(SuccessEnvelope(data, result->warnings, result->infos));
  }

  Result<Selection> Select(const HttpRequest& request) const {
    auto start = TimeParam(request, "start", kMinTime);
    auto end = TimeParam(request, "end", kMaxTime);
    auto limit = LimitParam(request);
    for (const Error* error : {ErrorOf(start), ErrorOf(end), ErrorOf(limit)}) {
      if (error != nullptr) return Fail(*error);
    }
    Selection selection{.hints = {.from = *start, .to = *end}, .matchers = {}, .limit = *limit};
    for (const std::string& text : request.Params("match[]")) {
      auto matchers = rules::promql::ParseMetricSelector(text);
      if (!matchers) return Fail(matchers.error().Within("invalid parameter \"match[]\""));
      selection.matchers.push_back(std::move(*matchers));
    }
    return selection;
  }

  template <class F>
  HttpResponse Names(const HttpRequest& request, F ask) {
    auto selection = Select(request);
    if (!selection) return Refuse(selection.error());
    if (selection->matchers.empty()) selection->matchers.emplace_back();
    auto querier = context_->storage->Open(selection->hints.from, selection->hints.to);
    if (!querier) return Failed(querier.error());
    std::set<std::string> names;
    for (const auto& matchers : selection->matchers) {
      auto found = ask(**querier, selection->hints, matchers);
      if (!found) return Failed(found.error());
      names.insert(found->begin(), found->end());
    }
    std::string out = "[";
    std::vector<std::string> warnings;
    std::size_t count = 0;
    for (const std::string& name : names) {
      if (selection->limit > 0 && count == selection->limit) {
        warnings.emplace_back("results truncated due to limit");
        break;
      }
      if (count++ > 0) out += ',';
      core::AppendJsonString(out, name);
    }
    return JsonResponse(SuccessEnvelope(out + "]", warnings));
  }

  std::shared_ptr<const ServerContext> context_;
  Gate gate_{4};
};

Route Row(std::string_view methods, std::string_view path, std::shared_ptr<Face> face,
          HttpResponse (Face::*handle)(const HttpRequest&)) {
  return {.methods = methods,
          .path = path,
          .role = Role::kRead,
          .max_body_bytes = 1U << 20U,
          .deadline = kLongest,
          .envelope = Envelope::kPrometheus,
          .handle = [face, handle](const HttpRequest& request) { return (face.get()->*handle)(request); }};
}

}  // namespace

Routes QueryRoutes(std::shared_ptr<const ServerContext> context) {
  if (context->engine == nullptr || context->storage == nullptr) return {};
  auto face = std::make_shared<Face>(std::move(context));
  return {
      Row("GET POST", "/api/v1/query", face, &Face::Query),
      Row("GET POST", "/api/v1/query_range", face, &Face::QueryRange),
      Row("GET POST", "/api/v1/series", face, &Face::Series),
      Row("GET POST", "/api/v1/labels", face, &Face::LabelNames),
      Row("GET", "/api/v1/label/{name}/values", face, &Face::LabelValues),
      Row("GET POST", "/api/v1/format_query", face, &Face::FormatQuery),
  };
}

}  // namespace pipewarden::agent
