"""A receiver that notes when what arrived, and answers 204: `sink.py --listen ADDRESS --ledger FILE`.

The first line on standard output is "sink ready port=PORT"; it ends with its standard input. The ledger gets a line
per request: the monotonic time in seconds, which all processes of a machine share, and the path.
"""

import argparse
import http.server
import sys
import threading
import time


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, request, client_address):  # a connection that breaks is the sender's affair
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.ledger.write(f"{time.monotonic()} {self.path}\n".encode())
        self.send_response(204)
        self.end_headers()

    def log_message(self, format, *args):
        pass


def main():
    parser = argparse.ArgumentParser(description="notes when what arrived")
    parser.add_argument("--listen", default="127.0.0.1")
    parser.add_argument("--ledger", required=True)
    options = parser.parse_args()
    server = Server((options.listen, 0), Handler)
    server.ledger = open(options.ledger, "ab", buffering=0)
    server.lock = threading.Lock()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"sink ready port={server.server_port}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
