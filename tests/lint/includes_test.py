#!/usr/bin/env python3
"""The house's include directions: which folder may include which. Anything else is an error.

agent -> exporters, rules, alertmanager -> core; the three in the middle never include one another; inside agent
commands -> server -> layers -> pipelines; agent/step stands alone.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

# Folder (longest prefix wins) -> the folders it may include.
MAY = {
    "core": ["core"],
    "exporters": ["exporters", "core"],
    "rules": ["rules", "core"],
    "alertmanager": ["alertmanager", "core"],
    "agent/step": ["agent/step"],
    "agent/pipelines": ["agent/pipelines", "agent/step", "core"],
    "agent/layers": ["agent/layers", "agent/pipelines", "core"],
    "agent/server": ["agent/server", "agent/layers", "agent/pipelines", "exporters", "rules", "alertmanager", "dashboards", "core"],
    "agent": ["agent", "exporters", "rules", "alertmanager", "dashboards", "core"],
}
# Within core: text, then model, time and the plain words at its root are the floor; async stands on them; the rest on both.
MAY_IN_CORE = {
    "core/text": ["core/text"],
    "core/time": ["core/time", "core/model", "core/text", "core/*"],
    "core/model": ["core/model", "core/time", "core/text", "core/*"],
    "core/async": ["core/async", "core/time", "core/model", "core/text", "core/*"],
    "core/config": ["core/config", "core/time", "core/model", "core/text", "core/*"],
    "core/template": ["core/template", "core/time", "core/model", "core/text", "core/*"],
    "core/store": ["core/store", "core/async", "core/time", "core/model", "core/text", "core/*"],
    "core/net": ["core/net", "core/async", "core/config", "core/store", "core/time", "core/model", "core/text", "core/*"],
}
INCLUDE = re.compile(r'^\s*#include "((?:core|exporters|rules|alertmanager|agent|dashboards)/[^"]+)"', re.M)


def allowed(path, included, table):
    folder = max((key for key in table if path.startswith(key + "/")), key=len, default=None)
    if folder is None:
        return True
    for target in table[folder]:
        if target.endswith("/*"):
            if included.startswith(target[:-1]) and "/" not in included[len(target) - 1:]:
                return True
        elif included.startswith(target + "/"):
            return True
    return False


def main():
    wrong = []
    for area in ("core", "exporters", "rules", "alertmanager", "agent"):
        for file in sorted((ROOT / area).rglob("*")):
            if file.suffix not in (".h", ".cpp"):
                continue
            path = str(file.relative_to(ROOT))
            text = file.read_text()
            for match in INCLUDE.finditer(text):
                included = match.group(1)
                fits = allowed(path, included, MAY)
                if included.startswith("core/") and path.startswith("core/"):
                    fits = fits and allowed(path, included, MAY_IN_CORE)
                if not fits:
                    line = text[:match.start()].count("\n") + 1
                    wrong.append(f"{path}:{line}: must not include {included} (tests/lint/includes_test.py holds the table)")
    print("\n".join(wrong) if wrong else "include directions: well")
    sys.exit(1 if wrong else 0)


main()
