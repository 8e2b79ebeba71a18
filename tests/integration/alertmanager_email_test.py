#!/usr/bin/env python3
"""An alert becomes a mail: through a real SMTP server that insists on STARTTLS and AUTH, text and HTML, and a label that
holds line breaks forges no header. A server that refuses for a while loses nothing."""
import email
import email.header
import email.policy
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import lib  # noqa: E402
import smtp.peer  # noqa: E402

ALERTMANAGER = """
global:
  smtp_smarthost: 127.0.0.1:{port}
  smtp_from: 'Pipewarden <pw@example.org>'
  smtp_auth_username: user
  smtp_auth_password_file: password
  smtp_tls_config: {{ca_file: {cert}, server_name: localhost}}
route: {{receiver: mail, group_by: [alertname], group_wait: 0s, group_interval: 2s}}
receivers:
  - name: mail
    email_configs:
      - to: 'a@example.org, Team <b@example.org>'
        send_resolved: true
        headers: {{x-Line: '{{{{ .CommonLabels.line }}}}'}}
        text: 'plain {{{{ .Status }}}} {{{{ .CommonLabels.line }}}}'
        html: '<b>{{{{ .CommonLabels.alertname }}}} é {{{{ .CommonLabels.line }}}}</b>'
"""
PIPEWARDEN = """
global: {evaluation_interval: 1s}
rule_files: [rules.yml]
alerting: {config_file: alertmanager.yml}
"""
RULES = """
groups:
  - name: g
    rules:
      - alert: DataStale
        expr: vector(1)
        labels: {line: "x\\r\\nBcc: thief@example.org\\r\\n\\r\\n<script>é"}
"""


def test(folder):
    server = smtp.peer.start(folder)
    (folder / "password").write_text("correct horse\n")
    (folder / "alertmanager.yml").write_text(ALERTMANAGER.format(port=server.port, cert=server.cert))
    (folder / "rules.yml").write_text(RULES)
    (folder / "mails" / "refuse").touch()
    agent = lib.Agent(folder, PIPEWARDEN)
    lib.eventually(lambda: "notification failed" in agent.output() or "it is tried again" in agent.output(), 20,
                   "a refused mail")
    (folder / "mails" / "refuse").unlink()
    mail = lib.eventually(lambda: server.mails(), 30, "the mail")[0]
    assert mail["tls"] and mail["login"] == "user", mail
    assert mail["from"] == "pw@example.org" and mail["to"] == ["a@example.org", "b@example.org"], mail
    message = email.message_from_string(mail["content"], policy=email.policy.default)
    assert sorted(message.keys()) == sorted(["Subject", "To", "From", "X-Line", "Message-Id", "Date", "Content-Type",
                                             "MIME-Version"]), message.keys()
    raw = email.message_from_string(mail["content"])
    line = "".join(part.decode(charset or "ascii") if isinstance(part, bytes) else part
                   for part, charset in email.header.decode_header(raw["X-Line"]))
    assert line == "x\r\nBcc: thief@example.org\r\n\r\n<script>é", line
    assert message["Subject"].startswith("[FIRING:1] DataStale"), message["Subject"]
    text, html = message.get_payload()
    assert text.get_content_type() == "text/plain" and html.get_content_type() == "text/html"
    assert text.get_content().startswith("plain firing x"), text.get_content()
    assert "&lt;script&gt;" in html.get_content() and "<script>" not in html.get_content(), html.get_content()
    assert "AUTH" in server.output() and "clear" not in server.output(), server.output()
    assert "correct horse" not in agent.output()
    assert agent.stop() == 0


if __name__ == "__main__":
    lib.main(test)
