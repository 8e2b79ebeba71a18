"""What is shipped beside the binary: the unit file, the configurations, the DaemonSet; at nightly the Debian package."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import textwrap

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402

PACKAGING = lib.ROOT / "packaging"


def run(argv, **options):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=600, **options)
    return done.returncode, done.stdout + done.stderr


def check(path):
    env = dict(os.environ, NODE_NAME="node7")
    code, output = run([lib.BUILD / "pipewarden", "check", path], env=env)
    assert code == 0 and "warning" not in output, output


def unit_is_good(folder):
    if not shutil.which("systemd-analyze"):
        print("systemd-analyze is not there: the unit file is not verified")
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
        print("PyYAML is not there: the manifest's shape is not looked at")
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


def package_is_good(folder):
    code, output = run(["./dev", "package"], cwd=lib.ROOT)
    assert code == 0, output[-4000:]
    deb = max((lib.ROOT / "build/release").glob("pipewarden_*.deb"), key=lambda p: p.stat().st_mtime)
    code, output = run(["lintian", "--fail-on", "error", deb])
    print(output)
    assert code == 0, output
    assert run(["dpkg", "-x", deb, folder / "root"])[0] == 0
    for path in ("usr/bin/pipewarden", "usr/bin/pipewarden-step", "lib/systemd/system/pipewarden.service",
                 "usr/share/man/man1/pipewarden.1.gz", "etc/pipewarden/pipewarden.yml"):
        found = [p for p in (folder / "root" / path, folder / "root/usr" / path) if p.exists()]
        assert found, path
    code, output = run([folder / "root/usr/bin/pipewarden", "check", folder / "root/etc/pipewarden/pipewarden.yml"])
    assert code == 0, output


def test(folder):
    unit_is_good(folder)
    daemonset_is_good(folder)
    for example in [*PACKAGING.glob("examples/*/pipewarden.yml"), PACKAGING / "debian/pipewarden.yml",
                    lib.ROOT / "alertmanager/alertmanager.yml"]:
        check(example)
    if lib.LEVEL == "nightly":
        package_is_good(folder)


lib.main(test)
