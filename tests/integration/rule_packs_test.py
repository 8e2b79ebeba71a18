#!/usr/bin/env python3
"""The shipped rule packs are ordinary Prometheus rule files: a real promtool accepts them, and their tests pass there."""
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402
import peer  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def test(_folder):
    promtool = peer.load("prometheus").promtool()
    packs = sorted((ROOT / "rules/packs").glob("*.yml"))
    tests = sorted((ROOT / "tests/rules/packs").glob("*_test.yml"))
    untested = {pack.stem for pack in packs} - {test.stem.removesuffix("_test") for test in tests}
    assert packs and not untested, f"packs without a test in tests/rules/packs: {sorted(untested)}"
    for action, files in (("check", packs), ("test", tests)):
        result = subprocess.run([promtool, action, "rules", *map(str, files)], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, timeout=60)
        assert result.returncode == 0, f"promtool {action} rules failed:\n{result.stdout}"


lib.main(test)
