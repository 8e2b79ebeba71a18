#!/usr/bin/env python3
"""The real Alertmanager and ours get the same alert and the same alertmanager.yml and send the same webhook and Slack
bodies, firing and resolved. What differs by nature (times, the external URL) is made equal first."""
import http.server
import json
import pathlib
import re
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402
import alertmanager.peer  # noqa: E402

ALERTMANAGER = """
route:
  receiver: default
  routes:
    - matchers: ['severity="page"', 'env=~"p.*"']
      receiver: team.a+b
      group_by: [alertname, cluster]
      group_wait: 0s
      group_interval: 2s
receivers:
  - name: default
  - name: team.a+b
    webhook_configs: [{{url: '{url}/webhook'}}]
    slack_configs:
      - api_url: '{url}/slack'
        channel: '#c'
        send_resolved: true
        text: '{{{{ range .Alerts }}}}{{{{ .Labels.cluster }}}} {{{{ .Annotations.summary }}}}{{{{ end }}}}'
"""
PIPEWARDEN = """
global: {evaluation_interval: 1s}
rule_files: [rules.yml]
alerting: {config_file: alertmanager.yml}
"""
RULES = """
groups:
  - name: g
    rules:
      - alert: DataStale
        expr: %s
        labels: {severity: page, env: prod, cluster: c1}
        annotations: {summary: "s & <t> \\"é\\"\\n\\u2028"}
"""


class Sink:
    """Keeps the bodies of POSTs, by path."""

    def __init__(self):
        bodies = self.bodies = {}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                bodies.setdefault(self.path, []).append((self.headers["Content-Type"], body))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def status(self, path, status):
        """The first body of that status, or None."""
        for _, body in self.bodies.get(path, []):
            if f'"status":"{status}"' in body or (path == "/slack" and f"[{status.upper()}" in body):
                return body
        return None

    def wait(self, status):
        return {path: lib.eventually(lambda p=path: self.status(p, status), 30, f"{path} {status}")
                for path in ("/webhook", "/slack")}


def same(body):
    """What differs by nature: times and the address of the process."""
    body = re.sub(r'"(startsAt|endsAt)":"20[^"]*"', r'"\1":"T"', body)
    body = re.sub(r'"generatorURL":"[^"]*"', '"generatorURL":"G"', body)
    return re.sub(r"http://[A-Za-z0-9.-]+:\d+(?=[/\"])", "http://EXTERNAL", body)


def theirs(folder):
    sink = Sink()
    real = alertmanager.peer.start(folder, ALERTMANAGER.format(url=sink.url))
    alert = {"labels": {"alertname": "DataStale", "severity": "page", "env": "prod", "cluster": "c1"},
             "annotations": {"summary": "s & <t> \"é\"\n\u2028"}, "generatorURL": "http://g/?a=1&b=2"}

    def post(**more):
        status, _, answer = lib.http_get(real.url + "/api/v2/alerts", data=json.dumps([alert | more]).encode(),
                                         headers={"Content-Type": "application/json"})
        assert status == 200, answer

    post()
    firing = sink.wait("firing")
    post(endsAt=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 1)),
         startsAt=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60)))
    resolved = sink.wait("resolved")
    real.stop()
    return firing, resolved


def ours(folder):
    sink = Sink()
    (folder / "alertmanager.yml").write_text(ALERTMANAGER.format(url=sink.url))
    (folder / "rules.yml").write_text(RULES % "vector(1)")
    agent = lib.Agent(folder, PIPEWARDEN)
    firing = sink.wait("firing")
    (folder / "rules.yml").write_text(RULES % "vector(1) > 1")
    import signal
    agent.signal(signal.SIGHUP)
    resolved = sink.wait("resolved")
    assert agent.stop() == 0
    return firing, resolved


def test(folder):
    (folder / "theirs").mkdir()
    (folder / "ours").mkdir()
    for want, got in zip(theirs(folder / "theirs"), ours(folder / "ours")):
        for path in want:
            assert same(want[path]) == same(got[path]), f"{path}:\n{same(want[path])}\n{same(got[path])}"


if __name__ == "__main__":
    lib.main(test)
