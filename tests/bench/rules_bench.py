"""Rules, storage and queries beside Prometheus 3.15: both are fed the same batches by remote write, in one run.

First an hour of 13,000 series at 15 s is filled in, then live samples follow and 1,000 rules are judged over them; then
fresh ones get a day of 1,500 series, for what a sample costs on disk and how long a start takes.

Usage: rules_bench.py [--quick]
"""
import array
import http.client
import itertools
import os
import pathlib
import random
import re
import struct
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402
import peer  # noqa: E402

QUICK = "--quick" in sys.argv
STEP_MS = 15_000
INSTANCES = 20 if QUICK else 100
METRICS = 120  # of one series an instance; ten buckets of a histogram besides
RULES = 200 if QUICK else 1000
MINUTES = 20 if QUICK else 60
WITHOUT_RULES, WITH_RULES = (35, 15) if QUICK else (45, 75)  # seconds
DAY_SERIES, DAY_HOURS = (300, 8) if QUICK else (1500, 24)
QUERY = "sum by (job) (rate(request_seconds_bucket[5m]))"
QUERIES = 3 if QUICK else 7
AT_ONCE = 40  # samples of a series in one request: ten minutes


# ---- data ------------------------------------------------------------------------------------------------------------

def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out) + bytes([n])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


class Series:
    """A label set and the values of its samples, which come as they do from machines: most never change, many count up
    in whole numbers, the rest are gauges, whole or with two decimals."""

    def __init__(self, random_numbers, kind, **labels):
        self.random = random_numbers
        self.labels = b"".join(field(1, field(1, k.encode()) + field(2, v.encode())) for k, v in sorted(labels.items()))
        self.kind = kind
        self.value = float(random_numbers.randrange(1_000_000))
        self.mean = random_numbers.randrange(1, 2000)

    def next(self, count):
        rand = self.random
        if self.kind == "constant":
            values = [self.value] * count
        elif self.kind == "counter":
            values = list(itertools.accumulate((rand.randrange(self.mean) for _ in range(count)), initial=self.value))[1:]
        elif self.kind == "whole":
            values = [float(rand.randrange(self.mean)) for _ in range(count)]
        else:
            values = [rand.randrange(10_000) / 100 for _ in range(count)]
        self.value = values[-1]
        return array.array("d", values).tobytes()


def kind_of(metric):
    return (["constant"] * 9 + ["counter"] * 6 + ["whole"] * 2 + ["decimal"] * 3)[metric % 20]


def name_of(metric):
    return f"machine_{kind_of(metric)}_{metric}" + ("_total" if kind_of(metric) == "counter" else "")


def make_series(instances):
    rand = random.Random(1)
    out = []
    for i in range(instances):
        where = {"instance": f"10.0.0.{i}:9100", "job": f"job{i % 10}"}
        out += [Series(rand, kind_of(m), __name__=name_of(m), device="sda", **where) for m in range(METRICS)]
        out += [Series(rand, "counter", __name__="request_seconds_bucket", le=le, **where)
                for le in ("0.1", "0.2", "0.3", "0.5", "0.75", "1", "2", "4", "10", "+Inf")]
    return out


def requests_of(series, first_ms, count):
    """Bodies of remote write: `count` samples of each series from that time on, a step apart."""
    sample = b"\x12\x10\x09" + bytes(8) + b"\x10"
    template = bytearray(b"".join(sample + varint(first_ms + i * STEP_MS) for i in range(count)))
    size = len(template) // count
    template[1::size] = bytes([size - 2]) * count
    at_once = 2000 // count  # as many samples as Prometheus sends in one request
    for start in range(0, len(series), at_once):
        message = []
        for one in series[start:start + at_once]:
            values = one.next(count)
            for byte in range(8):
                template[3 + byte::size] = values[byte::8]
            message.append(field(1, one.labels + template))
        body = b"".join(message)
        # A snappy block of one literal: neither side's unpacking is what is measured.
        yield varint(len(body)) + b"\xf8" + struct.pack("<I", len(body) - 1)[:3] + body


class Feeder:
    """Sends the same batches to both."""

    def __init__(self, *processes):
        self.connections = [http.client.HTTPConnection(p.url.removeprefix("http://"), timeout=60) for p in processes]
        self.samples = 0

    def send(self, series, first_ms, count):
        headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
                   "X-Prometheus-Remote-Write-Version": "0.1.0"}
        for body in requests_of(series, first_ms, count):
            for connection in self.connections:
                connection.request("POST", "/api/v1/write", body, headers)
                answer = connection.getresponse()
                text = answer.read()
                assert answer.status // 100 == 2, (answer.status, text[:500])
        self.samples += len(series) * count

    def fill(self, series, start_ms, end_ms):
        """[start, end)"""
        for at in range(start_ms, end_ms, AT_ONCE * STEP_MS):
            self.send(series, at, min(AT_ONCE, (end_ms - at) // STEP_MS))


def live(feeder, series, next_ms, stop):
    while not stop.is_set():
        if time.time() * 1000 < next_ms:
            stop.wait(next_ms / 1000 - time.time() + 0.02)
            continue
        feeder.send(series, next_ms, 1)
        next_ms += STEP_MS


# ---- rules -----------------------------------------------------------------------------------------------------------

def rule(i):
    """What rule files are made of: mostly thresholds and rates; one rule in a hundred has alerts that fire."""
    gauges = [m for m in range(METRICS) if kind_of(m) in ("whole", "decimal")]
    counters = [m for m in range(METRICS) if kind_of(m) == "counter"]
    gauge, other, counter = (name_of(among[i * 7 % len(among)]) for among in (gauges, gauges[1:] + gauges[:1], counters))
    kind = i % 10
    if kind < 4:
        limit = 50 if i % 100 == 0 else 10_000
        return (f"  - alert: Threshold{i}\n    expr: {gauge} > {limit}\n    for: 1m\n    labels: {{severity: page}}\n"
                "    annotations: {summary: '{{ $labels.instance }} is at {{ $value }}'}\n")
    if kind < 7:
        return f"  - record: job:rate:rule{i}\n    expr: sum by (job) (rate({counter}[5m]))\n"
    if kind == 7:
        return f"  - record: max:average:rule{i}\n    expr: max(avg_over_time({gauge}[5m]))\n"
    if kind == 8:
        return f"  - alert: Ratio{i}\n    expr: {gauge} / ({other} + 1) > 100000\n    for: 1m\n"
    return (f"  - alert: Slow{i}\n    expr: histogram_quantile(0.9, sum by (le, job) "
            f"(rate(request_seconds_bucket{{job=\"job{i // 10 % 10}\"}}[5m]))) > 20\n")


def rule_file():
    groups = [f"- name: group{g}\n  rules:\n" + "".join(rule(i) for i in range(g, RULES, 20)) for g in range(20)]
    return "groups:\n" + "".join(groups)


# ---- measuring -------------------------------------------------------------------------------------------------------

def cpu_seconds(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(process):
    """Bytes. Of a Go process after a collection of its garbage."""
    for _ in range(3 if process.name.startswith("prometheus") else 0):
        lib.http_get(process.url + "/debug/pprof/heap?gc=1", timeout=60)
        time.sleep(1)
    return int(pathlib.Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def counter(process, name):
    """The sum over the series of a metric on /metrics."""
    text = lib.http_get(process.url + "/metrics", timeout=30)[2].decode()
    return sum(float(v) for v in re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", text, re.MULTILINE))


def folder_bytes(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def show(what, unit, ours, theirs, aim, higher_is_better=False):
    ratio = theirs / ours if higher_is_better and ours else ours / theirs if theirs else float("nan")
    said = f"{ratio:.1f} times as fast" if higher_is_better else f"ratio {ratio:.3f}"
    print(f"{what:46} {ours:10.2f} {unit:6} Prometheus {theirs:10.2f} {unit:6} {said}   aim: {aim}", flush=True)


class StallWatch:
    """The longest turn of our loop, read from the metric that starts anew with each tick."""

    def __init__(self, agent):
        self.agent, self.worst, self.stop = agent, 0.0, threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self):
        while not self.stop.wait(1):
            self.worst = max(self.worst, counter(self.agent, "pipewarden_loop_stall_seconds"))

    def end(self):
        self.stop.set()
        self.thread.join()
        return self.worst


# ---- the parts -------------------------------------------------------------------------------------------------------

def start_both(folder, config="global: {evaluation_interval: 5s}\n", prometheus_config="global: {evaluation_interval: 5s}\n"):
    folder.mkdir()
    ours = lib.Agent(folder, config, ["--web.enable-remote-write-receiver"])
    theirs = peer.load("prometheus3").start(folder, prometheus_config, ["--web.enable-admin-api"])
    return ours, theirs


def set_rules(folder, ours, theirs):
    (folder / "rules.yml").write_text(rule_file())
    for path, process in ((ours.config, ours), (folder / "prometheus3.yml", theirs)):
        path.write_text(path.read_text() + "rule_files: [rules.yml]\n")
        process.signal(1)
    evaluations = {ours: "pipewarden_rule_evaluations_total", theirs: "prometheus_rule_evaluations_total"}
    for process, name in evaluations.items():
        lib.eventually(lambda process=process, name=name: counter(process, name) > 0, 30, "rules to be evaluated")
    return evaluations


def range_query(process, end_ms):
    """Of the quickest of a few: seconds until the answer was read; CPU seconds of all of them, on average."""
    span = MINUTES * 30 if QUICK else (MINUTES - 10) * 60
    times, cpu = [], cpu_seconds(process)
    for i in range(QUERIES):
        end = end_ms / 1000 - i  # not the same one twice
        asked = urllib.parse.urlencode({"query": QUERY, "start": end - span, "end": end, "step": span / 1000})
        begin = time.perf_counter()
        status, _, body = lib.http_get(f"{process.url}/api/v1/query_range?{asked}", timeout=60)
        times.append(time.perf_counter() - begin)
        assert status == 200, body[:500]
    return min(times), (cpu_seconds(process) - cpu) / QUERIES


def hour(folder):
    ours, theirs = start_both(folder)
    both = (ours, theirs)
    for _ in range(200):  # both have served somebody, on all their threads
        for p in both:
            lib.http_get(p.url + "/metrics")
    time.sleep(35)  # ours gives memory back every 30 s
    idle = {p: resident(p) for p in both}
    series = make_series(INSTANCES)
    feeder = Feeder(*both)
    stall = StallWatch(ours)
    start_ms = int(time.time()) * 1000 // STEP_MS * STEP_MS - MINUTES * 60_000
    at, cpu = time.perf_counter(), {p: cpu_seconds(p) for p in both}
    feeder.fill(series, start_ms, start_ms + MINUTES * 60_000)
    taking = {p: (cpu_seconds(p) - cpu[p]) / feeder.samples * 1e6 for p in both}
    print(f"{feeder.samples} samples of {len(series)} series sent in {time.perf_counter() - at:.0f} s", flush=True)
    stop = threading.Event()
    follow = threading.Thread(target=live, args=(feeder, series, start_ms + MINUTES * 60_000, stop), daemon=True)
    follow.start()
    time.sleep(5)
    before = {p: cpu_seconds(p) for p in both}
    time.sleep(WITHOUT_RULES)
    rest = {p: (cpu_seconds(p) - before[p]) / WITHOUT_RULES for p in both}
    held = {p: (resident(p) - idle[p]) / len(series) for p in both}
    quickest = {p: range_query(p, int(time.time() * 1000)) for p in both}
    evaluations = set_rules(folder, ours, theirs)
    time.sleep(5)
    cost = {}
    at = time.perf_counter()
    before = {p: (cpu_seconds(p), counter(p, evaluations[p])) for p in both}
    time.sleep(WITH_RULES)
    for p in both:
        spent, judged = cpu_seconds(p) - before[p][0], counter(p, evaluations[p]) - before[p][1]
        cost[p] = (spent - rest[p] * (time.perf_counter() - at)) / judged * 1e6
        assert judged >= RULES * 2, judged
    missed = counter(ours, "pipewarden_rule_group_iterations_missed_total")
    held_with_rules = {p: (resident(p) - idle[p]) / len(series) for p in both}
    stop.set()
    follow.join()
    show("evaluation of a rule, CPU", "us", cost[ours], cost[theirs], "0.2")
    show("resident memory of a series, an hour", "bytes", held[ours], held[theirs], "0.2")
    show("the same with the rules", "bytes", held_with_rules[ours], held_with_rules[theirs], "-")
    query = f"range query, {INSTANCES * 10} series, 1000 steps"
    show(query, "ms", quickest[ours][0] * 1e3, quickest[theirs][0] * 1e3, "3", higher_is_better=True)
    show(f"{query}, CPU", "ms", quickest[ours][1] * 1e3, quickest[theirs][1] * 1e3, "-", higher_is_better=True)
    show("taking in a sample, CPU", "us", taking[ours], taking[theirs], "-")
    print(f"resident idle: {idle[ours] / 2**20:.1f} MiB, Prometheus {idle[theirs] / 2**20:.1f} MiB; with everything: "
          f"{resident(ours) / 2**20:.1f} MiB, Prometheus {resident(theirs) / 2**20:.1f} MiB")
    print(f"longest turn of the loop meanwhile: {stall.end() * 1e3:.2f} ms   aim: 5; iterations missed: {missed:.0f}", flush=True)
    for p in both:
        p.stop()


def day(folder):
    """What a sample costs on disk, and how long a start takes with a day of samples."""
    # Rare ticks while the day is filled in, so that no window is sealed before its samples are there.
    ours, theirs = start_both(folder, "global: {evaluation_interval: 1h}\n")
    series = make_series(DAY_SERIES // (METRICS + 10) + 1)[:DAY_SERIES]
    feeder = Feeder(ours, theirs)
    now_ms = int(time.time()) * 1000 // STEP_MS * STEP_MS
    window = 2 * 3600 * 1000
    # What is before is sealed, an hour after. Not one that becomes due while samples for it are still to come.
    sealed = (now_ms - window // 2 + 600_000) // window * window
    feeder.fill(series, now_ms - DAY_HOURS * 3600 * 1000, sealed)
    ours.stop()
    ours.config.write_text("global: {evaluation_interval: 1s}\n")
    ours.start()
    samples = ours.storage / "samples"
    last = samples / f"segment-{sealed - window:013}.seg"
    lib.eventually(last.exists, 660, f"{last} to be written")
    feeder.connections[0].close()
    feeder.fill(series, sealed, now_ms)
    segments = sum(path.stat().st_size for path in samples.glob("segment-*"))
    in_segments = len(series) * (sealed - now_ms + DAY_HOURS * 3600 * 1000) // STEP_MS
    all_files = folder_bytes(samples)
    starts = []
    for _ in range(3):
        ours.kill()
        begin = time.perf_counter()
        ours.start()
        starts.append(time.perf_counter() - begin)
    status, _, body = lib.http_get(theirs.url + "/api/v1/admin/tsdb/snapshot", method="POST", data=b"", timeout=60)
    assert status == 200, body
    snapshot = next((folder / "prometheus3/snapshots").iterdir())
    blocks = folder_bytes(snapshot)
    head = folder_bytes(folder / "prometheus3") - folder_bytes(folder / "prometheus3/snapshots")
    print(f"{feeder.samples} samples of {len(series)} series, a day", flush=True)
    show("a sample on disk, sealed", "bytes", segments / in_segments, blocks / feeder.samples, "1")
    show("a sample on disk, all files with the log", "bytes", all_files / feeder.samples, head / feeder.samples, "-")
    print(f"ready after a SIGKILL with that day: {min(starts):.2f} s to {max(starts):.2f} s   aim: 1")
    for p in (ours, theirs):
        p.stop()


def main(folder):
    print(f"load: {os.getloadavg()[0]:.1f}", flush=True)
    hour(folder / "hour")
    day(folder / "day")
    print(f"load: {os.getloadavg()[0]:.1f}")


lib.main(main)
