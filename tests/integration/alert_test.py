"""One way through: probe -> storage -> rule -> alert -> webhook and inbox; firing, told once over a SIGKILL, resolved."""
import http.server
import json
import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402

CONFIG = """\
global: {{evaluation_interval: 1s, external_labels: {{node: n1}}}}
probes:
  - {{name: flag, kind: exec, command: [test, -e, "{folder}/flag"], interval: 1s, labels: {{team: data}}}}
rule_files: [rules.yml]
alerting: {{config_file: alertmanager.yml}}
"""

RULES = """\
groups:
- name: flag
  rules:
  - alert: FlagMissing
    expr: probe_success == 0
    for: 2s
    labels: {severity: page}
    annotations: {summary: "{{ $labels.probe }} says {{ $value }}"}
"""

ALERTMANAGER = """\
route:
  receiver: hook
  group_by: [alertname]
  group_wait: 1s
  group_interval: 2s
  repeat_interval: 1h
receivers:
- name: hook
  webhook_configs: [{{url: "http://127.0.0.1:{port}/"}}]
"""


class Hook:
    """Keeps what is posted to it; refuses while `down`."""

    def __init__(self):
        hook = self
        self.bodies, self.down = [], False

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # noqa: N802
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if not hook.down:
                    hook.bodies.append(json.loads(body))
                self.send_response(503 if hook.down else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.port = server.server_address[1]

    def statuses(self):
        return [body["status"] for body in self.bodies]


def test(folder):
    hook = Hook()
    flag = folder / "flag"
    flag.touch()
    (folder / "rules.yml").write_text(RULES)
    (folder / "alertmanager.yml").write_text(ALERTMANAGER.format(port=hook.port))
    agent = lib.Agent(folder, CONFIG.format(folder=folder))
    lib.eventually(lambda: agent.query("probe_success == 1"), 10, "the probe to succeed")

    flag.unlink()
    lib.eventually(lambda: hook.statuses() == ["firing"], 20, "the notification")
    alert = hook.bodies[0]["alerts"][0]
    assert alert["labels"]["alertname"] == "FlagMissing" and alert["labels"]["severity"] == "page", alert
    assert alert["labels"]["node"] == "n1" and alert["labels"]["team"] == "data", alert
    assert alert["annotations"] == {"summary": "flag says 0"}, alert
    assert [a["labels"]["alertname"] for a in agent.json("/api/v1/alerts")["data"]["alerts"]] == ["FlagMissing"]
    lib.eventually(lambda: agent.query('ALERTS{alertstate="firing"}'), 10, "the firing alert's series")

    # Killed while it fires: the alert goes on, and nobody is told again.
    agent.kill()
    agent.start()
    lib.eventually(lambda: agent.query('ALERTS{alertname="FlagMissing"}'), 15, "the alert after the kill")
    time.sleep(4)
    assert hook.statuses() == ["firing"], hook.statuses()

    # The receiver is down when it resolves: told when it is back.
    hook.down = True
    flag.touch()
    time.sleep(5)
    agent.kill()
    agent.start()
    hook.down = False
    lib.eventually(lambda: hook.statuses() == ["firing", "resolved"], 30, "the resolved notification")
    assert hook.bodies[1]["alerts"][0]["labels"] == alert["labels"]
    inbox = json.loads(agent.socket("GET", "/api/pipewarden/v1/inbox")[1])["data"]
    assert {"firing", "resolved"} <= {entry["status"] for entry in inbox}, inbox
    page = agent.text("/")
    assert "FlagMissing" in page and "flag" in page


lib.main(test)
