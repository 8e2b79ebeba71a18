#!/usr/bin/env python3
"""`pipewarden alertmanager` in place of an Alertmanager: how it starts, reloads and ends, with the real amtool; and three
of them that share silences and tell once, also when the one that tells is killed."""
import http.server
import json
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402
import alertmanager.peer  # noqa: E402

CONFIG = """\
route: {{receiver: team, group_by: [alertname], group_wait: {wait}}}
receivers: [{{name: team, webhook_configs: [{{url: "http://127.0.0.1:{port}/"}}]}}]
"""


class Hook:
    """The alerts that it was told of, in order."""

    def __init__(self):
        told = self.told = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # noqa: N802 (the library's name)
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                told.extend(alert["labels"]["alertname"] for alert in body["alerts"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()


class Standalone(lib.Process):
    def __init__(self, folder, name, *arguments, log=None):
        super().__init__([lib.BUILD / "pipewarden", "alertmanager", f"--config.file={folder}/alertmanager.yml",
                          f"--storage.path={folder}/{name}", "--web.listen-address=127.0.0.1:0", *arguments], folder, log or name)
        listening = lib.eventually(lambda: re.search(r'msg="Listening on" .*address=(127\.0\.0\.1:\d+)', self.output()), 30,
                                   f"{name} to listen")
        self.url = f"http://{listening[1]}"
        self.wait_ready(lambda: lib.http_get(self.url + "/-/ready")[0] == 200)

    def cluster_address(self):
        return re.search(r"the cluster's peers.* address=(\S+)", self.output())[1]

    def json(self, path):
        return json.loads(lib.http_get(self.url + path)[2])

    def post(self, path, body, method="POST"):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode() if body is not None else b"",
                                         {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()

    def fire(self, name):
        self.post("/api/v2/alerts", [{"labels": {"alertname": name}}])


def alone(folder, hook):
    process = Standalone(folder, "alone", "--cluster.listen-address=")
    assert process.json("/api/v2/status")["cluster"] == {"peers": [], "status": "disabled"}
    for path in ("/-/healthy", "/-/ready", "/metrics"):
        assert lib.http_get(process.url + path)[0] == 200, path
    for path in ("/api/v1/query?query=up", "/api/v1/status/buildinfo", "/alertmanager/api/v2/status", "/api/pipewarden/v1/probes"):
        assert lib.http_get(process.url + path)[0] == 404, path

    tool = alertmanager.peer.amtool()

    def run(*arguments):
        done = subprocess.run([tool, f"--alertmanager.url={process.url}", *arguments], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    run("alert", "add", "byhand", "severity=page")
    assert "byhand" in run("alert", "query")
    silence = run("silence", "add", "alertname=byhand", "--comment=c", "--author=a").strip()
    assert silence in run("silence", "query")
    run("silence", "expire", silence)
    assert "team" in run("config", "routes", "show")
    assert "disabled" in run("cluster", "show")

    # Reloads: by SIGHUP and by HTTP, open as there; a bad file changes nothing.
    config = folder / "alertmanager.yml"
    good = config.read_text()
    config.write_text(good.replace("team", "crew"))
    process.signal(signal.SIGHUP)
    lib.eventually(lambda: process.json("/api/v2/receivers") == [{"name": "crew"}], 10, "the reload by SIGHUP")
    config.write_text("route: {receiver: nobody}")
    status, _, _ = lib.http_get(process.url + "/-/ready")
    try:
        process.post("/-/reload", None)
        raise AssertionError("a bad configuration was taken")
    except urllib.error.HTTPError as error:
        assert error.code in (400, 500), error.code
    assert process.json("/api/v2/receivers") == [{"name": "crew"}]
    config.write_text(good)
    process.post("/-/reload", None)
    assert process.json("/api/v2/receivers") == [{"name": "team"}]
    lib.eventually(lambda: "byhand" in hook.told, 20, "the notification")
    assert process.stop() == 0

    # What it kept is there again; nothing of an agent is in its folder.
    process = Standalone(folder, "alone", "--cluster.listen-address=", log="again")
    assert [s["status"]["state"] for s in process.json("/api/v2/silences")] == ["expired"]
    assert {p.name for p in (folder / "alone").iterdir()} - {"alertmanager", "pipewarden.sock", "pipewarden.lock"} == set()
    assert process.stop() == 0


def together(folder, hook):
    first = Standalone(folder, "n0", "--cluster.listen-address=127.0.0.1:0", "--cluster.peer-timeout=4s")
    peer = f"--cluster.peer={first.cluster_address()}"
    three = [first, *(Standalone(folder, name, "--cluster.listen-address=127.0.0.1:0", "--cluster.peer-timeout=4s", peer)
                      for name in ("n1", "n2"))]

    def members(process):
        status = process.json("/api/v2/status")["cluster"]
        return status["status"] == "ready" and [p["name"] for p in status["peers"]]

    lib.eventually(lambda: all(len(members(p) or []) == 3 for p in three), 20, "three members")
    order = members(first)
    assert order == sorted(order) and all(members(p) == order for p in three)
    by_name = {p.json("/api/v2/status")["cluster"]["name"]: p for p in three}
    three = [by_name[name] for name in order]

    # A silence of one is everyone's, and so is its end.
    ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    silence = {"matchers": [{"name": "alertname", "value": "quiet", "isRegex": False}], "startsAt": "2020-01-01T00:00:00Z",
               "endsAt": ends, "createdBy": "test", "comment": "c"}
    silence_id = json.loads(three[2].post("/api/v2/silences", silence))["silenceID"]

    def state(process):
        return [s["status"]["state"] for s in process.json("/api/v2/silences") if s["id"] == silence_id]

    lib.eventually(lambda: all(state(p) == ["active"] for p in three), 5, "the silence everywhere")
    for process in three:
        process.fire("quiet")
        process.fire("once")
    lib.eventually(lambda: "once" in hook.told, 10, "the notification")
    time.sleep(10)  # in which the others' turns have come
    assert hook.told == ["once"], hook.told
    three[0].post(f"/api/v2/silence/{silence_id}", None, "DELETE")
    lib.eventually(lambda: all(state(p) == ["expired"] for p in three), 5, "its end everywhere")

    # The one that tells dies before it has: the next does, once.
    for process in three:
        process.fire("late")
    three[0].kill()
    lib.eventually(lambda: "late" in hook.told, 20, "the notification by the next")
    time.sleep(6)
    assert hook.told.count("late") == 1, hook.told
    lib.eventually(lambda: members(three[1]) == order[1:] == members(three[2]), 10, "two members")

    # One that comes new gets everything.
    fresh = Standalone(folder, "n3", "--cluster.listen-address=127.0.0.1:0", "--cluster.peer-timeout=4s",
                       f"--cluster.peer={three[1].cluster_address()}")
    lib.eventually(lambda: state(fresh) == ["expired"], 10, "the silence on the new one")
    lib.eventually(lambda: len(members(fresh) or []) == 3, 10, "the new one among them")
    told = list(hook.told)
    fresh.fire("once")
    time.sleep(3)
    assert hook.told == told, hook.told  # it knows what the dead one told
    for process in [*three[1:], fresh]:
        assert process.stop() == 0


def main(folder):
    for name, run, wait in (("alone", alone, "1s"), ("together", together, "1s")):
        hook = Hook()
        (folder / name).mkdir()
        (folder / name / "alertmanager.yml").write_text(CONFIG.format(port=hook.port, wait=wait))
        run(folder / name, hook)


lib.main(main)
