#include "agent/reference.h"

#include <string_view>

#include "agent/alert_options.h"
#include "agent/config.h"
#include "agent/pipelines/pipeline.h"
#include "alertmanager/receiver.h"
#include "core/config/option_table.h"
#include "exporters/logs/log_config.h"
#include "exporters/reference.h"
#include "rules/rule_pack.h"

namespace pipewarden::agent {
namespace {

using core::OptionReference;

constexpr std::string_view kHead = R"(# Configuration

This page is written by `./dev docs` from the tables that read the configuration; change those.

One file, `pipewarden.yml`, says everything. `pipewarden check FILE` reads it as a start would and tells every mistake with
file, line, column and remedy, all in one go. All sections are optional. A whole file:

```yaml
global: {timezone: Europe/Berlin, external_labels: {cluster: "${CLUSTER}"}}
components:
  postgres: {layer: serving}
probes:
  - {name: postgres, kind: postgres, component: postgres, host: postgres, user: monitor, password_file: secrets/postgres}
pipelines:
  daily: {schedule: "0 2 * * *", steps: {load: {run: [python3, load.py], requires: [postgres]}}}
rule_packs: [component, pipeline]
alerting: {config_file: alertmanager.yml}
```

How values are written:

- **Durations** as in Prometheus: `15s`, `1h30m`, `7d`. **Sizes** `1024`, `64KB`, `1.5GB`; KB and KiB are both 1024 bytes.
- **Regular expressions** are RE2's, and are searched anywhere in the text unless `^` and `$` stand there.
- **Paths** that are relative start at the folder of the file in which they stand (`storage: path` at the working directory).
- **Environment**: `${NAME}` in a value is the agent's environment variable; one that is not set is an error. `$$` is a
  `$`, so a shell's `${X}` is written `$${X}`; a `$` before anything else stays. This holds for pipewarden.yml and what it
  includes, not for rule files and alertmanager.yml, where `$` belongs to templates.
- **Secrets**: an option of type secret can be given as `NAME_file` instead, a file that holds it. Files of secrets are read
  again at every reload. Secrets are never shown, in messages, pages or logs.

A reload (SIGHUP, see [operations.md](operations.md)) reads everything anew. Where
anything is wrong, nothing changes. Otherwise each probe, log, freshness check, pipeline and rule group is compared with what
runs: what is the same goes on untouched and keeps its state, what is new or different is made, what is gone is ended. An
entry is the same when its name, its values and the contents of its secret files are.

)";

constexpr std::string_view kIncludeText = R"(
`include` brings in more files, as a package or a team leaves them in a folder:

```yaml
include: [conf.d/*.yml]
```

Lists and maps of names (`probes`, `logs`, `freshness`, `components`, `pipelines`, `rule_files`, `alert_options`,
`rule_packs`) add up over all
files, and a name stands once among them. `global`, `storage`, `host` and `alerting` stand in one file. Files may include each
other, ten deep; each is read once.
)";

constexpr std::string_view kGlobal = R"(What holds for everything.

```yaml
global: {evaluation_interval: 30s, timezone: UTC, external_labels: {cluster: uni}}
```
)";

constexpr std::string_view kStorage = R"(Where the agent keeps what it knows, and how much of it.

```yaml
storage: {path: /var/lib/pipewarden, retention_time: 30d, retention_bytes: 1GB}
```
)";

constexpr std::string_view kComponents =
    R"(The parts of the pipeline and what stands on what: a map of names. Probes speak for
components, steps of pipelines wait for them (`requires`), and pages draw them. A circle of dependencies is an error.

```yaml
components:
  namenode:  {layer: storage}
  datanodes: {layer: storage, depends_on: [namenode]}
```

Each takes:

)";

constexpr std::string_view kProbes =
    R"(What is watched, and when it counts as well. Each probe runs on its own timer and shows
in metrics, on the pages and in `pipewarden probe`.

```yaml
probes:
  - {name: namenode, kind: hdfs, url: "http://namenode:9870", min_live: 2}
  - {name: api, kind: http, url: "https://api.example.org/health", body_matches: ['"ok"'], failures: 3, labels: {team: data}}
  - {name: ingest, kind: process, match: 'SparkSubmit.*ingest', when_absent: healthy}
```

)";

constexpr std::string_view kLogs = R"(Log files whose lines become metrics. Files are followed through rotation and over
restarts: a line counts once. A pattern makes one metric with the keys below, or several under `metrics`.

```yaml
logs:
  - path: /var/log/pipeline/*.log
    patterns:
      - {match: 'rows=(?P<rows>\d+) stage=(?P<stage>\w+)', counter: pipeline_rows_total, value: rows, labels: [stage]}
      - {match: 'took (?P<ms>\d+) ms', histogram: pipeline_duration_seconds, value: ms, scale: 0.001}
```

A list of maps. Every entry takes:

)";

constexpr std::string_view kFreshness =
    R"(Data that must not grow old: how old its newest is, and whether it is due. With
`depends_on`, stale data is laid to the pipeline or component that failed.

```yaml
freshness:
  - {name: orders, source: file, glob: "/data/gold/orders/dt=*", max_age: 26h, depends_on: [daily]}
  - {name: prices, source: file, glob: "/data/in/prices-*.csv", expected: {by: "06:00", days: weekdays}}
pipelines:
  daily: {schedule: "0 2 * * *", steps: {load: {run: ./load.sh}}}
```

)";

constexpr std::string_view kHost =
    R"(Metrics of the machine itself, under node_exporter's names. They are there unless switched
off. In a container, say where the host's filesystems are mounted:

```yaml
host: {proc_path: /host/proc, root_path: /host/root}
```

)";

constexpr std::string_view kPipelines =
    R"(What is run, when, and what becomes of failures: a map of names. A run is made for a
slot of the schedule (or by hand), each step once those it comes `after` have succeeded. Runs outlive the agent: the next
start adopts them.

```yaml
components: {namenode: {}, postgres: {}}
pipelines:
  daily:
    schedule: "0 2 * * *"
    timezone: Europe/Berlin
    retries: {count: 3, delay: 60s, backoff: 2, max_delay: 15m}
    timeout: 2h
    catch_up: latest
    sla: {finish_by: "06:00"}
    env: {DAY: '{{ .Slot | addDays -1 | date "2006-01-02" }}'}
    steps:
      ingest: {run: [spark-submit, ingest.py], requires: [namenode]}
      load:   {run: 'python3 load.py --day "$DAY"', after: [ingest], requires: [postgres], retries: 1}
```

Values of `env` are templates (Go's text/template) over `.Pipeline`, `.Step`, `.RunID`, `.Attempt`, `.Slot`,
`.IntervalStart`, `.IntervalEnd` and `.Params.NAME`; times are in the pipeline's zone, and `date LAYOUT`, `tz ZONE` and
`addDays N` work on them. Every step also gets `EVENT_DATE` (the day before the slot, in UTC) and `PIPEWARDEN_PIPELINE`,
`PIPEWARDEN_STEP`, `PIPEWARDEN_RUN_ID`, `PIPEWARDEN_ATTEMPT`, `PIPEWARDEN_SLOT`, `PIPEWARDEN_INTERVAL_START` and
`PIPEWARDEN_INTERVAL_END`. `pipewarden cron next '0 2 * * *' --tz Europe/Berlin --count 5` tells when a schedule fires.

A pipeline takes:

)";

constexpr std::string_view kRuleFiles =
    R"(Prometheus rule files, as they are: alerting and recording rules over what the agent
has sampled. A list of globs.

```yaml
rule_files: [rules/*.yml]
```

`pipewarden check` checks a rule file too. It warns where a selector matches no series that this configuration could ever
have (a metric that nothing makes, a value that a label never takes), with the nearest name there is; a start and a reload
write the same to the log. With `--web.enable-remote-write-receiver` any series may come, and nothing is said.
)";

constexpr std::string_view kAlertOptions =
    R"(What alerting rules may have beyond what Prometheus' rule files can say: an end of their own
(hysteresis), what missing data means, and when they are judged at all. promtool refuses unknown keys in a rule file, so this
is a file of its own, keyed by rule file (as `rule_files` finds it, or `pack:NAME`), group and alert. An alert that is not
named there is exactly Prometheus'.

```yaml
rule_files: [rules/load.yml]
alert_options: [alert-options.yml]
```

```yaml
# alert-options.yml
time_intervals:                       # as in alertmanager.yml, whose own are known here too
  - name: working-hours
    time_intervals: [{weekdays: ["monday:friday"], times: [{start_time: "08:00", end_time: "18:00"}], location: Europe/Berlin}]
rules:
  rules/load.yml:
    load:
      LoadHigh: {resolve_expr: "node_load1 < 2", no_data: keep}
      DiskLow:                        # two rules of that name
        - {labels: {severity: warning}, active: working-hours}
        - {labels: {severity: critical}, no_data: alert}
```

`pipewarden rules backtest` goes by them too. An alert takes:

)";

constexpr std::string_view kRulePacks =
    R"(Rules that come with the agent: a list of names, or a map where thresholds are to
differ. They are ordinary Prometheus rule files (rules/packs in the sources); a threshold is a recording rule of the pack,
`host:disk_free:threshold`, and can be looked at as such.

```yaml
rule_packs: [component, pipeline, host, agent]
```

```yaml
rule_packs:
  agent:
  component: {certificate_validity: 30d}
  host: {memory_used: 0.9, disk_free: 0.1}
```

)";

constexpr std::string_view kRulePackMetrics = R"(
Ratios are 0 to 1, times seconds or durations. The packs `quality` and `logs` read metrics that patterns of `logs` make under
these names, with whatever labels they have:

| metric | what it is |
|---|---|
| `pipeline_quality_score_ratio` | gauge: 0 to 1, what a validation found well |
| `pipeline_records_total` | counter: records that were handled |
| `pipeline_record_errors_total` | counter: records that were refused or failed |
| `pipeline_source_records`, `pipeline_target_records` | gauges: records that the source gave, and that arrived, with the same labels |
| `pipeline_processing_lag_seconds` | gauge: how far processing is behind |
| `pipeline_log_errors_total` | counter: lines that tell of an error |

```yaml
logs:
  - path: /var/log/pipeline/*.log
    patterns:
      - {match: ' (ERROR|FATAL) ', counter: pipeline_log_errors_total}
      - {match: 'quality_score=(?P<percent>[0-9.]+)', gauge: pipeline_quality_score_ratio, value: percent, scale: 0.01}
rule_packs: [quality, logs]
```
)";

constexpr std::string_view kAlerting =
    R"(Who is told. Routing, grouping, inhibition, silences, time intervals, templates and receivers
come from an alertmanager.yml as Alertmanager takes it:

```yaml
alerting: {config_file: alertmanager.yml}
```

)";

std::string Section(std::string_view name, std::string_view introduction) {
  return "\n## " + std::string(name) + "\n\n" + std::string(introduction);
}

// A table that stands in config.cpp, by the section's name.
std::string Table(std::string_view name) {
  for (const SectionReference& section : ConfigSections())
    if (section.name == name) return OptionReference(section.options);
  return "";
}

std::string Logs() {
  return Section("logs", kLogs) + OptionReference(exporters::LogOptions()) + "\nA pattern takes:\n\n" +
         OptionReference(exporters::LogPatternOptions());
}

std::string Pipelines() {
  return Section("pipelines", kPipelines) + OptionReference(PipelineOptionTable()) +
         "\nand, as the default of its steps, what a step takes too:\n\n" + OptionReference(SharedStepOptionTable()) +
         "\n### steps\n\nA map of names. A step takes, beside the table above:\n\n" +
         OptionReference(StepOptionTable()) + "\n### retries\n\n" + OptionReference(RetryOptionTable()) +
         "\n### sla\n\n" + OptionReference(SlaOptionTable());
}

std::string RulePacks() {
  std::string text = Section("rule_packs", kRulePacks) + "| pack | alerts |\n|---|---|\n";
  std::string parameters = "\n| pack | threshold | default | of |\n|---|---|---|---|\n";
  for (const std::string& name : rules::RulePackNames()) {
    const auto pack = rules::ReadRulePack(name);
    if (!pack) continue;
    std::string alerts;
    for (const auto& group : pack->groups)
      for (const auto& rule : group.rules)
        if (rule.alerting) alerts += (alerts.empty() ? "`" : ", `") + rule.name + "`";
    text += "| `" + name + "` | " + alerts + " |\n";
    for (const rules::RulePackParameter& parameter : rules::RulePackParameters(*pack)) {
      std::string readers;
      for (const std::string& alert : parameter.alerts) readers += (readers.empty() ? "`" : ", `") + alert + "`";
      parameters += "| `" + name + "` | `" + parameter.name + "` | " + parameter.text + " | " + readers + " |\n";
    }
  }
  return text + parameters + std::string(kRulePackMetrics);
}

std::string Alerting() {
  std::string text = Section("alerting", kAlerting) + Table("alerting") +
                     "\nA receiver in the alertmanager.yml may have these, with Alertmanager's keys:\n\n"
                     "| key | what it does |\n|---|---|\n";
  for (const alertmanager::ReceiverKind* kind : alertmanager::ReceiverKinds())
    text += "| `" + std::string(kind->key) + "` | " + core::TableCell(kind->help) + " |\n";
  text += "\n### dead_man\n\nA sign of life that stops when the agent could not warn anybody:\n\n" +
          Table("alerting.dead_man");
  return text + "\n### alertmanagers\n\nA list; an entry takes:\n\n" + Table("alerting.alertmanagers");
}

}  // namespace

std::string ConfigurationPage() {
  std::string page =
      std::string(kHead) + "## Sections\n\n" + Table("the top level") + std::string(kIncludeText) +
      Section("global", kGlobal) + "\n" + Table("global") + Section("storage", kStorage) + "\n" + Table("storage") +
      Section("components", kComponents) + Table("components") + Section("probes", kProbes) +
      exporters::ProbeReference() + Logs() + Section("freshness", kFreshness) + exporters::FreshnessReference() +
      Section("host", kHost) + exporters::HostReference() + Pipelines() + Section("rule_files", kRuleFiles) +
      Section("alert_options", kAlertOptions) + OptionReference(AlertOptionTable()) + RulePacks() + Alerting();
  // Parts end with empty lines of their own.
  for (std::size_t at = 0; (at = page.find("\n\n\n", at)) != std::string::npos;) page.erase(at, 1);
  return page;
}

}  // namespace pipewarden::agent
