#include "rules/template_functions.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "core/template/template.h"
#include "core/template/text_functions.h"
#include "core/text/go_float.h"
#include "core/text/go_string.h"
#include "core/text/url.h"
#include "core/time/duration.h"
#include "rules/promql/histogram_estimates.h"

namespace pipewarden::rules {
namespace {

using core::ErrorCode;
using core::Fail;
using core::Function;
using core::FunctionTable;
using core::Param;
using core::Result;
using core::Value;
using Args = std::span<const Value>;

constexpr std::string_view kPreamble =
    "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}";

const core::ValueType kSampleType{.name = "*template.sample"};
const core::ValueType kResultType{.name = "template.queryResult"};
const core::ValueType kDataType{.name = "template.alertData"};

std::unexpected<core::Error> Bad(std::string message) { return Fail(ErrorCode::kInvalid, std::move(message)); }

Result<Value> Text(std::string text) { return Value::String(std::move(text)); }

// A histogram prints as its text, and is no number for functions that take one.
const core::ValueType kHistogramType{.name = "*histogram.FloatHistogram", .to_string = [](const Value& value) {
                                       return value.fields().fields[0].second.string();
                                     }};

Value NumberOf(double value, const core::HistogramPtr& histogram) {
  if (histogram == nullptr) return Value::Float(value);
  return Value::Struct({{{"", Value::String(promql::HistogramText(*histogram))}}}).As(kHistogramType);
}

Value SampleValue(const TemplateSample& sample) {
  return Value::Struct(
             {{{"Labels", Value::StringMap(sample.labels)}, {"Value", NumberOf(sample.value, sample.histogram)}}})
      .As(kSampleType);
}

// A label of a sample; "" where it has none.
Result<std::string> LabelOf(const Value& sample, std::string_view name) {
  if (!sample.IsType(kSampleType))
    return Bad("wrong type for value; expected *template.sample; got " + sample.TypeName());
  const core::ValueMap& labels = sample.fields().fields[0].second.map();
  const auto found = labels.entries.find(name);
  return found == labels.entries.end() ? std::string() : found->second.string();
}

Result<Value> First(Args args) {
  if (args[0].is_nil() || args[0].list().empty()) return Bad("first() called on vector with no elements");
  return args[0].list().front();
}

Result<Value> SampleNumber(Args args) {
  const auto label = LabelOf(args[0], "");
  if (!label) return std::unexpected(label.error());
  return args[0].fields().fields[1].second;
}

Result<Value> SortByLabel(Args args) {
  if (args[1].is_nil()) return args[1];
  core::ValueList sorted = args[1].list();
  for (const Value& sample : sorted) {
    if (const auto label = LabelOf(sample, ""); !label) return std::unexpected(label.error());
  }
  std::ranges::stable_sort(sorted, {}, [&](const Value& sample) { return *LabelOf(sample, args[0].string()); });
  return Value::List(std::move(sorted)).As(kResultType);
}

Result<Value> MakeArgs(Args args) {
  core::ValueMap map;
  map.of_strings = false;
  for (std::size_t i = 0; i < args.size(); ++i) map.entries.emplace("arg" + std::to_string(i), args[i]);
  return Value::Map(std::move(map));
}

struct HostPort {
  std::string host;
  std::string port;
};

// Go's net.SplitHostPort: "host:port", "[v6]:port".
std::optional<HostPort> SplitHostPort(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) return std::nullopt;
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;
  }
  if (host.find_first_of("[]") != std::string_view::npos || port.find_first_of("[]") != std::string_view::npos)
    return std::nullopt;
  return HostPort{std::string(host), std::string(port)};
}

std::string StripDomain(const std::string& text) {
  const auto split = SplitHostPort(text);
  std::string host = split ? split->host : text;
  std::array<unsigned char, 16> address{};
  if (inet_pton(AF_INET, host.c_str(), address.data()) == 1 || inet_pton(AF_INET6, host.c_str(), address.data()) == 1) {
    return text;
  }
  host = host.substr(0, host.find('.'));
  if (!split || split->port.empty()) return host;
  return (host.find(':') != std::string::npos ? "[" + host + "]" : host) + ":" + split->port;
}

std::string Prefixed(double value, double step, std::span<const char* const> prefixes, bool up) {
  std::string prefix;
  for (const char* next : prefixes) {
    if (up ? std::abs(value) < step : std::abs(value) >= 1) break;
    prefix = next;
    value = up ? value / step : value * step;
  }
  return core::FormatGoFloat(value, 'g', 4) + prefix;
}

std::string Humanize(double value) {
  static constexpr std::array<const char*, 8> kUp = {"k", "M", "G", "T", "P", "E", "Z", "Y"};
  static constexpr std::array<const char*, 8> kDown = {"m", "u", "n", "p", "f", "a", "z", "y"};
  if (value == 0 || std::isnan(value) || std::isinf(value)) return core::FormatGoFloat(value, 'g', 4);
  return std::abs(value) >= 1 ? Prefixed(value, 1000, kUp, true) : Prefixed(value, 1000, kDown, false);
}

std::string Humanize1024(double value) {
  static constexpr std::array<const char*, 8> kUp = {"ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"};
  if (std::abs(value) <= 1 || std::isnan(value) || std::isinf(value)) return core::FormatGoFloat(value, 'g', 4);
  return Prefixed(value, 1024, kUp, true);
}

Result<Value> ToTime(double seconds) {
  const double nanoseconds = seconds * 1e9;
  if (std::isnan(seconds) || std::isinf(seconds)) return Bad("value is NaN or Inf");
  if (std::abs(nanoseconds) > 9.2233720368547748e18) {
    return Bad(core::FormatGoFloat(seconds, 'g', -1) +
               " cannot be represented as a nanoseconds timestamp since it overflows int64");
  }
  const std::int64_t ms = static_cast<std::int64_t>(nanoseconds) / 1'000'000;
  return Value::Time(core::ZonedTime::From(core::FromMs(ms)));
}

// A function of one number, which may come as a number, a duration or a text.
Function OfNumber(Result<Value> (*call)(double)) {
  return {{Param::kAny}, false, [call](Args args) -> Result<Value> {
            const auto number = core::ToFloat(args[0]);
            if (!number) return std::unexpected(number.error());
            return call(*number);
          }};
}

Result<Value> ParseDurationSeconds(Args args) {
  std::string_view text = args[0].string();
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const auto duration = core::ParseDuration(text);
  if (!duration) {
    return Bad(text.empty() ? "empty duration string"
                            : "not a valid duration string: " + core::GoQuote(args[0].string()));
  }
  return Value::Float(core::ToSeconds(negative ? -*duration : *duration));
}

Function OfText(std::string (*call)(const std::string&)) {
  return {{Param::kString}, false, [call](Args args) { return Text(call(args[0].string())); }};
}

FunctionTable MakeTable() {
  FunctionTable table;
  core::AddTextFunctions(table);
  table["title"] = OfText([](const std::string& text) { return core::TitleCase(text, false); });
  table["first"] = {{Param::kList}, false, &First};
  table["label"] = {{Param::kString, Param::kAny}, false, [](Args args) -> Result<Value> {
                      auto label = LabelOf(args[1], args[0].string());
                      if (!label) return std::unexpected(label.error());
                      return Value::String(std::move(*label));
                    }};
  table["value"] = {{Param::kAny}, false, &SampleNumber};
  table["strvalue"] = {{Param::kAny}, false, [](Args args) -> Result<Value> {
                         auto label = LabelOf(args[0], "__value__");
                         if (!label) return std::unexpected(label.error());
                         return Value::String(std::move(*label));
                       }};
  table["sortByLabel"] = {{Param::kString, Param::kList}, false, &SortByLabel};
  table["args"] = {{Param::kAny}, true, &MakeArgs};
  table["stripPort"] = OfText([](const std::string& text) {
    const auto split = SplitHostPort(text);
    return split ? split->host : text;
  });
  table["stripDomain"] = OfText(&StripDomain);
  table["humanize"] = OfNumber([](double value) { return Text(Humanize(value)); });
  table["humanize1024"] = OfNumber([](double value) { return Text(Humanize1024(value)); });
  table["humanizePercentage"] =
      OfNumber([](double value) { return Text(core::FormatGoFloat(value * 100, 'g', 4) + "%"); });
  table["humanizeTimestamp"] = OfNumber([](double value) -> Result<Value> {
    if (std::isnan(value) || std::isinf(value)) return Text(core::FormatGoFloat(value, 'g', 4));
    const auto time = ToTime(value);
    return time ? Text(time->ToString()) : time;
  });
  table["toTime"] = OfNumber(&ToTime);
  table["toDuration"] = OfNumber([](double value) -> Result<Value> {
    const double nanoseconds = std::isnan(value) ? 0 : std::clamp(value * 1e9, -9.2e18, 9.2e18);
    return Value::Duration(core::Duration{static_cast<std::int64_t>(nanoseconds)});
  });
  table["parseDuration"] = {{Param::kString}, false, &ParseDurationSeconds};
  table["graphLink"] =
      OfText([](const std::string& text) { return "/graph?g0.expr=" + core::UrlQueryEscape(text) + "&g0.tab=0"; });
  table["tableLink"] =
      OfText([](const std::string& text) { return "/graph?g0.expr=" + core::UrlQueryEscape(text) + "&g0.tab=1"; });
  table["urlQueryEscape"] = OfText([](const std::string& text) { return core::UrlQueryEscape(text); });
  // These depend on the evaluation: Expand brings them (see PerEvaluation).
  table["query"] = {{Param::kString}, false, {}};
  for (const char* name : {"now", "externalURL", "pathPrefix"}) table[name] = {{}, false, {}};
  return table;
}

std::string PathOf(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme != std::string_view::npos) {
    const std::size_t path = url.find('/', scheme + 3);
    url = path == std::string_view::npos ? std::string_view() : url.substr(path);
  }
  return std::string(url.substr(0, url.find_first_of("?#")));
}

// `context` outlives the table.
FunctionTable PerEvaluation(const TemplateContext& context) {
  FunctionTable table;
  table["query"] = {{Param::kString}, false, [&context](Args args) -> Result<Value> {
                      if (!context.query) return Bad("queries are not possible here");
                      const auto samples = context.query(args[0].string());
                      if (!samples) return std::unexpected(samples.error());
                      core::ValueList list;
                      list.reserve(samples->size());
                      for (const TemplateSample& sample : *samples) list.push_back(SampleValue(sample));
                      return Value::List(std::move(list)).As(kResultType);
                    }};
  table["now"] = {{}, false, [&context](Args) -> Result<Value> {
                    return Value::Float(static_cast<double>(context.time) / 1000.0);
                  }};
  table["externalURL"] = {{}, false, [&context](Args) { return Text(context.external_url); }};
  table["pathPrefix"] = {{}, false, [&context](Args) { return Text(PathOf(context.external_url)); }};
  return table;
}

}  // namespace

struct RuleTemplate::Parsed {
  std::string name;
  core::Template tree;
};

Result<RuleTemplate> RuleTemplate::Parse(std::string_view name, std::string_view text) {
  static const auto functions = std::make_shared<const FunctionTable>(MakeTable());
  RuleTemplate made;
  if (text.find("{{") == std::string_view::npos) {
    made.plain_ = std::string(text);
    return made;
  }
  auto tree = core::Template::Parse(name, std::string(kPreamble) + std::string(text), functions);
  if (!tree) return std::unexpected(tree.error());
  made.parsed_ = std::make_shared<const Parsed>(std::string(name), std::move(*tree));
  return made;
}

Result<std::string> RuleTemplate::Expand(const TemplateContext& context) const {
  if (!parsed_) return plain_;
  const Value data = Value::Struct({{{"Labels", Value::StringMap(context.labels)},
                                     {"ExternalLabels", Value::StringMap(context.external_labels)},
                                     {"ExternalURL", Value::String(context.external_url)},
                                     {"Value", NumberOf(context.value, context.histogram)}}})
                         .As(kDataType);
  const FunctionTable own = PerEvaluation(context);
  auto text = parsed_->tree.Execute(data, {.functions = &own});
  if (!text) return Fail(text.error().code, "error executing template " + parsed_->name + ": " + text.error().message);
  return text;
}

std::string RuleTemplate::ExpandOrError(const TemplateContext& context) const {
  auto text = Expand(context);
  return text ? std::move(*text) : "<error expanding template: " + text.error().message + ">";
}

}  // namespace pipewarden::rules
