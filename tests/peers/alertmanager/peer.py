"""Alertmanager and amtool of Debian's package (0.25)."""
import lib


def get():
    return lib.debian("prometheus-alertmanager", "usr/bin/prometheus-alertmanager")


def amtool():
    return lib.debian("prometheus-alertmanager", "usr/bin/amtool")


def start(folder, config="route: {receiver: none}\nreceivers: [{name: none}]\n", arguments=(), binary=None, name="alertmanager"):
    """`config` is alertmanager.yml as text; `binary` another than Debian's."""
    port = lib.free_port()
    (folder / f"{name}.yml").write_text(config)
    return lib.http_server([binary or get(), f"--config.file={folder}/{name}.yml", f"--storage.path={folder}/{name}",
                            f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", *arguments],
                           folder, name, port, "/-/ready")
