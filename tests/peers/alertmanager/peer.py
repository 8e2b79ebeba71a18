"""Alertmanager and amtool of Debian's package (0.25)."""
import lib

SHARE = "usr/share/prometheus/alertmanager"


def get():
    """Debian's binary opens its own templates in /usr/share. One that is only unpacked has that path, of an even length
    by luck, exchanged for its working folder, into which start() puts them."""
    binary = lib.debian("prometheus-alertmanager", "usr/bin/prometheus-alertmanager")
    if not binary.is_relative_to(lib.CACHE):
        return binary
    with lib.cached("alertmanager-movable") as (folder, missing):
        if missing:
            path = f"/{SHARE}".encode()
            (folder / "alertmanager").write_bytes(binary.read_bytes().replace(path, b"./" * (len(path) // 2)))
            (folder / "alertmanager").chmod(0o755)
    return lib.CACHE / "alertmanager-movable/alertmanager"


def put_templates(folder):
    for template in lib.debian("prometheus-alertmanager", SHARE).glob("*.tmpl"):
        if not (folder / template.name).exists():
            (folder / template.name).symlink_to(template)


def amtool():
    return lib.debian("prometheus-alertmanager", "usr/bin/amtool")


def start(folder, config="route: {receiver: none}\nreceivers: [{name: none}]\n", arguments=(), binary=None, name="alertmanager"):
    """`config` is alertmanager.yml as text; `binary` another than Debian's."""
    port = lib.free_port()
    (folder / f"{name}.yml").write_text(config)
    put_templates(folder)
    return lib.http_server([binary or get(), f"--config.file={folder}/{name}.yml", f"--storage.path={folder}/{name}",
                            f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", *arguments],
                           folder, name, port, "/-/ready")
