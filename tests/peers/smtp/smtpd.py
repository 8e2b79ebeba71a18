"""The server of peer.py: port, certificate, key and folder as arguments, user and password in the environment. Each mail
becomes NNNN.json in the folder, written under another name first."""
import json
import os
import pathlib
import signal
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

port, cert, key, folder = int(sys.argv[1]), sys.argv[2], sys.argv[3], pathlib.Path(sys.argv[4])


class Keep:
    count = 0

    async def handle_DATA(self, server, session, envelope):
        if (folder / "refuse").exists():
            return "451 not now"
        Keep.count += 1
        mail = {"from": envelope.mail_from, "to": envelope.rcpt_tos, "tls": session.ssl is not None,
                "login": session.auth_data.login.decode() if session.auth_data else None,
                "helo": session.host_name, "content": envelope.content.decode("utf-8", "surrogateescape")}
        partial = folder / f"{Keep.count:04d}.partial"
        partial.write_text(json.dumps(mail))
        partial.rename(folder / f"{Keep.count:04d}.json")
        return "250 kept"


def authenticate(server, session, envelope, mechanism, data):
    good = (isinstance(data, LoginPassword) and data.login.decode() == os.environ["SMTP_USER"]
            and data.password.decode() == os.environ["SMTP_PASSWORD"])
    print("AUTH", mechanism, "ok" if good else "refused", "tls" if session.ssl else "clear", flush=True)
    # handled together with a failure would leave the client without an answer.
    return AuthResult(success=good, handled=good, auth_data=data)


tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
tls.load_cert_chain(cert, key)
controller = Controller(Keep(), hostname="127.0.0.1", port=port, tls_context=tls, require_starttls=True,
                        auth_required=True, authenticator=authenticate)
controller.start()
print("READY", flush=True)
signal.sigwait([signal.SIGTERM, signal.SIGINT])
controller.stop()
