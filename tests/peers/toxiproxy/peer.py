"""toxiproxy 2.12 (Go): a proxy that delays, cuts, resets, throttles, and by toxics of our own garbles and floods."""
import json
import pathlib

import lib
import golang

HERE = pathlib.Path(__file__).resolve().parent


def get():
    return golang.build(HERE, ["."]) / "toxiproxy"


class Proxy:
    """One port of it, before one server."""

    def __init__(self, peer, name, upstream):
        self.peer, self.name, self.port = peer, name, lib.free_port()
        self.settings = {"name": name, "listen": f"127.0.0.1:{self.port}", "upstream": f"127.0.0.1:{upstream}"}
        peer.call("POST", "/proxies", self.settings | {"enabled": True})

    def toxic(self, kind, stream="downstream", **attributes):
        """Adds one, to connections that are open too. downstream is what the server answers, upstream what it is asked."""
        self.peer.call("POST", f"/proxies/{self.name}/toxics", {"type": kind, "stream": stream, "attributes": attributes})

    def only(self, kind, stream="downstream", **attributes):
        """That toxic and no other."""
        self.clear()
        self.toxic(kind, stream, **attributes)

    def clear(self):
        """No toxic, and open again; open connections are cut. (To remove a toxic waits for what it holds; to begin anew does
        not.)"""
        self.peer.call("DELETE", f"/proxies/{self.name}")
        self.peer.call("POST", "/proxies", self.settings | {"enabled": True})

    def down(self):
        """Connections are refused, open ones cut."""
        self.peer.call("POST", f"/proxies/{self.name}", {"enabled": False})


class Toxiproxy(lib.Process):
    def call(self, method, path, body=None):
        status, _, answer = lib.http_get(self.url + path, method=method, headers={"Content-Type": "application/json"},
                                         data=None if body is None else json.dumps(body).encode())
        assert status < 300, f"toxiproxy: {method} {path}: {status} {answer}"
        return answer

    def proxy(self, name, upstream):
        """A Proxy before the server on that loopback port."""
        return Proxy(self, name, upstream)


def start(folder):
    port = lib.free_port()
    return lib.http_server([get(), "-address", f"127.0.0.1:{port}"], folder, "toxiproxy", port, "/version", Toxiproxy)
