"""The postgres probe and a real PostgreSQL: up, wrong password (still up), stopped, hung."""
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402
import peer  # noqa: E402

CONFIG = """\
global: {{evaluation_interval: 1s}}
probes:
  - {{name: right, kind: postgres, host: 127.0.0.1, port: {port}, user: postgres, password: secret, interval: 1s, timeout: 1s}}
  - {{name: wrong, kind: postgres, host: 127.0.0.1, port: {port}, user: postgres, password: not-it, interval: 1s, timeout: 1s}}
"""


def test(folder):
    postgres = peer.load("postgres")
    server = postgres.start(folder)
    agent = lib.Agent(folder, CONFIG.format(port=server.port))

    def verdict(name):
        for line in agent.text("/metrics").splitlines():
            if line.startswith("probe_success{") and f'probe="{name}"' in line:
                return float(line.split()[-1])
        return None

    lib.eventually(lambda: verdict("right") == 1, 10, "the verdict")
    lib.eventually(lambda: verdict("wrong") == 1, 10, "a wrong password to count as up")
    code, output = agent.command("probe", "right")
    assert code == 0, output

    server.signal(signal.SIGSTOP)
    lib.eventually(lambda: verdict("right") == 0, 15, "a hung server to count as down")
    code, output = agent.command("probe", "right")
    assert code == 1 and "timed out" in output, output
    server.signal(signal.SIGCONT)
    lib.eventually(lambda: verdict("right") == 1, 15, "the server to come back")

    server.stop()
    lib.eventually(lambda: verdict("right") == 0, 15, "a stopped server to count as down")
    code, output = agent.command("probe", "right")
    assert code == 1 and "refused" in output, output
    postgres.restart(folder, server.port)
    lib.eventually(lambda: verdict("right") == 1, 15, "the restarted server")
    assert "not-it" not in agent.output() and "secret" not in agent.output()


lib.main(test)
