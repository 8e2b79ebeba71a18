// /federate: the newest samples of the series that match, in the text format, as Prometheus gives them to another one
// that scrapes it (web/federate.go): with the external labels, an `instance` label even if empty, sorted by name and
// labels, nothing stale, nothing older than the lookback. Names outside the classic charset are escaped as the Accept
// header asks: with underscores unless it says otherwise, for older scrapers take no others.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <set>
#include <vector>

#include "agent/server/faces.h"
#include "agent/server/query.h"
#include "core/model/float_histogram.h"
#include "core/text/go_float.h"
#include "core/text/utf8.h"
#include "rules/promql/engine.h"

namespace pipewarden::agent {
namespace {

constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8; escaping=";

// How a name is written that the classic charset does not allow: quoted, or as one that it allows.
enum class Escaping { kNone, kUnderscores, kDots, kValues };
constexpr std::string_view kEscapings[] = {"allow-utf-8", "underscores", "dots", "values"};

std::vector<std::string_view> SplitTrimmed(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    std::string_view part = text.substr(0, end);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    parts.push_back(part);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

// As Prometheus' library does (common/expfmt): the clauses of an Accept header in order of their weights, and each may
// bring a scheme, until one is this format's.
Escaping NegotiateEscaping(std::string_view accept) {
  struct Clause {
    double weight = 1;
    bool is_text = false;
    std::optional<Escaping> escaping{};
  };
  std::vector<Clause> clauses;
  for (const std::string_view item : SplitTrimmed(accept, ',')) {
    Clause clause;
    bool first = true;
    bool other_version = false;
    for (const std::string_view part : SplitTrimmed(item, ';')) {
      if (first) clause.is_text = part == "text/plain" || part == "text/*";
      if (part.starts_with("version=")) other_version = part != "version=0.0.4";
      if (part.starts_with("q=")) clause.weight = std::strtod(std::string(part.substr(2)).c_str(), nullptr);
      for (std::size_t i = 0; i < std::size(kEscapings); ++i)
        if (!first && part.starts_with("escaping=") && part.substr(9) == kEscapings[i])
          clause.escaping = static_cast<Escaping>(i);
      first = false;
    }
    clause.is_text = clause.is_text && !other_version;
    clauses.push_back(clause);
  }
  std::ranges::stable_sort(clauses, std::ranges::greater{}, &Clause::weight);
  Escaping escaping = Escaping::kUnderscores;
  for (const Clause& clause : clauses) {
    escaping = clause.escaping.value_or(escaping);
    if (clause.is_text) break;
  }
  return escaping;
}

std::string EscapedName(std::string_view name, Escaping escaping) {
  if (escaping == Escaping::kNone || core::IsValidMetricName(name)) return std::string(name);
  std::string out = escaping == Escaping::kValues ? "U__" : "";
  const std::size_t size = name.size();
  while (!name.empty()) {
    const bool first = name.size() == size;
    const char32_t rune = core::TakeUtf8(name);
    const bool plain = rune < 0x80 && (std::isalpha(static_cast<int>(rune)) != 0 || rune == '_' || rune == ':' ||
                                       (std::isdigit(static_cast<int>(rune)) != 0 && !first));
    if (rune == '_' && escaping != Escaping::kUnderscores)
      out += "__";
    else if (plain)
      out += static_cast<char>(rune);
    else if (escaping == Escaping::kUnderscores)
      out += '_';
    else if (escaping == Escaping::kDots)
      out += rune == '.' ? "_dot_" : "__";
    else
      out += fmt::format("_{:x}_", static_cast<std::uint32_t>(rune));
  }
  return out;
}

struct Newest {
  core::Labels labels;
  core::Sample sample;
  core::HistogramPtr histogram;  // one with custom buckets, shown as a classic one; null: a float
};

void AppendEscaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
}

void AppendLine(std::string& out, const Newest& one, Escaping escaping, std::string_view suffix, std::string_view le,
                double number) {
  const std::string name = EscapedName(one.labels.Get(core::kMetricName), escaping) + std::string(suffix);
  const bool plain = core::IsValidMetricName(name);
  bool first = true;
  if (plain) out += name;
  out += '{';
  if (!plain) {
    out += '"';
    AppendEscaped(out, name);
    out += '"';
    first = false;
  }
  bool has_instance = false;
  const auto append = [&](std::string_view unescaped, std::string_view value) {
    if (!first) out += ',';
    first = false;
    const std::string label = EscapedName(unescaped, escaping);
    if (core::IsValidMetricName(label)) {
      out += label;
    } else {
      out += '"';
      AppendEscaped(out, label);
      out += '"';
    }
    out += "=\"";
    AppendEscaped(out, value);
    out += '"';
  };
  for (const core::LabelView label : one.labels) {
    if (label.name == core::kMetricName) continue;
    if (!has_instance && label.name >= "instance") {
      if (label.name != "instance") append("instance", "");
      has_instance = true;
    }
    append(label.name, label.value);
  }
  if (!has_instance) append("instance", "");
  if (!le.empty()) append("le", le);
  out += "} ";
  out += core::FormatGoFloat(number, 'g', -1);
  out += ' ';
  out += std::to_string(one.sample.time);
  out += '\n';
}

void AppendLines(std::string& out, const Newest& one, Escaping escaping) {
  if (one.histogram == nullptr) return AppendLine(out, one, escaping, "", "", one.sample.value);
  const core::FloatHistogram& histogram = *one.histogram;
  const auto bounds = histogram.custom_bounds();
  double count = 0;
  auto bucket = histogram.positive.begin();
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    for (; bucket != histogram.positive.end() && static_cast<std::size_t>(bucket->index) <= i; ++bucket)
      count += bucket->count;
    AppendLine(out, one, escaping, "_bucket", core::FormatGoFloat(bounds[i], 'g', -1), count);
  }
  AppendLine(out, one, escaping, "_bucket", "+Inf", histogram.count);
  AppendLine(out, one, escaping, "_sum", "", histogram.sum);
  AppendLine(out, one, escaping, "_count", "", histogram.count);
}

core::Result<void> Collect(const ServerContext& context, const std::vector<std::vector<core::Matcher>>& wanted,
                           const core::Labels& external, std::vector<Newest>& all) {
  const core::TimestampMs to = core::ToMs(context.clock->Now());
  const core::TimestampMs from = to - context.engine->options().lookback_ms + 1;
  auto querier = context.storage->Open(from, to);
  if (!querier) return core::Fail(querier.error());
  std::set<core::Labels> seen;
  for (const auto& matchers : wanted) {
    auto set = (*querier)->Select({.from = from, .to = to}, matchers);
    if (!set) return core::Fail(set.error());
    for (std::size_t i = 0; i < (*set)->size(); ++i) {
      rules::promql::SampleColumns last;
      if (auto read = (*set)->ReadLast(i, from, to, last); !read) return read;
      if (last.empty() || core::IsStaleNaN(last.values[0])) continue;
      core::HistogramPtr histogram;
      if (rules::promql::IsHistogramMark(last.values[0])) {
        histogram = last.histograms.at(0);
        if (!histogram->is_custom()) continue;  // text has no words for it
      }
      if (wanted.size() > 1 && !seen.insert(*(*set)->labels(i)).second) continue;
      Newest one{*(*set)->labels(i), {last.times[0], last.values[0]}, std::move(histogram)};
      if (!one.labels.Has(core::kMetricName)) continue;
      for (const core::LabelView label : external)
        if (!one.labels.Has(label.name)) one.labels.Set(label.name, label.value);
      all.push_back(std::move(one));
    }
  }
  return {};
}

HttpResponse Federate(const ServerContext& context, const HttpRequest& request) {
  auto wanted = MatchParams(request, true);
  if (!wanted) return TextResponse(wanted.error().message + "\n", 400);
  core::Labels external;
  if (context.settings) {
    auto settings = context.settings(request.deadline);
    if (!settings) return ErrorResponse(Envelope::kPlain, settings.error());
    external = std::move(settings->external_labels);
  }
  std::vector<Newest> all;
  if (auto collected = Collect(context, *wanted, external, all); !collected)
    return ErrorResponse(Envelope::kPlain, collected.error());
  std::ranges::sort(all, [](const Newest& a, const Newest& b) {
    const auto order = a.labels.Get(core::kMetricName) <=> b.labels.Get(core::kMetricName);
    return order != 0 ? order < 0 : a.labels < b.labels;
  });
  HttpResponse response = TextResponse({});
  const Escaping escaping = NegotiateEscaping(request.Header("Accept"));
  response.content_type = std::string(kContentType) + std::string(kEscapings[static_cast<std::size_t>(escaping)]);
  response.headers.emplace_back("Vary", "Accept");
  std::string_view family;
  bool of_histograms = false;
  for (const Newest& one : all) {
    const std::string_view name = one.labels.Get(core::kMetricName);
    if (name != family || of_histograms != (one.histogram != nullptr)) {
      family = name;
      of_histograms = one.histogram != nullptr;
      response.body += "# TYPE ";
      const std::string escaped = EscapedName(name, escaping);
      if (core::IsValidMetricName(escaped)) {
        response.body += escaped;
      } else {
        response.body += '"';
        AppendEscaped(response.body, escaped);
        response.body += '"';
      }
      response.body += of_histograms ? " histogram\n" : " untyped\n";
    }
    AppendLines(response.body, one, escaping);
  }
  return response;
}

}  // namespace

Routes FederateRoutes(std::shared_ptr<const ServerContext> context) {
  if (context->engine == nullptr || context->storage == nullptr) return {};
  return {{.methods = "GET",
           .path = "/federate",
           .role = Role::kRead,
           .open = true,
           .handle = [context](const HttpRequest& request) { return Federate(*context, request); }}};
}

}  // namespace pipewarden::agent
