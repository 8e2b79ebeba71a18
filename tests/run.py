#!/usr/bin/env python3
"""Runs the tests: the unit test executables of a build, then the scripts in tests/integration and tests/lint.

A script passes with exit code 0 and is skipped with 77 (its last line says why); anything else fails and its output is
shown. A part that is left out is a line "skipped: why" of a test that passes. PIPEWARDEN_TEST_LEVEL is quick, full or
nightly: scripts ask tests/peers/lib.py for it. At nightly whatever is skipped has failed.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("PIPEWARDEN_BUILD", ROOT / "build/release"))
LEVEL = os.environ.get("PIPEWARDEN_TEST_LEVEL", "quick")
TIMEOUT = {"quick": 300, "full": 600, "nightly": 7200}[LEVEL]


def run(argv):
    """(exit code, output, seconds); 124 when it took too long: then it may end its peers, whose process groups are others, and
    its own is killed."""
    start = time.monotonic()
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                               cwd=ROOT, start_new_session=True, text=True, errors="replace")
    try:
        output, _ = process.communicate(timeout=TIMEOUT)
        code = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        output += f"\nkilled: not done after {TIMEOUT} s"
        code = 124
    return code, output, time.monotonic() - start


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def unit(self, path):
        code, output, seconds = run([path, "--report_level=short", "--color_output=no"])
        cases = sum(int(n) for n in re.findall(r"(\d+) test cases? out of \d+ passed", output))
        failed = sum(int(n) for n in re.findall(r"(\d+) test cases? out of \d+ failed", output))
        reasons = re.findall(r"skipped: .*", output)
        for reason in reasons:
            print(f"  {path.name}: {reason}")
        if reasons and LEVEL == "nightly":
            code = code or 77
        if code == 0:
            cases = cases or 1
            print(f"ok      {path.name} ({cases} cases, {seconds:.1f} s)")
        else:
            failed = failed or 1
            print(f"FAILED  {path.name} (exit code {code}, {seconds:.1f} s)\n{output[-8000:]}")
        self.passed += cases
        self.failed += failed if code != 0 else 0

    def replay(self, path):
        """The seeds of a fuzzer, and what it once found, through its target."""
        corpus = ROOT / "tests/fuzz/corpus" / path.name.removesuffix("_fuzz")
        code, output, _ = run([path, corpus])
        if code == 0:
            self.passed += 1
            print(f"ok      {path.name} (corpus: {output.strip()})")
        else:
            self.failed += 1
            print(f"FAILED  {path.name} (exit code {code})\n{output[-8000:]}")

    def script(self, path, result):
        code, output, seconds = result
        name = path.relative_to(ROOT / "tests")
        last = output.strip().splitlines()[-1] if output.strip() else ""
        if LEVEL == "nightly" and re.search(r"^skipped: ", output, re.M):
            code = code or 77
        if code == 0:
            self.passed += 1
            print(f"ok      {name} ({seconds:.1f} s)")
            for line in re.findall(r"^(?:skipped|seed): .*", output, re.M):
                print(f"  {line}")
        elif code == 77 and LEVEL != "nightly":
            self.skipped += 1
            print(f"skipped {name}: {last.removeprefix('skipped: ')}")
        else:
            self.failed += 1
            print(f"FAILED  {name} (exit code {code}, {seconds:.1f} s)\n{output[-8000:]}")
        sys.stdout.flush()

    def peers(self):
        """Fetches and builds what this level's peers need, before any test's time runs."""
        sys.path.insert(0, str(ROOT / "tests/peers"))
        import lib
        import peer
        for name in peer.names():
            start = time.monotonic()
            try:
                peer.load(name).get()
            except lib.Skipped as why:
                print(f"{'FAILED ' if LEVEL == 'nightly' else 'skipped'} peer {name}: {why}", flush=True)
                self.failed += LEVEL == "nightly"
                continue
            if time.monotonic() - start > 1:
                print(f"ok      peer {name} ({time.monotonic() - start:.1f} s)", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--unit", action="store_true", help="the unit tests alone")
    parser.add_argument("names", nargs="*", help="only tests whose name holds one of these")
    arguments = parser.parse_args()
    chosen = lambda path: not arguments.names or any(name in str(path) for name in arguments.names)

    tally = Tally()
    for path in sorted((BUILD / "tests").glob("*_tests")):
        if chosen(path.name):
            tally.unit(path)
    for path in sorted((BUILD / "tests").glob("*_fuzz")):
        if chosen(path.name):
            tally.replay(path)
    if not arguments.unit:
        if LEVEL != "quick" and not arguments.names:
            tally.peers()
        scripts = sorted((ROOT / "tests/integration").glob("*_test.py")) + sorted((ROOT / "tests/lint").glob("*_test.py"))
        scripts = [path for path in scripts if chosen(path.name)]
        with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
            results = {pool.submit(run, [sys.executable, path]): path for path in scripts}
            for result in concurrent.futures.as_completed(results):
                tally.script(results[result], result.result())
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    if tally.failed or not tally.passed:
        sys.exit(1)


main()
