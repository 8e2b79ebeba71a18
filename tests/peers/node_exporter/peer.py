"""node_exporter of Debian's package."""
import lib


def get():
    return lib.debian("prometheus-node-exporter", "usr/bin/prometheus-node-exporter")


def start(folder, arguments=()):
    port = lib.free_port()
    return lib.http_server([get(), f"--web.listen-address=127.0.0.1:{port}", *arguments], folder, "node_exporter", port,
                           "/metrics")
