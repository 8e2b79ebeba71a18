"""Small HTTP servers in the test's own process: a target whose paths can be down, and a receiver of webhooks."""
import http.server
import json
import threading
import time


def _serve(handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


class Target:
    """Answers 200, and 503 for each path in `down`; `changed` has when a path's answer last changed."""

    def __init__(self):
        target = self
        self.down, self.changed, last = set(), {}, {}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # noqa: N802
                status = 503 if self.path in target.down else 200
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                if last.get(self.path) != status:
                    last[self.path], target.changed[self.path] = status, time.monotonic()

            def log_message(self, *_):
                pass

        self.port = _serve(Handler)


class Hook:
    """Keeps (time, body) of what is posted to it."""

    def __init__(self):
        hook = self
        self.bodies = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # noqa: N802
                at = time.monotonic()
                hook.bodies.append((at, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.port = _serve(Handler)
