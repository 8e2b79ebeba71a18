"""Prometheus 3.15 and its promtool (Go), without service discovery and without the web page."""
import pathlib

import golang
import peer

HERE = pathlib.Path(__file__).resolve().parent
COMMANDS = "github.com/prometheus/prometheus/cmd/"


def _build():
    return golang.build(HERE, [COMMANDS + "prometheus", COMMANDS + "promtool"], tags="remove_all_sd")


def get():
    return _build() / "prometheus"


def promtool():
    return _build() / "promtool"


def start(folder, *settings, **named):
    """As Debian's."""
    return peer.load("prometheus").start(folder, *settings, **named, binary=get(), name="prometheus3")
