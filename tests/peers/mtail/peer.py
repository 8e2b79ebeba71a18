"""mtail of Debian's package (3.0.0-rc50)."""
import lib


def get():
    return lib.debian("mtail", "usr/bin/mtail")


def start(folder, program="counter lines_total\n/$/ { lines_total++ }\n", logs="*.log", arguments=()):
    """`program` is an mtail program as text; `logs` a glob."""
    binary = get()
    port = lib.free_port()
    programs = folder / "mtail-programs"
    programs.mkdir(exist_ok=True)
    (programs / "test.mtail").write_text(program)
    peer = lib.Process([binary, "--progs", programs, "--logs", logs, "--address", "127.0.0.1", "--port", port,
                        "--logtostderr", *arguments], folder, "mtail")
    peer.url = f"http://127.0.0.1:{port}"
    peer.wait_ready(lambda: lib.http_get(peer.url + "/metrics")[0] == 200)
    return peer
