#include "exporters/host_source.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "exporters/host/list.h"

namespace pipewarden::exporters {
namespace {

using core::OptionType;

#define X(Kind) &k##Kind##Collector,
constexpr std::array kKinds = {PIPEWARDEN_HOST_COLLECTORS(X)};
#undef X

constexpr core::Option kOptions[] = {
    {.name = "enabled",
     .type = OptionType::kBool,
     .default_text = "true",
     .help = "Whether the machine is watched at all."},
    {.name = "collectors",
     .type = OptionType::kStringList,
     .help = "Which collectors run, of cpu, filesystem, load, memory; by default all."},
    {.name = "proc_path",
     .type = OptionType::kPath,
     .default_text = "/proc",
     .help = "Where the host's proc filesystem is mounted."},
    {.name = "root_path",
     .type = OptionType::kPath,
     .default_text = "/",
     .help = "Where the host's / is mounted (in a container, such as /host/root)."},
    {.name = "exclude_mounts",
     .type = OptionType::kRegex,
     .default_text = "^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)",
     .help = "Mount points that are left out (a regular expression)."},
    {.name = "exclude_types",
     .type = OptionType::kRegex,
     .default_text =
         "^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue"
         "|nsfs|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|erofs|sysfs|tracefs)$",
     .help = "File system types that are left out (a regular expression)."},
};

}  // namespace

std::span<const HostCollectorKind* const> HostCollectorKinds() { return kKinds; }
core::OptionTable HostOptions() { return kOptions; }

HostConfig ReadHost(const core::YamlNode& section, core::ConfigErrors& errors) {
  static const core::YamlNode kEmpty = *core::ParseYaml("{}", "");
  const core::Options options = core::ReadOptions(section.IsNull() ? kEmpty : section, kOptions, "`host`", errors);
  HostConfig config;
  config.enabled = options.Bool("enabled");
  config.collectors = options.List("collectors");
  std::vector<std::string_view> names;
  for (const HostCollectorKind* kind : kKinds) names.push_back(kind->name);
  for (const std::string& name : config.collectors)
    if (std::ranges::find(names, name) == names.end())
      errors.Add(options.Where("collectors"), "unknown collector '" + name + "'" + core::DidYouMean(name, names));
  if (!options.Given("collectors")) config.collectors.assign(names.begin(), names.end());
  config.proc_path = options.Text("proc_path");
  config.root_path = options.Text("root_path");
  config.exclude_mounts = options.Text("exclude_mounts");
  config.exclude_types = options.Text("exclude_types");
  config.identity = section.Canonical();
  return config;
}

std::string ReadProcFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "";
  std::string text;
  std::array<char, 16384> buffer{};
  for (ssize_t size = 0; (size = read(fd, buffer.data(), buffer.size())) > 0 && text.size() < (4U << 20U);)
    text.append(buffer.data(), static_cast<std::size_t>(size));
  close(fd);
  return text;
}

// Builds the list of values; families are remembered, series of the collection before are used again.
struct HostSource::Collection final : HostSamples {
  Collection(HostSource& source_) : source(source_) {}
  HostSource& source;
  std::vector<Value> values;
  decltype(source.series_) series;

  // The lock is held by Visit, which the analysis does not see through the virtual call.
  void Add(std::string_view metric, core::MetricType type, std::string_view unit, std::string_view help, double value,
           std::vector<core::Label> own) override PW_NO_ANALYSIS {
    auto family = source.family_index_.find(metric);
    if (family == source.family_index_.end()) {
      family = source.family_index_.emplace(metric, source.families_.size()).first;
      source.families_.push_back(std::make_shared<core::MetricFamily>(
          core::MetricFamily{std::string(metric), type, std::string(help), std::string(unit)}));
    }
    own.push_back({std::string(core::kMetricName), std::string(metric)});
    core::Labels labels(own);
    const auto known = source.series_.find(labels);
    auto pointer = known != source.series_.end() ? known->second
                                                 : std::make_shared<const core::Series>(core::Series{.labels = labels});
    if (series.emplace(std::move(labels), pointer).second)
      values.push_back({family->second, std::move(pointer), value});
  }
};

HostSource::HostSource(core::Clock& clock, HostConfig config) : clock_(clock), config_(std::move(config)) {
  const core::MutexLock lock(mutex_);
  MakeCollectors();
}

HostSource::~HostSource() = default;

void HostSource::MakeCollectors() {
  collectors_.clear();
  values_.reset();
  if (!config_.enabled) return;
  for (const HostCollectorKind* kind : kKinds)
    if (std::ranges::find(config_.collectors, kind->name) != config_.collectors.end())
      collectors_.push_back(kind->make(config_));
}

void HostSource::Apply(HostConfig config) {
  const core::MutexLock lock(wanted_mutex_);
  wanted_ = std::move(config);
}

void HostSource::TakeWanted() {
  std::optional<HostConfig> wanted;
  {
    const core::MutexLock lock(wanted_mutex_);
    wanted.swap(wanted_);
  }
  if (!wanted || *wanted == config_) return;
  config_ = std::move(*wanted);
  MakeCollectors();
}

void HostSource::Visit(core::SampleVisitor& visitor) {
  std::shared_ptr<const std::vector<Value>> values;
  std::vector<std::shared_ptr<const core::MetricFamily>> families;
  {
    const core::MutexLock lock(mutex_);
    TakeWanted();
    const core::MonoTime now = clock_.Monotonic();
    if (values_ == nullptr || now - collected_ >= std::chrono::seconds(1)) {
      Collection collection(*this);
      for (const auto& collector : collectors_) collector->Collect(collection);
      std::ranges::stable_sort(collection.values, {}, &Value::family);
      series_ = std::move(collection.series);
      values_ = std::make_shared<const std::vector<Value>>(std::move(collection.values));
      collected_ = now;
    }
    values = values_;
    families = families_;
  }
  const core::MetricFamily* open = nullptr;
  for (const Value& value : *values) {
    const core::MetricFamily* family = families[value.family].get();
    if (family != open) visitor.OnFamily(*family);
    open = family;
    visitor.OnSample(*value.series, value.value);
  }
}

}  // namespace pipewarden::exporters
