#include "exporters/reference.h"

#include "exporters/freshness.h"
#include "exporters/host_source.h"
#include "exporters/probe.h"

namespace pipewarden::exporters {
namespace {

std::string MetricsTable(std::span<const ProbeMetric> metrics) {
  if (metrics.empty()) return "";
  std::string text = "| metric | type | help |\n|---|---|---|\n";
  for (const ProbeMetric& metric : metrics)
    text += "| `" + std::string(metric.name) + "` | " + std::string(core::MetricTypeName(metric.type)) + " | " +
            core::TableCell(metric.help) + " |\n";
  return text;
}

std::string Options(std::span<const core::OptionTable> tables) {
  std::string text;
  for (const core::OptionTable table : tables) text += core::OptionReference(table) + "\n";
  return text;
}

}  // namespace

std::string ProbeReference() {
  std::string text = "A list of maps. Every probe takes:\n\n" + core::OptionReference(CommonProbeOptions()) +
                     "\nand exports, with the labels `probe`, `kind`, `component` and the configured ones:\n\n" +
                     MetricsTable(CommonProbeMetrics());
  for (const ProbeKind* kind : ProbeKinds())
    text += "\n### kind: " + std::string(kind->name) + "\n\n" + std::string(kind->summary) + "\n\n" +
            Options(kind->options) + MetricsTable(kind->metrics);
  return text;
}

std::string FreshnessReference() {
  std::string text = "A list of maps. Every entry takes:\n\n" + core::OptionReference(CommonFreshnessOptions()) +
                     "\n`expected` is a map of:\n\n" + core::OptionReference(FreshnessExpectedOptions());
  for (const FreshnessSourceKind* kind : FreshnessSourceKinds())
    text += "\n### source: " + std::string(kind->name) + "\n\n" + std::string(kind->summary) + "\n\n" +
            Options(kind->options);
  return text;
}

std::string HostReference() {
  std::string text =
      "A map:\n\n" + core::OptionReference(HostOptions()) + "\nThe collectors, under node_exporter's names:\n\n";
  for (const HostCollectorKind* kind : HostCollectorKinds())
    text += "- `" + std::string(kind->name) + "`: " + std::string(kind->summary) + "\n";
  return text;
}

}  // namespace pipewarden::exporters
