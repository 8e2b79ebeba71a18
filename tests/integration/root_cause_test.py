"""A NameNode and what stands on it go down: people hear of the NameNode alone, the rest is shown as suppressed, over a
SIGKILL too; when it is up again, what still fires is told."""
import http.server
import json
import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402

CONFIG = """\
global: {{evaluation_interval: 1s}}
components:
  namenode: {{layer: storage}}
  hive: {{layer: tables, depends_on: [namenode]}}
  api: {{layer: serving, depends_on: [hive]}}
probes:
  - {{name: namenode, kind: exec, component: namenode, command: [test, -e, "{folder}/namenode"], interval: 1s}}
  - {{name: hive, kind: exec, component: hive, command: [test, -e, "{folder}/hive"], interval: 1s}}
  - {{name: api, kind: exec, component: api, command: [test, -e, "{folder}/api"], interval: 1s}}
rule_files: [rules.yml]
alerting: {{config_file: alertmanager.yml}}
"""
RULES = """\
groups:
- name: down
  rules:
  - {alert: Down, expr: probe_up == 0, for: 1s}
"""
ALERTMANAGER = """\
route: {{receiver: hook, group_by: [component], group_wait: 2s, group_interval: 2s, repeat_interval: 1h}}
receivers: [{{name: hook, webhook_configs: [{{url: "http://127.0.0.1:{port}/"}}]}}]
"""


class Hook(http.server.BaseHTTPRequestHandler):
    told = []

    def do_POST(self):  # noqa: N802
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.told += [(alert["labels"]["component"], alert["status"]) for alert in body["alerts"]]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def test(folder):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (folder / "alertmanager.yml").write_text(ALERTMANAGER.format(port=server.server_address[1]))
    (folder / "rules.yml").write_text(RULES)
    for name in ("namenode", "hive", "api"):
        (folder / name).touch()
    agent = lib.Agent(folder, CONFIG.format(folder=folder))
    lib.eventually(lambda: len(agent.query("probe_up == 1") or []) == 3, 20, "three probes up")
    for name in ("namenode", "hive", "api"):
        (folder / name).unlink()
    lib.eventually(lambda: ("namenode", "firing") in Hook.told, 30, "the root to be told")
    lib.eventually(lambda: len(agent.json("/api/v2/alerts")) == 3, 10, "three alerts")
    time.sleep(6)
    assert Hook.told == [("namenode", "firing")], Hook.told

    states = {a["labels"]["component"]: a["status"] for a in agent.json("/api/v2/alerts")}
    assert states["namenode"]["state"] == "active" and states["hive"]["state"] == "suppressed", states
    assert states["api"]["inhibitedBy"] == [] and states["api"]["suppressedBy"].startswith("namenode (down since 2"), states
    assert [a["labels"]["component"] for a in agent.json("/api/v2/alerts?inhibited=false")] == ["namenode"]
    assert "suppressed by namenode (down since" in agent.text("/")
    code, out = agent.command("alert", "list")
    assert code == 0 and out.count("suppressed by namenode (down since") == 2, out
    print(out)

    # Killed and started again while all is down: still nobody hears of the rest.
    agent.kill()
    agent.start()
    lib.eventually(lambda: len(agent.query("probe_up == 0") or []) == 3, 20, "three probes down")
    time.sleep(5)
    assert Hook.told == [("namenode", "firing")], Hook.told

    # The root and the table layer recover, the API does not: it is told now.
    (folder / "namenode").touch()
    (folder / "hive").touch()
    lib.eventually(lambda: ("api", "firing") in Hook.told and ("namenode", "resolved") in Hook.told, 30, "what is left")
    assert ("hive", "firing") not in Hook.told, Hook.told
    code, out = agent.command("alert", "explain", "Down")
    assert code == 0 and "suppressed" not in out, out


lib.main(test)
