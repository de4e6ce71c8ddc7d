"""A receiver as a subscriber would write it: verifies each request, notes it in a ledger, answers.

It is a process of its own, on a free port of the loopback interface: `receiver.py --ledger FILE`. The first line on
standard output is "receiver ready port=PORT". Then every line of JSON on standard input sets what one path does, and
is answered by the line "set PATH"; the end of standard input ends the receiver.

  path             such as "/inbox"; a path that was never set is answered with 404
  secret           the endpoint's signing secret, "whsec_" and base64
  or_secrets       a list of others: a signature by any one of them will do
  refuse_every     N: every delivery whose sequence number is a multiple of N is refused (0 = none) ...
  refuse_attempts  ... so many times ...
  refuse_status    ... with this status; everything else is answered with 204
  delay_ms         every answer comes so late
  hold             true: requests are noted, but answered only once a later line says false

The line {"settle": true} is answered by "settled" once every connection that was opened before it has ended: after
the sender was killed, nothing of it can arrive any more.

The ledger gets one line of JSON per request, in the order of arrival, before the answer goes out.
"""

import argparse
import base64
import dataclasses
import hashlib
import hmac
import http.server
import json
import socket
import sys
import threading
import time

TIMESTAMP_TOLERANCE_S = 300


@dataclasses.dataclass
class Route:
    path: str
    secret: str
    or_secrets: list = dataclasses.field(default_factory=list)
    refuse_every: int = 0
    refuse_attempts: int = 1
    refuse_status: int = 503
    hold: bool = False
    delay_ms: int = 0


def signature_is_valid(headers, body, secret, now):
    """Standard Webhooks, scheme v1: one of the signatures is the HMAC-SHA256 of id, timestamp and body."""
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not timestamp.isdigit() or abs(now - int(timestamp)) > TIMESTAMP_TOLERANCE_S:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return any(hmac.compare_digest(given, expected) for given in headers.get("webhook-signature", "").split())


class Receiver(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, ledger, keep_requests):
        super().__init__(("127.0.0.1", 0), Handler)
        self.keep_requests = keep_requests
        self._ledger = open(ledger, "ab", buffering=0)
        self._lock = threading.Condition()
        self._routes = {}
        self._connections = 0

    def process_request(self, request, client_address):
        with self._lock:
            self._connections += 1
        super().process_request(request, client_address)

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._connections -= 1
                self._lock.notify_all()

    def settle(self):
        # Connections are taken in the order in which they were opened: once this one is, all before it are.
        with socket.create_connection(self.server_address) as probe:
            probe.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while probe.recv(4096):
                pass
        with self._lock:
            self._lock.wait_for(lambda: self._connections == 0)

    def set_route(self, route):
        with self._lock:
            self._routes[route.path] = route
            self._lock.notify_all()

    def route(self, path):
        with self._lock:
            return self._routes.get(path)

    def note(self, entry):
        line = json.dumps(entry).encode() + b"\n"
        with self._lock:
            self._ledger.write(line)

    def wait_until_released(self, path):
        with self._lock:
            self._lock.wait_for(lambda: not self._routes[path].hold)

    def handle_error(self, request, client_address):
        # A connection that breaks is the sender's affair: it is killed on purpose here.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        route = self.server.route(self.path)
        if route is None:
            self.answer(404)
            return
        verified = any(signature_is_valid(self.headers, body, secret, time.time())
                       for secret in [route.secret, *route.or_secrets])
        attempt = int(self.headers["hookd-attempt"])
        sequence = self.headers["hookd-sequence"]
        # Of a batch, its first member's; tests of an endpoint have none.
        number = int(sequence.split(",")[0].split(".")[1]) if sequence else 0
        refused = route.refuse_every and number % route.refuse_every == 0 and attempt <= route.refuse_attempts
        status = 400 if not verified else route.refuse_status if refused else 204
        entry = {
            "time": time.time(),
            "path": self.path,
            "id": self.headers["webhook-id"],
            "sequence": sequence,
            "attempt": attempt,
            "type": self.headers["hookd-event-type"],
            "verified": verified,
            "answer": status,
            "sha256": hashlib.sha256(body).hexdigest(),
        }
        if self.server.keep_requests:
            entry["headers"] = dict(self.headers.items())
            entry["body"] = base64.b64encode(body).decode()
        self.server.note(entry)
        if route.delay_ms:
            time.sleep(route.delay_ms / 1000)
        if route.hold:
            self.server.wait_until_released(self.path)
        self.answer(status)

    def answer(self, status):
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format, *args):  # the ledger says it
        pass


def main():
    parser = argparse.ArgumentParser(description="a webhook receiver that verifies and keeps a ledger")
    parser.add_argument("--ledger", required=True, help="file that gets one line of JSON per request")
    parser.add_argument("--keep-requests", action="store_true", help="note headers and bodies too")
    options = parser.parse_args()
    server = Receiver(options.ledger, options.keep_requests)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"receiver ready port={server.server_port}", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        if order.get("settle"):
            server.settle()
            print("settled", flush=True)
            continue
        route = Route(**order)
        server.set_route(route)
        print(f"set {route.path}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:  # Ctrl-C goes to the whole process group; who started this ends it in order
        sys.exit(130)
