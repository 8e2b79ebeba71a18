"""A real Prometheus scrapes the agent, promtool finds nothing to say of its metrics, and both answer queries alike."""
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402
import peer  # noqa: E402

CONFIG = """\
global: {evaluation_interval: 1s}
host: {}
probes:
  - {name: self, kind: tcp, address: "127.0.0.1:%d", interval: 1s}
  - {name: nobody, kind: tcp, address: "127.0.0.1:1", interval: 1s}
rule_packs: [component, pipeline, freshness, host]
"""


def test(folder):
    prometheus = peer.load("prometheus")
    prometheus.get()
    target = lib.free_port()
    agent = lib.Agent(folder, CONFIG % target)
    lib.eventually(lambda: "probe_success" in agent.text("/metrics"), 10, "the first probe")

    for accept, kind in ((None, "text/plain"), ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text")):
        status, headers, body = agent.get("/metrics", headers={"Accept": accept} if accept else {})
        assert status == 200 and headers["Content-Type"].startswith(kind), (status, headers)
        assert (body.endswith(b"# EOF\n")) == (kind != "text/plain")
    said = subprocess.run([prometheus.promtool(), "check", "metrics"], input=agent.text("/metrics"), text=True,
                          capture_output=True)
    # The memory metrics have node_exporter's names, of which promtool says this too.
    remarks = [line for line in (said.stdout + said.stderr).splitlines() if not line.startswith("node_memory_")]
    assert not remarks, remarks

    server = prometheus.start(folder, f"""
scrape_configs:
  - job_name: pipewarden
    scrape_interval: 1s
    static_configs: [{{targets: ["127.0.0.1:{agent.port}"]}}]
""")

    def theirs(query):
        answer = json.loads(lib.http_get(f"{server.url}/api/v1/query?query={query}")[2])
        return [(r["metric"], float(r["value"][1])) for r in answer["data"]["result"]]

    lib.eventually(lambda: theirs("up") and theirs("up")[0][1] == 1, 20, "the first scrape")
    lib.eventually(lambda: theirs('probe_success{probe="nobody"}'), 20, "the probe's samples in Prometheus")
    assert theirs('probe_success{probe="nobody"}')[0][1] == 0
    lib.eventually(lambda: agent.query('probe_success{probe="nobody"}'), 10, "the probe's samples in our storage")
    assert agent.query('probe_success{probe="nobody"}')[0][1] == 0
    lib.eventually(lambda: agent.query("count(node_cpu_seconds_total) > 0"), 20, "the host's samples in our storage")

    # promtool speaks to our API as to Prometheus'.
    said = subprocess.run([prometheus.promtool(), "query", "instant", agent.url, "1 + 1"], text=True, capture_output=True)
    assert said.returncode == 0 and "2" in said.stdout, said


lib.main(test)
