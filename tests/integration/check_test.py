"""Every kind of mistake in one configuration: each is one line with file, line, column and remedy, all in one go."""
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402

CONFIG = """\
global:
  evaluation_intervall: 15s
storage: {retention_time: soon}
components:
  a: {depends_on: [b]}
  b: {depends_on: [a]}
probes:
  - {name: one, kind: http, url: "http://127.0.0.1/", interval: 15s}
  - {name: one, kind: tcp, address: "127.0.0.1:1"}
  - {name: three, kind: htpp, url: "http://127.0.0.1/"}
  - {name: four, kind: http, url: "http://127.0.0.1/", body_matches: "("}
  - {name: five, kind: postgres, host: localhost, password_file: /nonexistent/secret}
  - {name: six, kind: http}
logs:
  - path: /tmp/*.log
    patterns: [{match: '(', counter: x_total}]
pipelines:
  daily:
    schedule: "61 2 * * *"
    steps:
      first: {run: [/bin/true], after: [second]}
      second: {run: [/bin/true], after: [first]}
      third: {run: [/bin/true], after: [fourth]}
rule_files: [missing.yml, rules.yml]
alerting: {config_file: alertmanager.yml}
"""

RULES = """\
groups:
- name: g
  rules:
  - alert: Bad
    expr: sum by (x
  - alert: Worse
    expr: up == 0
    for: never
"""

ALERTMANAGER = """\
route: {receiver: nobody, groupby: [x]}
receivers: [{name: somebody}]
"""

# What is wrong, and where: file, line, words of the message.
EXPECTED = [
    ("pipewarden.yml", 2, "evaluation_interval"),
    ("pipewarden.yml", 3, "duration"),
    ("pipewarden.yml", None, "cycle"),
    ("pipewarden.yml", 9, "one"),
    ("pipewarden.yml", 10, "http"),
    ("pipewarden.yml", 11, "regular expression"),
    ("pipewarden.yml", 12, "/nonexistent/secret"),
    ("pipewarden.yml", 13, "url"),
    ("pipewarden.yml", 16, "regular expression"),
    ("pipewarden.yml", 19, "61"),
    ("pipewarden.yml", None, "first -> second -> first|second -> first -> second"),
    ("pipewarden.yml", 23, "fourth"),
    ("missing.yml", None, "No such file"),
    ("rules.yml", 5, "parse error|unclosed|unexpected"),
    ("rules.yml", 8, "duration"),
    ("alertmanager.yml", 1, "group_by"),
    ("alertmanager.yml", None, "nobody"),
]


def test(folder):
    (folder / "pipewarden.yml").write_text(CONFIG)
    (folder / "rules.yml").write_text(RULES)
    (folder / "alertmanager.yml").write_text(ALERTMANAGER)
    done = subprocess.run([lib.BUILD / "pipewarden", "check", "pipewarden.yml"], cwd=folder, capture_output=True, text=True)
    output = done.stdout + done.stderr
    assert done.returncode == 2, (done.returncode, output)
    lines = [line for line in output.splitlines() if re.match(r"\S+?:\d+:\d+: |.*missing\.yml", line)]
    missing = []
    for file, number, words in EXPECTED:
        place = rf"^\S*{re.escape(file)}:{number if number else chr(92) + 'd+'}:\d+: .*({words})"
        if file == "missing.yml":
            place = rf"missing\.yml.*({words})"
        if not any(re.search(place, line) for line in lines):
            missing.append((file, number, words))
    assert not missing, f"not told: {missing}\n{output}"
    doubled = [line for line in lines if lines.count(line) > 1]
    assert not doubled, doubled

    # The agent refuses the same file the same way, and a good one is accepted.
    refused = subprocess.run([lib.BUILD / "pipewarden", "run", "--config.file", "pipewarden.yml", "--storage.path", "data"],
                             cwd=folder, capture_output=True, text=True, timeout=20)
    assert refused.returncode == 2, refused
    for example in sorted((lib.ROOT / "packaging/examples").glob("*/pipewarden.yml")):
        good = subprocess.run([lib.BUILD / "pipewarden", "check", example], capture_output=True, text=True)
        assert good.returncode == 0, (example, good.stdout + good.stderr)


lib.main(test)
