"""Alerts taken in, held and told: ours beside Alertmanager, Debian's and the newest, one after the other in one run.

Usage: alerting_bench.py [ALERTS]   (100000 unless said)

What counts are the ratios at the end: a busy machine is slow for all.
"""
import http.client
import http.server
import json
import os
import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402
import peer  # noqa: E402

ALERTMANAGER = """\
route:
  receiver: none
  group_by: [alertname, cluster]
  group_wait: 1h
  routes:
    - {{matchers: ['kind="latency"'], receiver: hook, group_by: ['...'], group_wait: 0s}}
receivers:
  - name: none
  - {{name: hook, webhook_configs: [{{url: "http://127.0.0.1:{port}/"}}]}}
"""
LATENCIES = 300


class Hook:
    """When each alert came, by the value of its label `latency`."""

    def __init__(self):
        came = self.came = {}

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):  # noqa: N802 (the library's name)
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                now = time.perf_counter()
                for alert in body["alerts"]:
                    came.setdefault(alert["labels"]["latency"], now)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()


def alert(n, **labels):
    return {"labels": {"alertname": f"Rule{n % 50}", "cluster": f"c{n % 7}", "instance": f"10.0.{n // 250 % 250}.{n % 250}:9100",
                       "job": "node", "severity": "page", "n": str(n)} | labels,
            "annotations": {"summary": f"Disk of machine {n} is almost full", "description": "95.3 % used " * 5,
                            "runbook_url": "https://runbooks.example.org/disk"},
            "generatorURL": "http://prometheus.example.org:9090/graph?g0.expr=disk_used+%3E+0.9&g0.tab=1",
            "endsAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))}


class Poster:
    """Posts over one connection, for as long as the other side keeps it."""

    def __init__(self, url):
        self.connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)

    def post(self, alerts):
        body = json.dumps(alerts, separators=(",", ":"))
        self.connection.request("POST", "/api/v2/alerts", body, {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid, field="VmRSS"):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    return 0.0


def take_in(process, count, batch, first):
    """Microseconds of CPU for each alert."""
    poster = Poster(process.url)
    before = cpu_seconds(process.pid)
    for start in range(first, first + count, batch):
        poster.post([alert(n) for n in range(start, min(start + batch, first + count))])
    time.sleep(0.5)  # what it does behind the answer is part of it
    return (cpu_seconds(process.pid) - before) / count * 1e6


def full_get(process, count):
    """(MiB more at the most, seconds, CPU seconds)."""
    pathlib.Path(f"/proc/{process.pid}/clear_refs").write_text("5")
    before, cpu, start = memory(process.pid), cpu_seconds(process.pid), time.perf_counter()
    status, _, body = lib.http_get(process.url + "/api/v2/alerts", timeout=60)
    took = time.perf_counter() - start
    assert status == 200 and len(json.loads(body)) >= count, (status, len(body))
    return memory(process.pid, "VmHWM") - before, took, cpu_seconds(process.pid) - cpu


def latencies(process, hook):
    """Sorted milliseconds from the begin of a POST to the webhook."""
    poster, times = Poster(process.url), []
    for n in range(LATENCIES):
        name = f"latency{n}"
        start = time.perf_counter()
        poster.post([alert(n, kind="latency", latency=name)])
        lib.eventually(lambda name=name: name in hook.came, 10, name, step=0.0005)
        times.append((hook.came[name] - start) * 1000)
    return sorted(times)


def measure(name, process, hook, alerts):
    """What each measured, for the ratios."""
    time.sleep(1)
    idle = memory(process.pid)
    told = latencies(process, hook)
    ones = take_in(process, 1000, 1, 10_000_000)
    fifties = take_in(process, 20_000, 50, 20_000_000)
    fivehundreds = take_in(process, alerts - 21_000, 500, 0)
    held = memory(process.pid)
    more, took, cpu = full_get(process, alerts)
    p99 = told[len(told) * 99 // 100]
    print(f"{name:14} CPU an alert, batches of 500: {fivehundreds:6.1f} us   of 50: {fifties:6.1f} us   of 1: {ones:6.1f} us")
    print(f"{name:14} resident: {idle:6.1f} MiB empty, {held:6.1f} MiB with {alerts} alerts; "
          f"a full GET: {more:6.1f} MiB more, {took:5.2f} s, {cpu:5.2f} s CPU")
    print(f"{name:14} alert to webhook: p50 {told[len(told) // 2]:5.2f} ms, p99 {p99:5.2f} ms", flush=True)
    return {"CPU in batches of 500": fivehundreds, "of 50": fifties, "of 1": ones, "resident": held, "more for a GET": more,
            "p99 to the webhook": p99}


def stall(agent):
    for line in agent.text("/metrics").splitlines():
        if line.startswith("pipewarden_loop_stall_seconds "):
            return float(line.split()[1]) * 1000
    return float("nan")


def ours(folder, alerts):
    hook = Hook()
    (folder / "alertmanager.yml").write_text(ALERTMANAGER.format(port=hook.port))
    agent = lib.Agent(folder, "global: {evaluation_interval: 1s}\nalerting: {config_file: alertmanager.yml}\n")
    worst, stop = [0.0], threading.Event()

    def watch():
        while not stop.wait(1):
            worst[0] = max(worst[0], stall(agent))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    measured = measure("pipewarden", agent, hook, alerts)
    time.sleep(17)  # a checkpoint, where one is due
    stop.set()
    watcher.join()
    print(f"pipewarden     longest turn of the loop meanwhile: {worst[0]:.1f} ms")
    agent.kill()
    start = time.perf_counter()
    agent.start()
    print(f"pipewarden     start with {alerts} alerts in the journal: {time.perf_counter() - start:.2f} s, "
          f"{memory(agent.pid):.1f} MiB")
    agent.stop()
    return measured


def theirs(folder, alerts, name):
    hook = Hook()
    process = peer.load(name).start(folder, ALERTMANAGER.format(port=hook.port))
    measured = measure(name, process, hook, alerts)
    process.stop()
    return measured


def main(folder):
    alerts = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    own = ours(new(folder / "ours"), alerts)
    for name in ("alertmanager", "alertmanager3"):
        measured = theirs(new(folder / name), alerts, name)
        print(f"ours / {name}: " + ", ".join(f"{what} {own[what] / max(of, 0.001):.2f}" for what, of in measured.items()))


def new(folder):
    folder.mkdir()
    return folder


lib.FETCH = True
lib.main(main)
