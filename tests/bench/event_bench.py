"""From a probe's answer to the notification leaving, with `for: 0s` and `group_wait: 0s`: one probe after the other goes
down, more than a second apart; the aim is 50 ms at the 99th percentile. Then a hundred go down together, which is one
evaluation of the group.

Usage: event_bench.py [PROBES]   (100 unless said; a flip takes 1.2 s)
"""
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402
import http_peers  # noqa: E402

RULES = "groups:\n- name: probes\n  rules:\n  - {alert: Down, expr: probe_up == 0}\n"
ALERTMANAGER = """\
route: {{receiver: hook, group_by: [probe], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers:
- {{name: hook, webhook_configs: [{{url: "http://127.0.0.1:{port}/"}}]}}
"""


def judgements(agent):
    return sum(float(v) for v in re.findall(r"\npipewarden_rule_group_judgements_total\{[^}]*\} (\S+)",
                                            agent.text("/metrics")))


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with lib.scratch() as folder:
        target, hook = http_peers.Target(), http_peers.Hook()
        (folder / "rules.yml").write_text(RULES)
        (folder / "alertmanager.yml").write_text(ALERTMANAGER.format(port=hook.port))
        probes = "".join(f'  - {{name: p{i}, kind: http, url: "http://127.0.0.1:{target.port}/p{i}", interval: 1s}}\n'
                         for i in range(count))
        agent = lib.Agent(folder, f"probes:\n{probes}rule_files: [rules.yml]\n"
                                  "alerting: {config_file: alertmanager.yml}\n")
        lib.eventually(lambda: agent.text("/metrics").count("\nprobe_up{") == count, 60, "all verdicts")
        delays = []
        for i in range(count):
            known = len(hook.bodies)
            target.down.add(f"/p{i}")
            lib.eventually(lambda: len(hook.bodies) > known, 10, f"the alert of p{i}")
            delays.append((hook.bodies[known][0] - target.changed[f"/p{i}"]) * 1000)
            time.sleep(1.2)
        delays.sort()
        print(f"one at a time, {count}: p50 {delays[len(delays) // 2]:.1f} ms, "
              f"p99 {delays[int(len(delays) * 0.99) - 1]:.1f} ms, longest {delays[-1]:.1f} ms")
        agent.stop()


main()
