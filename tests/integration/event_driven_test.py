"""A probe that changes its verdict has the rules that read it judged at once: told long before the next tick, with
`event_driven: false` at the tick alone."""
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402
import http_peers  # noqa: E402

CONFIG = """\
global: {{evaluation_interval: 1h, event_driven: {event_driven}}}
probes:
  - {{name: a, kind: http, url: "http://127.0.0.1:{port}/a", interval: 1s}}
  - {{name: b, kind: http, url: "http://127.0.0.1:{port}/b", interval: 1s}}
rule_files: [rules.yml]
alerting: {{config_file: alertmanager.yml}}
"""

RULES = """\
groups:
- name: probes
  rules:
  - {alert: Down, expr: probe_up == 0, annotations: {summary: "{{ $labels.probe }} is down"}}
  - {alert: DownForLong, expr: probe_up == 0, for: 1s}
"""

ALERTMANAGER = """\
route: {{receiver: hook, group_by: [probe], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers:
- {{name: hook, webhook_configs: [{{url: "http://127.0.0.1:{port}/"}}]}}
"""


def start(folder, target, hook, event_driven):
    folder.mkdir()
    (folder / "rules.yml").write_text(RULES)
    (folder / "alertmanager.yml").write_text(ALERTMANAGER.format(port=hook.port))
    agent = lib.Agent(folder, CONFIG.format(port=target.port, event_driven=event_driven))
    lib.eventually(lambda: agent.text("/metrics").count("\nprobe_up{") == 2, 10, "both verdicts")
    return agent


def told(hook):
    return [(body["status"], alert["labels"]["alertname"], alert["labels"]["probe"])
            for _, body in hook.bodies for alert in body["alerts"]]


def test(folder):
    target, hook = http_peers.Target(), http_peers.Hook()
    agent = start(folder / "on", target, hook, "true")
    target.down.add("/a")
    lib.eventually(lambda: told(hook) == [("firing", "Down", "a")], 10, "the alert")
    delay = hook.bodies[0][0] - target.changed["/a"]
    print(f"from the probe's answer to the notification: {delay * 1000:.1f} ms")
    assert delay < 1, delay
    target.down.clear()
    lib.eventually(lambda: told(hook)[1:] == [("resolved", "Down", "a")], 10, "its end")
    assert 'pipewarden_rule_group_judgements_total{rule_group="' in agent.text("/metrics")
    # Nothing of it is recorded: that is for ticks.
    assert agent.query('count_over_time(ALERTS{alertname="Down"}[1h])') == []
    agent.stop()

    hook.bodies.clear()
    agent = start(folder / "off", target, hook, "false")
    target.down.add("/b")
    lib.eventually(lambda: re.search(r'\nprobe_up\{[^}]*probe="b"[^}]*\} 0\n', agent.text("/metrics")), 10, "the verdict")
    time.sleep(1.5)
    assert told(hook) == []


lib.main(test)
