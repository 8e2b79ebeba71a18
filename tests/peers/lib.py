"""What the integration tests and benchmarks share: levels, skipping, free ports, processes that surely end, packages
unpacked into a cache, and the agent itself. Everything listens on loopback alone."""
import atexit
import contextlib
import fcntl
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("PIPEWARDEN_BUILD", ROOT / "build/release"))
CACHE = pathlib.Path(os.environ.get("PIPEWARDEN_CACHE") or
                     pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "pipewarden")
LEVELS = ["quick", "full", "nightly"]
LEVEL = os.environ.get("PIPEWARDEN_TEST_LEVEL", "quick")
FETCH = False  # whether to fetch and build peers that this level would not (./dev peer)
CONFORMANCE = pathlib.Path(os.environ.get("PIPEWARDEN_CONFORMANCE", ROOT.parent / "shared/conformance"))


class Skipped(Exception):
    """The test cannot run here: why."""


def skip(why):
    print(f"skipped: {why}", flush=True)
    sys.exit(77)


def need_level(level, what):
    if LEVELS.index(LEVEL) < LEVELS.index(level):
        skip(f"{what} (./dev test --{level})")


def count(quick, full=None, nightly=None):
    """How often a random test tries, by level."""
    return {"quick": quick, "full": full or quick, "nightly": nightly or full or quick}[LEVEL]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def eventually(check, seconds=10, what="it", step=0.02):
    """Polls until check() is true-ish and returns that; exceptions count as not yet."""
    deadline = time.monotonic() + seconds
    last = None
    while time.monotonic() < deadline:
        try:
            last = check()
            if last:
                return last
        except (OSError, AssertionError, KeyError, IndexError, ValueError, http.client.HTTPException) as error:
            last = error
        time.sleep(step)
    raise AssertionError(f"{what} did not come within {seconds} s; last: {last!r}")


def http_get(url, headers=None, data=None, method=None, timeout=10):
    """(status, headers, body bytes), whatever the status."""
    request = urllib.request.Request(url, headers=headers or {}, data=data, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=timeout) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


class UnixConnection(http.client.HTTPConnection):
    """HTTP over the agent's Unix socket."""

    def __init__(self, path, timeout=10):
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


running = []


class Process:
    """A process in a group of its own; it ends with the test, whatever happens."""

    def __init__(self, argv, directory, name=None, stdin=subprocess.DEVNULL, env=None, user=None):
        self.name = name or pathlib.Path(argv[0]).name
        self.directory = pathlib.Path(directory)
        self.log = self.directory / f"{self.name}.log"
        self.out = open(self.log, "ab")
        self.process = subprocess.Popen([str(a) for a in argv], stdout=self.out, stderr=subprocess.STDOUT, stdin=stdin,
                                        cwd=self.directory, env=env, start_new_session=True, user=user)
        running.append(self)

    @property
    def pid(self):
        return self.process.pid

    def output(self):
        return self.log.read_text(errors="replace")

    def alive(self):
        return self.process.poll() is None

    def wait_ready(self, check, seconds=30):
        def ready():
            if not self.alive():
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}:\n{self.output()[-4000:]}")
            return check()
        try:
            return eventually(ready, seconds, f"{self.name} to be ready")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.output()[-4000:]}") from None

    def signal(self, number):
        if self.alive():
            os.kill(self.pid, number)

    def kill(self):
        """SIGKILL to the process alone, as the out-of-memory killer does."""
        self.signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self, seconds=10):
        """SIGTERM, then SIGKILL to the whole group. Returns the exit code."""
        self.signal(signal.SIGTERM)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait(10)
        self.out.close()
        if self in running:
            running.remove(self)
        return self.process.returncode


def http_server(argv, folder, name, port, ready, kind=Process, env=None):
    """Starts a server on 127.0.0.1:port, a Process of that kind; it is ready when its path `ready` answers 200."""
    peer = kind(argv, folder, name, env=env)
    peer.port, peer.url = port, f"http://127.0.0.1:{port}"
    peer.wait_ready(lambda: http_get(peer.url + ready)[0] == 200)
    return peer


@atexit.register
def _stop_all():
    for process in list(running):
        with contextlib.suppress(Exception):
            process.stop(2)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


@contextlib.contextmanager
def scratch():
    """A folder that goes with the test; it stays (and is named) when the test fails."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="pipewarden-test-"))
    try:
        yield path
    except BaseException:
        print(f"kept: {path}", flush=True)
        raise
    _stop_all()
    shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def cached(name):
    """The cache folder of a peer, and whether it has to be filled: `with cached("hdfs-3.5.0") as (path, missing)`. Filled
    in a temporary folder that takes its name when the block ends well, under a lock, once for all tests."""
    CACHE.mkdir(parents=True, exist_ok=True)
    path = CACHE / name
    with open(CACHE / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.is_dir():
            yield path, False
            return
        partial = CACHE / f"{name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        yield partial, True
        partial.rename(path)


def debian(package, path):
    """A file of a Debian package, unpacked into the cache instead of installed: nothing starts a daemon so."""
    installed = pathlib.Path("/") / path
    listed = subprocess.run(["dpkg-query", "-W", "-f=${db:Status-Status}", package], capture_output=True, text=True)
    if listed.stdout == "installed" and installed.exists():
        return installed
    with cached(f"debian-{package}") as (folder, missing):
        if missing:
            got = subprocess.run(["apt-get", "download", package], cwd=folder, capture_output=True, text=True)
            if got.returncode != 0:
                raise Skipped(f"{package} could not be downloaded: {got.stderr.strip().splitlines()[-1:]}")
            deb = next(folder.glob("*.deb"))
            subprocess.run(["dpkg", "-x", deb, folder], check=True)
            deb.unlink()
    found = CACHE / f"debian-{package}" / path
    if not found.exists():
        raise Skipped(f"{package} has no {path}")
    return found


class Agent(Process):
    """`pipewarden run` on a configuration given as text; restarted with start(), killed with kill()."""

    def __init__(self, directory, config, arguments=(), env=None):
        self.directory = pathlib.Path(directory)
        self.config = self.directory / "pipewarden.yml"
        self.config.write_text(config)
        self.storage = self.directory / "data"
        self.arguments = list(arguments)
        self.env = env
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self):
        super().__init__([BUILD / "pipewarden", "run", "--config.file", self.config, "--storage.path", self.storage,
                          "--web.listen-address", f"127.0.0.1:{self.port}", *self.arguments],
                         self.directory, "pipewarden", env=self.env)
        self.wait_ready(lambda: http_get(self.url + "/-/ready", timeout=2)[0] == 200)
        return self

    def get(self, path, **options):
        return http_get(self.url + path, **options)

    def text(self, path):
        return self.get(path)[2].decode()

    def json(self, path):
        return json.loads(self.get(path)[2])

    def query(self, expression):
        """[(labels, value)] of an instant query."""
        answer = self.json("/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
        assert answer["status"] == "success", answer
        return [(r["metric"], float(r["value"][1])) for r in answer["data"]["result"]]

    def metric(self, name, **labels):
        """The value of the first series on /metrics that has these labels, or None."""
        for line in self.text("/metrics").splitlines():
            if line.startswith(name + "{") and all(f'{key}="{text}"' in line for key, text in labels.items()):
                return float(line.split()[-1])
        return None

    def verdict(self, probe):
        """What the last run of a probe by its timer has said: 1 well, 0 not, None before the first."""
        return self.metric("probe_success", probe=probe)

    def socket(self, method, path, body=None, headers=None):
        """(status, body) over the Unix socket."""
        connection = UnixConnection(self.storage / "pipewarden.sock")
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()

    def probe(self, name):
        """Runs a probe now: its success, message, duration_seconds and values, as `pipewarden probe` tells them."""
        code, output = self.command("probe", name, "--json")
        answer = json.loads(output)
        assert code == (0 if answer["success"] else 1), output
        return answer

    def command(self, *arguments, timeout=60):
        """A client command of the same binary: (exit code, output)."""
        done = subprocess.run([BUILD / "pipewarden", *arguments, "--storage.path", self.storage], capture_output=True,
                              text=True, timeout=timeout)
        return done.returncode, done.stdout + done.stderr


def main(test):
    """Runs a test script's function in a scratch folder."""
    try:
        with scratch() as folder:
            test(folder)
    except Skipped as why:
        skip(str(why))
