"""The peers themselves: each Go-built server starts on loopback, does the least that its tests build on, and ends with its
whole process group."""
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402
import peer  # noqa: E402


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


PEERS = [toxiproxy, prometheus3, alertmanager3, versitygw]


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
        group = server.pid
        server.stop()
        try:
            os.killpg(group, 0)
            raise AssertionError(f"{name} left processes behind")
        except ProcessLookupError:
            ran.append(name)
    if not ran:
        raise lib.Skipped("none of the Go peers is here")
    print("ran: " + ", ".join(ran))


if __name__ == "__main__":
    lib.main(test)
