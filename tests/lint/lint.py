#!/usr/bin/env python3
"""./dev lint: clang-format, clang-tidy, include directions, headers that stand alone, shellcheck.

What changed since the last landed commit is looked at; --all looks at everything, and at headers one by one.
"""
import hashlib
import json
import os
import pathlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/peers"))
import lib  # noqa: E402

CODE = ("core", "exporters", "rules", "alertmanager", "agent", "tests")


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=ROOT, text=True, capture_output=True).stdout.split()


def landed():
    """The last landed commit: where this branch left the upstream's. None where that cannot be told (a fresh clone of what
    is to land): then everything is looked at."""
    for ref in ("@{upstream}", "origin/main"):
        base = git("merge-base", "HEAD", ref)
        if base and base != git("rev-parse", "HEAD"):
            return base[0]
    return None


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


def tidy_key(command):
    """What clang-tidy's verdict depends on: the checks, and the source with all it includes."""
    preprocessed = subprocess.run(
        [*(a for a in command["command"].split() if not a.endswith("ccache")), "-E", "-P", "-o", "-"],
        cwd=command["directory"], capture_output=True)
    if preprocessed.returncode != 0:
        return None
    return hashlib.sha256((ROOT / ".clang-tidy").read_bytes() + preprocessed.stdout).hexdigest()


def tidy(files):
    """clang-tidy on each source; warnings are errors (.clang-tidy chooses them). A clean verdict is remembered."""
    well_known = lib.CACHE / "clang-tidy"
    well_known.mkdir(parents=True, exist_ok=True)
    with open(ROOT / "build/tidy/compile_commands.json") as file:
        commands = {command["file"]: command for command in json.load(file)}

    def one(file):
        command = commands.get(str(ROOT / file))
        key = command and tidy_key(command)
        if key and (well_known / key).exists():
            return file, 0, ""
        result = subprocess.run(["clang-tidy-19", "-quiet", "-p", "build/tidy", file], cwd=ROOT, text=True,
                                capture_output=True)
        if key and result.returncode == 0:
            (well_known / key).touch()
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
    if shell:
        well &= step(f"shellcheck on {len(shell)} scripts", ["shellcheck", "-x", *shell])
    if code:
        well &= step(f"clang-format on {len(code)} files", ["clang-format-19", "--dry-run", "-Werror", *code])
        sources = [f for f in code if f.endswith(".cpp") and not f.startswith("tests/")]
        if sources:
            well &= tidy(sources)
    if everything:
        well &= step("headers stand alone",
                     ["cmake", "--build", "build/tidy", "--target", "all_verify_interface_header_sets"])
    sys.exit(0 if well else 1)


main()
