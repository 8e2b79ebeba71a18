"""Alertmanager and amtool of Debian's package (0.25)."""
import lib


def get():
    return lib.debian("prometheus-alertmanager", "usr/bin/prometheus-alertmanager")


def amtool():
    return lib.debian("prometheus-alertmanager", "usr/bin/amtool")


def start(folder, config="route: {receiver: none}\nreceivers: [{name: none}]\n", arguments=()):
    """`config` is alertmanager.yml as text."""
    binary = get()
    port = lib.free_port()
    (folder / "alertmanager.yml").write_text(config)
    peer = lib.Process([binary, f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/alertmanager",
                        f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", *arguments],
                       folder, "alertmanager")
    peer.url = f"http://127.0.0.1:{port}"
    peer.wait_ready(lambda: lib.http_get(peer.url + "/-/ready")[0] == 200)
    return peer
