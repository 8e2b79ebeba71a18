#!/usr/bin/env python3
"""The web server of the real agent: /metrics through promtool and a real Prometheus, its query API through promtool,
slow connections, TLS with users, the Unix socket and the client commands."""
import gzip
import json
import pathlib
import re
import socket
import subprocess
import sys
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402
from prometheus import peer as prometheus  # noqa: E402

CONFIG = """
global: {evaluation_interval: 1s}
probes:
  - {name: itself, kind: tcp, address: "127.0.0.1:%d", interval: 1s}
pipelines:
  hello: {steps: {say: {run: "echo hello from $PIPEWARDEN_STEP"}}}
rule_packs: [component, host]
"""


def metrics(agent):
    status, headers, body = agent.get("/metrics")
    assert status == 200 and headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8", headers
    text = body.decode()
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(names) == len(set(names)), sorted(n for n in names if names.count(n) > 1)
    series = [line.rsplit(" ", 1)[0] for line in text.splitlines() if not line.startswith("#")]
    assert len(series) == len(set(series)), "a series stands twice"
    for name in ("pipewarden_build_info", "probe_success", "node_load1", "process_resident_memory_bytes"):
        assert any(s.startswith(name) for s in series), f"no {name}"
    done = subprocess.run([prometheus.promtool(), "check", "metrics"], input=text, capture_output=True, text=True)
    # node_exporter's names are as node_exporter has them: node_memory_MemFree_bytes.
    complaints = [line for line in (done.stdout + done.stderr).splitlines()
                  if not (line.startswith("node_") and "snake_case" in line)]
    assert not complaints, complaints
    _, headers, packed = agent.get("/metrics", headers={"Accept-Encoding": "gzip"})
    assert headers["Content-Encoding"] == "gzip" and b"# TYPE" in gzip.decompress(packed)
    _, headers, body = agent.get("/metrics", headers={"Accept": "application/openmetrics-text"})
    assert headers["Content-Type"].startswith("application/openmetrics-text") and body.endswith(b"# EOF\n")
    assert len(body) > 1000


def dashboard(agent):
    """Every metric that the dashboard shows, of the parts that this configuration has, is there."""
    elsewhere = ("probe_hdfs", "probe_http", "probe_ssl", "pipewarden_freshness", "pipewarden_logs",
                 "pipewarden_alertmanager_notifications")
    board = json.loads((lib.ROOT / "dashboards/grafana/pipewarden.json").read_text())
    expressions = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    names = {name for expression in expressions
             for name in re.findall(r"\b((?:pipewarden|probe|node|process)_\w+)\{", expression)}
    wanted = {name for name in names if not name.startswith(elsewhere)}
    assert len(wanted) > 10, names

    def absent():
        text = agent.text("/metrics")
        return {name for name in wanted if f"\n{name}" not in text}
    try:
        lib.eventually(lambda: not absent(), 10, "all metrics of the dashboard")
    except AssertionError as error:
        raise AssertionError(f"not in /metrics: {absent()}") from error


def scraped(agent, folder):
    peer = prometheus.start(folder, f"""
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: pipewarden
    static_configs: [{{targets: ["127.0.0.1:{agent.port}"]}}]
""")

    def ask(url, expression):
        query = urllib.parse.urlencode({"query": expression})
        return json.loads(lib.http_get(f"{url}/api/v1/query?{query}")[2])["data"]["result"]
    lib.eventually(lambda: [r for r in ask(peer.url, 'up{job="pipewarden"}') if r["value"][1] == "1"], 20, "a scrape")
    theirs = lib.eventually(lambda: ask(peer.url, 'probe_success{probe="itself"}'), 10, "the probe in Prometheus")
    ours = ask(agent.url, 'probe_success{probe="itself"}')
    assert theirs[0]["value"][1] == ours[0]["value"][1] == "1", (theirs, ours)
    targets = json.loads(lib.http_get(peer.url + "/api/v1/targets")[2])["data"]["activeTargets"]
    assert targets[0]["lastError"] == "", targets
    peer.stop()


def promtool_asks(agent):
    lib.eventually(lambda: agent.query("sum(probe_success)"), 10, "the probe in the storage")
    for arguments in (["instant", agent.url, "sum(probe_success)"],
                      ["range", "--step=1s", agent.url, "probe_success"],
                      ["series", "--match=probe_success", agent.url],
                      ["labels", agent.url, "__name__"]):
        done = subprocess.run([prometheus.promtool(), "query", *arguments], capture_output=True, text=True)
        assert done.returncode == 0 and done.stdout.strip(), (arguments, done.stdout, done.stderr)


def slow_connections(agent):
    slow = []
    for _ in range(200):
        connection = socket.socket()
        connection.bind(("127.0.0.9", 0))
        connection.connect(("127.0.0.1", agent.port))
        try:
            connection.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: 127.0.0")
        except OSError:
            pass
        slow.append(connection)
    took = []
    for _ in range(5):
        start = time.monotonic()
        with socket.create_connection(("127.0.0.1", agent.port), source_address=("127.0.0.2", 0)) as other:
            other.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            answer = other.recv(1000)
        took.append(time.monotonic() - start)
        assert answer.startswith(b"HTTP/1.1 200"), answer
    # The bound is the product's; the median keeps a busy machine out of it.
    assert sorted(took)[2] < 0.1, took
    for connection in slow:
        connection.close()


def roles(agent):
    assert agent.get("/-/reload", method="POST", data=b"")[0] == 403
    assert agent.get("/api/pipewarden/v1/pipelines/hello/run", method="POST", data=b"")[0] == 403
    assert agent.get("/-/healthy", headers={"Host": "evil.example"})[0] == 403
    assert agent.get("/alertmanager/api/v2/status")[0] == 404
    assert agent.socket("POST", "/-/reload")[0] == 200
    mode = (agent.storage / "pipewarden.sock").stat().st_mode & 0o777
    assert mode == 0o600, oct(mode)


def commands(agent):
    code, output = agent.command("probe", "itself")
    assert code == 0 and "success" in output, output
    code, output = agent.command("query", "1 + 1")
    assert code == 0 and output.startswith("2 @["), output
    code, output = agent.command("query", "1 +")
    assert code == 2 and "parse error" in output, output
    code, output = agent.command("pipeline", "run", "hello")
    assert code == 0, output
    lib.eventually(lambda: "succeeded" in agent.command("pipeline", "history", "hello")[1], 20, "the run's end")
    code, output = agent.command("pipeline", "logs", "hello", "say")
    assert code == 0 and "hello from say" in output, output


def page(agent):
    status, headers, body = agent.get("/")
    assert status == 200 and "default-src 'none'" in headers["Content-Security-Policy"]
    for word in ("itself", "hello", "Inbox", "/metrics"):
        assert word in body.decode(), word


def test(folder):
    port = lib.free_port()
    with socket.create_server(("127.0.0.1", port)):
        agent = lib.Agent(folder, CONFIG % port)
        lib.eventually(lambda: 'probe_success{' in agent.text("/metrics"), 10, "the first probe")
        for part in (metrics, promtool_asks, slow_connections, roles, commands, dashboard, page):
            part(agent)
            print(f"{part.__name__}: well", flush=True)
        scraped(agent, folder)
        assert agent.stop() == 0
    second = lib.Agent(folder, CONFIG % port)
    second.kill()
    second.start()  # the stale socket is no obstacle
    assert second.socket("GET", "/-/ready")[0] == 200
    assert second.stop() == 0


lib.main(test)
