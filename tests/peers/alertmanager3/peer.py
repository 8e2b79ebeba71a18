"""Alertmanager 0.31.1, the newest that builds from its module, and amtool 0.34.2 (Go)."""
import pathlib

import lib
import golang

HERE = pathlib.Path(__file__).resolve().parent
COMMANDS = "github.com/prometheus/alertmanager/cmd/"


def get():
    amtool()
    return golang.build(HERE, [COMMANDS + "alertmanager"]) / "alertmanager"


def amtool():
    return golang.build(HERE / "amtool", [COMMANDS + "amtool"]) / "amtool"


def start(folder, config="route: {receiver: none}\nreceivers: [{name: none}]\n", arguments=()):
    """`config` is alertmanager.yml as text."""
    binary = get()
    port = lib.free_port()
    (folder / "alertmanager3.yml").write_text(config)
    peer = lib.Process([binary, f"--config.file={folder}/alertmanager3.yml", f"--storage.path={folder}/alertmanager3",
                        f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", *arguments],
                       folder, "alertmanager3")
    peer.url = f"http://127.0.0.1:{port}"
    peer.wait_ready(lambda: lib.http_get(peer.url + "/-/ready")[0] == 200)
    return peer
