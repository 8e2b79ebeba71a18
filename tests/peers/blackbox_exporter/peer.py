"""blackbox_exporter of Debian's package."""
import lib


def get():
    return lib.debian("prometheus-blackbox-exporter", "usr/bin/prometheus-blackbox-exporter")


def start(folder, config="modules: {http_2xx: {prober: http}, tcp_connect: {prober: tcp}}\n"):
    """`config` is blackbox.yml as text."""
    port = lib.free_port()
    (folder / "blackbox.yml").write_text(config)
    return lib.http_server([get(), f"--config.file={folder}/blackbox.yml", f"--web.listen-address=127.0.0.1:{port}"],
                           folder, "blackbox_exporter", port, "/metrics")
