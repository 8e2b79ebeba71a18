"""A real mail server (aiosmtpd, Debian's package) that insists on STARTTLS and AUTH and keeps what it gets."""
import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import lib


def get():
    """The folders that python3 needs to find aiosmtpd; none where it is installed."""
    if importlib.util.find_spec("aiosmtpd"):
        return []
    return [lib.debian(package, f"usr/lib/python3/dist-packages/{name}").parent
            for package, name in (("python3-aiosmtpd", "aiosmtpd"), ("python3-attr", "attr"))]


def certificate(folder):
    """A self-made certificate for localhost: (certificate, key)."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    return cert, key


def start(folder, user="user", password="correct horse"):
    """peer.mails() is a list of {"from", "to", "tls", "login", "content"}."""
    cert, key = certificate(folder)
    port = lib.free_port()
    out = folder / "mails"
    out.mkdir()
    env = dict(os.environ, PYTHONPATH=":".join(str(p) for p in get()), SMTP_USER=user, SMTP_PASSWORD=password)
    server = pathlib.Path(__file__).with_name("smtpd.py")
    peer = lib.Process([sys.executable, server, port, cert, key, out], folder, "smtpd", env=env)
    peer.port, peer.cert = port, cert
    peer.mails = lambda: [json.loads(p.read_text()) for p in sorted(out.glob("*.json"))]
    peer.wait_ready(lambda: "READY" in peer.output())
    return peer
