"""SIGKILL of the agent at random moments of runs, again and again. Afterwards: no step ran twice, none is lost, every exit
status is right, no log line was counted twice or not at all, and a Prometheus that scrapes every 100 ms never saw the log's
counter fall.

The steps keep their own account in a file, each line one write; the agent's history is compared with it.
"""
import collections
import json
import os
import pathlib
import random
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402
import peer  # noqa: E402

CONFIG = """\
global: {{evaluation_interval: 1s}}
logs:
  - path: {folder}/app.log
    start: beginning
    patterns: [{{match: 'line (?P<n>\\d+)', counter: app_lines_total}}]
pipelines:
  quick:
    schedule: "* * * * * *"
    overlap: queue
    catch_up: all
    env: {{OUT: "{folder}/account"}}
    steps:
      first: {{run: 'echo "start $PIPEWARDEN_RUN_ID first $PIPEWARDEN_ATTEMPT" >> $OUT; sleep 0.1; echo "end $PIPEWARDEN_RUN_ID first $PIPEWARDEN_ATTEMPT" >> $OUT'}}
      second: {{run: 'echo "start $PIPEWARDEN_RUN_ID second $PIPEWARDEN_ATTEMPT" >> $OUT; exit 3', after: [first]}}
"""


class Writer(threading.Thread):
    """Numbered lines, some cut in two writes, with a rotation now and then."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.lines, self.stop = path, 0, threading.Event()

    def run(self):
        file = open(self.path, "ab", buffering=0)
        while not self.stop.wait(0.005):
            text = f"line {self.lines} of the log\n".encode()
            cut = random.randrange(len(text)) if random.random() < 0.2 else len(text)
            file.write(text[:cut])
            if cut < len(text):
                time.sleep(0.01)
                file.write(text[cut:])
            self.lines += 1
            if self.lines % 2000 == 0:
                os.rename(self.path, f"{self.path}.{self.lines}")
                file = open(self.path, "ab", buffering=0)


def account(folder):
    """What the steps themselves wrote: {(run, step, attempt): [start and end lines]}."""
    seen = collections.defaultdict(list)
    path = folder / "account"
    for line in path.read_text().splitlines() if path.exists() else []:
        what, *key = line.split()
        seen[tuple(key)].append(what)
    return seen


def check_account(folder):
    seen = account(folder)
    assert seen, "no step ever ran"
    for key, lines in seen.items():
        assert lines.count("start") == 1, f"{key} started {lines.count('start')} times"
        if key[1] == "first":
            assert lines == ["start", "end"], f"{key}: {lines}"
    return seen


def check_history(agent, seen):
    """Each run that the agent tells has just the steps that ran, with their right ends."""
    status, body = agent.socket("GET", "/api/pipewarden/v1/pipelines/quick/runs?limit=1000")
    assert status == 200, body
    runs = json.loads(body)["data"]
    told = {(str(run["id"]), step["name"], str(attempt)): step for run in runs for step in run["steps"]
            for attempt in range(1, step["attempts"] + 1)}
    assert set(seen) == set(told), (sorted(set(seen) ^ set(told))[:5], len(seen), len(told))
    for (_, name, _), step in told.items():
        assert step["exit_code"] == (0 if name == "first" else 3), step
        assert step["state"] == ("succeeded" if name == "first" else "failed"), step
    slots = [run["slot"] for run in runs]
    assert len(slots) == len(set(slots)), "a slot ran twice"
    return len(runs)


def test(folder):
    kills = lib.count(8, 15, 200)
    seed = int(os.environ.get("PIPEWARDEN_SEED", random.randrange(10**6)))
    random.seed(seed)
    print(f"seed: {seed}, {kills} kills", flush=True)
    writer = Writer(str(folder / "app.log"))
    writer.start()
    agent = lib.Agent(folder, CONFIG.format(folder=folder))
    prometheus = peer.load("prometheus").start(folder, f"""
scrape_configs:
  - job_name: pipewarden
    scrape_interval: 100ms
    scrape_timeout: 100ms
    static_configs: [{{targets: ["127.0.0.1:{agent.port}"]}}]
    metric_relabel_configs: [{{source_labels: [__name__], regex: app_lines_total, action: keep}}]
""")
    for _ in range(kills):
        time.sleep(random.uniform(0.05, 1.5))
        agent.kill()
        time.sleep(random.choice([0, 0, 0.05, 0.3]))
        agent.start()
    time.sleep(1)
    writer.stop.set()
    writer.join()

    # Quiet: no more slots, everything under way ends.
    agent.config.write_text(agent.config.read_text().replace('    schedule: "* * * * * *"\n', ""))
    assert agent.socket("POST", "/-/reload")[0] == 200

    def idle():
        pipelines = json.loads(agent.socket("GET", "/api/pipewarden/v1/pipelines")[1])["data"]
        return not any(p["active_runs"] for p in pipelines)
    lib.eventually(idle, 60, "the runs to end")
    runs = check_history(agent, check_account(folder))

    def counted():
        for line in agent.text("/metrics").splitlines():
            if line.startswith("app_lines_total"):
                return float(line.split()[-1])
        return 0
    lib.eventually(lambda: counted() >= writer.lines, 20, f"{writer.lines} lines to be counted")
    assert counted() == writer.lines, (counted(), writer.lines)

    answer = lib.http_get(f"{prometheus.url}/api/v1/query?" + urllib.parse.urlencode(
        {"query": 'max(resets(app_lines_total[1h]))'}))[2]
    result = json.loads(answer)["data"]["result"]
    assert result and float(result[0]["value"][1]) == 0, result
    orphans = [p for p in pathlib.Path("/proc").glob("[0-9]*/cmdline")
               if str(folder).encode() in _read(p) and b"pipewarden-step" in _read(p)]
    assert not orphans, orphans
    print(f"{kills} kills, {runs} runs, {writer.lines} lines: all accounted for")


def _read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


lib.main(test)
