"""A receiver as a subscriber would write it: verifies Standard Webhooks signatures, answers 204.

Refuses the first attempt of the second event with 503. Ends once it has taken --events events; exit 1 when a
signature is wrong or they do not come within 60 s.
"""

import argparse
import base64
import hashlib
import hmac
import http.server
import pathlib
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("--secret-file", required=True, help="read at the first request: whsec_...")
parser.add_argument("--port-file", required=True, help="gets the port")
parser.add_argument("--events", type=int, required=True)
options = parser.parse_args()

seen = []  # event ids in the order of their first attempt
taken = set()
wrong = []


def signature_is_right(headers, body):
    secret = pathlib.Path(options.secret_file).read_text(encoding="ascii").strip()
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    right = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    fresh = abs(time.time() - int(headers["webhook-timestamp"])) < 300
    return fresh and any(hmac.compare_digest(given, right) for given in headers["webhook-signature"].split())


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        event = self.headers["webhook-id"]
        if not signature_is_right(self.headers, body):
            print("receiver: WRONG SIGNATURE", flush=True)
            wrong.append(event)
            return
        first_attempt = event not in seen
        if first_attempt:
            seen.append(event)
        status = 503 if first_attempt and len(seen) == 2 else 204
        print(
            f"receiver: {event} sequence {self.headers['hookd-sequence']} attempt {self.headers['hookd-attempt']} "
            f"{body.decode()} signature ok -> {status}",
            flush=True,
        )
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
        if status == 204:
            taken.add(event)

    def log_message(self, format, *args):  # the line above says it
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
server.timeout = 1
pathlib.Path(options.port_file).write_text(f"{server.server_port}\n", encoding="ascii")
deadline = time.monotonic() + 60
while len(taken) < options.events and not wrong:
    if time.monotonic() > deadline:
        sys.exit(f"receiver: only {len(taken)} of {options.events} events came within 60 s")
    server.handle_request()
sys.exit(1 if wrong else 0)
