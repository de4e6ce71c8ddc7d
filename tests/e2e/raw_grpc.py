"""Calls that hookctl is too polite to make: gRPC by hand, through the curl command. Knows one kind of message field.

A message is a list of (field number, value): an int is a varint, text and bytes are length-delimited, and a list is
a message inside.
"""

import re
import subprocess

CODES = {0: "OK", 3: "INVALID_ARGUMENT", 5: "NOT_FOUND", 8: "RESOURCE_EXHAUSTED", 13: "INTERNAL", 14: "UNAVAILABLE"}


def varint(number):
    number &= (1 << 64) - 1  # negative numbers are sent as 64 bits
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def encode(fields):
    encoded = b""
    for number, value in fields:
        if isinstance(value, int):
            encoded += varint(number << 3) + varint(value)
            continue
        if isinstance(value, list):
            value = encode(value)
        elif isinstance(value, str):
            value = value.encode()
        encoded += varint(number << 3 | 2) + varint(len(value)) + value
    return encoded


def call(server, method, fields):
    """The canonical code and the message of hookd.v1.METHOD; for a stream: of one message and no more."""
    headers = exchange(server, f"hookd.v1.{method}", fields, body=False).decode()
    code = int(re.search(r"^grpc-status: *(\d+)", headers, re.MULTILINE).group(1))
    text = re.search(r"^grpc-message: *([^\r\n]*)", headers, re.MULTILINE)
    return CODES.get(code, str(code)), text.group(1) if text else ""


def exchange(server, path, fields, body=True):
    """The bytes of what came back: the messages, or the headers and trailers."""
    message = encode(fields)
    command = ["curl", "--silent", "--show-error", "--http2-prior-knowledge", "--max-time", "30", "--noproxy", "*"]
    command += ["--header", "Content-Type: application/grpc", "--header", "TE: trailers", "--header", "Expect:"]
    command += ["--data-binary", "@-"]
    if not body:
        command += ["--dump-header", "-", "--output", "/dev/null"]
    framed = b"\0" + len(message).to_bytes(4, "big") + message
    done = subprocess.run(
        [*command, f"http://{server}/{path}"], input=framed, capture_output=True, timeout=60, check=True
    )
    return done.stdout
