"""The postgres probe (and tcp) and a real PostgreSQL: up, wrong password (still up), hung, stopped, restarted."""
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402
import peer  # noqa: E402

# Two on a timer, for verdicts; the others run when asked.
CONFIG = """\
global: {{evaluation_interval: 1s}}
probes:
- {{name: right, kind: postgres, host: 127.0.0.1, port: {port}, user: postgres, password: secret, interval: 1s, timeout: 1s}}
- {{name: wrong, kind: postgres, host: 127.0.0.1, port: {port}, user: postgres, password: not-it, interval: 1s, timeout: 1s}}
- {{name: login, kind: postgres, host: 127.0.0.1, port: {port}, user: postgres, password: secret, require_login: true, interval: 1h}}
- {{name: by_name, kind: postgres, host: localhost, port: {port}, interval: 1h}}
- {{name: nobody, kind: postgres, host: 127.0.0.1, port: {port}, user: nobody-at-all, dbname: nothing, interval: 1h}}
- {{name: socket, kind: postgres, host: {folder}/postgres, port: {port}, interval: 1h}}
- {{name: strict, kind: postgres, host: 127.0.0.1, port: {port}, password: not-it, require_login: true, interval: 1h}}
- {{name: short, kind: postgres, host: 127.0.0.1, port: {port}, timeout: 500ms, interval: 1h}}
- {{name: port, kind: tcp, address: "127.0.0.1:{port}", interval: 1h}}
"""


def accepts(agent):
    answer = agent.probe("login")
    assert answer["success"], answer
    assert int(answer["values"]["probe_postgres_server_version"]) // 10000 == 15, answer
    assert answer["values"]["probe_postgres_in_hot_standby"] == 0, answer
    for name in ("by_name", "wrong", "nobody", "socket"):
        answer = agent.probe(name)
        assert answer["success"], (name, answer)
        assert answer["values"]['probe_postgres_status{status="accepting"}'] == 1, (name, answer)
    assert agent.probe("wrong")["values"]["probe_postgres_login"] == 0
    answer = agent.probe("strict")
    assert not answer["success"] and "password authentication failed" in answer["message"], answer
    assert agent.probe("port")["success"]


def test(folder):
    postgres = peer.load("postgres")
    server = postgres.start(folder)
    agent = lib.Agent(folder, CONFIG.format(port=server.port, folder=folder))
    accepts(agent)
    for name in ("right", "wrong"):
        lib.eventually(lambda name=name: agent.verdict(name) == 1, 10, f"the verdict of {name}")

    server.signal(signal.SIGSTOP)
    answer = agent.probe("short")
    wanted = f"timed out after 500ms while waiting for the answer of 127.0.0.1:{server.port}"
    assert answer["message"] == wanted and answer["duration_seconds"] < 3, answer
    lib.eventually(lambda: agent.verdict("right") == 0, 15, "a hung server to count as down")
    server.signal(signal.SIGCONT)
    lib.eventually(lambda: agent.verdict("right") == 1, 15, "the server to come back")

    server.stop()
    answer = agent.probe("login")
    assert not answer["success"] and "Connection refused" in answer["message"], answer
    assert answer["values"]['probe_postgres_status{status="no_response"}'] == 1, answer
    lib.eventually(lambda: agent.verdict("right") == 0, 15, "a stopped server to count as down")
    postgres.restart(folder, server.port)
    lib.eventually(lambda: agent.verdict("right") == 1, 15, "the restarted server")
    for secret in ("not-it", "secret"):
        assert secret not in agent.output() and secret not in agent.text("/api/pipewarden/v1/probes")


lib.main(test)
