"""mtail of Debian's package (3.0.0-rc50)."""
import lib


def get():
    return lib.debian("mtail", "usr/bin/mtail")


def start(folder, program="counter lines_total\n/$/ { lines_total++ }\n", logs="*.log", arguments=()):
    """`program` is an mtail program as text; `logs` a glob."""
    port = lib.free_port()
    programs = folder / "mtail-programs"
    programs.mkdir(exist_ok=True)
    (programs / "test.mtail").write_text(program)
    return lib.http_server([get(), "--progs", programs, "--logs", logs, "--address", "127.0.0.1", "--port", port,
                            "--logtostderr", *arguments], folder, "mtail", port, "/metrics")
