"""Alertmanager 0.31.1, the newest that builds from its module, and amtool 0.34.2 (Go)."""
import pathlib

import golang
import peer

HERE = pathlib.Path(__file__).resolve().parent
COMMANDS = "github.com/prometheus/alertmanager/cmd/"


def get():
    amtool()
    return golang.build(HERE, [COMMANDS + "alertmanager"]) / "alertmanager"


def amtool():
    return golang.build(HERE / "amtool", [COMMANDS + "amtool"]) / "amtool"


def start(folder, *settings, **named):
    """As Debian's."""
    return peer.load("alertmanager").start(folder, *settings, **named, binary=get(), name="alertmanager3")
