"""A pipeline fails: the notification carries the step, the attempt and the last lines of its output with secrets masked;
`alert explain` and the page tell its way; the history of notifications outlives a SIGKILL."""
import http.server
import json
import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402

CONFIG = """\
global: {{evaluation_interval: 1s}}
pipelines:
  daily:
    retries: {{count: 1, delay: 100ms}}
    secret_env: {{PASSWORD: PLANTED-secret}}
    steps:
      ingest: {{run: 'for i in $(seq 1 50); do echo "line $i"; done; echo "password is $PASSWORD"; exit 3'}}
      load: {{run: [echo, load], after: [ingest]}}
rule_packs: [pipeline]
alerting: {{config_file: alertmanager.yml}}
"""
ALERTMANAGER = """\
route: {{receiver: hook, group_by: [alertname], group_wait: 1s, group_interval: 2s, repeat_interval: 1h}}
receivers: [{{name: hook, webhook_configs: [{{url: "http://127.0.0.1:{port}/"}}]}}]
"""


class Hook(http.server.BaseHTTPRequestHandler):
    bodies = []

    def do_POST(self):  # noqa: N802
        self.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def test(folder):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (folder / "alertmanager.yml").write_text(ALERTMANAGER.format(port=server.server_address[1]))
    agent = lib.Agent(folder, CONFIG.format())
    assert agent.command("pipeline", "run", "daily")[0] == 0

    def failed():
        return next((a for body in Hook.bodies for a in body["alerts"] if a["labels"]["alertname"] == "PipelineFailed"), None)

    alert = lib.eventually(failed, 30, "the notification of the failure")
    notes = alert["annotations"]
    assert notes["step"] == "ingest" and notes["attempt"] == "2" and notes["run"] == "1", notes
    lines = notes["output"].splitlines()
    assert lines[-2] == "line 50" and lines[-1].startswith("password is ") and len(lines) == 10, lines
    assert "PLANTED" not in json.dumps(Hook.bodies)

    print(agent.command("alert", "explain", "PipelineFailed")[1])
    code, out = agent.command("alert", "explain", alert["fingerprint"])
    assert code == 0, out
    for part in ('pipewarden_pipeline_run_last_status{step=""} == 0 yields 0', "takes it to receiver 'hook'",
                 "webhook[0] was told that it fires", "was sent (the group is new)"):
        assert part in out, out
    answer = agent.json(f"/api/pipewarden/v1/alerts/{alert['fingerprint']}/explain")["data"]
    assert answer["rule"]["value"] == "0" and answer["routes"][0]["integrations"], answer
    assert "was sent" in agent.text(f"/alerts/{alert['fingerprint']}")

    agent.kill()
    agent.start()
    entries = json.loads(agent.command("alert", "history", "--json")[1])
    mine = [e for e in entries if alert["fingerprint"] in e["firing_alerts"]]
    assert mine and mine[-1]["result"] == "sent" and mine[-1]["integration"] == "webhook[0]", entries
    assert "webhook[0]" in agent.text("/")
    code, out = agent.command("alert", "explain", "0000000000000001")
    assert code == 1 and "no alert has the fingerprint" in out, out


lib.main(test)
