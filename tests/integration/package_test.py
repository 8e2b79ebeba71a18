"""What is shipped beside the binary: the unit file, the configurations, the DaemonSet; at nightly the Debian package."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import textwrap

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402

PACKAGING = lib.ROOT / "packaging"


def run(argv, timeout=600, **options):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=timeout, **options)
    return done.returncode, done.stdout + done.stderr


def check(path):
    env = dict(os.environ, NODE_NAME="node7")
    code, output = run([lib.BUILD / "pipewarden", "check", path], env=env)
    assert code == 0 and "warning" not in output, output


def unit_is_good(folder):
    if not shutil.which("systemd-analyze"):
        print("skipped: systemd-analyze is not there: the unit file is not verified")
        return
    text = (PACKAGING / "systemd/pipewarden.service").read_text()
    # Nothing is installed here: neither the binary nor the manual page.
    text = text.replace("/usr/bin/pipewarden", str(lib.BUILD / "pipewarden")).replace("Documentation=man:", "# ")
    unit = folder / "pipewarden.service"
    unit.write_text(text)
    code, output = run(["systemd-analyze", "verify", unit])
    ours = [line for line in output.splitlines() if "pipewarden" in line]
    assert not ours, output
    assert code == 0 or output, (code, output)


def daemonset_is_good(folder):
    text = (PACKAGING / "kubernetes/daemonset.yml").read_text()
    embedded = re.search(r"  pipewarden\.yml: \|\n((?:    .*\n|\n)+)", text)
    assert embedded, text
    config = folder / "pipewarden.yml"
    config.write_text(textwrap.dedent(embedded[1]))
    check(config)
    # Every folder of the host that the configuration names is mounted, and what is mounted is a volume.
    for path in re.findall(r"/host/\w+", embedded[1]):
        assert f"mountPath: {path}," in text, path
    try:
        import yaml
    except ImportError:
        print("skipped: PyYAML is not there: the manifest's shape is not looked at")
        return
    objects = {o["kind"]: o for o in yaml.safe_load_all(text)}
    assert set(objects) == {"Namespace", "ConfigMap", "DaemonSet"}, set(objects)
    daemonset = objects["DaemonSet"]
    assert daemonset["apiVersion"] == "apps/v1"
    template = daemonset["spec"]["template"]
    labels = daemonset["spec"]["selector"]["matchLabels"]
    assert labels.items() <= template["metadata"]["labels"].items()
    container, = template["spec"]["containers"]
    assert {m["name"] for m in container["volumeMounts"]} == {v["name"] for v in template["spec"]["volumes"]}
    ports = {p["name"] for p in container["ports"]}
    assert {container[p]["httpGet"]["port"] for p in ("livenessProbe", "readinessProbe")} <= ports
    code, output = run([lib.BUILD / "pipewarden", *[a.split("=")[0] for a in container["args"][:1]], "--help"])
    for argument in container["args"][1:]:
        assert code == 0 and argument.split("=")[0] in output, (argument, output)


def debian_root(folder):
    """A fresh Debian 12 of the least packages, as the container's base image is one."""
    if os.getuid() != 0 or not shutil.which("debootstrap"):
        raise lib.Skipped("a Debian root needs root and debootstrap")
    with lib.cached("debian-root-bookworm") as (path, missing):
        if missing:
            code, output = run(["debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", path], timeout=1800)
            if code != 0:
                raise lib.Skipped(f"debootstrap: {output[-600:]}")
    root = folder / "root"
    subprocess.run(["cp", "-a", lib.CACHE / "debian-root-bookworm", root], check=True)
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    return root


def inside(root, argv, user=None, network=True):
    """The command line that runs argv in that root, with a /proc that is gone afterwards."""
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child", f"--mount-proc={root}/proc",
            *([] if network else ["--net"]), "chroot", *([f"--userspec={user}"] if user else []), root, *argv]


def image():
    """What the container file says: {instruction: text}; its RUN is one."""
    text = (PACKAGING / "container/Dockerfile").read_text().replace("\\\n", " ")
    lines = [line.split(None, 1) for line in text.splitlines() if line and not line.startswith("#")]
    assert [line[0] for line in lines] == ["FROM", "COPY", "RUN", "USER", "EXPOSE", "VOLUME", "ENTRYPOINT", "CMD"], lines
    return dict(lines)


def container_is_good(root, deb):
    """The container file's steps, one by one, in a root of Debian instead of its base image."""
    steps = image()
    assert steps["FROM"] == "debian:bookworm-slim" and steps["COPY"] == "build/release/pipewarden_*.deb /tmp/", steps
    shutil.copy(deb, root / "tmp")
    code, output = run(inside(root, ["sh", "-c", steps["RUN"]]))
    assert code == 0, output[-4000:]
    assert not list((root / "tmp").iterdir()), "the package is still in the image"
    argv = json.loads(steps["ENTRYPOINT"]) + json.loads(steps["CMD"])
    starts_and_ends(root, argv, steps["USER"], "container")


def starts_and_ends(root, argv, user, name):
    """In a network of its own, because it may listen on every address."""
    agent = lib.Process(inside(root, argv, user=user, network=False), root.parent, name)
    connection = lib.UnixConnection(root / "var/lib/pipewarden/pipewarden.sock")

    def ready():
        connection.close()
        connection.request("GET", "/-/ready")
        return connection.getresponse().status == 200
    agent.wait_ready(ready)
    # unshare itself does not pass signals on.
    os.kill(int(pathlib.Path(f"/proc/{agent.pid}/task/{agent.pid}/children").read_text().split()[0]), signal.SIGTERM)
    assert agent.process.wait(20) == 0, agent.output()
    assert "level=error" not in agent.output(), agent.output()


def package_is_good(root, name):
    """The package /tmp/NAME: installed, removed, installed again, installed over itself, run and purged."""
    data, config = root / "var/lib/pipewarden", root / "etc/pipewarden/pipewarden.yml"

    def dpkg(action, what):
        code, output = run(inside(root, ["dpkg", action, what]))
        assert code == 0, output
    dpkg("--purge", "pipewarden")  # what the container's steps made belongs to another user
    assert not data.exists() and not config.parent.exists()
    dpkg("--install", f"/tmp/{name}")
    for path in ("usr/bin/pipewarden", "usr/bin/pipewarden-step", "lib/systemd/system/pipewarden.service",
                 "usr/share/man/man1/pipewarden.1.gz"):
        assert (root / path).exists(), path
    assert run(inside(root, ["dpkg", "--verify", "pipewarden"])) == (0, "")
    said = run(["systemd-analyze", "verify", f"--root={root}", "--man=no", "pipewarden.service"])[1]
    # There is no systemd in that root: its targets are not found, but all that the unit itself names is.
    assert not [line for line in said.splitlines() if "pipewarden" in line and ".target not found" not in line], said
    code, output = run(inside(root, ["pipewarden", "check", "/etc/pipewarden/pipewarden.yml"]))
    assert code == 0, output
    (data / "kept").touch()
    with open(config, "a") as file:
        file.write("# ours\n")
    for action, what in (("--remove", "pipewarden"), ("--install", f"/tmp/{name}"), ("--install", f"/tmp/{name}")):
        dpkg(action, what)
        assert (data / "kept").exists() and "# ours" in config.read_text()
        assert (root / "usr/bin/pipewarden").exists() == (action == "--install")
    user = int(run(inside(root, ["id", "-u", "pipewarden"]))[1])
    assert (data.stat().st_uid, data.stat().st_mode & 0o777, config.stat().st_mode & 0o777) == (user, 0o700, 0o640)
    starts_and_ends(root, ["pipewarden", "run", "--storage.path", "/var/lib/pipewarden"], "pipewarden", "installed")
    dpkg("--purge", "pipewarden")
    assert not data.exists() and not config.parent.exists()


def package(folder):
    code, output = run(["./dev", "package"], cwd=lib.ROOT, timeout=3600)
    assert code == 0, output[-4000:]
    deb = max((lib.ROOT / "build/release").glob("pipewarden_*.deb"), key=lambda p: p.stat().st_mtime)
    code, output = run(["lintian", "--fail-on", "error,warning", deb])
    assert code == 0, output
    root = debian_root(folder)
    container_is_good(root, deb)
    shutil.copy(deb, root / "tmp")
    package_is_good(root, deb.name)


def test(folder):
    unit_is_good(folder)
    daemonset_is_good(folder)
    for example in [*PACKAGING.glob("examples/*/pipewarden.yml"), PACKAGING / "debian/pipewarden.yml",
                    lib.ROOT / "alertmanager/alertmanager.yml"]:
        check(example)
    if lib.LEVEL == "nightly":
        package(folder)


lib.main(test)
