"""Holds the house rules that no compiler holds: house_rules.py ROOT. Prints one line per breach."""

import pathlib
import re
import sys

ROOMS = ["base", "cli", "config", "storage", "tests"] + [
    f"dispatcher/{room}" for room in ("alerts", "api", "app", "core", "engine", "telemetry", "tools", "transport")
]

# What a room may include of ours, beside itself. Tests may include everything.
MAY_INCLUDE = {
    "base": [],
    "config": ["base/", "hookd/config/v1/"],
    "storage": ["base/", "hookd/storage/v1/"],
    "dispatcher/core": ["base/", "storage/facts.h"],  # for IdempotencyKey
    "dispatcher/transport": ["base/", "dispatcher/core/authorization.h", "dispatcher/core/egress_rules.h"],
    "dispatcher/telemetry": ["base/"],
    "dispatcher/engine": [
        "base/",
        "dispatcher/core/",
        "dispatcher/telemetry/telemetry.h",
        "dispatcher/transport/http_transport.h",
        "storage/backups.h",
        "storage/delivery_store.h",
        "storage/facts.h",
    ],
    "dispatcher/tools": [
        "base/",
        "dispatcher/core/",
        "dispatcher/engine/capture_sink.h",
        "dispatcher/engine/kept_headers.h",
        "dispatcher/engine/request.h",
        "dispatcher/transport/http_transport.h",
        "storage/delivery_store.h",
    ],
    "dispatcher/alerts": [
        "base/",
        "dispatcher/core/",
        "dispatcher/engine/engine.h",
        "dispatcher/telemetry/telemetry.h",
        "dispatcher/transport/curl_handles.h",
    ],
    "dispatcher/api": [
        "base/",
        "dispatcher/core/",
        "dispatcher/engine/backup_runner.h",
        "dispatcher/engine/engine.h",
        "dispatcher/telemetry/telemetry.h",
        "dispatcher/tools/",
        "hookd/config/v1/",
        "hookd/v1/",
    ],
    "dispatcher/app": ["base/", "config/", "dispatcher/", "hookd/config/v1/", "storage/"],
    "cli": ["base/", "config/yaml_documents.h", "hookd/v1/"],
}

# Third-party headers, and the rooms that they are private to.
PRIVATE = {
    r"ares": ["dispatcher/transport"],
    r"curl/": ["dispatcher/alerts", "dispatcher/transport"],
    r"rocksdb/": ["storage"],
    r"(grpc|grpcpp|grpc\+\+)/": ["dispatcher/api", "cli"],
    r"(prometheus|spdlog|fmt)/": ["dispatcher/telemetry"],
    r"yaml-cpp/": ["config", "cli"],
    r"boost/url": ["dispatcher/core"],
    r"boost/json": ["dispatcher/core", "dispatcher/api", "cli"],
    r"valijson/": ["dispatcher/core"],
    r"openssl/": ["cli", "dispatcher/api", "dispatcher/core", "dispatcher/transport", "storage"],
    r"boost/beast": ["dispatcher/api"],
    r"boost/asio": ["dispatcher/api", "dispatcher/app", "dispatcher/engine", "dispatcher/tools",
                    "dispatcher/transport"],
    r"CLI/": ["dispatcher/app", "cli"],
    r"google/protobuf/": ["config", "storage", "dispatcher/api", "cli"],
}

MAX_LINES = 600
CLOCK = re.compile(r"\b(\w+_clock::now|absl::Now|gettimeofday|clock_gettime|std::time)\b")
SLEEP = re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep|absl::SleepFor)\b|(?<![\w.:])sleep\s*\(")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def room_of(path):
    for room in ROOMS:
        if path.startswith(room + "/"):
            return room
    return None


def breaches_of(path, text, exists):
    """`path` from the root; `exists` says whether such a path is a file of ours."""
    room = room_of(path)
    if room is None:
        yield 1, f"is in no room: add its folder to {pathlib.Path(__file__).name}"
        return
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        yield len(lines), f"is longer than {MAX_LINES} lines: split it by purpose"
    if path.endswith(".h") and "#pragma once" not in lines:
        yield 1, "lacks #pragma once"
    for number, line in enumerate(lines, 1):
        include = INCLUDE.match(line)
        if include:
            breach = include_breach(room, include.group(1), include.group(2), exists)
            if breach:
                yield number, breach
            continue
        code = line.split("//")[0]
        if room != "tests" and path != "base/clock.cc" and CLOCK.search(code):
            yield number, "reads a clock: take `now` as an argument, or a hookd::Clock"
        # A load generator paces itself; nothing is asserted about what happened meanwhile.
        if room == "tests" and not path.startswith("tests/bench/") and SLEEP.search(code):
            yield number, "sleeps: wait for the condition itself"


def include_breach(room, bracket, name, exists):
    if bracket == "<":
        for pattern, rooms in PRIVATE.items():
            if re.match(pattern, name) and room not in rooms + ["tests"]:
                return f"includes <{name}>, which is private to {', '.join(rooms)}"
        return None
    if not name.startswith("hookd/") and not exists(name):
        return f'includes "{name}", which is not a path from the root'
    if room == "tests" or name.startswith(room + "/"):
        return None
    if not any(name.startswith(allowed) for allowed in MAY_INCLUDE[room]):
        return f'includes "{name}", which {room} may not'
    return None


def breaches_under(root):
    found = []
    for folder in sorted({room.split("/")[0] for room in ROOMS}):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".h", ".cc") and path.is_file():
                name = path.relative_to(root).as_posix()
                text = path.read_text(encoding="utf-8")
                for line, breach in breaches_of(name, text, lambda p: (root / p).is_file()):
                    found.append(f"{name}:{line}: {breach}")
    return found


def main():
    found = breaches_under(pathlib.Path(sys.argv[1]).resolve())
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
