"""Generated alertmanager.yml files, right and broken, against the newest amtool: what `amtool check-config` takes,
`pipewarden check` takes, and what it refuses, is refused.

PIPEWARDEN_SEED repeats a run. What may differ, and why, is said in EXPLAINED.
"""
import concurrent.futures
import json
import os
import random
import re
import subprocess
import sys
import pathlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402
import peer  # noqa: E402
import alertmanager_files  # noqa: E402

# A regular expression of what one of the two says, and why they may differ then.
EXPLAINED = {
    r"is not sent by Pipewarden yet": "a receiver that is not sent is refused, never silent",
    r"'threading' in email_configs is not supported yet|in mattermost_configs": "options that are not there yet are refused",
    r"must be an http:// or https:// address": "addresses that no request can be made to are refused",
    r"No such file or directory": "files that are not there are told at once",
    r"goroutine \d+ \[running\]": "amtool falls over",
    r"bad month '13'|bad year|bad day": "intervals that never come are refused",
}


def explained(ours, theirs):
    said = ours[1] + theirs[1]
    for words, why in EXPLAINED.items():
        if re.search(words, said):
            return why
    return ""


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60,
                          env=dict(os.environ, AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="s"))
    return done.returncode == 0, (done.stdout + done.stderr).strip()


def test(folder):
    amtool = peer.load("alertmanager3").amtool()
    tries = lib.count(40, 400, 4000)
    seed = int(os.environ.get("PIPEWARDEN_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"seed {seed}, {tries} files", flush=True)
    (folder / "secret").write_text("http://h/secret")

    def both(number):
        r = random.Random(f"{seed}-{number}")
        made = alertmanager_files.whole(r) if number % 4 == 0 else alertmanager_files.broken(r)
        path = folder / f"{number}.yml"
        path.write_text(json.dumps(made).replace('"/f"', f'"{folder}/secret"'))
        result = path.read_text(), run(lib.BUILD / "pipewarden", "check", path), run(amtool, "check-config", path)
        path.unlink()
        return result

    differ, refused, reasons = 0, 0, {}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for text, ours, theirs in pool.map(both, range(tries)):
            refused += not theirs[0]
            if ours[0] == theirs[0]:
                continue
            if reason := explained(ours, theirs):
                reasons[reason] = reasons.get(reason, 0) + 1
                continue
            differ += 1
            if differ <= int(os.environ.get("SHOW", 20)):
                print(f"{text}\n  amtool     {theirs[0]} {theirs[1][-300:]!r}\n  pipewarden {ours[0]} {ours[1][-500:]!r}", flush=True)
    for reason, times in sorted(reasons.items()):
        print(f"explained {times} times: {reason}")
    print(f"{tries} files, {refused} of them refused; {differ} differ")
    # A few rare ones are known and not mended yet: printed here, and failing the nightly form.
    allowed = 0 if lib.LEVEL == "nightly" else max(1, tries // 50)
    assert differ <= allowed, f"{differ} of {tries} files differ; PIPEWARDEN_SEED={seed} repeats them"
    assert tries // 10 < refused < tries * 9 // 10


lib.main(test)
