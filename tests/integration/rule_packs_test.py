#!/usr/bin/env python3
"""The shipped rule packs are ordinary Prometheus rule files: a real promtool accepts them, and their tests pass there."""
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def main():
    promtool = shutil.which("promtool")
    if promtool is None:
        print("skipped: no promtool (Debian package prometheus)")
        return 77
    packs = sorted((ROOT / "rules/packs").glob("*.yml"))
    tests = sorted((ROOT / "tests/rules/packs").glob("*_test.yml"))
    untested = {pack.stem for pack in packs} - {test.stem.removesuffix("_test") for test in tests}
    if not packs or untested:
        print(f"packs without a test in tests/rules/packs: {sorted(untested)}")
        return 1
    for action, files in (("check", packs), ("test", tests)):
        result = subprocess.run([promtool, action, "rules", *map(str, files)], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, timeout=60)
        if result.returncode != 0:
            print(f"promtool {action} rules failed:\n{result.stdout}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
