// The kind `hdfs`: one NameNode by its JMX beans FSNamesystemState, FSNamesystem and NameNodeStatus. Healthy with at
// least `min_live` live datanodes.
//
// FSNamesystem is a metrics2 bean that the NameNode caches for 10 s; FSNamesystemState and NameNodeStatus are live. So
// datanodes, safemode and HA state come from the live ones, and only what is nowhere else from the cached one. A
// standby or observer does not fill its replication queues: the health of blocks is exported and judged on the active
// alone. A bean that is not there is a failure, though the servlet answers 200. Two requests a run; a NameNode that
// hangs shows as a timeout that says so.
#include <fmt/format.h>

#include "exporters/http_options.h"
#include "exporters/jmx_client.h"
#include "exporters/probes/list.h"

namespace pipewarden::exporters {
namespace {

using core::MetricType;
using core::OptionType;

constexpr std::string_view kStateBean = "Hadoop:service=NameNode,name=FSNamesystemState";
constexpr std::string_view kSystemBean = "Hadoop:service=NameNode,name=FSNamesystem";
constexpr std::string_view kStatusBean = "Hadoop:service=NameNode,name=NameNodeStatus";

constexpr core::Option kOptions[] = {
    {.name = "url",
     .type = OptionType::kUrl,
     .required = true,
     .help =
         "The NameNode's web address, such as http://namenode:9870 (50070 in Hadoop 2). With HA, a probe for each."},
    {.name = "min_live",
     .type = OptionType::kInt,
     .default_text = "1",
     .min = 0,
     .help = "Fail with fewer live datanodes than this."},
    {.name = "max_dead", .type = OptionType::kInt, .min = 0, .help = "Fail with more dead datanodes than this."},
    {.name = "max_missing_blocks",
     .type = OptionType::kInt,
     .min = 0,
     .help = "Fail with more missing blocks than this; judged on the active NameNode only."},
    {.name = "max_under_replicated_blocks",
     .type = OptionType::kInt,
     .min = 0,
     .help = "Fail with more blocks below their replication than this; judged on the active NameNode only."},
    {.name = "fail_in_safemode",
     .type = OptionType::kBool,
     .default_text = "false",
     .help = "Fail while the NameNode is in safemode, when nothing can be written."},
};
const core::OptionTable kTables[] = {kOptions, HttpConnectionOptions()};

constexpr ProbeMetric kMetrics[] = {
    {"probe_hdfs_live_datanodes", MetricType::kGauge, "", "Live datanodes."},
    {"probe_hdfs_dead_datanodes", MetricType::kGauge, "", "Dead datanodes."},
    {"probe_hdfs_stale_datanodes", MetricType::kGauge, "",
     "Datanodes that have not been heard of for 30 s (by default)."},
    {"probe_hdfs_decommissioning_datanodes", MetricType::kGauge, "", "Datanodes being decommissioned."},
    {"probe_hdfs_decommissioned_live_datanodes", MetricType::kGauge, "", "Decommissioned datanodes that live."},
    {"probe_hdfs_decommissioned_dead_datanodes", MetricType::kGauge, "", "Decommissioned datanodes that are dead."},
    {"probe_hdfs_in_maintenance_datanodes", MetricType::kGauge, "", "Live datanodes in maintenance."},
    {"probe_hdfs_failed_volumes", MetricType::kGauge, "", "Volumes of datanodes that have failed."},
    {"probe_hdfs_safemode", MetricType::kGauge, "", "1 in safemode, else 0."},
    {"probe_hdfs_active", MetricType::kGauge, "", "1 where this NameNode is the active one, else 0."},
    {"probe_hdfs_ha_state", MetricType::kGauge, "", "1 for the NameNode's HA state (label state), 0 for the others."},
    {"probe_hdfs_capacity_bytes", MetricType::kGauge, "bytes", "Configured capacity of all datanodes."},
    {"probe_hdfs_used_bytes", MetricType::kGauge, "bytes", "Space used by HDFS."},
    {"probe_hdfs_remaining_bytes", MetricType::kGauge, "bytes", "Space left for HDFS."},
    {"probe_hdfs_files", MetricType::kGauge, "", "Files and folders."},
    {"probe_hdfs_blocks", MetricType::kGauge, "", "Blocks; on the active NameNode only."},
    {"probe_hdfs_missing_blocks", MetricType::kGauge, "", "Blocks without any replica; on the active NameNode only."},
    {"probe_hdfs_missing_replication_one_blocks", MetricType::kGauge, "",
     "Missing blocks of files with a replication of one; on the active NameNode only."},
    {"probe_hdfs_corrupt_blocks", MetricType::kGauge, "", "Blocks with corrupt replicas; on the active NameNode only."},
    {"probe_hdfs_under_replicated_blocks", MetricType::kGauge, "",
     "Blocks with fewer replicas than wanted; on the active NameNode only."},
    {"probe_hdfs_last_checkpoint_timestamp_seconds", MetricType::kGauge, "seconds",
     "When the last checkpoint was made."},
    {"probe_hdfs_transactions_since_last_checkpoint", MetricType::kGauge, "",
     "Transactions since the last checkpoint."},
};

struct Checks {
  std::int64_t min_live = 1;
  std::optional<std::int64_t> max_dead, max_missing, max_under_replicated;
  bool fail_in_safemode = false;
};

struct NameNode {
  const JmxBean* state = nullptr;
  const JmxBean* system = nullptr;
  const JmxBean* status = nullptr;
};

struct Attribute {
  std::string_view metric;
  std::string_view name;
  double scale = 1;
};
// Of FSNamesystemState, on any NameNode.
constexpr Attribute kStateAttributes[] = {
    {"probe_hdfs_dead_datanodes", "NumDeadDataNodes"},
    {"probe_hdfs_stale_datanodes", "NumStaleDataNodes"},
    {"probe_hdfs_decommissioning_datanodes", "NumDecommissioningDataNodes"},
    {"probe_hdfs_decommissioned_live_datanodes", "NumDecomLiveDataNodes"},
    {"probe_hdfs_decommissioned_dead_datanodes", "NumDecomDeadDataNodes"},
    {"probe_hdfs_in_maintenance_datanodes", "NumInMaintenanceLiveDataNodes"},
    {"probe_hdfs_failed_volumes", "VolumeFailuresTotal"},
    {"probe_hdfs_capacity_bytes", "CapacityTotal"},
    {"probe_hdfs_used_bytes", "CapacityUsed"},
    {"probe_hdfs_remaining_bytes", "CapacityRemaining"},
    {"probe_hdfs_files", "FilesTotal"},
};
// Of FSNamesystem: on any NameNode, and on the active one.
constexpr Attribute kSystemAttributes[] = {
    {"probe_hdfs_last_checkpoint_timestamp_seconds", "LastCheckpointTime", 1e-3},
    {"probe_hdfs_transactions_since_last_checkpoint", "TransactionsSinceLastCheckpoint"},
};
constexpr Attribute kBlockAttributes[] = {
    {"probe_hdfs_blocks", "BlocksTotal"},
    {"probe_hdfs_missing_blocks", "MissingBlocks"},
    {"probe_hdfs_missing_replication_one_blocks", "MissingReplOneBlocks"},
    {"probe_hdfs_corrupt_blocks", "CorruptBlocks"},
};

void Add(const JmxBean& bean, std::span<const Attribute> attributes, std::vector<ProbeValue>& values) {
  for (const Attribute& attribute : attributes)
    if (const auto number = JmxNumber(bean, attribute.name))
      values.push_back({attribute.metric, *number * attribute.scale});
}

// Exports all and gives the error, "" where all is well.
std::string Judge(const Checks& checks, const NameNode& node, std::vector<ProbeValue>& values) {
  const auto live = JmxNumber(*node.state, "NumLiveDataNodes");
  const auto ha_state = JmxText(*node.status, "State");
  if (!live) return "bean FSNamesystemState has no attribute NumLiveDataNodes";
  if (!ha_state) return "bean NameNodeStatus has no attribute State";
  values.push_back({"probe_hdfs_live_datanodes", *live});
  Add(*node.state, kStateAttributes, values);
  Add(*node.system, kSystemAttributes, values);
  const bool safemode = JmxText(*node.state, "FSState") == "safeMode";
  values.push_back({"probe_hdfs_safemode", safemode ? 1.0 : 0.0});
  const bool active = *ha_state == "active";
  values.push_back({"probe_hdfs_active", active ? 1.0 : 0.0});
  for (const char* state : {"active", "standby", "observer"})
    values.push_back({"probe_hdfs_ha_state", *ha_state == state ? 1.0 : 0.0, {{"state", state}}});

  std::optional<double> missing;
  std::optional<double> under_replicated;
  if (active) {
    Add(*node.system, kBlockAttributes, values);
    missing = JmxNumber(*node.system, "MissingBlocks");
    under_replicated = JmxNumber(*node.state, "LowRedundancyBlocks");  // Hadoop 2 knows the older name alone
    if (!under_replicated) under_replicated = JmxNumber(*node.state, "UnderReplicatedBlocks");
    if (under_replicated) values.push_back({"probe_hdfs_under_replicated_blocks", *under_replicated});
  }

  if (*live < static_cast<double>(checks.min_live))
    return fmt::format("{} live datanodes, at least {} wanted", *live, checks.min_live);
  const auto above = [](const std::optional<std::int64_t>& bound, std::optional<double> value) {
    return bound && value && *value > static_cast<double>(*bound);
  };
  const auto dead = JmxNumber(*node.state, "NumDeadDataNodes");
  if (above(checks.max_dead, dead))
    return fmt::format("{} dead datanodes, at most {} allowed", *dead, *checks.max_dead);
  if (checks.fail_in_safemode && safemode) return "the NameNode is in safemode";
  if (above(checks.max_missing, missing))
    return fmt::format("{} missing blocks, at most {} allowed", *missing, *checks.max_missing);
  if (above(checks.max_under_replicated, under_replicated))
    return fmt::format("{} under-replicated blocks, at most {} allowed", *under_replicated,
                       *checks.max_under_replicated);
  return "";
}

class HdfsProbe final : public Probe {
 public:
  HdfsProbe(core::HttpRequest request, Checks checks) : request_(std::move(request)), checks_(checks) {}

  core::Task<ProbeResult> Run(ProbeContext context) override {
    ProbeResult result;
    core::HttpRequest request = request_;
    request.timeout = context.timeout;
    const auto start = std::chrono::steady_clock::now();
    auto systems = co_await QueryJmx(context.http, request, std::string(kSystemBean) + "*");
    if (!systems) {
      result.error = systems.error().message;
      co_return result;
    }
    request.timeout = std::max<core::Duration>(context.timeout - (std::chrono::steady_clock::now() - start),
                                               std::chrono::milliseconds(1));
    auto statuses = co_await QueryJmx(context.http, request, std::string(kStatusBean));
    if (!statuses) {
      result.error = statuses.error().message;
      co_return result;
    }
    const NameNode node{FindBean(*systems, kStateBean), FindBean(*systems, kSystemBean),
                        FindBean(*statuses, kStatusBean)};
    for (const auto& [bean, name] :
         {std::pair{node.state, kStateBean}, {node.system, kSystemBean}, {node.status, kStatusBean}})
      if (bean == nullptr && result.error.empty())
        result.error = HttpFailure(request_, fmt::format("the server has no bean {}: is it a NameNode?", name));
    if (!result.error.empty()) co_return result;

    const std::string error = Judge(checks_, node, result.values);
    result.success = error.empty();
    if (!result.success) result.error = "NameNode " + core::UrlForDisplay(request_.url) + ": " + error;
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
  checks.min_live = options.Int("min_live");
  if (options.Has("max_dead")) checks.max_dead = options.Int("max_dead");
  if (options.Has("max_missing_blocks")) checks.max_missing = options.Int("max_missing_blocks");
  if (options.Has("max_under_replicated_blocks"))
    checks.max_under_replicated = options.Int("max_under_replicated_blocks");
  checks.fail_in_safemode = options.Bool("fail_in_safemode");
  return std::make_unique<HdfsProbe>(std::move(request), checks);
}

}  // namespace

const ProbeKind kHdfsProbe{.name = "hdfs",
                           .summary = "A NameNode: live, dead and stale datanodes, safemode, missing blocks, HA state.",
                           .options = kTables,
                           .metrics = kMetrics,
                           .make = &Make};

}  // namespace pipewarden::exporters
