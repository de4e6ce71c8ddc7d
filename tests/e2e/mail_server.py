"""A mail server for tests, on aiosmtpd: a thread of its own on a free port of the loopback interface."""

import asyncio
import dataclasses
import email
import email.policy
import logging
import ssl
import subprocess
import threading

from aiosmtpd.smtp import SMTP, AuthResult

HOST = "127.0.0.1"
logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # what clients do wrong is what tests look at


@dataclasses.dataclass
class Received:
    sender: str
    recipients: list
    message: email.message.EmailMessage
    user: str  # as authenticated; empty = nobody
    tls: bool


def make_certificate(folder, name="mail"):
    """A certificate for 127.0.0.1 that signs itself. Returns the files of certificate and key."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                    "-addext", f"subjectAltName=IP:{HOST}", "-out", certificate, "-keyout", key],
                   check=True, capture_output=True)
    return certificate, key


class MailServer:
    """Leaving it closes it. `refuse`: answers to RCPT by address, such as "550 no such user"."""

    def __init__(self, certificate=None, tls="off", user="", password="", refuse=None, port=0):
        self.mails, self.commands, self.refuse = [], [], refuse or {}
        self._login = (user.encode(), password.encode()) if user else None
        context = None
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
        self._starttls = context if tls == "starttls" else None
        self._tls = context if tls == "tls" else None
        self._sessions = []
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(
            self._loop.create_server(self._session, HOST, port, ssl=self._tls))
        self.port = self._server.sockets[0].getsockname()[1]
        self.address = f"{HOST}:{self.port}"
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def _session(self):
        server = self

        class Session(SMTP):
            async def _call_handler_hook(self, command, *args):
                server.commands.append(command)
                return await super()._call_handler_hook(command, *args)

        more = {"auth_required": True, "authenticator": self._authenticate} if self._login else {}
        session = Session(self, tls_context=self._starttls, require_starttls=self._starttls is not None,
                       auth_require_tls=self._tls is None, loop=self._loop, **more)
        self._sessions.append(session)
        return session

    def _authenticate(self, _server, session, _envelope, _mechanism, data):
        good = (data.login, data.password) == self._login
        session.login_name = data.login.decode() if good else ""
        return AuthResult(success=good)

    async def handle_RCPT(self, _server, _session, envelope, address, _options):
        answer = self.refuse.get(address)
        if answer is None:
            envelope.rcpt_tos.append(address)
        return answer or "250 OK"

    async def handle_DATA(self, _server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append(Received(envelope.mail_from, envelope.rcpt_tos, message, getattr(session, "login_name", ""),
                                   session.ssl is not None or self._tls is not None))
        return "250 taken"

    def to(self, address):
        return [mail for mail in list(self.mails) if mail.recipients == [address]]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        async def close():
            self._server.close()
            for session in self._sessions:
                if session.transport is not None:
                    session.transport.close()
            sessions = asyncio.all_tasks() - {asyncio.current_task()}
            for task in sessions:
                task.cancel()
            await asyncio.gather(*sessions, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
