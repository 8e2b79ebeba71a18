"""The reference of the configuration is what the binary would write, and its examples are accepted as they stand."""
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402

# What the examples name.
FILES = {
    "secrets/postgres": "secret\n",
    "conf.d/more.yml": "components: {more: {}}\n",
    "rules/load.yml": """groups:
- name: load
  rules:
  - {alert: LoadHigh, expr: node_load1 > 4}
  - {alert: DiskLow, expr: node_filesystem_avail_bytes < 2e10, labels: {severity: warning}}
  - {alert: DiskLow, expr: node_filesystem_avail_bytes < 1e10, labels: {severity: critical}}
""",
    "rules/own.yml": "groups: [{name: own, rules: [{record: one, expr: '1'}]}]\n",
    "alertmanager.yml": "route: {receiver: team}\nreceivers: [{name: team}]\n",
}


def run(folder, *arguments):
    env = dict(os.environ, CLUSTER="test")
    done = subprocess.run([lib.BUILD / "pipewarden", *map(str, arguments)], cwd=folder, env=env, capture_output=True,
                          text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def test(folder):
    code, output = run(lib.ROOT, "docs", "--out", "docs", "--check")
    assert code == 0, output

    # A page that differs is told by name, and nothing is written.
    page = folder / "configuration.md"
    page.write_text("old\n")
    code, output = run(folder, "docs", "--out", folder, "--check")
    assert code == 1 and "configuration.md" in output, (code, output)
    assert page.read_text() == "old\n"
    assert run(folder, "docs", "--out", folder)[0] == 0
    assert page.read_bytes() == (lib.ROOT / "docs/configuration.md").read_bytes()
    assert run(folder, "docs", "--out", folder / "nowhere")[0] == 1

    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    examples = re.findall(r"```yaml\n(.*?)```", page.read_text() + (lib.ROOT / "README.md").read_text(), re.S)
    assert len(examples) > 10, len(examples)
    # One that begins with a file's name is that file.
    for name, text in [(found[1], example) for example in examples if (found := re.match(r"# (\S+\.yml)\n", example))]:
        (folder / name).write_text(text)
    for example in [example for example in examples if not example.startswith("# ")]:
        (folder / "pipewarden.yml").write_text(example)
        code, output = run(folder, "check", "pipewarden.yml")
        assert code == 0 and "warning" not in output, f"{example}\n{output}"


lib.main(test)
