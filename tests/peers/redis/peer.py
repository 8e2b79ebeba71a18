"""Redis 7.0 of Debian's package."""
import os
import socket
import subprocess

import lib


def get():
    """The server's binary, and the folders of libraries that the machine may not have."""
    binary = lib.debian("redis-tools", "usr/bin/redis-check-rdb")  # what redis-server is a link to
    machine = subprocess.run(["dpkg-architecture", "-qDEB_HOST_MULTIARCH"], capture_output=True, text=True).stdout.strip()
    folders = [str(lib.debian(package, f"usr/lib/{machine}/{library}").parent) for package, library in
               (("libjemalloc2", "libjemalloc.so.2"), ("liblzf1", "liblzf.so.1"), ("libatomic1", "libatomic.so.1"))]
    return binary, folders


class Redis(lib.Process):
    def command(self, *words):
        """Sends one command; the first line of its answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            text = f"*{len(words)}\r\n" + "".join(f"${len(w)}\r\n{w}\r\n" for w in map(str, words))
            connection.sendall(text.encode())
            return connection.makefile("rb").readline().decode().strip()


def start(folder, arguments=(), name="redis", port=None, ready=True):
    """Listens on loopback, keeps its files in folder/name; `arguments` are options of redis-server."""
    binary, folders = get()
    data = folder / name
    data.mkdir(exist_ok=True)
    server = folder / "redis-server"  # it is known by its name
    if not server.exists():
        server.symlink_to(binary)
    port = port or lib.free_port()
    env = dict(os.environ, LD_LIBRARY_PATH=":".join(folders))
    peer = Redis([server, "--port", port, "--bind", "127.0.0.1", "--dir", data, "--save", "", *arguments], folder, name,
                 env=env)
    peer.port = port
    peer.url = f"redis://127.0.0.1:{port}"
    if ready:
        peer.wait_ready(lambda: peer.command("PING") in ("+PONG", "-NOAUTH Authentication required."))
    return peer
