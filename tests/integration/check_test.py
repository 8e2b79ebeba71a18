"""Every kind of mistake in one configuration: each is one line with file, line, column and remedy, all in one go. And
selectors that match nothing: none of them is one that a running agent has series for."""
import json
import pathlib
import re
import subprocess
import sys
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402

CONFIG = """\
global:
  evaluation_intervall: 15s
storage: {retention_time: soon}
components:
  a: {depends_on: [b]}
  b: {depends_on: [a]}
probes:
  - {name: one, kind: http, url: "http://127.0.0.1/", interval: 15s}
  - {name: one, kind: tcp, address: "127.0.0.1:1"}
  - {name: three, kind: htpp, url: "http://127.0.0.1/"}
  - {name: four, kind: http, url: "http://127.0.0.1/", body_matches: "("}
  - {name: five, kind: postgres, host: localhost, password_file: /nonexistent/secret}
  - {name: six, kind: http}
logs:
  - path: /tmp/*.log
    patterns: [{match: '(', counter: x_total}]
pipelines:
  daily:
    schedule: "61 2 * * *"
    steps:
      first: {run: [/bin/true], after: [second]}
      second: {run: [/bin/true], after: [first]}
      third: {run: [/bin/true], after: [fourth]}
rule_files: [missing.yml, rules.yml]
alerting: {config_file: alertmanager.yml}
"""

RULES = """\
groups:
- name: g
  rules:
  - alert: Bad
    expr: sum by (x
  - alert: Worse
    expr: up == 0
    for: never
"""

ALERTMANAGER = """\
route: {receiver: nobody, groupby: [x]}
receivers: [{name: somebody}]
"""

# What is wrong, and where: file, line, words of the message.
EXPECTED = [
    ("pipewarden.yml", 2, "evaluation_interval"),
    ("pipewarden.yml", 3, "duration"),
    ("pipewarden.yml", None, "cycle"),
    ("pipewarden.yml", 9, "one"),
    ("pipewarden.yml", 10, "http"),
    ("pipewarden.yml", 11, "regular expression"),
    ("pipewarden.yml", 12, "/nonexistent/secret"),
    ("pipewarden.yml", 13, "url"),
    ("pipewarden.yml", 16, "regular expression"),
    ("pipewarden.yml", 19, "61"),
    ("pipewarden.yml", None, "first -> second -> first|second -> first -> second"),
    ("pipewarden.yml", 23, "fourth"),
    ("pipewarden.yml", 24, "missing.yml: No such file"),
    ("rules.yml", 5, "parse error|unclosed|unexpected"),
    ("rules.yml", 8, "duration"),
    ("alertmanager.yml", 1, "group_by"),
    ("alertmanager.yml", None, "nobody"),
]


def test(folder):
    (folder / "pipewarden.yml").write_text(CONFIG)
    (folder / "rules.yml").write_text(RULES)
    (folder / "alertmanager.yml").write_text(ALERTMANAGER)
    done = subprocess.run([lib.BUILD / "pipewarden", "check", "pipewarden.yml"], cwd=folder, capture_output=True, text=True)
    output = done.stdout + done.stderr
    assert done.returncode == 2, (done.returncode, output)
    lines = [line for line in output.splitlines() if re.match(r"\S+?:\d+:\d+: ", line)]
    missing = []
    for file, number, words in EXPECTED:
        place = rf"^\S*{re.escape(file)}:{number if number else chr(92) + 'd+'}:\d+: .*({words})"
        if not any(re.search(place, line) for line in lines):
            missing.append((file, number, words))
    assert not missing, f"not told: {missing}\n{output}"
    doubled = [line for line in lines if lines.count(line) > 1]
    assert not doubled, doubled

    (folder / "web.yml").write_text("basic_auth_users: {ann: plain}\nroles: {ann: king}\n")
    (folder / "never.yml").write_text('pipelines: {feb: {schedule: "0 0 30 2 *", steps: {x: {run: "true"}}}}\n')
    done = subprocess.run([lib.BUILD / "pipewarden", "check", "web.yml", "never.yml"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 2 and re.search(r"web\.yml:2:\d+: .*king", done.stderr), done
    assert re.search(r"never\.yml:1:\d+: the schedule '0 0 30 2 \*' of pipeline 'feb' never comes.*\(warning\)", done.stdout), done

    # The agent refuses the same file the same way, and a good one is accepted.
    refused = subprocess.run([lib.BUILD / "pipewarden", "run", "--config.file", "pipewarden.yml", "--storage.path", "data"],
                             cwd=folder, capture_output=True, text=True, timeout=20)
    assert refused.returncode == 2, refused
    for example in sorted((lib.ROOT / "packaging/examples").glob("*/pipewarden.yml")):
        good = subprocess.run([lib.BUILD / "pipewarden", "check", example], capture_output=True, text=True)
        assert good.returncode == 0, (example, good.stdout + good.stderr)
    selectors(folder)


BUSY = """\
global: {evaluation_interval: 1s}
components: {web: {}, shell: {}}
probes:
  - {name: dead, kind: tcp, component: web, address: "127.0.0.1:1", interval: 1s, labels: {team: data}}
  - {name: page, kind: http, component: web, url: "http://127.0.0.1:1/", interval: 1s}
  - {name: shell, kind: exec, component: shell, command: ["true"], interval: 1s}
logs:
  - path: app.log
    start: beginning
    patterns:
      - {match: 'rows=(?P<rows>\\d+) stage=(?P<stage>\\w+)', counter: rows_total, value: rows, labels: [stage]}
      - {match: 'rows=(?P<rows>\\d+)', histogram: rows_size, value: rows}
freshness: [{name: log, source: file, glob: app.log, max_age: 1h, interval: 1s}]
pipelines: {daily: {schedule: "* * * * *", sla: {finish_by: "05:00"}, steps: {load: {run: "true"}, last: {run: "false"}}}}
rule_files: [rules.yml]
rule_packs: [component, pipeline]
"""

BUSY_RULES = """\
groups:
- name: g
  rules:
  - {record: "team:up:sum", expr: sum by (team) (probe_up), labels: {kind: sum}}
  - {alert: Down, expr: probe_up == 0, labels: {severity: page}}
  - {alert: Slow, expr: probe_duration_secnds > 1}
"""


def quote(text):
    return json.dumps(text, ensure_ascii=False)


def selectors(folder):
    """A rule that reads what is never there is told by `check` and by a start; of all that a running agent has, none is."""
    folder /= "selectors"
    folder.mkdir()
    (folder / "pipewarden.yml").write_text(BUSY)
    (folder / "rules.yml").write_text(BUSY_RULES)
    (folder / "app.log").write_text("rows=3 stage=load\n")
    told = (r"rules\.yml:6:25: 'Slow' reads what is never there: nothing in this configuration makes a metric "
            r"'probe_duration_secnds' \(did you mean 'probe_duration_seconds'\?\)")
    for files in (["pipewarden.yml"], ["rules.yml"], ["rules.yml", "pipewarden.yml"]):
        done = subprocess.run([lib.BUILD / "pipewarden", "check", *files], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0 and re.search(told + r" \(warning\)", done.stdout), done
    open_ended = subprocess.run([lib.BUILD / "pipewarden", "check", "--web.enable-remote-write-receiver", "pipewarden.yml"],
                                cwd=folder, capture_output=True, text=True)
    assert open_ended.returncode == 0 and "never there" not in open_ended.stdout, open_ended

    # What the sources name is listed, also what this agent has no series of.
    code = "".join(file.read_text() for part in ("agent", "exporters", "rules", "alertmanager", "core")
                   for file in (lib.ROOT / part).rglob("*.cpp") if file.name != "known_series.cpp")
    listed = (lib.ROOT / "agent/known_series.cpp").read_text()
    unlisted = {name for name in re.findall(r'"(pipewarden_[a-z_]*[a-z])"', code) if f'"{name}"' not in listed}
    assert not unlisted, f"metrics that agent/known_series.cpp does not list: {sorted(unlisted)}"

    agent = lib.Agent(folder, BUSY)
    assert len(re.findall("never there", agent.output())) == 1, agent.output()
    code, output = agent.command("pipeline", "run", "daily")
    assert code == 0, output
    series = {}

    def all_there():
        for one in agent.json("/api/v1/series?" + urllib.parse.urlencode({"match[]": '{__name__!=""}'}))["data"]:
            series[json.dumps(one, sort_keys=True)] = one
        names = {one["__name__"] for one in series.values()}
        return {"probe_up", "rows_total", "rows_size_bucket", "pipewarden_freshness_due", "ALERTS", "team:up:sum",
                "pipewarden_pipeline_run_last_status", "pipewarden_alertmanager_notifications_total",
                "probe_http_duration_seconds", "node_filesystem_size_bytes", "node_cpu_seconds_total"} <= names
    lib.eventually(all_there, 30, "a series of each kind")
    agent.stop()
    # Filesystems and memory are the kernel's: it may have more than is listed.
    rules = [{"record": f"x{n}", "expr": "{" + ", ".join(f"{quote(k)}={quote(v)}" for k, v in one.items()) + "}"}
             for n, one in enumerate(series.values()) if not one["__name__"].startswith("node_memory_")]
    (folder / "all.yml").write_text(json.dumps({"groups": [{"name": "all", "rules": rules}]}))
    done = subprocess.run([lib.BUILD / "pipewarden", "check", "all.yml"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0 and "warning" not in done.stdout, done.stdout + done.stderr


lib.main(test)
