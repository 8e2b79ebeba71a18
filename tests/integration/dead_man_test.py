"""The sign of life goes out while the agent can do its work; it stops, and says why, while notifications do not get through and
while the disk takes nothing; an agent that stands still sends nothing."""
import http.server
import pathlib
import resource
import signal
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402

CONFIG = """\
global: {{evaluation_interval: 1s}}
rule_files: [rules.yml]
alerting:
  config_file: alertmanager.yml
  dead_man: {{url: "{url}/ping/PLANTED", fail_url: "{url}/fail/PLANTED", interval: 1s, patience: 2s}}
"""
RULES = "groups: [{name: g, rules: [{alert: Always, expr: vector(1)}]}]\n"
ALERTMANAGER = """\
route: {{receiver: hook, group_wait: 1s, group_interval: 10s, repeat_interval: 10s}}
receivers: [{{name: hook, webhook_configs: [{{url: "{url}/hook"}}]}}]
"""


class Peer(http.server.BaseHTTPRequestHandler):
    pings, fails, hook_status = [], [], 200

    def answer(self, status=200):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):  # noqa: N802
        Peer.pings.append(time.monotonic())
        self.answer()

    def do_POST(self):  # noqa: N802
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path.startswith("/fail"):
            Peer.fails.append(body)
        self.answer(Peer.hook_status if self.path == "/hook" else 200)

    def log_message(self, *_):
        pass


def more_pings(seconds=30):
    seen = len(Peer.pings)
    lib.eventually(lambda: len(Peer.pings) > seen + 1, seconds, "signs of life")


def fails_of(words):
    Peer.fails.clear()
    lib.eventually(lambda: any(words in body for body in Peer.fails), 60, f"'{words}'")
    seen = len(Peer.pings)
    time.sleep(3)
    assert len(Peer.pings) == seen, "a sign of life while the agent is sick"


def test(folder):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Peer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    (folder / "rules.yml").write_text(RULES)
    (folder / "alertmanager.yml").write_text(ALERTMANAGER.format(url=url))
    agent = lib.Agent(folder, CONFIG.format(url=url))
    more_pings()

    Peer.hook_status = 400  # not tried again within the flush
    fails_of("no notification has got through hook/webhook[0]")
    Peer.hook_status = 200
    more_pings()

    _, hard = resource.prlimit(agent.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(agent.pid, resource.RLIMIT_FSIZE, (100, hard))
    fails_of("samples cannot be written to disk")
    resource.prlimit(agent.pid, resource.RLIMIT_FSIZE, (hard, hard))
    more_pings(150)  # the storage tries again every minute

    agent.signal(signal.SIGSTOP)
    time.sleep(1)
    seen = len(Peer.pings)
    time.sleep(3)
    assert len(Peer.pings) == seen
    agent.signal(signal.SIGCONT)
    more_pings()
    assert "PLANTED" not in agent.output(), "a secret in the log"
    assert "PLANTED" not in agent.text("/metrics") + agent.text("/")


lib.main(test)
