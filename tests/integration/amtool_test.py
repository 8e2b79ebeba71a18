#!/usr/bin/env python3
"""The real amtool (Debian's, 0.25) works against the agent as against Alertmanager: alerts, silences, routes, status."""
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402
import alertmanager.peer  # noqa: E402

ALERTMANAGER = """
global: {slack_api_url: 'http://hooks.invalid/PLANTED-SECRET'}
route:
  receiver: default
  group_by: [alertname]
  routes:
    - matchers: ['severity="page"', 'env=~"p.*"']
      receiver: team
      group_by: ['...']
      continue: true
      mute_time_intervals: [night]
    - match_re: {env: 'prod|stage'}
      receiver: chat
receivers:
  - name: default
  - name: team
    webhook_configs: [{url: 'http://127.0.0.1:1/PLANTED-SECRET'}]
  - name: chat
    slack_configs: [{channel: '#c'}]
inhibit_rules:
  - source_matchers: [severity=page]
    target_matchers: [severity=info]
    equal: [cluster]
time_intervals:
  - name: night
    time_intervals: [{years: ['2001'], weekdays: ['monday:friday', sunday], days_of_month: ['1:5', '-1']}]
"""


def main(folder):
    tool = alertmanager.peer.amtool()
    (folder / "alertmanager.yml").write_text(ALERTMANAGER)
    agent = lib.Agent(folder, "alerting: {config_file: alertmanager.yml}\n")

    def run(*arguments, code=0):
        done = subprocess.run([tool, f"--alertmanager.url={agent.url}", *arguments], capture_output=True, text=True,
                              timeout=60, cwd=folder)
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def silences(*arguments):
        return json.loads(run("silence", "query", "-o", "json", *arguments))

    # Alerts.
    run("alert", "add", "disk", "severity=page", "env=prod", "cluster=c1", "--annotation=summary=full & <busy>",
        "--generator-url=http://g/?a=1&b=2")
    run("alert", "add", "noise", "severity=info", "cluster=c1")
    run("alert", "add", "gone", "--end=2020-01-01T00:00:00Z", "--start=2019-01-01T00:00:00Z")
    assert "disk" in run("alert") and "noise" not in run("alert", "query")  # noise is inhibited
    shown = {alert["labels"]["alertname"]: alert for alert in json.loads(run("alert", "query", "-a", "-i", "-o", "json"))}
    assert sorted(shown) == ["disk", "noise"], shown
    assert shown["disk"]["annotations"] == {"summary": "full & <busy>"}, shown["disk"]
    assert [r["name"] for r in shown["disk"]["receivers"]] == ["team", "chat"], shown["disk"]
    assert shown["noise"]["status"]["inhibitedBy"] == [shown["disk"]["fingerprint"]], shown["noise"]
    assert "disk" in run("alert", "query", "--receiver=team", "env=~p.*")
    assert "disk" not in run("alert", "query", "severity!=page")
    assert "summary=\"full & <busy>\"" in run("alert", "query", "-o", "extended")

    # Silences.
    one = run("silence", "add", "alertname=disk", "--comment=mending", "--author=me", "--duration=1h").strip()
    assert [s["id"] for s in silences()] == [one]
    assert "disk" not in run("alert", "query") and "disk" in run("alert", "query", "--silenced")
    assert run("silence", "query", "-q", "alertname=disk").split() == [one]
    assert run("silence", "query", "-q", "alertname=other").split() == []
    run("silence", "update", "--duration=3h", "--comment=longer", one)
    assert [(s["id"], s["comment"]) for s in silences()] == [(one, "longer")], silences()
    exported = run("silence", "query", "-o", "json")
    run("silence", "expire", one)
    assert silences() == [] and [s["id"] for s in silences("--expired")] == [one]
    imported = json.loads(exported)
    imported[0].pop("id")
    (folder / "silences.json").write_text(json.dumps(imported))
    run("silence", "import", "silences.json")
    assert [s["comment"] for s in silences()] == ["longer"]
    run("silence", "add", "alertname=~.+", "foo!=bar", "--comment=all", "--author=me")
    assert len(silences()) == 2
    run("silence", "expire", "00000000-0000-4000-8000-000000000000", code=1)
    run("silence", "add", "a=b", "alertname=~(", "--comment=bad", "--author=me", code=1)

    # What was acknowledged is there after SIGKILL.
    agent.kill()
    agent.start()
    assert sorted(s["comment"] for s in silences()) == ["all", "longer"]
    assert len(json.loads(run("alert", "query", "-a", "-s", "-i", "-o", "json"))) == 2

    # Routes: of the configuration that the agent shows, and of the file itself.
    for labels in (["severity=page", "env=prod"], ["env=stage"], ["alertname=x"]):
        shown = run("config", "routes", "test", *labels)
        of_file = run("config", "routes", "test", "--config.file=alertmanager.yml", *labels)
        assert shown == of_file, (labels, shown, of_file)
    assert "team" in run("config", "routes", "show")
    run("config", "routes", "test", "--verify.receivers=team,chat", "severity=page", "env=prod")
    run("check-config", "alertmanager.yml")
    (folder / "shown.yml").write_text(json.loads(agent.text("/api/v2/status"))["config"]["original"])
    assert "SUCCESS" in run("check-config", "shown.yml")
    assert "disabled" in run("cluster", "show")
    assert agent.get("/alertmanager/api/v2/status")[0] == 404  # Grafana asks whether this is Mimir

    # Secrets show nowhere.
    for path in ("/api/v2/status", "/api/v2/receivers", "/metrics", "/", "/api/v2/alerts/groups"):
        assert "PLANTED-SECRET" not in agent.text(path), path
    assert "PLANTED-SECRET" not in agent.output()

    # The agent's own commands.
    def command(*arguments, code=0):
        result, output = agent.command(*arguments)
        assert result == code, (arguments, result, output)
        return output

    mine = command("silence", "add", "alertname=disk", "env=~p.*", "--for", "1h", "--comment", "by hand").strip()
    assert mine in command("silence", "list") and "by hand" in command("silence", "list")
    command("silence", "expire", mine)
    assert mine not in command("silence", "list") and mine in command("silence", "list", "--all")
    for silence in silences():
        command("silence", "expire", silence["id"])
    assert "disk" in command("alert", "list") and "noise" not in command("alert", "list", "--receiver", "team")
    assert json.loads(command("alert", "list", "--filter", "alertname=noise", "--json"))[0]["labels"]["severity"] == "info"
    assert "webhook[0]" in command("notify", "test", "team", code=1)
    assert "there is no receiver 'nobody'" in command("notify", "test", "nobody", code=1)
    command("silence", "add", "alertname=~(", code=2)
    assert agent.stop() == 0


lib.main(main)
