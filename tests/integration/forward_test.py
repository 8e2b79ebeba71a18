#!/usr/bin/env python3
"""Alerts are handed over to real Alertmanagers: to each of them, again to one that was away, and their end too."""
import json
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402
import alertmanager.peer  # noqa: E402

CONFIG = """\
global: {{evaluation_interval: 1s, external_labels: {{node: n1}}}}
rule_files: [rules.yml]
alerting:
  alertmanagers:
    - static_configs: [{{targets: ["{one}"]}}]
    - file_sd_configs: [{{files: [am.json], refresh_interval: 1s}}]
"""
RULES = """\
groups:
- name: g
  rules:
  - alert: DataStale
    expr: {expr}
    labels: {{severity: page}}
"""


def alerts(peer):
    return {a["labels"]["alertname"]: a for a in json.loads(lib.http_get(peer.url + "/api/v2/alerts")[2])}


def main(folder):
    peers = []
    for name in ("one", "two"):
        (folder / name).mkdir()
        peers.append(alertmanager.peer.start(folder / name))
    one, two = peers
    (folder / "rules.yml").write_text(RULES.format(expr="vector(1)"))
    agent = lib.Agent(folder, CONFIG.format(one=one.url.removeprefix("http://")))
    lib.eventually(lambda: "DataStale" in alerts(one), 20, "the alert at the first")
    assert alerts(one)["DataStale"]["labels"] == {"alertname": "DataStale", "node": "n1", "severity": "page"}
    # What is posted to the agent goes there too; and the second one joins by its file.
    (folder / "am.json").write_text(json.dumps([{"targets": [two.url.removeprefix("http://")]}]))
    lib.eventually(lambda: post(agent, "ByHand") and "ByHand" in alerts(two), 20, "the alert by hand", 0.5)
    assert "ByHand" in alerts(one)
    # The agent shows them itself. (The rule's alert reaches the second one when the rule tells it again, after a minute.)
    assert {a["labels"]["alertname"] for a in agent.json("/api/v2/alerts")} == {"DataStale", "ByHand"}
    told = agent.json("/api/v1/alertmanagers")["data"]
    assert told == {"activeAlertmanagers": [{"url": url} for url in sorted(p.url + "/api/v2/alerts" for p in peers)],
                    "droppedAlertmanagers": []}, told
    # Resolved.
    (folder / "rules.yml").write_text(RULES.format(expr="vector(1) > 1"))
    agent.signal(signal.SIGHUP)
    lib.eventually(lambda: "DataStale" not in alerts(one), 20, "its end")
    assert agent.stop() == 0
    for peer in peers:
        peer.stop()


def post(agent, name):
    status, _, body = lib.http_get(agent.url + "/api/v2/alerts", data=json.dumps([{"labels": {"alertname": name}}]).encode(),
                                   headers={"Content-Type": "application/json"})
    assert status == 200, body
    return True


lib.main(main)
