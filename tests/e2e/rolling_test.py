"""Restarts of the service under load, as an upgrade does them: SIGTERM, and a start. tests/crash has SIGKILL.

HOOKD_ROLLING_ROUNDS (6) says how often.
"""

import json
import os
import subprocess
import threading
import time

import harness
from harness import wait_for
from load import Load

ROUNDS = int(os.environ.get("HOOKD_ROLLING_ROUNDS", "6"))
DEADLINE_S = 20
PARALLEL_IN_FLIGHT = 8
FAST = ("--backoff", "100ms:500ms:0.1", "--rate-limit", "0", "--max-retries", "1000")
# Subscriber, and what its receiver is like: some attempts are always in flight when the signal comes.
PATHS = {
    "ordered": {},
    "slow": {"delay_ms": 40},
    "refusing": {"refuse_every": 5, "refuse_attempts": 1},
    "parallel": {"delay_ms": 100},
}


class Lines:
    """hookctl fed with lines for as long as it takes: one process over all restarts."""

    def __init__(self, space, hookd, subscriber):
        self.payloads = []
        self._subscriber = subscriber
        self._output = space.folder / "lines.json"
        command = [harness.bin_dir / "hookctl", "--server", hookd.grpc, "--output", "json"]
        command += ["events", "publish", "--file", "-", "--retry-for", f"{harness.PATIENCE_S}s"]
        with open(self._output, "wb") as output:
            self._hookctl = space.popen(*command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.DEVNULL)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._feed)
        self._thread.start()

    def _feed(self):
        with self._hookctl.stdin as pipe:
            while not self._stop.wait(0.005):
                number = len(self.payloads)
                self.payloads.append(json.dumps({"line": number}, separators=(",", ":")))
                line = {"subscriber_id": self._subscriber, "type": "t", "idempotency_key": str(number)}
                pipe.write((json.dumps(line)[:-1] + f', "payload": {self.payloads[-1]}}}\n').encode())
                pipe.flush()

    def finish(self):
        """hookctl's exit code and its summary."""
        self._stop.set()
        self._thread.join()
        return self._hookctl.wait(harness.PATIENCE_S), json.loads(self._output.read_text(encoding="utf-8"))


class RollingTest(harness.TestCase):
    def test_restarts_under_load(self):
        hookd = self.space.hookd(shutdown={"deadline": f"{DEADLINE_S}s"}).start()
        receiver = self.space.receiver()
        ledger = receiver.ledger
        for name, behaviour in {**PATHS, "lines": {}}.items():
            hookd.ask("subscribers", "create", name)
            mode = ("--mode", "parallel", "--max-in-flight", PARALLEL_IN_FLIGHT) if name == "parallel" else ()
            hookd.create_endpoint(receiver, name, f"/{name}", *mode, *FAST, **behaviour)
        stops = []
        lines = Lines(self.space, hookd, "lines")
        # Slow enough for the ordered lane of the slow receiver to keep up with, more or less.
        with Load(hookd, list(PATHS), pause_s=0.02) as load:
            for _ in range(ROUNDS):
                seen, acknowledged = len(ledger.entries()), load.count()
                wait_for(lambda: len(ledger.entries()) > seen + 150 and load.count() > acknowledged + 100, "a load")
                began = time.monotonic()
                self.assertEqual(hookd.terminate(), 0)
                stops.append(time.monotonic() - began)
                hookd.start()
            acknowledged = load.count()
            wait_for(lambda: load.count() > acknowledged + 100, "publishing to go on")
        code, summary = lines.finish()
        wait_for(lambda: hookd.pending() == 0, "all deliveries to end")
        self.assertEqual(hookd.terminate(), 0)
        print(f"{ROUNDS} stops under load took {min(stops):.2f} to {max(stops):.2f} s; {load.count()} events, "
              f"{load.first_refusals} tries without an answer, {load.duplicates} answers were lost and given again")
        self.assertGreater(load.first_refusals, 0, "publishers noticed")
        self.assertLess(max(stops), DEADLINE_S, "a stop ends with the attempts, before the deadline")
        self.assertEqual(code, 0, summary)
        known = summary["accepted"] + summary["duplicates"]  # whose answer was lost
        self.assertEqual((known, summary["refused"]), (len(lines.payloads), 0), summary)
        for name in PATHS:
            with self.subTest(of=name):
                self.assertEqual(load.acknowledged[name], len(load.published[name]))
                self.judge(name, load.published[name], ledger.account(f"/{name}"))
        with self.subTest(of="lines"):
            self.judge("lines", lines.payloads, ledger.account("/lines"))

    def judge(self, name, published, account):
        number_of = {harness.sha256(payload): n for n, payload in enumerate(published)}
        arrived = [number_of.get(account.sha256[sequence]) for sequence in sorted(account.sha256)]
        self.assertEqual(arrived, list(range(len(published))), "each event once, in the order of its publisher")
        self.assertEqual(account.duplicates, 0, "a stop makes no duplicate")
        self.assertEqual(account.unverified, 0)
        self.assertEqual(account.sequence_errors(), [])
        if name != "parallel":
            self.assertEqual(account.order_errors(), [])
        # What the stop cut off would have been recorded as an attempt, and made again.
        most = 2 if name == "refusing" else 1
        self.assertLessEqual(max(entry["attempt"] for entry in account.entries), most)


if __name__ == "__main__":
    harness.main()
