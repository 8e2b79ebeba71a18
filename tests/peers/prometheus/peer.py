"""Prometheus of Debian's package (2.42)."""
import lib


def get():
    return lib.debian("prometheus", "usr/bin/prometheus")


def promtool():
    return lib.debian("prometheus", "usr/bin/promtool")


def start(folder, config="scrape_configs: []\n", arguments=()):
    """`config` is prometheus.yml as text."""
    binary = get()
    port = lib.free_port()
    (folder / "prometheus.yml").write_text(config)
    peer = lib.Process([binary, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/prometheus",
                        f"--web.listen-address=127.0.0.1:{port}", "--web.enable-lifecycle", *arguments],
                       folder, "prometheus")
    peer.url = f"http://127.0.0.1:{port}"
    peer.wait_ready(lambda: lib.http_get(peer.url + "/-/ready")[0] == 200)
    return peer
