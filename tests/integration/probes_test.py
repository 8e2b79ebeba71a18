#!/usr/bin/env python3
"""Probes against real servers: PostgreSQL (up, wrong password, hung, stopped) and a NameNode with datanodes (a datanode
stopped, safemode, the NameNode hung)."""
import json
import os
import pathlib
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import hdfs.peer
import lib
import postgres.peer

HOST = lib.BUILD / "tests/probes_host"


class Host:
    """Runs probes of a configuration, one after the other."""

    def __init__(self, folder, config):
        path = folder / "probes.yml"
        path.write_text(config)
        self.process = subprocess.Popen([HOST, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, name):
        self.process.stdin.write(name + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"probes_host ended with {self.process.wait()}"
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


def equal(what, got, wanted):
    assert got == wanted, f"{what}: {got!r}, wanted {wanted!r}"


def test_postgres(folder):
    server = postgres.peer.start(folder)
    port = server.port
    host = Host(folder, f"""
- {{name: login, kind: postgres, host: 127.0.0.1, port: {port}, user: postgres, password: secret, require_login: true}}
- {{name: by_name, kind: postgres, host: localhost, port: {port}}}
- {{name: wrong, kind: postgres, host: 127.0.0.1, port: {port}, user: postgres, password: nonsense-123}}
- {{name: nobody, kind: postgres, host: 127.0.0.1, port: {port}, user: nobody-at-all, dbname: nothing}}
- {{name: socket, kind: postgres, host: {folder}/postgres, port: {port}}}
- {{name: strict, kind: postgres, host: 127.0.0.1, port: {port}, password: nonsense-123, require_login: true}}
- {{name: short, kind: postgres, host: 127.0.0.1, port: {port}, timeout: 500ms}}
- {{name: port, kind: tcp, address: "127.0.0.1:{port}"}}
""")
    answer = host.run("login")
    assert answer["success"], answer
    equal("version", int(answer["values"]["probe_postgres_server_version{}"]) // 10000, 15)
    equal("standby", answer["values"]["probe_postgres_in_hot_standby{}"], 0)
    for name in ("by_name", "wrong", "nobody", "socket"):
        answer = host.run(name)
        assert answer["success"], (name, answer)
        equal(name, answer["values"]['probe_postgres_status{status="accepting"}'], 1)
        assert "nonsense-123" not in json.dumps(answer), answer
    equal("login of wrong", host.run("wrong")["values"]["probe_postgres_login{}"], 0)
    answer = host.run("strict")
    assert not answer["success"] and "password authentication failed" in answer["error"], answer
    assert host.run("port")["success"]

    os.kill(server.pid, signal.SIGSTOP)
    try:
        answer = host.run("short")
        equal("hung", answer["error"], f"timed out after 500ms while waiting for the answer of 127.0.0.1:{port}")
        assert answer["seconds"] < 3, answer
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert host.run("short")["success"]
    server.stop()
    answer = host.run("login")
    assert not answer["success"] and "Connection refused" in answer["error"], answer
    equal("gone", answer["values"]['probe_postgres_status{status="no_response"}'], 1)
    host.close()


def test_hdfs(folder):
    namenode = hdfs.peer.start(folder)
    host = Host(folder, f"""
- {{name: one, kind: hdfs, url: "{namenode.url}", min_live: 1}}
- {{name: three, kind: hdfs, url: "{namenode.url}", min_live: 3}}
- {{name: short, kind: hdfs, url: "{namenode.url}", timeout: 700ms}}
- {{name: page, kind: http, url: "{namenode.url}/jmx?qry=java.lang:type=Memory", body_matches: HeapMemoryUsage}}
- {{name: heap, kind: jmx, url: "{namenode.url}", bean: "java.lang:type=Memory", attributes: HeapMemoryUsage.used, min: 1}}
- {{name: no_bean, kind: jmx, url: "{namenode.url}", bean: "Hadoop:service=NameNode,name=Absent", attributes: X}}
""")
    lib.eventually(lambda: host.run("three")["success"], 30, "three live datanodes")
    answer = host.run("three")
    values = answer["values"]
    equal("live", values["probe_hdfs_live_datanodes{}"], 3)
    equal("active", values["probe_hdfs_active{}"], 1)
    equal("safemode", values["probe_hdfs_safemode{}"], 0)
    equal("missing", values["probe_hdfs_missing_blocks{}"], 0)
    answer = host.run("page")
    equal("a page's status", answer["values"]["probe_http_status_code{}"], 200)
    assert host.run("heap")["success"]
    answer = host.run("no_bean")
    assert not answer["success"] and "has no bean" in answer["error"], answer

    namenode.command("stop 0")
    lib.eventually(lambda: host.run("three")["values"]["probe_hdfs_live_datanodes{}"] == 2, 30, "a datanode to be dead")
    answer = host.run("three")
    assert not answer["success"] and "2 live datanodes, at least 3 wanted" in answer["error"], answer
    equal("dead", answer["values"]["probe_hdfs_dead_datanodes{}"], 1)
    assert host.run("one")["success"]

    namenode.command("safemode on")
    equal("safemode on", host.run("one")["values"]["probe_hdfs_safemode{}"], 1)
    namenode.command("safemode off")
    equal("safemode off", host.run("one")["values"]["probe_hdfs_safemode{}"], 0)

    os.killpg(namenode.pid, signal.SIGSTOP)
    try:
        answer = host.run("short")
        assert "timed out after 700ms while waiting for the answer of" in answer["error"], answer
    finally:
        os.killpg(namenode.pid, signal.SIGCONT)
    lib.eventually(lambda: host.run("one")["success"], 30, "the NameNode to be back")
    namenode.stop()
    assert "Connection refused" in host.run("one")["error"]
    host.close()


def test(folder):
    postgres.peer.get()
    os.chmod(folder, 0o755)  # the server may run as another user
    (folder / "sql").mkdir()
    test_postgres(folder / "sql")
    if lib.LEVEL == "quick":
        print("the NameNode is left out (./dev test --full)", flush=True)
        return
    (folder / "dfs").mkdir()
    test_hdfs(folder / "dfs")


if __name__ == "__main__":
    lib.main(test)
