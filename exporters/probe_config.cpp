// The section `probes`: ReadProbes of probe_runner.h.
#include <algorithm>
#include <array>
#include <set>

#include "core/time/duration.h"
#include "exporters/probe_runner.h"

namespace pipewarden::exporters {
namespace {

constexpr std::array<std::string_view, 4> kReservedLabels = {"probe", "kind", "component", "__name__"};

std::vector<std::string_view> KindNames() {
  std::vector<std::string_view> names;
  for (const ProbeKind* kind : ProbeKinds()) names.push_back(kind->name);
  return names;
}

// The kind that the map names; nullptr, and an error, where there is none of that name.
const ProbeKind* ReadKind(const core::YamlNode& node, const std::string& what, core::ConfigErrors& errors) {
  const std::vector<std::string_view> names = KindNames();
  const core::YamlNode* given = node.Find("kind");
  if (given == nullptr || !given->IsScalar()) {
    std::string all;
    for (const std::string_view name : names) all += (all.empty() ? "" : ", ") + std::string(name);
    errors.Add(given == nullptr ? node.where() : given->where(), what + " needs a `kind`: one of " + all);
    return nullptr;
  }
  const ProbeKind* kind = FindProbeKind(given->text());
  if (kind == nullptr)
    errors.Add(given->where(),
               "unknown kind '" + given->text() + "' of " + what + core::DidYouMean(given->text(), names));
  return kind;
}

core::Labels ReadLabels(const core::Options& options, const std::string& what, core::ConfigErrors& errors) {
  core::Labels labels;
  for (const auto& [name, value] : options.Map("labels")) {
    if (!core::IsValidLabelName(name)) {
      errors.Add(options.Where("labels"),
                 "'" + name + "' in `labels` of " + what + " is no label name: use [a-zA-Z_][a-zA-Z0-9_]*");
    } else if (std::ranges::find(kReservedLabels, name) != kReservedLabels.end() || name.starts_with("__")) {
      errors.Add(options.Where("labels"), "label '" + name + "' of " + what + " is set already: take another name");
    } else {
      labels.Set(name, value);
    }
  }
  return labels;
}

std::optional<ProbeConfig> ReadProbe(const core::YamlNode& node, core::ConfigErrors& errors) {
  const core::YamlNode* name = node.Find("name");
  const std::string what = name != nullptr && name->IsScalar() ? "probe '" + name->text() + "'" : "probe";
  const ProbeKind* kind = ReadKind(node, what, errors);
  if (kind == nullptr) return std::nullopt;
  std::vector<core::OptionTable> tables = {CommonProbeOptions()};
  tables.insert(tables.end(), kind->options.begin(), kind->options.end());
  const core::Options options = core::ReadOptions(node, tables, what, errors);

  ProbeConfig config;
  config.name = options.Text("name");
  config.where = node.where();
  config.kind = kind;
  config.component = options.Text("component");
  config.labels = ReadLabels(options, what, errors);
  config.interval = options.Duration("interval");
  config.timeout = options.Given("timeout") ? options.Duration("timeout")
                                            : std::min<core::Duration>(config.interval, std::chrono::seconds(5));
  if (config.timeout > config.interval)
    errors.Add(options.Where("timeout"), "the timeout of " + what + " (" + core::FormatDuration(config.timeout) +
                                             ") is longer than its interval (" + core::FormatDuration(config.interval) +
                                             "): runs would pile up");
  config.failures = static_cast<int>(options.Int("failures"));
  config.successes = static_cast<int>(options.Int("successes"));
  config.max_series = static_cast<std::size_t>(options.Int("max_series"));
  config.identity = options.Identity();
  config.probe = kind->make(options, errors);
  return config;
}

}  // namespace

std::vector<ProbeConfig> ReadProbes(const core::YamlNode& section, core::ConfigErrors& errors) {
  std::vector<ProbeConfig> configs;
  if (section.IsNull()) return configs;
  if (!section.IsSequence()) {
    errors.Add(section.where(), "`probes` is " + std::string(section.KindName()) +
                                    ": write a list, each entry a map with `name` and `kind`");
    return configs;
  }
  std::map<std::string, core::Location> places;
  for (const core::YamlNode& node : section.items()) {
    if (!node.IsMap()) {
      errors.Add(node.where(), "a probe is a map with `name` and `kind`, not " + std::string(node.KindName()));
      continue;
    }
    auto config = ReadProbe(node, errors);
    if (!config || config->name.empty()) continue;
    const auto [first, inserted] = places.emplace(config->name, config->where);
    if (!inserted) {
      errors.Add(config->where, "probe '" + config->name + "' is there twice, first at " + first->second.ToString() +
                                    ": give one of them another name");
      continue;
    }
    configs.push_back(std::move(*config));
  }
  return configs;
}

}  // namespace pipewarden::exporters
