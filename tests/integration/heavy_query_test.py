"""Heavy queries hurt nobody: while several of them run, each until its limit or timeout, /-/healthy answers, rules are
judged on each tick, and afterwards their memory is given back."""
import concurrent.futures
import json
import pathlib
import re
import statistics
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402
import promql_queries  # noqa: E402

CONFIG = "global: {evaluation_interval: 1s}\nrule_files: [rules.yml]\n"
RULES = """
groups:
  - name: light
    rules: [{record: light, expr: 'sum(heavy)'}]
"""
HEAVY = [  # and how each may end
    ("max_over_time(sum(rate(heavy[20m]))[2h:1s])", {200, 503}),
    ("quantile_over_time(0.9, (heavy * 2)[3h:1s])", {422, 503}),
    ("sum(heavy) + on() group_right() heavy", {200, 422, 503}),
    ('count(label_replace(heavy, "copy", "$1-$1-$1", "i", "(.*)"))', {200, 422, 503}),
]
SECONDS = 8
GROWTH_MIB = 40  # that stays


class Watch(threading.Thread):
    """Asks /-/healthy all the while."""

    def __init__(self, agent):
        super().__init__(daemon=True)
        self.agent, self.took, self.failed, self.end = agent, [], None, threading.Event()

    def run(self):
        while not self.end.wait(0.02):
            start = time.monotonic()
            try:
                assert self.agent.get("/-/healthy", timeout=30)[0] == 200
            except Exception as error:
                self.failed = self.failed or error
            self.took.append(time.monotonic() - start)


def resident_mib(agent):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{agent.pid}/status").read_text())[1]) / 1024


def counter(agent, name):
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", agent.text("/metrics"), re.MULTILINE))


def ask(agent, query, end, until):
    """Asks it again and again; the statuses of the answers."""
    seen = set()
    while time.monotonic() < until:
        asked = urllib.parse.urlencode({"query": query, "start": end - 3000, "end": end, "step": 3, "timeout": "3s"})
        status, _, body = agent.get(f"/api/v1/query_range?{asked}", timeout=60)
        seen.add(status)
        if status != 200:
            told = json.loads(body)
            assert told["errorType"] in ("execution", "timeout"), told
            assert re.search("timed out|too many samples", told["error"]), told
    return seen


def test(folder):
    (folder / "rules.yml").write_text(RULES)
    agent = lib.Agent(folder, CONFIG, ["--web.enable-remote-write-receiver"])
    start = int(time.time()) - promql_queries.STEP * promql_queries.COUNT
    for first in range(0, 1000, 100):
        series = [({"__name__": "heavy", "i": str(i)}, [(k, float(k * i)) for k in range(promql_queries.COUNT)])
                  for i in range(first, first + 100)]
        status, _, body = agent.get("/api/v1/write", method="POST", data=promql_queries.remote_write(series, start * 1000),
                                    headers={"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"})
        assert status == 204, body
    lib.eventually(lambda: agent.query("light"), 30, "the rule's series")
    before = resident_mib(agent)
    judged = counter(agent, "pipewarden_rule_evaluations_total")

    watch = Watch(agent)
    watch.start()
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(len(HEAVY)) as pool:
        answers = list(pool.map(lambda query: ask(agent, query[0], start + 3000, begin + SECONDS), HEAVY))
    took = time.monotonic() - begin
    peak = resident_mib(agent)
    watch.end.set()
    watch.join()
    judged = counter(agent, "pipewarden_rule_evaluations_total") - judged
    for (query, allowed), seen in zip(HEAVY, answers):
        print(f"{query}: {sorted(seen)}")
        assert seen <= allowed, (query, seen)
    assert set().union(*answers) > {200}, "no query was heavy"
    print(f"{len(watch.took)} times healthy, in {statistics.median(watch.took) * 1e3:.1f} ms (median), at worst "
          f"{max(watch.took) * 1e3:.0f} ms; {judged:.0f} rules judged in {took:.0f} s")
    assert watch.failed is None, watch.failed
    # Bounds for a machine that is busy with other things as well.
    assert statistics.median(watch.took) < 0.25 and max(watch.took) < 3, (statistics.median(watch.took), max(watch.took))
    assert judged >= took / 4, (judged, took)

    given_back = lambda: resident_mib(agent) < before + GROWTH_MIB  # noqa: E731
    lib.eventually(given_back, 90, f"the memory of the queries to be given back ({before:.0f} MiB, then {peak:.0f})")
    print(f"resident: {before:.0f} MiB before, {peak:.0f} with the queries, {resident_mib(agent):.0f} after")
    assert agent.stop() == 0, agent.output()[-4000:]


if __name__ == "__main__":
    lib.main(test)
