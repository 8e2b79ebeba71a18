"""Prometheus 3.15 and its promtool (Go), without service discovery and without the web page."""
import pathlib

import lib
import golang

HERE = pathlib.Path(__file__).resolve().parent
COMMANDS = "github.com/prometheus/prometheus/cmd/"


def _build():
    return golang.build(HERE, [COMMANDS + "prometheus", COMMANDS + "promtool"], tags="remove_all_sd")


def get():
    return _build() / "prometheus"


def promtool():
    return _build() / "promtool"


def start(folder, config="scrape_configs: []\n", arguments=()):
    """`config` is prometheus.yml as text."""
    binary = get()
    port = lib.free_port()
    (folder / "prometheus3.yml").write_text(config)
    peer = lib.Process([binary, f"--config.file={folder}/prometheus3.yml", f"--storage.tsdb.path={folder}/prometheus3",
                        f"--web.listen-address=127.0.0.1:{port}", "--web.enable-lifecycle",
                        "--web.enable-remote-write-receiver", *arguments], folder, "prometheus3")
    peer.url = f"http://127.0.0.1:{port}"
    peer.wait_ready(lambda: lib.http_get(peer.url + "/-/ready")[0] == 200)
    return peer
