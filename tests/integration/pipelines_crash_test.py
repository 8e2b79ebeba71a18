#!/usr/bin/env python3
"""Kills a process that hosts Pipelines with SIGKILL at random moments, starts it again, and checks what the database says
against what the steps themselves wrote: no step twice, none lost, every exit status right, no slot lost or doubled, no
orphan. A second round kills pipewarden-step as well: then an attempt runs at most once, and each such one is `lost`.

    pipelines_crash_test.py [--kills N] [--seed S]      (small counts by default, large ones at the nightly level)
"""
import argparse
import collections
import contextlib
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("PIPEWARDEN_BUILD", ROOT / "build/release"))
LEVEL = os.environ.get("PIPEWARDEN_TEST_LEVEL", "quick")
KILLS = {"quick": 20, "full": 40, "nightly": 1000}[LEVEL]
HOST = BUILD / "tests/pipelines_host"
STEP = BUILD / "pipewarden-step"
RETRIES = 2

# Each write is one O_APPEND write of a short line, so that lines of several steps do not mix.
STEP_SCRIPT = """#!/bin/sh
id="$PIPEWARDEN_PIPELINE $PIPEWARDEN_RUN_ID $PIPEWARDEN_STEP $PIPEWARDEN_ATTEMPT"
echo "begin $id $$" >> "$JOURNAL"
sleep "0.0$(( ($PIPEWARDEN_RUN_ID * 13 + $PIPEWARDEN_ATTEMPT * 7) % 10 ))"
code=$(( ($PIPEWARDEN_RUN_ID * 7 + $PIPEWARDEN_ATTEMPT * 3 + $WEIGHT) % 5 == 0 ? 3 : 0 ))
echo "end $id $code" >> "$JOURNAL"
exit $code
"""
WEIGHTS = {"a": 1, "b": 2, "c": 4}
AFTER = {"a": [], "b": ["a"], "c": ["a"]}


def expected_code(run, step, attempt):
    return 3 if (run * 7 + attempt * 3 + WEIGHTS[step]) % 5 == 0 else 0


def config(folder, scheduled):
    text = ""
    for name in ("p1", "p2", "p3", "p4", "p5"):
        text += f"{name}:\n"
        if scheduled:
            text += '  schedule: "* * * * * *"\n'
        text += "  catch_up: all\n  overlap: queue\n  keep_runs: 100000\n"
        text += f"  env: {{JOURNAL: {folder}/journal}}\n"
        text += f"  retries: {{count: {RETRIES}, delay: 20ms}}\n  steps:\n"
        for step, weight in WEIGHTS.items():
            after = ", ".join(AFTER[step])
            text += f'    {step}: {{run: [{folder}/step.sh], env: {{WEIGHT: "{weight}"}}, after: [{after}]}}\n'
    return text


def processes_of(folder):
    """Processes whose command line holds the folder: {pid: command line}."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in command:
            found[int(entry.name)] = command
    return found


def holders_of(folder):
    """Process ids of the holders. A holder's own child has its command line too, until it becomes the step."""
    found = [pid for pid, command in processes_of(folder).items() if "pipewarden-step run" in command]
    parents = {}
    for pid in found:
        with contextlib.suppress(OSError):
            parents[pid] = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return [pid for pid, parent in parents.items() if parent not in parents]


class Round:
    def __init__(self, rng, kill_holders):
        self.rng = rng
        self.kill_holders = kill_holders
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pipewarden-crash-"))
        (self.folder / "step.sh").write_text(STEP_SCRIPT)
        (self.folder / "step.sh").chmod(0o755)
        (self.folder / "journal").touch()
        (self.folder / "on.yml").write_text(config(self.folder, True))
        (self.folder / "off.yml").write_text(config(self.folder, False))

    def start(self, name):
        self.host = subprocess.Popen([HOST, self.folder / name, self.folder / "data", STEP],
                                     stdout=subprocess.PIPE, stderr=open(self.folder / "stderr", "a"),
                                     start_new_session=True)
        return self.host

    def rows(self, query):
        with sqlite3.connect(f"file:{self.folder}/data/runs.db?mode=ro", uri=True, timeout=30) as database:
            return database.execute(query).fetchall()

    def drive(self, kills):
        for number in range(kills):
            host = self.start("on.yml")
            time.sleep(self.rng.choice([0.02, 0.1, 0.3, 1.2]) * self.rng.random())
            if self.kill_holders:
                holders = holders_of(self.folder)
                for pid in self.rng.sample(holders, min(len(holders), self.rng.randint(0, 2))):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            if number % 10 == 9:
                host.terminate()
                code = host.wait(timeout=30)  # it may not have listened yet
                assert code in (0, -signal.SIGTERM), f"a stop in order: exit code {code}"
            else:
                host.kill()
                host.wait()
        host = self.start("off.yml")  # no new slots: what is stored is brought to its end
        assert host.stdout.readline() == b"ready\n"
        deadline = time.monotonic() + 60 + kills
        while self.rows("SELECT count(*) FROM runs WHERE state IN ('queued', 'running')")[0][0] > 0:
            assert host.poll() is None, "the host died by itself"
            assert time.monotonic() < deadline, "runs do not end"
            time.sleep(0.1)
        host.terminate()
        code = host.wait(timeout=30)
        assert code == 0, f"the last stop in order: exit code {code}"

    def check(self):
        begun, ended, order = collections.Counter(), {}, []
        for line in (self.folder / "journal").read_text().splitlines():
            what, _, run, step, attempt, number = line.split()
            key = (int(run), step, int(attempt))
            order.append((what, key))
            if what == "begin":
                begun[key] += 1
            else:
                ended[key] = int(number)
        stored = {(run, step, attempt): (state, code, message) for run, step, attempt, state, code, message in
                  self.rows("SELECT run, step, attempt, state, exit_code, message FROM attempts")}

        twice = [key for key, count in begun.items() if count > 1]
        assert not twice, f"steps that ran twice: {twice}"
        unknown = set(begun) - set(stored)
        assert not unknown, f"steps ran that the database does not know: {unknown}"
        lost = 0
        for key, (state, code, message) in stored.items():
            if state == "ended":
                assert key in begun and key in ended, f"{key} is said to have ended, and did not run: {message}"
                assert code == ended[key] == expected_code(*key), f"{key}: stored {code}, in truth {ended[key]}"
            else:
                assert state == "lost", f"{key} is left as {state}"
                assert self.kill_holders, f"{key} is lost, though no holder was killed: {message}"
                lost += 1
        runs = self.rows("SELECT id, pipeline, state, slot_ms FROM runs")
        self.check_slots(runs)
        for run, _, state, _ in runs:
            self.check_run(run, state, stored)
        seen = set()
        for what, (run, step, attempt) in order:
            if what == "begin":
                for before in AFTER[step]:
                    assert (run, before) in seen, f"run {run}: {step} began before {before} had succeeded"
            elif expected_code(run, step, attempt) == 0:
                seen.add((run, step))
        left = processes_of(self.folder)
        assert not left, f"orphans: {left}"
        return len(runs), len(begun), lost

    def check_slots(self, runs):
        slots = collections.defaultdict(list)
        for _, pipeline, _, slot in runs:
            slots[pipeline].append(slot)
        marks = dict(self.rows("SELECT pipeline, slot_ms FROM watermarks"))
        for pipeline, times in slots.items():
            times.sort()
            gaps = [(a, b) for a, b in zip(times, times[1:]) if b - a != 1000]
            assert not gaps, f"{pipeline}: slots lost or doubled: {gaps}"
            assert marks[pipeline] >= times[-1]

    def check_run(self, run, state, stored):
        succeeded, failed = set(), False
        for step in WEIGHTS:
            attempts = sorted(attempt for (r, s, attempt) in stored if r == run and s == step)
            if any(before not in succeeded for before in AFTER[step]):
                assert not attempts, f"run {run}: {step} ran, though {AFTER[step]} had not succeeded"
                continue
            assert attempts == list(range(1, len(attempts) + 1)) and attempts, f"run {run}: attempts of {step}: {attempts}"
            states = [stored[(run, step, attempt)][0] for attempt in attempts]
            if states[-1] == "ended" and expected_code(run, step, attempts[-1]) == 0:
                succeeded.add(step)
            else:
                failed = True
                assert states[-1] == "lost" or len(attempts) == RETRIES + 1, f"run {run}: {step} was not retried: {attempts}"
            for attempt in attempts[:-1]:
                assert expected_code(run, step, attempt) != 0, f"run {run}: {step} was retried after a success"
        assert state == ("failed" if failed else "succeeded"), f"run {run} is stored as {state}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    arguments = parser.parse_args()
    print(f"seed: {arguments.seed}")
    rng = random.Random(arguments.seed)
    for kill_holders in (False, True):
        this = Round(rng, kill_holders)
        kills = max(10, arguments.kills // (4 if kill_holders else 1))
        try:
            this.drive(kills)
            runs, steps, lost = this.check()
        except BaseException:
            this.host.kill()
            print((this.folder / "stderr").read_text()[-4000:])
            print(f"kept: {this.folder}")
            raise
        print(f"{kills} kills{' with holders' if kill_holders else ''}: {runs} runs, {steps} steps began, {lost} lost")
        assert steps > 0
        shutil.rmtree(this.folder)


if __name__ == "__main__":
    sys.exit(main())
