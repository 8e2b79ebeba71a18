#!/usr/bin/env python3
"""./dev fuzz: runs one fuzzer, or all, as many at once as there are cores. What made one fail stays in build/fuzz as
NAME-crash-…, NAME-timeout-…, NAME-oom-… or NAME-leak-…; the next run tries those first and forgets them where they pass."""
import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build/fuzz"
LIMITS = ["-timeout=10", "-rss_limit_mb=2048"]


def names():
    return sorted(path.name.removesuffix("_fuzz") for path in (BUILD / "tests").glob("*_fuzz"))


def artifacts(name):
    return [path for path in sorted(BUILD.glob(f"{name}-*"))
            if re.fullmatch(re.escape(name) + "-(crash|timeout|oom|leak)-[0-9a-f]+", path.name)]


def fuzz(name, seconds, quiet):
    """(whether all is well, its last words)"""
    binary = BUILD / f"tests/{name}_fuzz"
    start = time.monotonic()
    for artifact in artifacts(name):
        again = subprocess.run([binary, *LIMITS, artifact], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if again.returncode != 0:
            return False, f"still fails on {artifact}\n{again.stdout.decode(errors='replace')[-4000:]}"
        artifact.unlink()
    corpus = BUILD / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    log = BUILD / f"{name}.log"
    argv = [binary, f"-max_total_time={seconds}", *LIMITS, "-print_final_stats=1", f"-artifact_prefix={BUILD}/{name}-", corpus]
    seeds = ROOT / "tests/fuzz/corpus" / name
    if seeds.is_dir():
        argv.append(seeds)
    with open(log, "wb") as out:
        done = subprocess.run(argv, stdout=out if quiet else None, stderr=out if quiet else None, stdin=subprocess.DEVNULL)
    text = log.read_text(errors="replace")
    if done.returncode != 0 or artifacts(name):
        found = ", ".join(map(str, artifacts(name))) or "no artifact"
        return False, f"exit code {done.returncode}; {found}; log: {log}\n{text[-4000:]}"
    runs = re.search(r"number_of_executed_units:\s*(\d+)", text)
    return True, f"{int(runs[1]):,} inputs, {time.monotonic() - start:.0f} s" if runs else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?", help="one of them, or all; without it they are listed")
    parser.add_argument("seconds", nargs="?", type=int, default=60)
    arguments = parser.parse_args()
    if arguments.name is None:
        print("\n".join(names()))
        return
    if arguments.name != "all" and arguments.name not in names():
        sys.exit(f"no fuzzer '{arguments.name}'; ./dev fuzz lists them")
    chosen = names() if arguments.name == "all" else [arguments.name]
    well = bool(chosen)
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        results = {pool.submit(fuzz, name, arguments.seconds, len(chosen) > 1): name for name in chosen}
        for result in concurrent.futures.as_completed(results):
            passed, said = result.result()
            well &= passed
            print(f"{'ok     ' if passed else 'FAILED '} {results[result]}_fuzz: {said}", flush=True)
    sys.exit(0 if well else 1)


main()
