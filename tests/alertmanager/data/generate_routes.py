#!/usr/bin/env python3
"""Writes routes.yml: generated route trees, label sets, and the receivers that `amtool config routes test` names.
Usage: generate_routes.py COUNT SEED > routes.yml"""
import json
import random
import subprocess
import sys
import tempfile

NAMES = ["a", "b", "c", "team"]
VALUES = ["x", "y", "xy", "page", ""]


def matcher(rng):
    op = rng.choice(["=", "=", "!=", "=~", "!~"])
    value = rng.choice(VALUES if op in ("=", "!=") else VALUES + ["x|y", ".*", ".+", "x.*", "[xy]"])
    return f'{rng.choice(NAMES)}{op}"{value}"'


def route(rng, depth):
    node = {}
    kind = rng.random()
    if kind < 0.7:
        node["matchers"] = [matcher(rng) for _ in range(rng.choice([1, 1, 2]))]
    elif kind < 0.8:
        node["match"] = {rng.choice(NAMES): rng.choice(VALUES)}
    elif kind < 0.9:
        node["match_re"] = {rng.choice(NAMES): rng.choice(["x|y", ".*", "p.*"])}
    if rng.random() < 0.8:
        node["receiver"] = f"r{rng.randrange(8)}"
    if rng.random() < 0.4:
        node["continue"] = True
    if depth < 3 and rng.random() < 0.6:
        node["routes"] = [route(rng, depth + 1) for _ in range(rng.randrange(1, 4))]
    return node


def main():
    count, rng = int(sys.argv[1]), random.Random(int(sys.argv[2]))
    for _ in range(count):
        root = {"receiver": "root", "routes": [route(rng, 1) for _ in range(rng.randrange(1, 5))]}
        config = {"route": root, "receivers": [{"name": n} for n in ["root"] + [f"r{i}" for i in range(8)]]}
        labels = {n: rng.choice(VALUES[:4]) for n in NAMES if rng.random() < 0.7}
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            json.dump(config, file)
            file.flush()
            done = subprocess.run(["amtool", "config", "routes", "test", f"--config.file={file.name}",
                                   *[f"{n}={v}" for n, v in labels.items()]], capture_output=True, text=True, check=True)
        print("- " + json.dumps({"config": config, "labels": labels, "receivers": done.stdout.strip().split(",")}))


main()
