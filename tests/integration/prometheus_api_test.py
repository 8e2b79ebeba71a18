"""Prometheus' HTTP API over real HTTP: what promtool asks, what a Prometheus that federates takes, and the answers to
right and wrong requests beside those of a real Prometheus, with the same data in both."""
import json
import pathlib
import random
import re
import subprocess
import sys
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402
import peer  # noqa: E402
import promql_queries  # noqa: E402

WRITE = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf",
         "X-Prometheus-Remote-Write-Version": "0.1.0"}

# Path and parameters; T is a time with data. Both must answer alike: status, error, data.
SAME = [
    ("query", "query=mem&time=T"), ("query", "query=mem&time=T&limit=2"), ("query", "query=mem&time=T&limit=x"),
    ("query", "query=mem&time=T&limit=-1"), ("query", "query=mem&time=yesterday"), ("query", "query=mem&timeout=x"),
    ("query", "query=mem&time=T&timeout=5s"), ("query", ""), ("query", "query=mem{&time=T"),
    ("query", "query=mem&time=T&lookback_delta=1s"), ("query", "query=mem&lookback_delta=x"),
    ("query", "query=mad_over_time(mem[5m])&time=T"), ("query", "query=-&time=T"), ("query", 'query="a"&time=T'),
    ("query", "query=mem%2Bon()mem&time=T"), ("query", "query=mem[10m]&time=T"),
    ("query", "query=rate(mem)&time=T"), ("query", "query=sum(rate(mem[5m]))&time=T"),
    ("query_range", "query=mem&start=T&end=T&step=15"), ("query_range", "query=mem&start=T&end=1&step=15"),
    ("query_range", "query=mem&start=T&end=T&step=0"), ("query_range", "query=mem&start=T&end=T&step=-1s"),
    ("query_range", "query=mem&start=T&end=T&step=x"), ("query_range", "query=mem&end=T&step=1"),
    ("query_range", "query=mem&start=1&end=T&step=1"), ("query_range", "query=mem[5m]&start=T&end=T&step=1"),
    ("query_range", "query=mem&start=T&end=T&step=1&limit=1"), ("query_range", "query=sort(mem)&start=T&end=T&step=1"),
    ("series", "match[]=mem&start=T&end=T"), ("series", ""), ("series", "match[]={}"), ("series", "match[]=mem{"),
    ("series", "match[]=mem&match[]=small&start=T&end=T&limit=3"), ("series", "match[]=mem&limit=x"),
    ("series", 'match[]={job=~".*"}'), ("series", "match[]=mem&start=x"),
    ("labels", "match[]=lat_bucket"), ("labels", "match[]=lat_bucket&limit=1"), ("labels", "match[]={}"),
    ("labels", "start=x"), ("label/job/values", "match[]=mem"), ("label/job/values", "match[]=mem&limit=1"),
    ("label/nope/values", "match[]=mem"), ("label/job/values", "end=x"), ("label/U__job/values", "match[]=mem"),
    ("format_query", "query=sum(rate(mem[5m]))by(job)"), ("format_query", "query=sum("),
    ("query_exemplars", "query=mem&start=1&end=2"), ("query_exemplars", "query=mem{"), ("query_exemplars", "start=x"),
    ("query_exemplars", "query=mem&start=2&end=1"), ("rules", "type=x"), ("rules", "exclude_alerts=x"),
    ("rules", "match[]=a{"), ("rules", "group_limit=x"), ("rules", "group_limit=0"), ("rules", "group_next_token=x"),
    ("metadata", "limit=x"), ("metadata", "limit_per_metric=x"), ("targets", ""), ("alertmanagers", ""), ("alerts", ""),
    ("nothing", ""), ("targets/metadata", ""), ("scrape_pools", ""),
    ("targets", "state=active"), ("targets", "state=Dropped"), ("targets", "state=x"), ("targets/metadata", "limit=x"),
    ("targets/metadata", "match_target=a{"), ("targets/metadata", "match_target={a='b'}&metric=x&limit=3"),
    ("query", "query=native&time=T"), ("query", "query=custom&time=T"), ("query", "query=native[2m]&time=T"),
    ("query_range", "query=rate(native[5m])&start=T&end=T&step=15"), ("series", "match[]=native&start=T&end=T"),
    ("query", "query=histogram_sum(sum(increase(native[10m])))&time=T"),
    ("series", "match[]=mem&start=0&end=1"), ("series", "match[]=mem&start=T&end=1"), ("labels", "start=0&end=1"),
    ("series", 'match[]=mem{__name__="mem"}&start=T&end=T'), ("label/job/values", "start=0&end=1"),
    ("query", "query=mem&time=T&lookback_delta=0"), ("query", "query=mem&time=T&lookback_delta=-1"),
    ("query", "query=mem&time=T&lookback_delta=NaN"), ("query", "query=mem&time=T&lookback_delta=Inf"),
    ("query", "query=time()&time=NaN"), ("query", "query=time()&time=Inf"), ("query", "query=time()&time=1e14"),
    ("query", "query=time()&time=1e11"), ("query", "query=time()&time=-9e15"), ("query", "query=time()&time=1_000"),
    ("query", "query=time()&time=9223372036.9"), ("query", "query=time()&time=0x10"),
    ("query", "query=time()&time=1e400"), ("query", "query=time()&time=2026-01-01T00:00:00z"),
    ("query", "query=time()&time=2026-01-01t00:00:00Z"), ("query", "query=mem&time=T&timeout=Inf"),
    ("query_range", "query=mem&start=T&end=T&step=NaN"), ("query", "query=mem[step()]&time=T"),
    ("query_exemplars", "query=1"), ("query_exemplars", ""), ("notifications", ""), ("rules", "type=ALERT"),
    ("parse_query", "query=sum(rate(mem{job=~'a'}[5m]offset 1m))by(job)"), ("parse_query", "query=("),
    ("parse_query", "query=-a offset step() %2B on(b) group_left(c) min_over_time(b[5m*2] @ start()) > bool 5"),
    ("parse_query", "query=topk(3, (a and b or c unless ignoring(d) e)[5m:1m] @ 5.5)"),
    ("parse_query", "query=quantile without(a) (0.5, {'x.y'!~'a', b='c'} @ end()) == 'x'"),
    ("query", "query=histogram_count(custom)&time=T"), ("query", "query=native{job='a'} - custom&time=T"),
]


def answer(url, path, query, method="GET"):
    target, body, headers = f"{url}/api/v1/{path}", None, {}
    if method == "POST":
        body, headers = query.encode(), {"Content-Type": "application/x-www-form-urlencoded"}
    elif query:
        target += "?" + query
    status, headers, text = lib.http_get(target, headers, body, method)
    try:
        return status, headers["Content-Type"], json.loads(text)
    except ValueError:
        return status, headers["Content-Type"], text.decode()


def compare_head(agent, theirs):
    """What the routers say themselves."""
    wrong = []
    for method, path in (("HEAD", "/api/v1/query?query=1"), ("HEAD", "/api/v1/labels"), ("HEAD", "/federate"),
                         ("HEAD", "/-/healthy"), ("OPTIONS", "/api/v1/query"), ("OPTIONS", "/api/v1/nothing"),
                         ("GET", "/federate?match[]={}"), ("GET", "/api/v1/query?query=mem;x=1"),
                         ("GET", "/api/v1/query?query=time()&time=5&time=6;7")):
        mine, other = (lib.http_get(url + path, {}, None, method)[0::2] for url in (agent.url, theirs.url))
        if mine[0] != other[0] or mine[0] == 200 and mine != other:
            wrong.append(f"{method} {path}: ours {mine}, theirs {other}")
    form = {"Content-Type": "multipart/form-data; boundary=XX"}
    body = b'--XX\r\nContent-Disposition: form-data; name="query"\r\n\r\n1+1\r\n--XX--\r\n'
    mine, other = (json.loads(lib.http_get(url + "/api/v1/query?time=5", form, body, "POST")[2])
                   for url in (agent.url, theirs.url))
    assert not wrong and mine == other, (wrong, mine, other)


def compare_writes(agent, theirs, start):
    """The same requests in the same order to both; start is a time within the last hour."""
    v2 = {**WRITE, "Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"}
    once, hist = {"__name__": "once", "job": "a"}, {"__name__": "once_native"}
    now, month = (start + 3000) * 1000, 40 * 86400 * 1000

    def one(labels, *samples, at=now):
        return WRITE, promql_queries.remote_write([(labels, list(samples))], at)

    def two(*series):
        return v2, promql_queries.remote_write2(series)

    wrong = []
    for headers, body in (
            one(once, (0, 2.0)), one(once, (0, 2.0)), one(once, (0, 3.0)), one(once, (-1, 2.0)), one(once, (1, 1.0), (1, 1.0)),
            one(once, (2, float("nan")), (2, 5.0)), one({"__name__": "old"}, (0, 1.0), at=0),
            one({"__name__": "old"}, (0, 1.0), at=-1000), one({"__name__": "old"}, (0, 1.0), at=now - month),
            one({"__name__": "soon"}, (0, 1.0), at=now + 86400 * 1000), one({"job": "nameless"}, (0, 1.0)),
            one({"__name__": "l", "": "x"}, (0, 1.0)), one(hist, (0, native(2))), one(hist, (0, native(2))),
            one(hist, (0, native(3))), one(hist, (0, 1.0)), one(hist, (1, {**native(2), "count": 15})),
            one(hist, (1, {**native(2), "schema": 53})), one(hist, (1, {**native(2), "schema": 9})),
            one(hist, (2, {**custom(2), "bounds": [1, 1, 2]})), one(hist, (2, {**custom(2), "bounds": [1]})),
            two((once, [(now + 60000, 1.0)])), two((once, [(now + 60000, 1.0)])), two((once, [(now + 60000, 2.0)])),
            two((once, [(now, 1.0)]), ({"__name__": "other"}, [(now, 1.0)])), two(({"__name__": "none"}, [])),
            two(({"job": "nameless"}, [(now, 1.0)])), two(([("__name__", "t"), ("a", "1"), ("a", "2")], [(now, 1.0)])),
            (v2, b"\x02\x04\xff\xff"), ({**WRITE, "Content-Type": "application/json"}, b"\x00"),
            ({**WRITE, "Content-Type": "application/x-protobuf;proto=other"}, b"\x00"),
            ({**WRITE, "Content-Type": "application/x-protobuf;a"}, b"\x00"), ({**WRITE, "Content-Encoding": "gzip"}, b"")):
        mine, other = (lib.http_get(url + "/api/v1/write", headers, body, "POST") for url in (agent.url, theirs.url))
        told = [(status, {k: v for k, v in got.items() if k.startswith("X-Prometheus")}, text)
                for status, got, text in (mine, other)]
        if body[:1] == b"\x02":  # each has words of its own for what does not parse
            told = [(status, got) for status, got, _ in told]
        if told[0] != told[1]:
            wrong.append(f"{len(wrong)}: ours {told[0]}, theirs {told[1]}")
    assert not wrong, "\n".join(wrong)
    # Too long a body is answered, not cut.
    for url in (agent.url, theirs.url):
        status, _, text = lib.http_get(url + "/api/v1/write", WRITE, bytes(33 << 20), "POST")
        assert status == 413, (url, status, text)


def native(n):
    return {"schema": 1, "count": 7 * n, "sum": 10.5 * n, "zero": (0.001, n), "positive": {-1: n, 0: 2 * n, 3: n},
            "negative": {2: 2 * n}}


def custom(n):
    return {"schema": -53, "count": 6 * n, "sum": 9.0 * n, "positive": {0: n, 2: 2 * n, 3: 3 * n}, "bounds": [0.5, 1, 2.5]}


def sorted_data(answered):
    """Vectors and series have no order."""
    data = answered.get("data") if isinstance(answered, dict) else None
    if isinstance(data, dict) and isinstance(data.get("result"), list) and data["resultType"] in ("vector", "matrix"):
        data["result"].sort(key=lambda s: json.dumps(s["metric"], sort_keys=True))
    if isinstance(data, list):
        data.sort(key=lambda s: json.dumps(s, sort_keys=True))
    return answered


def compare(agent, theirs, at):
    wrong = []
    for path, query in SAME:
        query = urllib.parse.quote(query.replace("=T", f"={at}"), safe="=&%")
        methods = ["GET"]
        if path in ("query", "query_range", "series", "labels", "format_query", "query_exemplars"):
            methods.append("POST")
        for method in methods:
            mine, other = (answer(url, path, query, method) for url in (agent.url, theirs.url))
            if "limit" in query and isinstance(mine[2], dict) and "data" in mine[2]:  # which ones are kept is open
                mine[2].pop("data"), other[2].pop("data")
            if (mine[0], sorted_data(mine[2])) != (other[0], sorted_data(other[2])):
                wrong.append(f"{method} {path}?{query}\n   ours   {mine}\n   theirs {other}")
    assert not wrong, "\n".join(wrong)


def exposed(text):
    """The lines of an exposition, labels without an order."""
    return [(name, sorted(labels.split(",")), rest) for name, labels, rest in
            re.findall(r"^([^{\n]*)\{(.*)\} (.*)$", text, re.MULTILINE)] + re.findall(r"^#.*$", text, re.MULTILINE)


def promtool(binary, *arguments):
    done = subprocess.run([binary, "query", *arguments], text=True, capture_output=True, timeout=30)
    assert done.returncode == 0, (arguments, done)
    return sorted(done.stdout.splitlines())


def test(folder):
    debian, newest = peer.load("prometheus"), peer.load("prometheus3")
    debian.get()
    newest.get()
    theirs = newest.start(folder, arguments=["--query.max-samples=200000"])
    agent = lib.Agent(folder, "global: {evaluation_interval: 1h, external_labels: {node: n1}}\n",
                      ["--web.enable-remote-write-receiver", "--query.max-samples=200000"])
    numbers = random.Random(5)
    # The hour of the data lies within one of Prometheus' two-hour blocks: at whose edge it cuts chunks, and
    # /api/v1/series finds a series by its chunks.
    start = int(time.time()) // 60 * 60 - 3600
    if start % 7200 > 3600:
        start -= start % 7200 - 3600
    histograms = [({"__name__": "native", "job": "a"}, [(i, native(i + 1 if i < 90 else i - 80)) for i in range(120)]),
                  ({"__name__": "native", "job": "b"}, [(i, native(2 * i)) for i in range(100)] + [(100, {"stale": True})]),
                  ({"__name__": "custom"}, [(i, custom(i)) for i in range(120)])]
    body = promql_queries.remote_write(promql_queries.series(numbers) + histograms, start * 1000)
    for url in (agent.url, theirs.url):
        status, _, said = lib.http_get(f"{url}/api/v1/write", WRITE, body, "POST")
        assert status == 204, (url, status, said)
    at = start + 1500
    compare(agent, theirs, at)
    compare_head(agent, theirs)
    compare_writes(agent, theirs, start)

    for binary in (debian.promtool(), newest.promtool()):
        for arguments in (["instant", f"--time={at}", "{}", "sum by (job) (rate(req_total[5m]))"],
                          ["range", f"--start={at}", f"--end={at + 300}", "--step=60s", "{}", "mem"],
                          ["series", "--match=mem", f"--start={start}", f"--end={at}", "{}"],
                          ["labels", f"--start={start}", f"--end={at}", "{}", "inst"]):
            mine, other = ([a.format(url) for a in arguments] for url in (agent.url, theirs.url))
            found = promtool(binary, *mine)
            assert found and found == promtool(binary, *other), (arguments, found)

    # Federation: the newest samples, for a real Prometheus too.
    now = int(time.time())
    fresh = promql_queries.remote_write([({"__name__": "fresh", "job": "a"}, [(0, 1.5)]),
                                         ({"__name__": "fresh", "instance": "i", "zone": "z"}, [(0, 2.0)]),
                                         ({"__name__": "fresh.utf 8", "l.x": "1"}, [(0, 123456789.0)]),
                                         ({"__name__": "gone"}, [(0, "stale")]),
                                         ({"__name__": "fresh_native"}, [(0, native(3))]),
                                         ({"__name__": "fresh_custom", "zone": "z"}, [(0, custom(3))])], now * 1000)
    for url in (agent.url, theirs.url):
        assert lib.http_get(f"{url}/api/v1/write", WRITE, fresh, "POST")[0] == 204
    query = "/federate?" + urllib.parse.urlencode({"match[]": '{__name__=~"fresh.*|gone"}'})
    for accept in ("text/plain;version=0.0.4;escaping=allow-utf-8", "application/openmetrics-text;escaping=dots;q=0.6,"
                   "text/plain;q=0.5", "text/plain;escaping=values", "*/*", ""):
        (_, mine_headers, mine), (_, headers, reference) = (lib.http_get(url + query, {"Accept": accept})
                                                            for url in (agent.url, theirs.url))
        mine, reference = mine.decode(), reference.decode()
        assert sorted(map(str, exposed(re.sub(',?node="n1"', '', mine)))) == sorted(map(str, exposed(reference))), (
            mine, reference)
        assert mine_headers["Content-Type"] == headers["Content-Type"], (mine_headers, headers)
    assert mine.count('node="n1"') == 9 and "fresh_native" not in mine and "fresh_custom_bucket" in mine, mine
    other = folder / "scraper"
    other.mkdir()
    scraper = debian.start(other, f"""
scrape_configs:
  - job_name: federate
    honor_labels: true
    metrics_path: /federate
    params: {{"match[]": [fresh]}}
    scrape_interval: 1s
    static_configs: [{{targets: ["127.0.0.1:{agent.port}"]}}]
""")
    lib.eventually(lambda: json.loads(lib.http_get(scraper.url + "/api/v1/query?query=fresh{node='n1'}")[2])[
        "data"]["result"], 20, "the federated samples")

    # Limits: too many samples, too long; nobody else is hurt.
    for query, status in ((f"query=sum_over_time(mem[50m:100ms])&time={at}&timeout=1ms", 503),
                          (f"query=sum_over_time(mem[50m:10ms])&time={at}", 422)):
        mine = answer(agent.url, "query", query)
        assert mine[0] == status, mine
        # Where its time is over before it evaluates at all, Prometheus says so in other words.
        lib.eventually(lambda mine=mine, query=query: answer(theirs.url, "query", query) == mine, 20, f"{mine} from both")
    assert answer(agent.url, "query", "query=1")[0] == 200


lib.main(test)
