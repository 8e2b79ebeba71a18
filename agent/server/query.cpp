// /api/v1/query, query_range, series, labels, label/<name>/values, format_query: as Prometheus answers them.
#include "agent/server/query.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <iterator>
#include <set>

#include "agent/server/faces.h"
#include "agent/server/json_text.h"
#include "agent/server/query_gate.h"
#include "agent/server/query_page.h"
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
// A label name that is no classic one, as it stands in a path: U__http_2e_status is http.status.
std::string UnescapeName(const std::string& name) {
  if (!name.starts_with("U__")) return name;
  std::string out;
  for (std::size_t i = 3; i < name.size(); ++i) {
    if (name[i] != '_') {
      out += name[i];
      continue;
    }
    if (i + 1 < name.size() && name[i + 1] == '_') {
      out += '_';
      ++i;
      continue;
    }
    const std::size_t end = name.find('_', i + 1);
    std::uint32_t code = 0;
    if (end == std::string::npos || end == i + 1 || end - i > 7) return name;
    const auto [at, error] = std::from_chars(name.data() + i + 1, name.data() + end, code, 16);
    if (error != std::errc() || at != name.data() + end || code > 0x10FFFFU) return name;
    core::AppendUtf8(out, code);
    i = end;
  }
  return out;
}

class Face {
 public:
  Face(std::shared_ptr<const ServerContext> context, std::shared_ptr<QueryGate> gate)
      : context_(std::move(context)), gate_(std::move(gate)) {}

  HttpResponse Query(const HttpRequest& request) {
    auto limit = LimitParam(request);
    auto time = TimeParam(request, "time", core::ToMs(context_->clock->Now()), true);
    auto limits = Limits(request);
    for (const Error* error : {ErrorOf(limit), ErrorOf(time), ErrorOf(limits)}) {
      if (error != nullptr) return Refuse(*error);
    }
    auto expr = Expression(request);
    if (!expr) return Refuse(expr.error());
    return Evaluate(request, *limits, *limit,
                    [&] { return context_->engine->Instant(**expr, *context_->storage, *time, *limits); });
  }

  HttpResponse QueryRange(const HttpRequest& request) {
    auto limit = LimitParam(request);
    auto start = TimeParam(request, "start", std::nullopt, true);
    auto end = TimeParam(request, "end", std::nullopt, true);
    for (const Error* error : {ErrorOf(limit), ErrorOf(start), ErrorOf(end)}) {
      if (error != nullptr) return Refuse(*error);
    }
    if (*end < *start) return Refuse(InvalidParam("end", "end timestamp must not be before start time"));
    auto step = DurationParam(request, "step");
    if (!step) return Refuse(step.error());
    if (*step <= 0) {
      return Refuse(InvalidParam(
          "step", "zero or negative query resolution step widths are not accepted. Try a positive integer"));
    }
    if ((*end - *start) / *step > kMaxPoints) {
      return Refuse({ErrorCode::kInvalid,
                     "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query "
                     "resolution (?step=XX)"});
    }
    auto limits = Limits(request);
    if (!limits) return Refuse(limits.error());
    auto expr = Expression(request);
    if (!expr) return Refuse(expr.error());
    const auto type = rules::promql::TypeOf(**expr);
    if (type != rules::promql::ValueType::kScalar && type != rules::promql::ValueType::kVector) {
      return Refuse(InvalidParam("query", "invalid expression type \"" +
                                              std::string(rules::promql::ValueTypeName(type)) +
                                              "\" for range query, must be Scalar or instant Vector"));
    }
    return Evaluate(request, *limits, *limit,
                    [&] { return context_->engine->Range(**expr, *context_->storage, *start, *end, *step, *limits); });
  }

  HttpResponse Series(const HttpRequest& request) {
    if (request.Params("match[]").empty()) return Refuse({ErrorCode::kInvalid, "no match[] parameter provided"});
    auto selection = Select(request);
    if (!selection) {
      const auto matchers = MatchParams(request);
      return Refuse(matchers ? selection.error() : InvalidParam("match[]", matchers.error().message));
    }
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
    const std::string name = UnescapeName(request.Capture("name"));
    if (name.empty() || !core::IsValidUtf8(name))
      return Refuse({ErrorCode::kInvalid, "invalid label name: " + core::JsonString(name)});
    return Names(request, [&](auto& querier, const auto& hints, const auto& matchers) {
      return querier.LabelValues(hints, name, matchers);
    });
  }

  // Nothing keeps exemplars: the parameters are checked, and the answer is empty.
  HttpResponse QueryExemplars(const HttpRequest& request) {
    auto start = TimeParam(request, "start", kFarPast);
    auto end = TimeParam(request, "end", kFarFuture);
    for (const Error* error : {ErrorOf(start), ErrorOf(end)}) {
      if (error != nullptr) return Refuse(*error);
    }
    if (*end < *start) return Refuse({ErrorCode::kInvalid, "end timestamp must not be before start timestamp"});
    auto expr = Parse(request);
    if (!expr) return Refuse(expr.error());
    bool selects = false;
    rules::promql::Walk(**expr, [&](const rules::promql::Expr& part) {
      selects |= part.kind == rules::promql::Expr::Kind::kVectorSelector;
    });
    return selects ? JsonResponse(SuccessEnvelope("[]")) : TextResponse("", 204);
  }

  HttpResponse ParseQuery(const HttpRequest& request) {
    auto expr = Expression(request);
    if (!expr) return Refuse(expr.error());
    return JsonResponse(SuccessEnvelope(ExprJson(**expr)));
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
  // What fails during an evaluation is not the parameters' fault: 422, 503.
  static HttpResponse Failed(const Error& error) {
    // Durations are resolved before the evaluation there: "4:10: duration must be greater than 0".
    if (!error.message.empty() && std::isdigit(error.message.front()) != 0 &&
        error.message.find(": duration ") != std::string::npos)
      return Refuse(InvalidParam("query", error.message));
    return ErrorResponse(Envelope::kPrometheus, error.code == ErrorCode::kInvalid ? 422 : 0, error);
  }
  static HttpResponse ErrorResponse(Envelope envelope, int status, const Error& error) {
    return status == 0 ? agent::ErrorResponse(envelope, error) : agent::ErrorResponse(envelope, status, error.message);
  }
  static HttpResponse ErrorResponse(Envelope envelope, int status, std::string_view message) {
    return agent::ErrorResponse(envelope, status, message);
  }

  Result<rules::promql::EvalLimits> Limits(const HttpRequest& request) const {
    rules::promql::EvalLimits limits{.clock = context_->clock, .deadline = request.deadline, .lookback_ms = {}};
    if (const auto text = request.Param("timeout"); text && !text->empty()) {
      auto timeout = DurationParam(request, "timeout");
      if (!timeout) return std::unexpected(timeout.error());
      if (*timeout <= 0) return Fail(ErrorCode::kInvalid, "invalid parameter \"query\": context deadline exceeded");
      const auto until =
          context_->clock->Monotonic() + std::min<core::Duration>(std::chrono::milliseconds(*timeout), kLongest);
      limits.deadline = std::min(request.deadline, until);
    }
    if (const auto lookback = request.Param("lookback_delta"); lookback && !lookback->empty()) {
      auto delta = ParseApiDuration(*lookback);
      if (!delta) return Fail(delta.error().Within("error parsing lookback delta duration"));
      if (*delta > 0) limits.lookback_ms = *delta;
    }
    return limits;
  }

  Result<rules::promql::ExprPtr> Parse(const HttpRequest& request) const {
    return rules::promql::ParseExpr(request.Param("query").value_or(""),
                                    {.experimental_functions = context_->experimental_functions});
  }

  Result<rules::promql::ExprPtr> Expression(const HttpRequest& request) const {
    auto expr = Parse(request);
    if (expr) return expr;
    return Fail(expr.error().Within("invalid parameter \"query\""));
  }

  template <class F>
  HttpResponse Evaluate(const HttpRequest& request, const rules::promql::EvalLimits& limits, std::size_t limit,
                        F evaluate) {
    const core::MonoTime asked = context_->clock->Monotonic();
    if (!gate_->Enter(*limits.deadline - asked))
      return ErrorResponse(Envelope::kPrometheus, 503, "query timed out in query queue");
    const core::MonoTime start = context_->clock->Monotonic();
    auto result = evaluate();
    const core::MonoTime end = context_->clock->Monotonic();
    gate_->Leave();
    if (!result) return Failed(result.error());
    std::string stats;
    if (!request.Param("stats").value_or("").empty()) {
      stats = fmt::format(
          R"({{"timings":{{"evalTotalTime":{},"resultSortTime":{},"queryPreparationTime":{},"innerEvalTime":{},)"
          R"("execQueueTime":{},"execTotalTime":{}}},"samples":{{"totalQueryableSamples":{},"samplesRead":{},)"
          R"("peakSamples":{}}}}})",
          core::ToSeconds(end - start), core::ToSeconds(result->sorting), core::ToSeconds(result->preparation),
          core::ToSeconds(end - start - result->sorting - result->preparation), core::ToSeconds(start - asked),
          core::ToSeconds(end - asked), result->samples_read, result->samples_read, result->peak_samples);
    }
    return ResultResponse(std::move(*result), limit, stats);
  }

  Result<Selection> Select(const HttpRequest& request) const {
    auto limit = LimitParam(request);
    auto start = TimeParam(request, "start", kFarPast);
    auto end = TimeParam(request, "end", kFarFuture);
    for (const Error* error : {ErrorOf(limit), ErrorOf(start), ErrorOf(end)}) {
      if (error != nullptr) return Fail(*error);
    }
    auto matchers = MatchParams(request);
    if (!matchers) return Fail(matchers.error());
    return Selection{.hints = {.from = *start, .to = *end}, .matchers = std::move(*matchers), .limit = *limit};
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
  std::shared_ptr<QueryGate> gate_;
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
  auto gate = std::make_shared<QueryGate>(4);
  Routes pages = QueryPageRoutes(context, gate);
  auto face = std::make_shared<Face>(std::move(context), std::move(gate));
  Routes routes{
      Row("GET POST", "/api/v1/query", face, &Face::Query),
      Row("GET POST", "/api/v1/query_range", face, &Face::QueryRange),
      Row("GET POST", "/api/v1/series", face, &Face::Series),
      Row("GET POST", "/api/v1/labels", face, &Face::LabelNames),
      Row("GET", "/api/v1/label/{name}/values", face, &Face::LabelValues),
      Row("GET POST", "/api/v1/query_exemplars", face, &Face::QueryExemplars),
      Row("GET POST", "/api/v1/format_query", face, &Face::FormatQuery),
      Row("GET POST", "/api/v1/parse_query", face, &Face::ParseQuery),
  };
  std::ranges::move(pages, std::back_inserter(routes));
  return routes;
}

}  // namespace pipewarden::agent
