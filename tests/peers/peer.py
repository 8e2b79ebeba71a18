#!/usr/bin/env python3
"""./dev peer NAME: starts a real server of the tests and tells how to reach it, until Ctrl-C."""
import importlib.util
import pathlib
import signal
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import lib  # noqa: E402


def load(name):
    """The module tests/peers/NAME/peer.py: get() fetches it into the cache, start(folder) runs it (a tool has none)."""
    spec = importlib.util.spec_from_file_location(f"peer_{name}", HERE / name / "peer.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def names():
    return sorted(path.parent.name for path in HERE.glob("*/peer.py"))


def main():
    if len(sys.argv) < 2:
        for name in names():
            print(f"{name:16} {(load(name).__doc__ or '').strip().splitlines()[0]}")
        return
    name = sys.argv[1]
    if name not in names():
        sys.exit(f"no peer '{name}'; there are: {', '.join(names())}")
    module = load(name)
    lib.FETCH = True
    try:
        got = module.get()
        if "--get" in sys.argv:
            return
        if not hasattr(module, "start"):
            print(f"{name} is a tool: {got}")
            return
        with lib.scratch() as folder:
            peer = module.start(folder)
            print(f"{name} runs: {getattr(peer, 'url', '')} {getattr(peer, 'hint', '')}\nlog: {peer.log}\nCtrl-C ends it",
                  flush=True)
            try:
                signal.pause()
            except KeyboardInterrupt:
                pass
    except lib.Skipped as why:
        sys.exit(f"{name} cannot be had here: {why}")


if __name__ == "__main__":
    main()
