"""The peers themselves: each Go-built server starts on loopback, does the least that its tests build on, and ends with its
whole process group."""
import json
import os
import pathlib
import subprocess
import sys
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402
import peer  # noqa: E402


def ask(url, body=None, method=None):
    """(status, answer) of a JSON API."""
    data = None if body is None else json.dumps(body).encode()
    status, _, answer = lib.http_get(url, {"Content-Type": "application/json"}, data, method)
    return status, json.loads(answer or "null")


def toxiproxy(module, folder):
    server = module.start(folder)
    web = server.proxy("itself", int(server.url.rsplit(":", 1)[1]))
    through = f"http://127.0.0.1:{web.port}/version"
    assert lib.http_get(through)[0] == 200
    web.only("reset_peer", timeout=0)
    try:
        assert not lib.http_get(through), "an answer through a reset"
    except OSError:
        pass
    web.clear()
    assert lib.http_get(through)[0] == 200
    return server


def prometheus3(module, folder):
    server = module.start(folder)
    answer = json.loads(lib.http_get(server.url + "/api/v1/query?query=1%2B1")[2])
    assert answer["data"]["result"][1] == "2", answer
    said = subprocess.run([module.promtool(), "query", "instant", server.url, "vector(3)"], capture_output=True, text=True)
    assert said.returncode == 0 and "3" in said.stdout, said
    return server


def alertmanager3(module, folder):
    server = module.start(folder)
    said = subprocess.run([module.amtool(), "alert", "add", "alertname=A", "--alertmanager.url", server.url],
                          capture_output=True, text=True)
    assert said.returncode == 0, said
    alerts = lib.eventually(lambda: json.loads(lib.http_get(server.url + "/api/v2/alerts")[2]), 10, "the alert")
    assert alerts[0]["labels"] == {"alertname": "A"}, alerts
    return server


def versitygw(module, folder):
    server = module.start(folder)
    status, _, body = lib.http_get(server.url + "/bucket/key")
    assert status in (403, 404) and b"<Error>" in body, (status, body)
    said = subprocess.run(["curl", "-sS", "-f", "-X", "PUT", server.url + "/bucket", "--user",
                           f"{module.ACCESS}:{module.SECRET}", "--aws-sigv4", f"aws:amz:{module.REGION}:s3", "-H",
                           "x-amz-content-sha256: UNSIGNED-PAYLOAD"], capture_output=True, text=True)
    assert said.returncode == 0 and (folder / "s3/bucket").is_dir(), said
    return server


def temporal(module, folder):
    server = module.start(folder)
    api = server.url + module.API
    schedule = {"spec": {"interval": [{"interval": "3600s"}]}, "action": {"startWorkflow": {
        "workflowId": "report", "workflowType": {"name": "Report"}, "taskQueue": {"name": "reports"}}}}
    for request, expected in (("one", 200), ("one", 200), ("two", 409)):  # the same one again is no other
        said = ask(api + "/schedules/nightly", {"requestId": request, "schedule": schedule})
        assert said[0] == expected, said
    said = ask(api + "/schedules/nightly/patch", {"requestId": "three", "patch": {"triggerImmediately": {}}})
    assert said[0] == 200, said
    query = "/workflows?" + urllib.parse.urlencode({"query": "WorkflowType='Report'"})
    listed = lib.eventually(lambda: ask(api + query)[1]["executions"], 20, "the workflow")
    assert listed[0]["execution"]["workflowId"].startswith("report-"), listed
    assert listed[0]["status"] == "WORKFLOW_EXECUTION_STATUS_RUNNING", listed
    return server


def kubernetes(module, folder):
    server = module.start(folder)
    said = subprocess.run(["curl", "-sS", "-f", "--cacert", server.ca, "-H", f"Authorization: Bearer {server.token}",
                           server.url + "/version"], capture_output=True, text=True)
    assert said.returncode == 0 and json.loads(said.stdout)["gitVersion"] == module.VERSION, said
    for manifest in sorted((lib.ROOT / "packaging/kubernetes").glob("*.yml")):
        server.kubectl("apply", "--warnings-as-errors", "-f", manifest)
    wanted = ("get", "daemonset/pipewarden", "-n", "pipewarden", "-o", "jsonpath={.status.desiredNumberScheduled}")
    lib.eventually(lambda: server.kubectl(*wanted) == "1", 20, "the daemon set on the node")
    for code, condition in (("0", "Complete"), ("3", "Failed")):
        server.kubectl("create", "-f", "-", text=json.dumps(
            {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": f"exits-{code}"}, "spec": {
                "backoffLimit": 0, "template": {"metadata": {"annotations": {"exit": code}}, "spec": {
                    "nodeName": "node", "restartPolicy": "Never", "containers": [{"name": "main", "image": "none"}]}}}}))
        server.kubectl("wait", f"--for=condition={condition}", f"job/exits-{code}", "--timeout=30s")
    exited = server.kubectl("get", "pods", "-l", "job-name=exits-3", "-o",
                            "jsonpath={.items[*].status.containerStatuses[*].state.terminated.exitCode}")
    assert exited == "3", exited
    return server


def loki(module, folder):
    server = module.start(folder)
    now = time.time_ns()
    line = [str(now), "backup failed rc=2"]
    said = ask(server.url + "/loki/api/v1/push", {"streams": [{"stream": {"job": "cron"}, "values": [line]}]})
    assert said[0] == 204, said
    query = "/loki/api/v1/query_range?" + urllib.parse.urlencode(
        {"query": '{job="cron"} |= "failed"', "start": now - 10**9, "end": now + 10**9})
    found = lib.eventually(lambda: ask(server.url + query)[1]["data"]["result"], 20, "the line")
    assert found[0]["stream"]["job"] == "cron" and found[0]["values"] == [line], found
    return server


def helm(module, folder):
    said = subprocess.run([module.get(), "version", "--template", "{{.Version}}"], capture_output=True, text=True,
                          env=dict(os.environ, HOME=str(folder)))
    assert said.stdout == module.VERSION, said


PEERS = [toxiproxy, prometheus3, alertmanager3, versitygw, temporal, kubernetes, loki, helm]


def elsewhere(groups):
    """The sockets that processes of these groups listen on and that are not loopback's, as /proc writes addresses."""
    own = set()
    for file in pathlib.Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.getpgid(int(file.parts[2])) in groups:
                own.add(os.readlink(file))
        except OSError:
            pass  # closed meanwhile
    rows = [line.split() for table in ("tcp", "tcp6") for line in pathlib.Path(f"/proc/net/{table}").read_text().splitlines()]
    return [row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in own
            and not row[1].split(":")[0].endswith(("7F", 24 * "0" + "01000000"))]


def ends(server):
    """It has listened on loopback alone, and nothing of it is left."""
    groups = {process.pid for process in lib.running}
    assert not elsewhere(groups), elsewhere(groups)
    server.stop()
    for group in groups:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            continue
        raise AssertionError(f"{server.name} left processes behind")


def test(folder):
    ran = []
    for check in PEERS:
        name = check.__name__
        (folder / name).mkdir()
        try:
            server = check(peer.load(name), folder / name)
        except lib.Skipped as why:
            if lib.LEVEL == "nightly":
                raise
            print(f"skipped: {why}", flush=True)
            continue
        if server:
            ends(server)
        ran.append(name)
    if not ran:
        raise lib.Skipped("none of the Go peers is in the cache (./dev peer NAME --get)")
    print("ran: " + ", ".join(ran))


if __name__ == "__main__":
    lib.main(test)
