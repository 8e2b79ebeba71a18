// The list of kinds agrees with its folder, and what the tables say is fit to be the reference.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <map>
#include <set>

#include "exporters/probe.h"
#include "exporters/reference.h"

namespace pipewarden::exporters {
namespace {

BOOST_AUTO_TEST_SUITE(probe_kinds)

BOOST_AUTO_TEST_CASE(each_kind_is_a_file_and_each_file_a_kind) {
  std::set<std::string> files;
  const std::filesystem::path folder = std::filesystem::path(PIPEWARDEN_SOURCE_DIR) / "exporters/probes";
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".cpp") files.insert(entry.path().stem().string());
  std::set<std::string> kinds;
  for (const ProbeKind* kind : ProbeKinds()) kinds.emplace(kind->name);
  BOOST_TEST(files == kinds, boost::test_tools::per_element());
  for (const std::string& kind : kinds) {
    const auto test = std::filesystem::path(PIPEWARDEN_SOURCE_DIR) / "tests/exporters/probes" / (kind + "_test.cpp");
    BOOST_TEST(std::filesystem::exists(test), test.string());
  }
  BOOST_TEST(FindProbeKind("http") != nullptr);
  BOOST_TEST(FindProbeKind("none") == nullptr);
}

BOOST_AUTO_TEST_CASE(options_have_help_and_no_name_twice) {
  for (const ProbeKind* kind : ProbeKinds()) {
    BOOST_TEST(!kind->summary.empty());
    std::set<std::string_view> names;
    std::vector<core::OptionTable> tables = {CommonProbeOptions()};
    tables.insert(tables.end(), kind->options.begin(), kind->options.end());
    for (const core::OptionTable table : tables)
      for (const core::Option& option : table) {
        BOOST_TEST(names.insert(option.name).second,
                   std::string(kind->name) + ": " + std::string(option.name) + " twice");
        BOOST_TEST(option.help.ends_with("."), std::string(kind->name) + ": help of " + std::string(option.name));
      }
  }
}

BOOST_AUTO_TEST_CASE(metrics_are_named_and_told_alike_everywhere) {
  std::map<std::string_view, ProbeMetric> known;
  const auto check = [&](std::span<const ProbeMetric> metrics) {
    for (const ProbeMetric& metric : metrics) {
      BOOST_TEST(metric.name.starts_with("probe_"), metric.name);
      BOOST_TEST(core::IsValidMetricName(metric.name), metric.name);
      BOOST_TEST(metric.help.ends_with("."), metric.name);
      const auto [first, inserted] = known.emplace(metric.name, metric);
      BOOST_TEST((inserted || (first->second.help == metric.help && first->second.type == metric.type &&
                               first->second.unit == metric.unit)),
                 metric.name);
    }
  };
  check(CommonProbeMetrics());
  for (const ProbeKind* kind : ProbeKinds()) check(kind->metrics);
}

BOOST_AUTO_TEST_CASE(the_reference_names_every_option_and_metric) {
  const std::string text = ProbeReference();
  for (const ProbeKind* kind : ProbeKinds()) {
    BOOST_TEST(text.find("### kind: " + std::string(kind->name) + "\n") != std::string::npos, kind->name);
    for (const core::OptionTable table : kind->options)
      for (const core::Option& option : table)
        BOOST_TEST(text.find("`" + std::string(option.name)) != std::string::npos, option.name);
    for (const ProbeMetric& metric : kind->metrics)
      BOOST_TEST(text.find("`" + std::string(metric.name) + "`") != std::string::npos, metric.name);
  }
  BOOST_TEST(FreshnessReference().find("max_age") != std::string::npos);
  BOOST_TEST(HostReference().find("filesystem") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace pipewarden::exporters
