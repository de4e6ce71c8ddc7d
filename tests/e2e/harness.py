"""What the demo and the end-to-end tests share: a folder of their own, hookd, hookctl, receivers, ledgers.

A test file ends with `harness.main()` and is run as `python3 FILE --bin FOLDER`, with the folder of hookd and hookctl.
"""

import argparse
import collections
import contextlib
import ctypes
import dataclasses
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
PROFILES = HERE.parents[1] / "config/profiles"
# Also for builds with sanitizers on a busy machine: reached only when something is wrong.
PATIENCE_S = 60
TGKILL = 234  # the system call, on x86-64
READY = re.compile(r"^hookd ready grpc=([\d.]+:\d+) http=([\d.]+:\d+)$", re.MULTILINE)

bin_dir = pathlib.Path("build/release/bin")  # set by main()


class Failure(Exception):
    """What was promised did not happen."""


def wait_for(condition, what, timeout=PATIENCE_S):
    """The condition's first true value. It is asked again and again; `what` is for the message when time is up."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f"waited {timeout} s for {what}")
        time.sleep(0.01)  # between two looks


class Workspace:
    """A temporary folder and what runs in it.

    Leaving it ends every process by its pid, also on Ctrl-C and SIGTERM; the folder is kept only after a failure.
    """

    def __init__(self, name):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"hookd-{name}-"))
        self.failed = False
        self.keep = False
        self._running = []

    def __enter__(self):
        with contextlib.suppress(ValueError):  # signals belong to the main thread
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        return self

    def __exit__(self, kind, error, traceback):
        for process in self._running:
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    if stream is not None:
                        stream.close()
        if self.failed or kind not in (None, KeyboardInterrupt, SystemExit):
            print(f"kept for you to look at: {self.folder}", file=sys.stderr)
        elif not self.keep:
            shutil.rmtree(self.folder)

    def popen(self, *command, **options):
        process = subprocess.Popen([str(part) for part in command], **options)
        self._running.append(process)
        return process

    def hookd(self, name="hookd", **settings):
        return Hookd(self, name, settings)

    def receiver(self, name="receiver", keep_requests=False):
        return Receiver(self, name, keep_requests)


class Hookd:
    """One data folder, and the hookd that runs on it now. Settings are sections: {"log": {"level": "debug"}}."""

    def __init__(self, space, name, settings):
        self.space = space
        self.data = space.folder / f"{name}-data"
        self.log = space.folder / f"{name}.log"
        self.config = space.folder / f"{name}.yaml"
        self.process = None
        self.settings = settings
        self.grpc = self.http = "127.0.0.1:0"
        self.wrapper = []  # a command that runs hookd as its own process, such as strace -D
        self._starts = 0

    def write_config(self):
        sections = {"grpc": {"listen": self.grpc}, "http": {"listen": self.http}, "profiles": {"dir": PROFILES},
                    "egress": {"allow_loopback": "true"}} | self.settings
        lines = [f"data_dir: {self.data}"]
        for section, values in sections.items():
            lines += [f"{section}:"] + [f"  {key}: {value}" for key, value in values.items()]
        self.config.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def launch(self, *prefix):
        """Starts the process and does not wait. The ports stay those of the first start. `prefix`: runs it."""
        self.write_config()
        self._starts += 1
        self._output = self.space.folder / f"{self.config.stem}-{self._starts}.out"
        with open(self._output, "wb") as output, open(self.log, "ab") as log:
            command = (*prefix, *self.wrapper, bin_dir / "hookd", "--config", self.config)
            self.process = self.space.popen(*command, stdout=output, stderr=log)
        return self

    def start(self, *prefix):
        """Returns when hookd says that it is ready."""
        self.launch(*prefix)

        def ready():
            if self.process.poll() is not None:
                raise Failure(f"hookd ended with {self.process.returncode} instead of starting:\n{self.log_tail()}")
            return READY.search(self._output.read_text(encoding="utf-8"))

        self.grpc, self.http = wait_for(ready, "hookd to be ready").groups()
        return self

    def kill(self):
        """SIGKILL: hookd cannot finish anything."""
        self.process.kill()
        self.process.wait()

    def terminate(self):
        """SIGTERM: an orderly stop. Returns the exit code."""
        if "HOOKD_UNDER_TSAN" in os.environ:
            self._terminate_a_poller()
        else:
            self.process.terminate()
        return self.wait()

    def _terminate_a_poller(self):
        """ThreadSanitizer holds a signal back from a thread that waits where it does not see it, as in Abseil: for good,
        if that is the main thread. So the signal goes to one that waits for descriptors."""
        threads = pathlib.Path(f"/proc/{self.process.pid}/task")

        def poller():
            return next((int(thread.name) for thread in threads.iterdir()
                         if "epoll" in (thread / "wchan").read_text(encoding="ascii")), None)

        thread = wait_for(poller, "a thread that waits for descriptors")
        ctypes.CDLL(None).syscall(TGKILL, self.process.pid, thread, signal.SIGTERM)

    def wait(self):
        try:
            return self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise Failure(f"hookd did not end within {PATIENCE_S} s:\n{self.log_tail()}") from None

    def log_tail(self):
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])

    def get(self, path):
        """Status and text of a GET on the HTTP port; (0, reason) when there is no answer."""
        try:
            with urllib.request.urlopen(f"http://{self.http}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def hookctl(self, *arguments, input=None):
        """The finished process, whatever its exit code; text in and out, or bytes in."""
        text = input if isinstance(input, bytes) or input is None else input.encode()
        command = [str(part) for part in (bin_dir / "hookctl", "--server", self.grpc, *arguments)]
        done = subprocess.run(command, input=text, capture_output=True, timeout=PATIENCE_S, check=False)
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def ask(self, *arguments, input=None):
        """The answer of a hookctl command that must succeed, as JSON."""
        done = self.hookctl("--output", "json", *arguments, input=input)
        if done.code != 0:
            raise Failure(f"hookctl {' '.join(map(str, arguments))} ended with {done.code}: {done.err}{done.out}")
        return json.loads(done.out) if done.out.strip() else {}

    def pending(self):
        return int(self.ask("status").get("pending_deliveries", 0))

    def create_endpoint(self, receiver, subscriber, path, *flags, **behaviour):
        """An endpoint at `path` of the receiver, which is told the secret. Returns the endpoint's id."""
        created = self.ask("endpoints", "create", "--subscriber", subscriber, "--url", receiver.url(path), *flags)
        receiver.set(path, secret=created["signing_secret"], **behaviour)
        return created["endpoint"]["id"]


@dataclasses.dataclass
class Done:
    code: int
    out: str
    err: str


class Receiver:
    """receiver.py as a process of its own."""

    def __init__(self, space, name, keep_requests):
        self.ledger = Ledger(space.folder / f"{name}.ndjson")
        flags = ["--keep-requests"] if keep_requests else []
        command = [sys.executable, "-B", HERE / "receiver.py", "--ledger", self.ledger.path, *flags]
        self.process = space.popen(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self._read_line("receiver ready port="))
        self._routes = {}
        self._lock = threading.Lock()

    def _read_line(self, prefix):
        line = self.process.stdout.readline().rstrip("\n")
        if not line.startswith(prefix):
            raise Failure(f"the receiver said {line!r} instead of {prefix!r}")
        return line.removeprefix(prefix)

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def set(self, path, **behaviour):
        """See receiver.py; what is not named stays as it was."""
        with self._lock:
            route = self._routes.setdefault(path, {"path": path})
            route |= behaviour
            self.process.stdin.write(json.dumps(route) + "\n")
            self.process.stdin.flush()
            self._read_line(f"set {path}")

    def settle(self):
        """Returns when nothing that was sent before can arrive any more; the sender must have ended."""
        with self._lock:
            self.process.stdin.write('{"settle": true}\n')
            self.process.stdin.flush()
            self._read_line("settled")


class Ledger:
    """What receivers noted, in the order of arrival."""

    def __init__(self, path):
        self.path = path
        self._entries = []
        self._offset = 0
        self._lock = threading.Lock()

    def entries(self, path=None):
        """Of one path, or all. Reads only what is new."""
        with self._lock:
            self._entries += self._read()
            return [entry for entry in self._entries if path is None or entry["path"] == path]

    def take(self):
        """What has come since the last call. Nothing is kept: for long runs, instead of `entries`."""
        with self._lock:
            return self._read()

    def _read(self):
        if not self.path.exists():
            return []
        with open(self.path, "rb") as file:
            file.seek(self._offset)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._offset += len(whole)
        return [json.loads(line) for line in whole.splitlines()]

    def account(self, path):
        return Account(self.entries(path))


class Account:
    """What one endpoint's requests add up to."""

    def __init__(self, entries):
        self.entries = entries
        self.accepted = [entry for entry in entries if entry["answer"] < 300]
        counts = collections.Counter(entry["id"] for entry in self.accepted)
        self.delivered = len(counts)
        self.duplicates = sum(counts.values()) - len(counts)
        self.retries = sum(entry["attempt"] > 1 for entry in entries)
        self.unverified = sum(not entry["verified"] for entry in entries)
        # By sequence number, each once: what was delivered.
        self.sha256 = {int(entry["sequence"].split(".")[1]): entry["sha256"] for entry in self.accepted}

    def sequence_errors(self):
        """Of what arrived at all: numbers must be 1 to N without a gap, from one epoch."""
        errors = []
        epochs = {entry["sequence"].split(".")[0] for entry in self.entries}
        if len(epochs) > 1:
            errors.append(f"hookd-sequence has the epochs {', '.join(sorted(epochs))}, expected one")
        missing = set(range(1, max(self.sha256, default=0) + 1)) - set(self.sha256)
        if missing:
            errors.append(f"{len(missing)} sequence numbers never came, the first is {min(missing)}")
        return errors

    def order_errors(self):
        """Of an ordered endpoint: nothing may be sent before what is in front of it was accepted.

        Only the last accepted one may come again: its outcome may not have been on disk when hookd was killed.
        """
        last = 0
        for entry in self.entries:
            number = int(entry["sequence"].split(".")[1])
            if number not in (last, last + 1) or number == 0:
                return [f"sequence {number} arrived when {last} was the last one accepted"]
            if entry["answer"] < 300:
                last = number
        return []


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def count(number, noun):
    return f"{number} {noun}{'' if number == 1 else 's'}"


class TestCase(unittest.TestCase):
    """With a workspace per test: `self.space`."""

    maxDiff = None

    def run(self, result=None):
        with Workspace(self.id().split(".")[-1]) as self.space:
            before = len(result.errors) + len(result.failures)
            super().run(result)
            self.space.failed = len(result.errors) + len(result.failures) > before


def parse_bin(description):
    """Sets `bin_dir` from --bin and leaves other arguments in sys.argv."""
    global bin_dir
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--bin", type=pathlib.Path, default=bin_dir, help="folder of hookd and hookctl")
    options, sys.argv[1:] = parser.parse_known_args()
    bin_dir = options.bin.resolve()
    for name in ("hookd", "hookctl"):
        if not (bin_dir / name).is_file():
            sys.exit(f"{bin_dir / name} is missing: build it first, or give its folder with --bin")


def main():
    parse_bin("an end-to-end test; other arguments are unittest's")
    unittest.main(module="__main__", verbosity=2)
