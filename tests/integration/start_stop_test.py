"""Start, reload and end: ready quickly on an empty store, a bad reload changes nothing, reloads at once come one after the
other, SIGTERM ends in order with exit 0 while a running step goes on and is adopted by the next start, and also while file
systems hang. What the agent keeps is for its user alone, and the client commands find it by its configuration."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402

CONFIG = """\
global: {{evaluation_interval: 1s}}
probes:
  - {{name: nobody, kind: tcp, address: "127.0.0.1:1", interval: 1s}}
pipelines:
  slow:
    steps:
      wait: {{run: "umask > {folder}/umask; echo begun > {folder}/begun; sleep 3; echo done > {folder}/done"}}
storage: {{path: "{folder}/data"}}
"""


# Five, so that they would take every thread that commits.
HANGING = "freshness:\n" + "".join(
    f'  - {{{{name: hangs{i}, source: file, glob: "{{folder}}/hanging{i}/*", interval: 1s}}}}\n' for i in range(5))

# A file server that is gone, for a process that has this preloaded: its folders never open.
GONE = """\
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <string.h>
#include <unistd.h>
DIR *opendir(const char *path) {
  while (strstr(path, "/hanging")) pause();
  return ((DIR * (*)(const char *)) dlsym(RTLD_NEXT, "opendir"))(path);
}
"""


def notified(folder):
    """A socket such as systemd gives; what the agent tells comes out of it."""
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(str(folder / "notify"))
    receiver.settimeout(10)
    return receiver


def wait_for(receiver, word):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        message = receiver.recv(4096).decode()
        if word in message:
            return message
    raise AssertionError(f"{word} was not told")


def modes(agent):
    """Nothing in the storage folder is open to group or others."""
    paths = [agent.storage, *agent.storage.rglob("*")]
    assert len(paths) > 10, paths
    loose = [f"{path} {path.stat().st_mode & 0o777:o}" for path in paths if path.stat().st_mode & 0o077
             and not path.is_socket()]
    assert not loose, loose


def client(folder, *arguments):
    done = subprocess.run([lib.BUILD / "pipewarden", "pipeline", "list", *arguments], cwd=folder, capture_output=True,
                          text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def found_by_configuration(agent, folder):
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    code, output = client(agent.config.parent)  # pipewarden.yml is there, as `run` would take it
    assert code == 0 and "slow" in output, output
    code, output = client(elsewhere, "--config.file", agent.config)
    assert code == 0 and "slow" in output, output
    code, output = client(elsewhere, "--config.file", "none.yml")
    assert code == 1 and "none.yml" in output, (code, output)
    if not pathlib.Path("/etc/pipewarden").exists() and not pathlib.Path("/var/lib/pipewarden").exists():
        code, output = client(elsewhere)
        assert code == 1 and "data/pipewarden.sock" in output and "--storage.path" in output, (code, output)


def health_alone(agent):
    url = f"http://127.0.0.1:{agent.health_port}"
    assert lib.http_get(url + "/-/healthy")[0] == 200 and lib.http_get(url + "/-/ready")[0] == 200
    assert lib.http_get(url + "/metrics")[0] == 404 and lib.http_get(url + "/")[0] == 404


def reloads_at_once(agent, receiver, good):
    """SIGHUP and the route together, again and again: the newest file is in force then, and each was told as one."""
    receiver.setblocking(False)

    def told():
        words = []
        while True:
            try:
                words.append(receiver.recv(4096).decode().split("=")[0])
            except BlockingIOError:
                return [word for word in words if word != "WATCHDOG"]
    told()
    rounds = lib.count(5, 20, 100)
    words = []
    for i in range(rounds):
        agent.config.write_text(good.replace("nobody", f"round{i}"))
        statuses = []
        posts = [threading.Thread(target=lambda: statuses.append(agent.socket("POST", "/-/reload")[0])) for _ in range(3)]
        for post in posts:
            post.start()
        agent.signal(signal.SIGHUP)
        for post in posts:
            post.join()
        assert statuses == [200] * 3, statuses
        lib.eventually(lambda: f'probe="round{i}"' in agent.text("/metrics"), 10, "the newest configuration")
        assert f'probe="round{i - 1}"' not in agent.text("/metrics")
        words += told()
    lib.eventually(lambda: words.extend(told()) or words[-1] == "READY", 10, "the last reload")
    assert len(words) >= rounds * 6, words
    assert words == ["RELOADING", "READY"] * (len(words) // 2), words
    receiver.settimeout(10)


def hanging_file_systems(folder):
    """They hold up neither runs nor the end, which is in order."""
    compiler = shutil.which("clang-19") or shutil.which("cc")
    if compiler is None:
        print("no C compiler: the end while file systems hang is left out")
        return
    source, library = folder / "gone.c", folder / "gone.so"
    source.write_text(GONE)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    for i in range(5):
        (folder / f"hanging{i}").mkdir()
    agent = lib.Agent(folder, (CONFIG + HANGING).format(folder=folder), env=dict(os.environ, LD_PRELOAD=str(library)))

    def threads():
        names = [path.read_text().strip() for path in pathlib.Path(f"/proc/{agent.pid}/task").glob("*/comm")]
        return names.count("aside")
    lib.eventually(lambda: threads() == 5, 10, "five looks that hang")
    code, output = agent.command("pipeline", "run", "slow")
    assert code == 0, output
    lib.eventually(lambda: (folder / "begun").exists(), 10, "the step")
    assert agent.socket("POST", "/-/reload")[0] == 200
    began = time.monotonic()
    agent.signal(signal.SIGTERM)
    assert agent.process.wait(10) == 0, agent.output()[-2000:]
    print(f"ended after {(time.monotonic() - began) * 1000:.0f} ms while five file systems hang")
    assert "the process ends without them" in agent.output()


def test(folder):
    os.umask(0o022)
    health_port = lib.free_port()
    (folder / "gone").mkdir()
    receiver = notified(folder)
    env = dict(os.environ, NOTIFY_SOCKET=str(folder / "notify"), WATCHDOG_USEC="1000000")
    began = time.monotonic()
    agent = lib.Agent(folder, CONFIG.format(folder=folder), env=env,
                      arguments=["--web.health-listen-address", f"127.0.0.1:{health_port}"])
    agent.health_port = health_port
    print(f"ready after {(time.monotonic() - began) * 1000:.0f} ms, as seen by polling every 20 ms")
    wait_for(receiver, "READY=1")
    wait_for(receiver, "WATCHDOG=1")
    status = (agent.storage / "pipewarden.sock").stat()
    assert status.st_mode & 0o777 == 0o600, oct(status.st_mode)

    modes(agent)
    found_by_configuration(agent, folder)
    health_alone(agent)

    # A second agent on the same storage path touches nothing there.
    before = sorted(str(path) for path in agent.storage.rglob("*"))
    code, output = agent.command("run", "--config.file", agent.config, "--web.listen-address", "127.0.0.1:0")
    assert code == 1 and "another agent runs on" in output, (code, output)
    assert "adopted" not in output and sorted(str(path) for path in agent.storage.rglob("*")) == before, output
    assert agent.socket("GET", "/-/ready")[0] == 200
    for address in ("127.0.0.1", "127.0.0.1:80x"):
        done = subprocess.run([lib.BUILD / "pipewarden", "run", "--config.file", agent.config, "--storage.path",
                               folder / "other", "--web.listen-address", address], capture_output=True, text=True)
        assert done.returncode == 2 and "is not HOST:PORT" in done.stderr, done

    # Our own changing routes answer on the socket alone.
    assert agent.get("/-/reload", method="POST", data=b"")[0] == 403
    assert agent.socket("POST", "/-/reload")[0] == 200
    wait_for(receiver, "RELOADING=1")
    wait_for(receiver, "READY=1")

    # A bad configuration changes nothing and says why.
    good = agent.config.read_text()
    agent.config.write_text(good + "nonsense: 1\n")
    status, body = agent.socket("POST", "/-/reload")
    assert status >= 400 and b"nonsense" in body, (status, body)
    assert "pipewarden_config_last_reload_successful 0" in agent.text("/metrics")
    lib.eventually(lambda: 'probe="nobody"' in agent.text("/metrics"), 10, "the old configuration to go on")
    reloads_at_once(agent, receiver, good)
    agent.config.write_text(good.replace("nobody", "somebody"))
    agent.signal(signal.SIGHUP)
    lib.eventually(lambda: 'probe="somebody"' in agent.text("/metrics"), 10, "the new configuration")
    assert 'probe="nobody"' not in agent.text("/metrics")
    assert "pipewarden_config_last_reload_successful 1" in agent.text("/metrics")

    # A step outlives the agent and is adopted.
    code, output = agent.command("pipeline", "run", "slow")
    assert code == 0, output
    lib.eventually(lambda: (folder / "begun").exists(), 10, "the step")
    agent.signal(signal.SIGTERM)
    assert agent.process.wait(10) == 0, agent.output()[-2000:]
    wait_for(receiver, "STOPPING=1")
    assert not (folder / "done").exists()
    agent.start()

    def last():
        pipelines = json.loads(agent.socket("GET", "/api/pipewarden/v1/pipelines")[1])["data"]
        return pipelines[0]["last_run"]
    modes(agent)
    assert (folder / "umask").read_text().strip() == "0022", "the step has the umask that the agent was given"
    run = lib.eventually(lambda: last() and last()["state"] == "succeeded" and last(), 15, "the adopted run to end")
    assert run["steps"][0]["exit_code"] == 0 and (folder / "done").exists()
    assert agent.stop() == 0
    hanging_file_systems(folder / "gone")


lib.main(test)
