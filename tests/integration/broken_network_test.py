"""Real servers behind a proxy that refuses, resets, hangs, delays, throttles, garbles and floods. Probes of PostgreSQL and
of a NameNode say what is wrong, in bounded time; mail and webhooks are retried and arrive once the way is free; a Prometheus
that reads slowly, or writes nonsense, harms nobody. All the while the agent answers others at once and does not grow."""
import http.server
import json
import pathlib
import re
import signal
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402
import peer  # noqa: E402

TIMEOUT = 1  # of a probe, in seconds
GROWTH_MIB = 48  # resident memory that all of this may cost (an HTTP answer of 10 MB is read whole)

SLOW = ("slicer", {"average_size": 2, "size_variation": 1, "delay": 300_000})  # some seven bytes a second
# What the proxy does: (toxic, its attributes), a list, or None for nobody there.
TROUBLE = {
    "refused": None,
    "reset": ("reset_peer", {"timeout": 0}),
    "cut short": ("limit_data", {"bytes": 60}),
    "hung": ("timeout", {"timeout": 0}),
    "late": ("latency", {"latency": 12_000}),
    "slow": SLOW,
    "garbled": ("garble", {"skip": 0, "every": 1, "mask": 255}),
    "garbled later": ("garble", {"skip": 60, "every": 7, "mask": 149}),
    "flooded": ("flood", {"skip": 0, "byte": 65}),
    "flooded later": ("flood", {"skip": 60, "byte": 65}),
}
LATE = "timed out after 1s while (waiting for|reading) the answer of 127.0.0.1:"
# The probe's error by what the proxy does, "" where the verdict is rightly well.
HTTP = {
    "refused": "Connection refused",
    "reset": "[Rr]eset",
    "cut short": "the connection ended among the headers",
    "hung": LATE,
    "late": LATE,
    "slow": LATE,
    "garbled": "is not HTTP",
    "garbled later": "is not HTTP",
    "flooded": "is not HTTP",
    "flooded later": "too long headers",
}
PROBES = {
    "postgres": {
        "refused": "Connection refused",
        "reset": "[Rr]eset|closed the connection unexpectedly",
        "cut short": "closed the connection unexpectedly",
        "hung": LATE,
        "late": LATE,
        "slow": LATE,
        "garbled": "invalid response to SSL negotiation|expected authentication request",
        "garbled later": ".",
        "flooded": "invalid response to SSL negotiation|expected authentication request",
        "flooded later": ".",
    },
    "web": HTTP,
    "bean": HTTP,
    "datanodes": HTTP,
}

CONFIG = """\
global: {{evaluation_interval: 1s}}
probes:
  - {{name: flag, kind: exec, command: ["true"], interval: 1h}}
{probes}
rule_files: [rules.yml]
alerting: {{config_file: alertmanager.yml}}
"""
POSTGRES = """\
  - {{name: postgres, kind: postgres, host: 127.0.0.1, port: {port}, user: postgres, password: secret, require_login: true,
     interval: 1h, timeout: 1s}}
"""
NAMENODE = """\
  - {{name: web, kind: http, url: "http://127.0.0.1:{port}/jmx?qry=java.lang:type=Memory", body_matches: ['"name" : "java.lang'],
     interval: 1h, timeout: 1s}}
  - {{name: bean, kind: jmx, url: "http://127.0.0.1:{port}", bean: "Hadoop:service=NameNode,name=FSNamesystemState",
     attributes: [NumLiveDataNodes], min: 1, interval: 1h, timeout: 1s}}
  - {{name: datanodes, kind: hdfs, url: "http://127.0.0.1:{port}", min_live: 1, interval: 1h, timeout: 1s}}
"""
ALERTMANAGER = """\
global:
  smtp_smarthost: localhost:{mail}
  smtp_from: pw@example.org
  smtp_auth_username: user
  smtp_auth_password: correct horse
  smtp_tls_config: {{ca_file: {cert}}}
route: {{receiver: both, group_by: [alertname], group_wait: 0s, group_interval: 4s, repeat_interval: 1h}}
receivers:
- name: both
  webhook_configs: [{{url: "http://127.0.0.1:{hook}/", send_resolved: false}}]
  email_configs: [{{to: a@example.org, send_resolved: false}}]
"""


class Hook:
    """Keeps what is posted to it."""

    def __init__(self):
        bodies = self.bodies = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # noqa: N802
                bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.send_header("Content-Length", "200")
                self.end_headers()
                self.wfile.write(b"." * 200)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                pass  # the proxy breaks what it brings

        server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.port = server.server_port

    def told(self, alertname):
        return sum(body["commonLabels"]["alertname"] == alertname for body in self.bodies)


class Watch(threading.Thread):
    """Asks /-/healthy all the while; the slowest answer counts."""

    def __init__(self, agent):
        super().__init__(daemon=True)
        self.agent, self.slowest, self.asked, self.failed, self.end = agent, 0.0, 0, None, threading.Event()

    def run(self):
        while not self.end.wait(0.05):
            start = time.monotonic()
            try:
                assert self.agent.get("/-/healthy", timeout=30)[0] == 200
            except Exception as error:
                self.failed = self.failed or error
            self.slowest = max(self.slowest, time.monotonic() - start)
            self.asked += 1


def resident_mib(agent):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{agent.pid}/status").read_text())[1]) / 1024


def stall(agent):
    """The longest turn of the loop, in seconds."""
    return agent.query("max_over_time(pipewarden_loop_stall_seconds[1h])")[0][1]


def trouble(proxy, name):
    if TROUBLE[name] is None:
        proxy.down()
    else:
        kind, attributes = TROUBLE[name]
        proxy.only(kind, **attributes)


def probes_tell(agent, proxies):
    for name, expected in PROBES.items():
        if name not in proxies:
            continue
        code, output = agent.command("probe", name)
        assert code == 0, f"{name} on a sound way: {output}"
        for what, error in expected.items():
            trouble(proxies[name], what)
            start = time.monotonic()
            code, output = agent.command("probe", name)
            seconds = time.monotonic() - start
            print(f"{name}, {what}: {seconds:.2f} s: {' '.join(output.splitlines()[1:2])}", flush=True)
            assert code == 1 and re.search(error, output), f"{name}, {what}: exit code {code}: {output}"
            assert output.isprintable() or output.strip().replace("\n", "").isprintable(), f"{name}, {what}: {output!r}"
            assert "secret" not in output, output
            assert seconds < TIMEOUT + 2, f"{name}, {what}: {seconds:.1f} s"
            assert agent.alive(), agent.output()[-4000:]
        proxies[name].clear()
        code, output = agent.command("probe", name)
        assert code == 0, f"{name} on a sound way again: {output}"


def rules(names):
    return "groups:\n- name: g\n  rules:\n" + "".join(f"  - {{alert: {name}, expr: vector(1)}}\n" for name in names)


def notifications_arrive(agent, folder, hook, mails, proxies):
    names = []
    for what in TROUBLE:
        name = f"{what.title().replace(' ', '')}{len(names)}"  # no name within another
        for proxy in proxies:
            trouble(proxy, what)
        names.append(name)
        (folder / "rules.yml").write_text(rules(names))
        agent.signal(signal.SIGHUP)

        def failed(integration):
            return [line for line in agent.output().splitlines() if "a notification failed" in line and integration in line
                    and f'alertname=\\"{name}\\"' in line]
        for integration in ("webhook", "email"):
            if (integration, what) == ("webhook", "garbled later"):
                continue  # its status line is whole: that is an answer
            lines = lib.eventually(lambda: failed(integration), 30, f"{integration}, {what}: a failed attempt")
            print(f"{integration}, {what}: {re.sub('.*error=', '', lines[0])}", flush=True)
        for proxy in proxies:
            proxy.clear()
        lib.eventually(lambda: hook.told(name), 30, f"{what}: the webhook")
        lib.eventually(lambda: any(name in mail["content"] for mail in mails()), 30, f"{what}: the mail")
        assert agent.alive(), agent.output()[-4000:]
    # An answer that got lost means one more; what was answered is not sent again at the next group_interval.
    time.sleep(5)
    once = len(hook.bodies), len(mails())
    time.sleep(5)
    assert once == (len(hook.bodies), len(mails())), (once, len(hook.bodies), len(mails()))
    assert "correct horse" not in agent.output()


def scrapes_come_back(agent, prometheus, proxy):
    def up():
        answer = json.loads(lib.http_get(prometheus.url + "/api/v1/query?query=up")[2])
        return float(answer["data"]["result"][0]["value"][1])
    lib.eventually(lambda: up() == 1, 20, "the first scrape")
    for stream, what in [("downstream", what) for what in TROUBLE] + [("upstream", "garbled"), ("upstream", "garbled later"),
                                                                     ("upstream", "slow"), ("upstream", "flooded")]:
        if TROUBLE[what] is None:
            proxy.down()
        else:
            proxy.only(TROUBLE[what][0], stream=stream, **TROUBLE[what][1])
        lib.eventually(lambda: up() == 0, 20, f"{stream} {what}: a failed scrape")
        proxy.clear()
        lib.eventually(lambda: up() == 1, 20, f"{stream} {what}: scrapes to come back")
    assert agent.alive()


def test(folder):
    toxiproxy = peer.load("toxiproxy").start(folder)
    postgres = peer.load("postgres").start(folder)
    proxies = {"postgres": toxiproxy.proxy("postgres", postgres.port)}
    probes = POSTGRES.format(port=proxies["postgres"].port)
    try:
        namenode = peer.load("hdfs").start(folder)
        way = toxiproxy.proxy("namenode", int(namenode.url.rsplit(":", 1)[1]))
        probes += NAMENODE.format(port=way.port)
        proxies |= {"web": way, "bean": way, "datanodes": way}
    except lib.Skipped as why:
        print(f"skipped: the NameNode: {why}", flush=True)
    (folder / "smtp").mkdir()
    smtp, hook = peer.load("smtp").start(folder / "smtp"), Hook()
    receivers = [toxiproxy.proxy("mail", smtp.port), toxiproxy.proxy("hook", hook.port)]
    (folder / "alertmanager.yml").write_text(
        ALERTMANAGER.format(mail=receivers[0].port, hook=receivers[1].port, cert=smtp.cert))
    (folder / "rules.yml").write_text(rules([]))
    agent = lib.Agent(folder, CONFIG.format(probes=probes))
    before = resident_mib(agent)
    watch = Watch(agent)
    watch.start()

    probes_tell(agent, proxies)
    print(f"the loop's longest turn: {stall(agent):.3f} s, resident memory: {before:.0f} -> {resident_mib(agent):.0f} MiB")
    notifications_arrive(agent, folder, hook, smtp.mails, receivers)
    way = toxiproxy.proxy("agent", agent.port)
    prometheus = peer.load("prometheus").start(folder, f"""
scrape_configs:
  - job_name: pipewarden
    scrape_interval: 1s
    static_configs: [{{targets: ["127.0.0.1:{way.port}"]}}]
""")
    scrapes_come_back(agent, prometheus, way)

    watch.end.set()
    watch.join()
    after = resident_mib(agent)
    print(f"the loop's longest turn: {stall(agent):.3f} s, resident memory: {before:.0f} -> {after:.0f} MiB, the slowest of "
          f"{watch.asked} answers: {watch.slowest:.3f} s")
    assert after - before < GROWTH_MIB, f"{before:.0f} MiB became {after:.0f}"
    assert watch.failed is None, watch.failed
    assert watch.asked > 20 and watch.slowest < 2, (watch.asked, watch.slowest)
    assert agent.stop() == 0, agent.output()[-4000:]


if __name__ == "__main__":
    lib.main(test)
