"""The demo: within about two minutes one sees a run, a metric that moves, and an alert that fires and resolves."""
import json
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402

DEMO = lib.ROOT / "packaging/examples/demo"


def test(folder):
    # The demo's own files, working in a folder of this test's.
    work = str(folder / "work")
    for path in DEMO.iterdir():
        text = path.read_text().replace("/tmp/pipewarden-demo", work)
        (folder / path.name).write_text(text)
        (folder / path.name).chmod(path.stat().st_mode)
    began = time.monotonic()
    agent = lib.Agent(folder, (folder / "pipewarden.yml").read_text())

    def told():
        return [(entry["status"], re.search(r"DemoStageErrors", entry["subject"]) is not None)
                for entry in agent.json("/api/pipewarden/v1/inbox")["data"]]
    lib.eventually(lambda: ("firing", True) in told(), 120, "the alert")
    assert agent.query("demo_rows_total")

    def retried():
        runs = json.loads(agent.socket("GET", "/api/pipewarden/v1/pipelines/orders/runs")[1])["data"]
        return any(step["attempts"] > 1 for run in runs for step in run["steps"])
    lib.eventually(retried, 60, "a step that is tried again")
    lib.eventually(lambda: ("resolved", True) in told(), 120, "the alert's end")
    print(f"fired and resolved {time.monotonic() - began:.0f} s after the start")
    lib.eventually(lambda: agent.query("pipewarden_freshness_age_seconds < 180"), 30, "the freshness of what was made")
    page = agent.text("/")
    assert "orders" in page and "gold_orders" in page


lib.main(test)
