#!/usr/bin/env python3
"""./dev lint: clang-format, clang-tidy, include directions, headers that stand alone, shellcheck.

What changed since the last landed commit is looked at; --all looks at everything.
"""
import os
import pathlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CODE = ("core", "exporters", "rules", "alertmanager", "agent", "tests")


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=ROOT, text=True, capture_output=True).stdout.split()


def landed():
    """The last landed commit: the upstream's, or of a fresh clone the first parent; none in a new repository."""
    for ref in ("@{upstream}", "origin/main"):
        base = git("merge-base", "HEAD", ref)
        if base and base != git("rev-parse", "HEAD"):
            return base[0]
    parent = git("rev-parse", "--verify", "-q", "HEAD~1")
    return parent[0] if parent else None


def changed():
    base = landed()
    if base is None:
        return git("ls-files")
    return sorted(set(git("diff", "--name-only", "--diff-filter=d", base)) |
                  set(git("ls-files", "--others", "--exclude-standard")))


def step(name, argv):
    result = subprocess.run(argv, cwd=ROOT, text=True, capture_output=True)
    output = (result.stdout + result.stderr).strip()
    print(f"{'ok    ' if result.returncode == 0 else 'FAILED'}  {name}", flush=True)
    if result.returncode != 0:
        print(output, flush=True)
    return result.returncode == 0


def tidy(files):
    """clang-tidy on each source; warnings are errors (.clang-tidy chooses them)."""
    def one(file):
        result = subprocess.run(["clang-tidy-19", "-quiet", "-p", "build/tidy", file], cwd=ROOT, text=True,
                                capture_output=True)
        return file, result.returncode, result.stdout
    well = True
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for file, code, output in pool.map(one, files):
            if code != 0:
                well = False
                print(f"FAILED  clang-tidy {file}\n{output.strip()}", flush=True)
    print(f"{'ok    ' if well else 'FAILED'}  clang-tidy on {len(files)} sources", flush=True)
    return well


def main():
    everything = "--all" in sys.argv[1:]
    files = [f for f in (git("ls-files") if everything else changed()) if (ROOT / f).is_file()]
    code = [f for f in files if f.endswith((".h", ".cpp")) and f.startswith(CODE)]
    shell = [f for f in files if f in ("dev", ".ci/run") or f.endswith(".sh")]
    well = step("include directions", [sys.executable, "tests/lint/includes_test.py"])
    if code:
        well &= step(f"clang-format on {len(code)} files", ["clang-format-19", "--dry-run", "-Werror", *code])
        sources = [f for f in code if f.endswith(".cpp") and not f.startswith("tests/")]
        if sources:
            well &= tidy(sources)
    if everything:
        well &= step("headers stand alone",
                     ["cmake", "--build", "build/tidy", "--target", "all_verify_interface_header_sets"])
    if shell:
        well &= step(f"shellcheck on {len(shell)} scripts", ["shellcheck", "-x", *shell])
    sys.exit(0 if well else 1)


main()
