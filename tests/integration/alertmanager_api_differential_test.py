"""Alertmanager's API v2 and amtool's commands, right and odd, against the newest Alertmanager that builds: the same status
codes, bodies and output. Times of updates, ids of silences and versions aside. What may differ, and why:
- of a request that is refused the words: ours tell the place in the JSON, the alert or the matcher, and what to do;
- an answer without a body has a type all the same; HEAD is answered as GET, and is among what is allowed;
- a path may not end in a slash;
- times are shown in UTC;
- silences that end alike stand in any order;
- the receivers of an alert stand in the order of the routes, all of them in groups too.
"""
import json
import os
import re
import subprocess
import sys
import pathlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402
import peer  # noqa: E402

CONFIG = """
route:
  receiver: default
  group_by: [alertname]
  group_wait: 1h
  routes:
    - {matchers: ['severity="page"'], receiver: team, group_by: ['...'], continue: true}
    - {matchers: ['env=~"p.*"'], receiver: chat}
receivers: [{name: default}, {name: team, webhook_configs: [{url: 'http://127.0.0.1:1/'}]}, {name: chat}]
inhibit_rules: [{source_matchers: [severity=page], target_matchers: [severity=info], equal: [cluster]}]
"""
ALERTS = [
    {"labels": {"alertname": "disk", "severity": "page", "env": "prod", "cluster": "c1"}, "annotations": {"a": "<b> & \u4e16"},
     "startsAt": "2026-01-02T03:04:05.123456789Z", "endsAt": "2099-01-01T00:00:00Z", "generatorURL": "http://g/?a=1&b=2"},
    {"labels": {"alertname": "noise", "severity": "info", "cluster": "c1"}, "startsAt": "2026-01-02T02:04:05Z", "endsAt": "2099-01-01T00:00:00Z"},
    {"labels": {"alertname": "odd name", "\u00e9t\u00e9": "x y", "empty": ""}, "startsAt": "2026-01-02T03:04:05Z", "endsAt": "2099-01-01T00:00:00Z"},
]
GOOD = {"matchers": [{"name": "alertname", "value": "odd.*", "isRegex": True, "isEqual": True}], "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "2099-01-01T00:00:00Z", "createdBy": "me", "comment": "c"}


def silence(**changes):
    return {key: value for key, value in dict(GOOD, **changes).items() if value != "absent"}


JSON = "application/json"
# (method, path, body or None, content type)
REQUESTS = [("GET", path, None, JSON) for path in (
    "/receivers", "/alerts", "/alerts?active=false", "/alerts?inhibited=false", "/alerts?silenced=false", "/alerts?unprocessed=false",
    "/alerts?filter=alertname=disk", "/alerts?filter=alertname%3D~%22d.*%22&filter=severity!=info", "/alerts?filter={alertname=\"disk\"}",
    "/alerts?filter=%7Ba%3D", "/alerts?filter=a%3D~%22(%22", "/alerts?receiver=te.m", "/alerts?receiver=(", "/alerts?receiver=nobody",
    "/alerts?active=maybe", "/alerts?active=", "/alerts?silenced=1", "/alerts?other=x", "/alerts/groups", "/alerts/groups?filter=severity=page",
    "/alerts/groups?receiver=chat", "/alerts/groups?active=false", "/alerts/groups?filter=x", "/alerts/groups?muted=false", "/silences", "/silences?filter=alertname=~\"odd.*\"",
    "/silences?filter=alertname=disk", "/silences?filter=%7B", "/silence/nope", "/silence/00000000-0000-4000-8000-000000000000", "/nothing", "/alerts/", "/silences/")]
REQUESTS += [("POST", "/alerts", body, kind) for body, kind in (
    ("", JSON), ("{", JSON), ("{}", JSON), ("null", JSON), ("[]", JSON), ("[{}]", JSON), ('[{"labels":{}}]', JSON), ('[{"labels":{"a":1}}]', JSON),
    ('[{"labels":{"":"x"}}]', JSON), ('[{"labels":{"a":"b"},"startsAt":"x"}]', JSON), ('[{"labels":{"a":"b"},"generatorURL":"::"}]', JSON),
    ('[{"labels":{"a":"b"},"startsAt":"2026-01-02T00:00:00Z","endsAt":"2026-01-01T00:00:00Z"}]', JSON), ('[{"labels":["a"]}]', JSON),
    ('[{"labels":{"a":""}}]', JSON), ('[{"annotations":{"a":"b"}}]', JSON), ("[]", "text/plain"), ("[]", ""), ("[]", "application/json; charset=utf-8"),
    ('"x"', JSON), ('[{"labels":{"a":"b"},"unknown":1,"startsAt":"2020-01-01T00:00:00Z","endsAt":"2020-01-01T00:00:01Z"}]', JSON), ("[1]", JSON))]
REQUESTS += [("POST", "/silences", json.dumps(body) if not isinstance(body, str) else body, JSON) for body in (
    silence(), silence(matchers=[]), silence(matchers="absent"), silence(matchers=[{"name": "a", "value": ".*", "isRegex": True}]),
    silence(matchers=[{"name": "a", "value": "(", "isRegex": True}]), silence(matchers=[{"name": "", "value": "x", "isRegex": False}]),
    silence(matchers=[{"name": "a", "value": "b"}]), silence(matchers=[{"name": "a", "isRegex": False}]), silence(matchers=[{"name": "a", "value": "", "isRegex": False}]),
    silence(startsAt="absent"), silence(endsAt="absent"), silence(endsAt="2020-01-01T00:00:00Z"), silence(startsAt="2099-01-02T00:00:00Z"), silence(createdBy="absent"),
    silence(createdBy=""), silence(comment="absent"), silence(comment=""), silence(id="00000000-0000-4000-8000-000000000000"), silence(id="nope"), silence(startsAt="x"),
    "", "{", "[]", "null", '"x"', silence(matchers=[{"name": "a", "value": "b", "isRegex": False, "isEqual": False}]), silence(matchers=[1]))]
REQUESTS += [("DELETE", path, None, JSON) for path in ("/silence/nope", "/silence/00000000-0000-4000-8000-000000000000", "/silences", "/alerts")]
REQUESTS += [("PUT", "/alerts", "[]", JSON), ("PATCH", "/silences", "{}", JSON), ("HEAD", "/alerts", None, JSON), ("POST", "/receivers", "{}", JSON)]

TOOL = [["alert", "query"], ["alert", "query", "-a", "-i", "-o", "extended"], ["alert", "query", "alertname=disk", "-o", "json"], ["alert", "query", "alertname=~("],
        ["alert", "query", "--receiver=team"], ["silence", "query"], ["silence", "query", "-q"], ["silence", "query", "--expired"], ["silence", "query", "alertname=~odd.*"],
        ["silence", "query", "--within=1h"], ["silence", "expire", "nope"], ["silence", "expire"], ["silence", "add", "a=b"], ["silence", "add", "--comment=x"],
        ["silence", "update", "nope"], ["config", "routes", "show"], ["config", "routes", "test", "severity=page", "env=prod"],
        ["config", "routes", "test", "--tree", "severity=page"], ["config", "routes", "test", "--verify.receivers=x", "a=b"]]

EXPLAINED = re.compile(r"GET /(alerts|silences)/ |HEAD /alerts ")


def plain(text):
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", lambda m: m[0] if m[0].startswith("00000000") else "ID", text)
    text = re.sub(r'"updatedAt":"[^"]*"', '"updatedAt":"T"', text)
    text = re.sub(r"127\.0\.0\.1:\d+", "HOST", text)
    return re.sub(r"20(?!26-01|20|99)\d\d-\d\d-\d\dT[0-9:.]+Z", "NOW", text).strip()


def ordered(text):
    return re.sub(r'"receivers":\[(\{"name":"\w+"\},?)+\]', lambda m: '"receivers":' + json.dumps(sorted(json.loads(m[0][12:]), key=str)), text)


def only_there(alerts):
    """Groups tell the receivers that a filter left there, all of them here."""
    return re.sub(r'"receivers": ?\[[^]]*\]', '"receivers"', alerts)


def test(folder):
    reference = peer.load("alertmanager3")
    amtool = reference.amtool()
    theirs = reference.start(folder, CONFIG)
    (folder / "alertmanager.yml").write_text(CONFIG)
    agent = lib.Agent(folder, "alerting: {config_file: alertmanager.yml}\n")
    differ = 0

    def compare(what, mine, other):
        nonlocal differ
        mine, other = ([plain(str(part)) for part in parts] for parts in (mine, other))
        if mine == other or EXPLAINED.search(what):
            return
        differ += 1
        print(f"{what}\n  alertmanager {other}\n  pipewarden   {mine}", flush=True)

    def ask(url, method, path, body, kind):
        status, headers, said = lib.http_get(url + "/api/v2" + path, {"Content-Type": kind} if body is not None else {},
                                             body.encode() if body is not None else None, method)
        kind = (headers.get("Content-Type") or "").split(";")[0] if said else ""
        return (status, kind, "") if status >= 400 else (status, kind, ordered(said.decode()))

    for url in (agent.url, theirs.url):
        assert ask(url, "POST", "/alerts", json.dumps(ALERTS), JSON)[0] == 200
    for number, (method, path, body, kind) in enumerate(REQUESTS):
        path = path.replace('"', "%22").replace("{", "%7B").replace("}", "%7D").replace("~", "%7E").replace("(", "%28")
        mine, other = (ask(url, method, path, body, kind) for url in (agent.url, theirs.url))
        if mine[0] == other[0] and mine[0] in (404, 405):
            continue
        if mine[0] >= 400 and other[0] >= 400:  # the words, and so the type of an empty body, are our own
            mine, other = mine[:1], other[:1]
        if path.startswith("/alerts/groups"):
            mine, other = ([only_there(str(part)) for part in parts] for parts in (mine, other))
        compare(f"{number} {method} {path} {body} {kind}", mine, other)

    def tool(url, arguments):
        done = subprocess.run([amtool, f"--alertmanager.url={url}", "--no-version-check", *arguments], capture_output=True, text=True, timeout=60,
                              env=dict(os.environ, HOME=str(folder), TZ="UTC"))
        return done.returncode, "\n".join(sorted(map(str.rstrip, plain(done.stdout).splitlines()))), re.sub(r"level=.*", "", done.stderr)

    for arguments in TOOL:
        compare(" ".join(arguments), tool(agent.url, arguments), tool(theirs.url, arguments))
    count = len(REQUESTS) + len(TOOL)
    print(f"{count} requests and commands; {differ} differ")
    assert differ == 0, f"{differ} of {count} differ"
    assert agent.stop() == 0


lib.main(test)
