"""node_exporter of Debian's package."""
import lib


def get():
    return lib.debian("prometheus-node-exporter", "usr/bin/prometheus-node-exporter")


def start(folder, arguments=()):
    binary = get()
    port = lib.free_port()
    peer = lib.Process([binary, f"--web.listen-address=127.0.0.1:{port}", *arguments], folder, "node_exporter")
    peer.url = f"http://127.0.0.1:{port}"
    peer.wait_ready(lambda: lib.http_get(peer.url + "/metrics")[0] == 200)
    return peer
