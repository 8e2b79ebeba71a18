// /federate: the newest samples of the series that match, in the text format, as Prometheus gives them to another one
// that scrapes it (web/federate.go): with the external labels, an `instance` label even if empty, sorted by name and
// labels, nothing stale, nothing older than the lookback.
#include <algorithm>
#include <set>

#include "agent/server/faces.h"
#include "agent/server/json_text.h"
#include "agent/server/query.h"
#include "core/model/float_histogram.h"
#include "core/text/go_float.h"
#include "rules/promql/engine.h"

namespace pipewarden::agent {
namespace {

constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

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

void AppendLine(std::string& out, const Newest& one, std::string_view suffix, std::string_view le, double number) {
  const std::string name = std::string(one.labels.Get(core::kMetricName)) + std::string(suffix);
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
  const auto append = [&](std::string_view label, std::string_view value) {
    if (!first) out += ',';
    first = false;
    if (core::IsValidLabelName(label)) {
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
  std::string value;
  AppendJsonValue(value, number);
  out.append(value, 1, value.size() - 2);
  out += ' ';
  out += std::to_string(one.sample.time);
  out += '\n';
}

void AppendLines(std::string& out, const Newest& one) {
  if (one.histogram == nullptr) return AppendLine(out, one, "", "", one.sample.value);
  const core::FloatHistogram& histogram = *one.histogram;
  const auto bounds = histogram.custom_bounds();
  double count = 0;
  auto bucket = histogram.positive.begin();
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    for (; bucket != histogram.positive.end() && static_cast<std::size_t>(bucket->index) <= i; ++bucket)
      count += bucket->count;
    AppendLine(out, one, "_bucket", core::FormatGoFloat(bounds[i], 'g', -1), count);
  }
  AppendLine(out, one, "_bucket", "+Inf", histogram.count);
  AppendLine(out, one, "_sum", "", histogram.sum);
  AppendLine(out, one, "_count", "", histogram.count);
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
  auto wanted = MatchParams(request);
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
  response.content_type = kContentType;
  std::string_view family;
  bool of_histograms = false;
  for (const Newest& one : all) {
    const std::string_view name = one.labels.Get(core::kMetricName);
    if (name != family || of_histograms != (one.histogram != nullptr)) {
      family = name;
      of_histograms = one.histogram != nullptr;
      response.body += "# TYPE ";
      if (core::IsValidMetricName(name)) {
        response.body += name;
      } else {
        response.body += '"';
        AppendEscaped(response.body, name);
        response.body += '"';
      }
      response.body += of_histograms ? " histogram\n" : " untyped\n";
    }
    AppendLines(response.body, one);
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
