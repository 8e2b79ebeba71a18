#!/usr/bin/env python3
"""The shipped rule packs are ordinary Prometheus rule files: real promtools, Debian's and a new one, accept them, and their
tests pass there."""
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402
import peer  # noqa: E402


def test(_):
    packs = sorted((lib.ROOT / "rules/packs").glob("*.yml"))
    tests = sorted((lib.ROOT / "tests/rules/packs").glob("*_test.yml"))
    untested = {pack.stem for pack in packs} - {test.stem.removesuffix("_test") for test in tests}
    assert packs and not untested, f"packs without a test in tests/rules/packs: {sorted(untested)}"
    for name in ("prometheus", "prometheus3"):
        try:
            promtool = peer.load(name).promtool()
        except lib.Skipped as why:
            if name == "prometheus":
                raise
            print(f"skipped: {why}", flush=True)
            continue
        for action, files in (("check", packs), ("test", tests)):
            result = subprocess.run([promtool, action, "rules", *files], capture_output=True, text=True, timeout=60)
            assert result.returncode == 0, f"{promtool} {action} rules:\n{result.stdout}{result.stderr}"


lib.main(test)
