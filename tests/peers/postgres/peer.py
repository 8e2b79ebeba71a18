"""PostgreSQL 15 of Debian's package, one cluster in the test's folder."""
import os
import pathlib
import pwd
import shutil
import subprocess

import lib

BIN = pathlib.Path("/usr/lib/postgresql/15/bin")


def get():
    if not (BIN / "postgres").exists():
        raise lib.Skipped("postgresql-15 is not installed (./dev test installs it)")
    return BIN


def _user():
    """PostgreSQL refuses to run as root: then the package's own user runs it."""
    return "postgres" if os.getuid() == 0 else None


def start(folder, password="secret"):
    """Listens on loopback; user postgres with `password`, needed over TCP."""
    get()
    data = folder / "postgres"
    data.mkdir()
    (folder / "password").write_text(password)
    if _user():
        os.chmod(folder, 0o755)
        uid = pwd.getpwnam("postgres")
        for path in (data, folder / "password"):
            os.chown(path, uid.pw_uid, uid.pw_gid)
    subprocess.run([BIN / "initdb", "-D", data, "-U", "postgres", "--auth=scram-sha-256", "--pwfile",
                    folder / "password", "--no-sync"], check=True, capture_output=True, user=_user(), cwd="/")
    port = lib.free_port()
    return restart(folder, port)


def restart(folder, port):
    """The cluster of an earlier start() on the same port."""
    data = folder / "postgres"
    peer = lib.Process([BIN / "postgres", "-D", data, "-p", port, "-c", "listen_addresses=127.0.0.1", "-c",
                        f"unix_socket_directories={data}", "-c", "fsync=off"], folder, "postgres", user=_user())
    peer.port = port
    peer.url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    peer.hint = f"password: {(folder / 'password').read_text()}"
    ready = shutil.which("pg_isready") or BIN / "pg_isready"
    peer.wait_ready(lambda: subprocess.run([ready, "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres"]).returncode == 0)
    return peer
