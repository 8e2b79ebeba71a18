"""Idle cost: 50 probes every 15 s, 5 tailed files, 20 rules, the host's metrics; ours in one process, beside the same job
done by node_exporter, blackbox_exporter, mtail, Prometheus and Alertmanager of Debian's packages, in one run.

Usage: idle_bench.py [SECONDS]   (120 unless said; the first 30 s are not counted)
"""
import http.server
import os
import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402
import peer  # noqa: E402

PROBES, FILES, RULES = 50, 5, 20
WARM_UP = 30


class Quiet(http.server.BaseHTTPRequestHandler):
    def do_GET(self):  # noqa: N802 (the library's name)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


def target():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def write_lines(folder, stop):
    """A line a second in each file, as a quiet pipeline writes."""
    files = [open(folder / f"app{i}.log", "a", buffering=1) for i in range(FILES)]
    n = 0
    while not stop.wait(1):
        for file in files:
            file.write(f"2026-11-21 12:00:00 INFO stage=load rows={n} done\n")
        n += 1


def rules(metric):
    text = "groups:\n- name: bench\n  rules:\n"
    for i in range(RULES):
        text += f"  - alert: Rule{i}\n    expr: avg_over_time({metric}[5m]) < {0.1 + i / 100}\n    for: 1m\n"
    return text


def ours(folder, port):
    (folder / "rules.yml").write_text(rules("probe_success"))
    probes = "".join(f'  - {{name: p{i}, kind: http, url: "http://127.0.0.1:{port}/{i}", interval: 15s}}\n'
                     for i in range(PROBES))
    agent = lib.Agent(folder, f"""\
host: {{}}
probes:
{probes}logs:
  - path: {folder}/app*.log
    patterns: [{{match: 'stage=(?P<stage>\\w+) rows=(?P<rows>\\d+)', counter: app_rows_total, value: rows, labels: [stage]}}]
rule_files: [rules.yml]
""")
    return [agent]


def theirs(folder, port):
    node = peer.load("node_exporter").start(folder)
    blackbox = peer.load("blackbox_exporter").start(folder)
    mtail = peer.load("mtail").start(
        folder, "counter app_rows_total by stage\n/stage=(?P<stage>\\w+) rows=(?P<rows>\\d+)/ { app_rows_total[$stage] += $rows }\n",
        f"{folder}/app*.log")
    alertmanager = peer.load("alertmanager").start(folder)
    (folder / "rules.yml").write_text(rules("probe_success"))
    address = blackbox.url.removeprefix("http://")
    targets = ", ".join(f'"http://127.0.0.1:{port}/{i}"' for i in range(PROBES))
    plain = ", ".join('"' + p.url.removeprefix("http://") + '"' for p in (node, mtail))
    prometheus = peer.load("prometheus").start(folder, f"""
global: {{scrape_interval: 15s, evaluation_interval: 15s}}
rule_files: [rules.yml]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["{alertmanager.url.removeprefix('http://')}"]}}]}}]}}
scrape_configs:
- {{job_name: plain, static_configs: [{{targets: [{plain}]}}]}}
- job_name: blackbox
  metrics_path: /probe
  params: {{module: [http_2xx]}}
  static_configs: [{{targets: [{targets}]}}]
  relabel_configs:
  - {{source_labels: [__address__], target_label: __param_target}}
  - {{source_labels: [__param_target], target_label: probe}}
  - {{target_label: __address__, replacement: "{address}"}}
""")
    return [node, blackbox, mtail, alertmanager, prometheus]


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 120
    with lib.scratch() as folder:
        port = target()
        stop = threading.Event()
        threading.Thread(target=write_lines, args=(folder, stop), daemon=True).start()
        time.sleep(1.5)
        mine, other = folder / "ours", folder / "theirs"
        mine.mkdir()
        other.mkdir()
        for i in range(FILES):
            for place in (mine, other):
                (place / f"app{i}.log").symlink_to(folder / f"app{i}.log")
        groups = {"pipewarden": ours(mine, port), "peers": theirs(other, port)}
        time.sleep(WARM_UP)
        before = {p: cpu_seconds(p.pid) for group in groups.values() for p in group}
        time.sleep(seconds)
        stop.set()
        total = {}
        for name, group in groups.items():
            for p in group:
                cpu = (cpu_seconds(p.pid) - before[p]) / seconds * 100
                memory = resident_mib(p.pid)
                print(f"{p.name:20} {memory:8.1f} MiB resident  {cpu:6.3f} % of a core")
                m, c = total.get(name, (0, 0))
                total[name] = (m + memory, c + cpu)
        (m, c), (pm, pc) = total["pipewarden"], total["peers"]
        print(f"sum of the peers     {pm:8.1f} MiB resident  {pc:6.3f} % of a core")
        print(f"ratio (ours/peers)   {m / pm:8.3f}               {c / pc if pc else 0:6.3f}   over {seconds} s")


main()
