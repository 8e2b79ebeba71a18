"""Generated route trees and label sets against the newest amtool: an alert goes to the receivers that `amtool config routes
test` names for its labels, and `amtool config routes show` shows of the agent what it shows of the file.

PIPEWARDEN_SEED repeats a run. Of an alert the receivers are compared as a set: an alert has each of them once.
"""
import json
import os
import random
import subprocess
import sys
import pathlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402
import peer  # noqa: E402
import alertmanager_files  # noqa: E402

LABEL_SETS = 10  # for each tree


def test(folder):
    amtool = peer.load("alertmanager3").amtool()
    count = lib.count(20, 200, 2000)
    seed = int(os.environ.get("PIPEWARDEN_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"seed {seed}, {count} label sets", flush=True)
    path = folder / "alertmanager.yml"
    path.write_text(json.dumps(alertmanager_files.tree(random.Random(0))))
    agent = lib.Agent(folder, "alerting: {config_file: alertmanager.yml}\n")
    amconfig = dict(os.environ, HOME=str(folder))

    def run(*arguments):
        done = subprocess.run([amtool, "config", "routes", *arguments], capture_output=True, text=True, timeout=60, env=amconfig)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    differ = 0

    def tell(what, tree, mine, theirs):
        nonlocal differ
        differ += 1
        if differ <= 20:
            print(f"{what} of {json.dumps(tree)}\n  amtool     {theirs!r}\n  pipewarden {mine!r}", flush=True)

    for number in range(max(1, count // LABEL_SETS)):
        r = random.Random(f"{seed}-{number}")
        tree = alertmanager_files.tree(r)
        path.write_text(json.dumps(tree))
        status, said = agent.socket("POST", "/-/reload")
        assert status == 200, (status, said, tree)
        mine, theirs = run("show", f"--alertmanager.url={agent.url}"), run("show", f"--config.file={path}")
        if mine != theirs:
            tell("routes show", tree, mine, theirs)
        sets = [dict(alertmanager_files.labels(r), id=str(i)) for i in range(LABEL_SETS)]
        status, _, said = lib.http_get(agent.url + "/api/v2/alerts", {"Content-Type": "application/json"},
                                       json.dumps([{"labels": labels} for labels in sets]).encode(), "POST")
        assert status == 200, said
        told = {alert["labels"]["id"]: [receiver["name"] for receiver in alert["receivers"]] for alert in agent.json("/api/v2/alerts")}
        for labels in sets:
            arguments = [f"{alertmanager_files.quoted(name)}={alertmanager_files.quoted(value)}" for name, value in labels.items()]
            expected = run("test", f"--config.file={path}", *arguments).strip().split(",")
            if sorted(set(told[labels["id"]])) != sorted(set(expected)):
                tell(f"routes test {labels}", tree, told[labels["id"]], expected)
        status, _, said = lib.http_get(agent.url + "/api/v2/alerts", {"Content-Type": "application/json"},
                                       json.dumps([{"labels": labels, "startsAt": "2020-01-01T00:00:00Z", "endsAt": "2020-01-01T00:00:01Z"}
                                                   for labels in sets]).encode(), "POST")
    print(f"{count} label sets; {differ} differ")
    assert differ == 0, f"{differ} of {count} differ; PIPEWARDEN_SEED={seed} repeats them"
    assert agent.stop() == 0


lib.main(test)
