"""Prometheus of Debian's package (2.42)."""
import lib


def get():
    return lib.debian("prometheus", "usr/bin/prometheus")


def promtool():
    return lib.debian("prometheus", "usr/bin/promtool")


def start(folder, config="scrape_configs: []\n", arguments=(), binary=None, name="prometheus"):
    """`config` is prometheus.yml as text; `binary` another than Debian's."""
    port = lib.free_port()
    (folder / f"{name}.yml").write_text(config)
    return lib.http_server([binary or get(), f"--config.file={folder}/{name}.yml", f"--storage.tsdb.path={folder}/{name}",
                            f"--web.listen-address=127.0.0.1:{port}", "--web.enable-lifecycle",
                            "--web.enable-remote-write-receiver", *arguments], folder, name, port, "/-/ready")
