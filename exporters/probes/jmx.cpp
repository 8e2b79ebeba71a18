// The kind `jmx`: attributes of any bean that Hadoop's JMX servlet shows (NameNode, DataNode, ResourceManager, HBase,
// ...), exported, and judged against bounds. A bean or attribute that is not there is a failure, though the servlet
// answers 200.
#include <fmt/format.h>

#include "exporters/http_options.h"
#include "exporters/jmx_client.h"
#include "exporters/probes/list.h"

namespace pipewarden::exporters {
namespace {

using core::MetricType;
using core::OptionType;

constexpr core::Option kOptions[] = {
    {.name = "url",
     .type = OptionType::kUrl,
     .required = true,
     .help = "The server's web address, such as http://namenode:9870; /jmx is added where it is not there."},
    {.name = "bean",
     .required = true,
     .help = "The bean's ObjectName, such as java.lang:type=Memory; * and ? match several beans."},
    {.name = "attributes",
     .type = OptionType::kStringList,
     .required = true,
     .help =
         "Attributes to export, all of which each bean must have; HeapMemoryUsage.used takes one out of a composite. "
         "Numbers and booleans become `probe_jmx_value`."},
    {.name = "min", .type = OptionType::kFloat, .help = "Fail when a value is below."},
    {.name = "max", .type = OptionType::kFloat, .help = "Fail when a value is above."},
    {.name = "equals", .help = "Fail when a value, as text, is not this: `equals: active`."},
};
const core::OptionTable kTables[] = {kOptions, HttpConnectionOptions()};

constexpr ProbeMetric kMetrics[] = {
    {"probe_jmx_value", MetricType::kGauge, "",
     "The attribute's value (labels bean, attribute); of a text 1 where it is what `equals` asks for, else 0."},
};

struct Checks {
  std::string bean;
  std::vector<std::string> attributes;
  std::optional<double> min, max;
  std::optional<std::string> equals;
};

// Exports one attribute and says what is wrong with it, or "".
std::string Judge(const Checks& checks, const JmxBean& bean, const std::string& attribute,
                  std::vector<ProbeValue>& values) {
  const auto text = JmxText(bean, attribute);
  if (!text) return fmt::format("bean {} has no attribute {}", bean.name, attribute);
  const auto number = JmxNumber(bean, attribute);
  if (number || checks.equals)
    values.push_back({"probe_jmx_value",
                      number.value_or(text == checks.equals ? 1 : 0),
                      {{"bean", bean.name}, {"attribute", attribute}}});
  if (checks.equals && text != checks.equals)
    return fmt::format("{} of {} is '{:.100}', expected '{}'", attribute, bean.name, *text, *checks.equals);
  if (!number && (checks.min || checks.max))
    return fmt::format("{} of {} is '{:.100}', which is no number", attribute, bean.name, *text);
  if (checks.min && *number < *checks.min)
    return fmt::format("{} of {} is {}, below {}", attribute, bean.name, *number, *checks.min);
  if (checks.max && *number > *checks.max)
    return fmt::format("{} of {} is {}, above {}", attribute, bean.name, *number, *checks.max);
  return "";
}

class JmxProbe final : public Probe {
 public:
  JmxProbe(core::HttpRequest request, Checks checks) : request_(std::move(request)), checks_(std::move(checks)) {}

  core::Task<ProbeResult> Run(ProbeContext context) override {
    core::HttpRequest request = request_;
    request.timeout = context.timeout;
    const auto beans = co_await QueryJmx(context.http, request, checks_.bean);
    ProbeResult result;
    if (!beans) {
      result.error = beans.error().message;
      co_return result;
    }
    for (const JmxBean& bean : *beans)
      for (const std::string& attribute : checks_.attributes) {
        std::string error = Judge(checks_, bean, attribute, result.values);
        if (result.error.empty()) result.error = std::move(error);
      }
    result.success = result.error.empty();
    co_return result;
  }

 private:
  core::HttpRequest request_;
  Checks checks_;
};

std::unique_ptr<Probe> Make(const core::Options& options, core::ConfigErrors& errors) {
  core::HttpRequest request = MakeHttpRequest(options, errors);
  request.url = options.Text("url");
  Checks checks;
  checks.bean = options.Text("bean");
  checks.attributes = options.List("attributes");
  if (options.Has("min")) checks.min = options.Float("min");
  if (options.Has("max")) checks.max = options.Float("max");
  if (options.Has("equals")) checks.equals = options.Text("equals");
  if (checks.bean.find(':') == std::string::npos && !checks.bean.empty())
    errors.Add(options.Where("bean"),
               "'" + checks.bean + "' is no ObjectName: write domain:key=value, such as java.lang:type=Memory");
  if (options.Given("attributes") && checks.attributes.empty())
    errors.Add(options.Where("attributes"), "`attributes` is empty: name at least one");
  return std::make_unique<JmxProbe>(std::move(request), std::move(checks));
}

}  // namespace

const ProbeKind kJmxProbe{.name = "jmx",
                          .summary = "Exports and judges attributes of a bean by Hadoop's JMX servlet.",
                          .options = kTables,
                          .metrics = kMetrics,
                          .make = &Make};

}  // namespace pipewarden::exporters
