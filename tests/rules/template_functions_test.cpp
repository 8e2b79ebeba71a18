#include "rules/template_functions.h"
#include "core/text/go_string.h"

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "core/template/parse.h"

namespace pipewarden::rules {
namespace {

using core::ErrorCode;
using core::Fail;
using core::Result;

Result<std::vector<TemplateSample>> Query(std::string_view expression) {
  if (expression == "bad") return Fail(ErrorCode::kInvalid, "query failed");
  if (expression == "none") return std::vector<TemplateSample>();
  return std::vector<TemplateSample>{{{{"__name__", "up"}, {"instance", "b:1"}, {"__value__", "v"}}, 11},
                                     {{{"__name__", "up"}, {"instance", "a:2"}}, 21.5}};
}

const TemplateContext kContext{.labels = {{"instance", "db1.example.org:9100"}, {"job", "node"}, {"severity", "page"}},
                               .value = 0.123456,
                               .external_labels = {{"cluster", "uni"}},
                               .external_url = "http://prom.example:9090/base",
                               .time = 1'435'065'584'128,
                               .query = &Query};

std::string Expand(std::string_view text) {
  const auto parsed = RuleTemplate::Parse("__alert_Test", text);
  if (!parsed) return "! error parsing template __alert_Test: " + parsed.error().message;
  const auto expanded = parsed->Expand(kContext);
  return expanded ? "= " + *expanded : "! " + expanded.error().message;
}

BOOST_AUTO_TEST_CASE(rule_templates_give_what_prometheus_gives) {
  std::ifstream file(PIPEWARDEN_SOURCE_DIR "/tests/rules/data/rule_templates_expected.txt");
  std::string line;
  std::string source;
  int cases = 0;
  while (std::getline(file, line)) {
    if (line.empty() || line[0] == '#') continue;
    const std::string content = core::GoUnquote(std::string_view(line).substr(2)).value();
    if (line[0] == 'T') {
      source = content;
      continue;
    }
    const std::string got = Expand(source);
    BOOST_TEST(got == line.substr(0, 2) + content, source << "\n  want " << content << "\n  got  " << got);
    ++cases;
  }
  BOOST_TEST(cases > 30);
}

BOOST_AUTO_TEST_CASE(a_histogram_is_printed_and_is_no_number) {
  core::FloatHistogram histogram;
  histogram.count = histogram.sum = 3;
  histogram.positive = {{1, 3}};
  TemplateContext context = kContext;
  context.histogram = std::make_shared<const core::FloatHistogram>(histogram);
  const auto expand = [&](std::string_view text) {
    return RuleTemplate::Parse("__alert_H", text)->ExpandOrError(context);
  };
  BOOST_TEST(expand("{{ $value }}") == "{count:3, sum:3, (1,2]:3}");
  const std::string failed = expand("{{ $value | humanize }}");
  BOOST_TEST(failed.find("can't convert *histogram.FloatHistogram to float") != std::string::npos, failed);
}

BOOST_AUTO_TEST_CASE(a_failure_takes_the_place_of_the_text) {
  const auto parsed = RuleTemplate::Parse("__alert_X", "{{ $value | toUpper }}");
  BOOST_REQUIRE(parsed.has_value());
  const std::string text = parsed->ExpandOrError(kContext);
  BOOST_TEST(text.starts_with("<error expanding template: error executing template __alert_X: template: __alert_X:1:"),
             text);
  BOOST_TEST(text.ends_with(">"));
}

}  // namespace
}  // namespace pipewarden::rules
