"""blackbox_exporter of Debian's package."""
import lib


def get():
    return lib.debian("prometheus-blackbox-exporter", "usr/bin/prometheus-blackbox-exporter")


def start(folder, config="modules: {http_2xx: {prober: http}, tcp_connect: {prober: tcp}}\n"):
    """`config` is blackbox.yml as text."""
    binary = get()
    port = lib.free_port()
    (folder / "blackbox.yml").write_text(config)
    peer = lib.Process([binary, f"--config.file={folder}/blackbox.yml", f"--web.listen-address=127.0.0.1:{port}"],
                       folder, "blackbox_exporter")
    peer.url = f"http://127.0.0.1:{port}"
    peer.wait_ready(lambda: lib.http_get(peer.url + "/metrics")[0] == 200)
    return peer
