// /query: an expression in a form, and below it a table of what it yields at one instant, or a drawing of its lines
// over a range. Its parameters are those of Prometheus' page for the first panel (g0.expr, g0.tab, g0.range_input,
// g0.end_input), since alerts' generatorURL, graphLink and tableLink carry them. Rendered here, no script.
#include "agent/server/query_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "agent/server/html.h"
#include "agent/server/query.h"
#include "core/text/go_float.h"
#include "core/time/civil_time.h"
#include "core/time/duration.h"
#include "rules/promql/engine.h"
#include "rules/promql/parser.h"

namespace pipewarden::agent {
namespace {

using core::TimestampMs;
using rules::promql::QueryResult;
using rules::promql::ResultSeries;
using rules::promql::ValueType;

constexpr core::Duration kLongest = std::chrono::seconds(30);
constexpr TimestampMs kHourMs = 60LL * 60 * 1000;
constexpr std::size_t kMaxRows = 1000;
constexpr std::size_t kMaxLines = 40;
constexpr TimestampMs kMaxSteps = 250;
constexpr double kWidth = 960;
constexpr double kHeight = 300;
constexpr std::string_view kColours[] = {"#0f766e", "#b45309", "#1d4ed8", "#be185d",
                                         "#4d7c0f", "#7c3aed", "#b91c1c", "#0e7490"};

struct Asked {
  std::string expr{};
  bool graph = false;
  std::string range_text{};
  std::string end_text{};
  TimestampMs range_ms = kHourMs;
  TimestampMs end = 0;
  std::string wrong{};
};

// "2024-01-31 12:00:00" as Prometheus' page writes it, or what the API takes.
core::Result<TimestampMs> ParsePageTime(const std::string& text) {
  if (text.size() == 19 && text[10] == ' ') return ParseApiTime(text.substr(0, 10) + 'T' + text.substr(11) + 'Z');
  return ParseApiTime(text);
}

Asked Read(const HttpRequest& request, TimestampMs now) {
  const auto param = [&](std::string_view name) { return request.Param(name).value_or(""); };
  const std::string tab = param("g0.tab");
  Asked asked{.expr = param("g0.expr"),
              .graph = tab == "0" || tab == "graph",
              .range_text = param("g0.range_input"),
              .end_text = param("g0.end_input"),
              .end = now};
  if (asked.end_text.empty()) asked.end_text = param("g0.moment_input");
  if (!asked.end_text.empty()) {
    if (const auto end = ParsePageTime(asked.end_text))
      asked.end = *end;
    else
      asked.wrong = end.error().message;
  }
  if (asked.range_text.empty()) asked.range_text = "1h";
  const auto range = ParseApiDuration(asked.range_text);
  if (!range)
    asked.wrong = range.error().message;
  else if (*range <= 0 || *range > std::numeric_limits<TimestampMs>::max() / 2)
    asked.wrong = "the range must be above 0";
  else
    asked.range_ms = *range;
  return asked;
}

std::string SeriesName(const core::Labels& labels) {
  const std::string text = labels.ToString();
  return Html(text.empty() ? "{}" : text);
}

std::string TimeText(TimestampMs ms) {
  return core::FormatRfc3339(std::chrono::floor<std::chrono::seconds>(core::FromMs(ms)));
}

std::string Number(double value) { return Html(core::FormatGoFloat(value, 'g', -1)); }

std::string HistogramText(const core::FloatHistogram& histogram) {
  return "count " + Number(histogram.count) + ", sum " + Number(histogram.sum);
}

std::string Form(const Asked& asked) {
  const auto option = [](std::string_view value, std::string_view name, bool chosen) {
    return fmt::format("<option value=\"{}\"{}>{}</option>", value, chosen ? " selected" : "", name);
  };
  return "<section id=\"query\"><h2>Query</h2><form method=\"get\" action=\"/query\"><p><textarea name=\"g0.expr\" "
         "rows=\"3\" cols=\"80\" aria-label=\"PromQL expression\">\n" +
         Html(asked.expr) + "</textarea></p><p><label>Show <select name=\"g0.tab\">" +
         option("1", "a table", !asked.graph) + option("0", "a graph", asked.graph) +
         "</select></label> <label>Range <input name=\"g0.range_input\" size=\"6\" value=\"" + Html(asked.range_text) +
         "\"></label> <label>Until <input name=\"g0.end_input\" size=\"20\" placeholder=\"now\" value=\"" +
         Html(asked.end_text) + "\"></label> <button type=\"submit\">Execute</button></p></form></section>";
}

std::string Row(const std::string& name, const std::string& value) {
  return "<tr><td>" + name + "</td><td class=\"tight\">" + value + "</td></tr>";
}

std::string Table(const QueryResult& result) {
  std::string rows;
  std::size_t total = 1;
  switch (result.type) {
    case ValueType::kScalar:
      rows = Row("scalar", Number(result.scalar.value));
      break;
    case ValueType::kString:
      rows = Row("string", Html(result.string));
      break;
    case ValueType::kVector:
      total = result.vector.size();
      for (std::size_t i = 0; i < std::min(total, kMaxRows); ++i) {
        const auto& one = result.vector[i];
        rows +=
            Row(SeriesName(*one.labels), one.histogram != nullptr ? HistogramText(*one.histogram) : Number(one.value));
      }
      break;
    case ValueType::kMatrix: {
      total = 0;
      for (const ResultSeries& series : result.matrix) {
        total += series.points.size() + series.histograms.size();
        if (total > kMaxRows) continue;
        std::string values;
        for (const auto& point : series.points)
          values += Number(point.value) + " <span class=\"soft\">@" + TimeText(point.time) + "</span><br>";
        for (const auto& point : series.histograms)
          values += HistogramText(*point.histogram) + " <span class=\"soft\">@" + TimeText(point.time) + "</span><br>";
        rows += Row(SeriesName(*series.labels), values);
      }
      break;
    }
    case ValueType::kNone:
      break;
  }
  if (total == 0) return "<p>Empty query result</p>";
  std::string note;
  if (total > kMaxRows) note = fmt::format("<p>{} values; the first {} at most are shown.</p>", total, kMaxRows);
  return note +
         "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">Series</th><th "
         "scope=\"col\">Value</th></tr></thead>"
         "<tbody>" +
         rows + "</tbody></table></div>";
}

class Drawing {
 public:
  Drawing(const Asked& asked, const QueryResult& result) : asked_(asked), result_(result) {
    for (const ResultSeries& series : result.matrix)
      for (const auto& point : series.points) {
        if (!std::isfinite(point.value)) continue;
        low_ = std::min(low_, point.value);
        high_ = std::max(high_, point.value);
      }
    if (low_ == high_) {
      const double margin = low_ == 0 ? 1 : std::fabs(low_) / 2;
      low_ -= margin;
      high_ += margin;
    }
  }

  std::string Render(TimestampMs step) const {
    if (!(low_ < high_) || !std::isfinite(high_ - low_)) return "<p>Nothing to draw: there is no finite number.</p>";
    std::string out = fmt::format(
        "<div class=\"scroll\"><svg viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" role=\"img\" "
        "aria-label=\"graph\"><rect x=\"0\" y=\"0\" width=\"{0}\" height=\"{1}\" fill=\"none\" "
        "stroke=\"#8884\"/><text x=\"6\" y=\"16\" font-size=\"12\" fill=\"currentColor\">{2}</text><text x=\"6\" "
        "y=\"{3}\" font-size=\"12\" fill=\"currentColor\">{4}</text>",
        kWidth, kHeight, Number(high_), kHeight - 6, Number(low_));
    std::string legend;
    const std::size_t shown = std::min(result_.matrix.size(), kMaxLines);
    for (std::size_t i = 0; i < shown; ++i) {
      const std::string_view colour = kColours[i % std::size(kColours)];
      out += Line(result_.matrix[i], step, colour);
      legend += fmt::format(
          "<li><svg width=\"12\" height=\"12\"><rect width=\"12\" height=\"12\" fill=\"{}\"/></svg> {}</li>", colour,
          SeriesName(*result_.matrix[i].labels));
    }
    out += "</svg></div><p class=\"soft\">" + TimeText(asked_.end - asked_.range_ms) + " to " + TimeText(asked_.end) +
           "</p><ul>" + legend + "</ul>";
    if (shown < result_.matrix.size())
      out += fmt::format("<p>{} series; the first {} are drawn.</p>", result_.matrix.size(), shown);
    return out;
  }

 private:
  // A gap where a step has no number; a number alone is a dot.
  std::string Line(const ResultSeries& series, TimestampMs step, std::string_view colour) const {
    std::string path;
    TimestampMs before = std::numeric_limits<TimestampMs>::min();
    for (const auto& point : series.points) {
      if (!std::isfinite(point.value)) continue;
      const double x = static_cast<double>(point.time - (asked_.end - asked_.range_ms)) /
                       static_cast<double>(asked_.range_ms) * kWidth;
      const double y = 10 + (high_ - point.value) / (high_ - low_) * (kHeight - 20);
      const bool goes_on = before != std::numeric_limits<TimestampMs>::min() && point.time - before <= step;
      path += goes_on ? fmt::format("L{:.1f} {:.1f}", x, y) : fmt::format("M{:.1f} {:.1f}h0.1", x, y);
      before = point.time;
    }
    return fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\" stroke-linecap=\"round\"/>",
                       path, colour);
  }

  const Asked& asked_;
  const QueryResult& result_;
  double low_ = std::numeric_limits<double>::infinity();
  double high_ = -std::numeric_limits<double>::infinity();
};

std::string Notes(const QueryResult& result) {
  std::string out;
  for (const auto& texts : {result.warnings, result.infos})
    for (const std::string& text : texts) out += "<p class=\"soft\">" + Html(text) + "</p>";
  return out;
}

std::string Answer(const ServerContext& context, QueryGate& gate, const HttpRequest& request, const Asked& asked) {
  const auto failed = [](std::string_view why) {
    return "<p><span class=\"badge bad\">error</span> " + Html(why) + "</p>";
  };
  if (!asked.wrong.empty()) return failed(asked.wrong);
  const auto expr = rules::promql::ParseExpr(asked.expr, {.experimental_functions = context.experimental_functions});
  if (!expr) return failed(expr.error().message);
  const auto type = rules::promql::TypeOf(**expr);
  if (asked.graph && type != ValueType::kScalar && type != ValueType::kVector)
    return failed("invalid expression type \"" + std::string(rules::promql::ValueTypeName(type)) +
                  "\" for range query, must be Scalar or instant Vector");
  const rules::promql::EvalLimits limits{.clock = context.clock, .deadline = request.deadline, .lookback_ms = {}};
  if (!gate.Enter(request.deadline - context.clock->Monotonic())) return failed("query timed out in query queue");
  const TimestampMs step = std::max<TimestampMs>(1000, asked.range_ms / kMaxSteps);
  const auto result =
      asked.graph ? context.engine->Range(**expr, *context.storage, asked.end - asked.range_ms, asked.end, step, limits)
                  : context.engine->Instant(**expr, *context.storage, asked.end, limits);
  gate.Leave();
  if (!result) return failed(result.error().message);
  if (!asked.graph) return Notes(*result) + Table(*result);
  if (result->matrix.empty()) return Notes(*result) + "<p>Empty query result</p>";
  return Notes(*result) + Drawing(asked, *result).Render(step);
}

HttpResponse QueryPage(const ServerContext& context, QueryGate& gate, const HttpRequest& request) {
  const Asked asked = Read(request, core::ToMs(context.clock->Now()));
  std::string body = "<h1>Query</h1>" + Form(asked);
  if (!asked.expr.empty())
    body += "<section id=\"result\"><h2>Result<small>" + TimeText(asked.end) + "</small></h2>" +
            Answer(context, gate, request, asked) + "</section>";
  return HtmlResponse(Page("Query", body));
}

HttpResponse ToQueryPage(const HttpRequest& request) {
  HttpResponse response = TextResponse("", 302);
  response.headers.emplace_back("Location", "/query?" + request.query);
  return response;
}

}  // namespace

Routes QueryPageRoutes(const std::shared_ptr<const ServerContext>& context, const std::shared_ptr<QueryGate>& gate) {
  return {{.methods = "GET",
           .path = "/graph",
           .role = Role::kRead,
           .envelope = Envelope::kHtml,
           .handle = [](const HttpRequest& request) { return ToQueryPage(request); }},
          {.methods = "GET",
           .path = "/query",
           .role = Role::kRead,
           .deadline = kLongest,
           .envelope = Envelope::kHtml,
           .handle = [context, gate](const HttpRequest& request) { return QueryPage(*context, *gate, request); }}};
}

}  // namespace pipewarden::agent
