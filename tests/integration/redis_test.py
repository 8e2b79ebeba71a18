"""The redis probe and real Redis servers: a master and its replica, a password, a dataset that is loaded, a save that
fails, a server that hangs, and one that is stopped."""
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402
import peer  # noqa: E402

CONFIG = """\
probes:
- {{name: master, kind: redis, address: "127.0.0.1:{master}", role: master, interval: 1h}}
- {{name: replica, kind: redis, address: "localhost:{replica}", role: replica, max_lag: 60s, interval: 1h}}
- {{name: wrong_role, kind: redis, address: "127.0.0.1:{master}", role: replica, interval: 1h}}
- {{name: stranger, kind: redis, address: "127.0.0.1:{locked}", interval: 1h}}
- {{name: wrong, kind: redis, address: "127.0.0.1:{locked}", password: not-it, interval: 1h}}
- {{name: strict, kind: redis, address: "127.0.0.1:{locked}", password: not-it, require_login: true, interval: 1h}}
- {{name: right, kind: redis, address: "127.0.0.1:{locked}", username: default, password: hidden-1, require_login: true, interval: 1h}}
- {{name: short, kind: redis, address: "127.0.0.1:{locked}", timeout: 500ms, interval: 1h}}
"""


def passwords(agent):
    for name in ("stranger", "wrong"):
        answer = agent.probe(name)
        assert answer["success"] and answer["values"]["probe_redis_login"] == 0, (name, answer)
    answer = agent.probe("strict")
    assert not answer["success"] and "refuses the login: WRONGPASS" in answer["message"], answer
    answer = agent.probe("right")
    assert answer["success"] and answer["values"]["probe_redis_login"] == 1, answer


def test(folder):
    redis = peer.load("redis")
    master = redis.start(folder, name="master")
    replica = redis.start(folder, ["--replicaof", "127.0.0.1", master.port], name="replica")
    locked = redis.start(folder, ["--requirepass", "hidden-1"], name="locked")
    agent = lib.Agent(folder, CONFIG.format(master=master.port, replica=replica.port, locked=locked.port))
    passwords(agent)

    lib.eventually(lambda: agent.probe("replica")["success"], 20, "the replica's link")
    values = agent.probe("replica")["values"]
    assert values["probe_redis_master"] == 0 and values["probe_redis_master_link_up"] == 1, values
    assert values["probe_redis_master_last_io_seconds"] < 60, values
    answer = agent.probe("master")
    wanted = {"probe_redis_master": 1, "probe_redis_connected_replicas": 1, "probe_redis_loading": 0,
              "probe_redis_rdb_save_ok": 1, "probe_redis_max_memory_bytes": 0}
    assert answer["success"] and answer["values"] | wanted == answer["values"], answer
    assert answer["values"]["probe_redis_used_memory_bytes"] > 100_000, answer
    answer = agent.probe("wrong_role")
    assert not answer["success"] and answer["message"].endswith("is no replica"), answer

    # A dataset that takes some seconds to load.
    for i in range(500):
        assert master.command("SET", f"key{i}", "x" * 100) == "+OK"
    assert master.command("SAVE") == "+OK"
    master.stop()
    answer = agent.probe("master")
    assert not answer["success"] and "Connection refused" in answer["message"], answer
    lib.eventually(lambda: "has no link to its master" in agent.probe("replica")["message"], 20, "the link to be gone")
    master = redis.start(folder, ["--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024"],
                         name="master", port=master.port, ready=False)
    answer = lib.eventually(lambda: (a := agent.probe("master")) and "refused" not in a["message"] and a, 20, "a server")
    assert not answer["success"] and answer["message"].endswith("loads its dataset"), answer
    assert answer["values"]["probe_redis_loading"] == 1, answer
    lib.eventually(lambda: agent.probe("master")["success"], 60, "the dataset to be loaded")

    # What it saves to is a folder by now.
    (folder / "master/dump.rdb").unlink()
    (folder / "master/dump.rdb").mkdir()
    lib.eventually(lambda: master.command("BGSAVE") == "+Background saving started", 20, "no other save to be under way")
    answer = lib.eventually(lambda: (a := agent.probe("master")) and not a["success"] and a, 20, "the save to fail")
    assert answer["message"].endswith("failed in its last background save"), answer
    assert answer["values"]["probe_redis_rdb_save_ok"] == 0, answer

    locked.signal(signal.SIGSTOP)
    answer = agent.probe("short")
    wanted = f"timed out after 500ms while waiting for the answer of 127.0.0.1:{locked.port}"
    assert answer["message"] == wanted and answer["duration_seconds"] < 3, answer
    locked.signal(signal.SIGCONT)
    lib.eventually(lambda: agent.probe("right")["success"], 10, "the server to be back")
    for secret in ("not-it", "hidden-1"):
        assert secret not in agent.output() and secret not in agent.text("/api/pipewarden/v1/probes")


lib.main(test)
