"""Options beyond a rule file, in a running agent: a hysteresis holds an alert over a kill and a reload, and ends it where
it says; missing data ends nothing where it is to be kept; a backtest goes by them; mistakes are told with their place."""
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402

CONFIG = """\
global: {evaluation_interval: 1s}
logs:
  - path: app.log
    start: beginning
    patterns:
      - {match: 'lag=(?P<lag>\\d+)', gauge: lag_seconds, value: lag}
rule_files: [rules.yml]
alert_options: [options.yml]
host: {enabled: false}
"""

RULES = """\
groups:
- name: lag
  rules:
  - {alert: LagHigh, expr: lag_seconds > 80}
  - {alert: LagHighPlain, expr: lag_seconds > 80}
"""

OPTIONS = "rules: {rules.yml: {lag: {LagHigh: {resolve_expr: lag_seconds < 70, no_data: keep}}}}\n"


def firing(agent):
    return {labels["alertname"] for labels, _ in agent.query('ALERTS{alertstate="firing"}')}


def test(folder):
    (folder / "rules.yml").write_text(RULES)
    (folder / "options.yml").write_text(OPTIONS.replace("LagHigh:", "LagHihg:"))
    (folder / "pipewarden.yml").write_text(CONFIG)
    done = subprocess.run([lib.BUILD / "pipewarden", "check", "pipewarden.yml"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 2, done
    assert "options.yml:1:27: no alert in group 'lag' is called 'LagHihg' (did you mean 'LagHigh'?)" in done.stderr, done

    log = folder / "app.log"

    def write(value):
        with open(log, "a") as out:
            out.write(f"lag={value}\n")

    (folder / "options.yml").write_text(OPTIONS)
    write(90)
    agent = lib.Agent(folder, CONFIG)
    lib.eventually(lambda: firing(agent) == {"LagHigh", "LagHighPlain"}, 15, "both")
    write(75)
    lib.eventually(lambda: firing(agent) == {"LagHigh"}, 15, "the plain one's end")
    agent.kill()
    agent.start()

    def restored():
        return [(a["labels"]["alertname"], a["state"]) for a in agent.json("/api/v1/alerts")["data"]["alerts"]]
    lib.eventually(lambda: restored() == [("LagHigh", "firing")], 15, "the alert after a kill")
    agent.socket("POST", "/-/reload")
    assert firing(agent) == {"LagHigh"}
    # No series at all: the metric's pattern is taken away.
    agent.config.write_text(CONFIG.replace("gauge: lag_seconds", "gauge: other_seconds"))
    assert agent.socket("POST", "/-/reload")[0] == 200
    lib.eventually(lambda: not agent.query("lag_seconds"), 15, "the series' end")
    assert firing(agent) == {"LagHigh"}
    agent.config.write_text(CONFIG)
    assert agent.socket("POST", "/-/reload")[0] == 200
    write(60)
    lib.eventually(lambda: not firing(agent), 15, "its end")

    code, output = agent.command("rules", "backtest", str(folder / "rules.yml"), "--since", "5m")
    assert code == 0, output
    told = [line.split("  ", 1)[1] for line in output.splitlines() if "LagHigh" in line]
    order = [("firing" if line.startswith("firing") else "resolved", "Plain" in line) for line in told]
    assert order.index(("resolved", True)) < order.index(("resolved", False)), output
    assert order.count(("firing", False)) == 1, output


lib.main(test)
